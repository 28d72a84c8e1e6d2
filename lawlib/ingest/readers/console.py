"""Helpers to read console logs: lines without colours and rank prefixes, and the steps of one rank as columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from pathlib import PurePath
from typing import NamedTuple

from lawlib.errors import ReadError

from ..core import cell_number, counted, decode
from .reader import RUN, Read

LINE = 2**16  # characters; no trainer logs a longer line
NUMBER = r"[+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf(?:inity)?"
ANSI = re.compile(rb"\x1b\[[0-9;:?]{0,32}[A-Za-z]")
_RANK = re.compile(r"(?:\d{1,5}: )?\s{0,8}\[?(?:default|rank|Rank |RANK )(\d{1,6})\]?:|\d{1,5}: (?=\s|\[)")


PART = "training"
"""The column that counts the trainings of a log, where it holds several."""
_OF_MODEL = re.compile(r"param|size|layer|expert|width|ffn|model|hidden|heads|by shape", re.IGNORECASE)
_RANKS = 4096  # lines of a training looked at for a rank
_FINISHED = 0.98


class Line(NamedTuple):
    number: int  # counted from 1
    rank: int  # -1 where the line names none
    text: str


def console_lines(content: bytes, name: str, notes: list[str]) -> Iterator[Line]:
    """Yields the lines of a log; carriage returns of progress bars part lines, overlong lines are passed over with a note."""
    data, said = decode(content, name)
    notes += said
    n_long = 0
    for number, raw in enumerate(ANSI.sub(b"", data).split(b"\n"), start=1):
        if len(raw) > LINE:
            n_long += 1
            continue
        text = raw.decode()
        match = _RANK.match(text)
        if match:
            yield Line(number, int(match[1] or -1), text[match.end() :])
        elif text:
            yield Line(number, -1, text)
    if n_long:
        notes.append(f"{counted(n_long, 'line')} of more than {LINE:,} characters passed over.")


@dataclass
class _Training:
    """The logged steps of one training, and what holds for all of it."""

    rows: list[dict[str, str]] = field(default_factory=list)
    at: list[tuple[int, int]] = field(default_factory=list)  # line, rank
    settings: dict[str, str] = field(default_factory=dict)
    first: float = math.nan
    last: float = -1.0  # the highest step
    gap: float = math.inf  # the smallest distance between two steps


class _Settings(dict[str, str]):
    """What a log says about the training whose steps come next."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()  # since the last logged step

    def __setitem__(self, key: str, value: str) -> None:
        super().__setitem__(key, value)
        self.said.add(key)

    def __ior__(self, other):  # type: ignore[override]
        for key, value in dict(other).items():
            self[key] = value
        return self


class Steps:
    """Collects the logged steps of a log's trainings and turns them into columns.

    A new training begins where the step falls back to the first one, or back at all after the log has named another size of model;
    it has the settings that were logged since. A training that goes on from a checkpoint goes on here too.
    """

    def __init__(self, name: str, step: str = "step") -> None:
        self.name, self._step = name, step
        self.notes: list[str] = []
        self.settings: dict[str, str] = _Settings()
        self._trainings: list[_Training] = [_Training()]

    def add(self, line: Line, row: dict[str, str]) -> None:
        """Adds one logged step; `row` must have the format's step column."""
        at, training = cell_number(row[self._step]), self._trainings[-1]
        if training.rows and at < training.last and self._is_new(training, at, line.rank):
            training = _Training()
            self._trainings.append(training)
        if training.rows and at > training.last >= 0:
            training.gap = min(training.gap, at - training.last)
        if not training.rows:
            training.first = at
        training.last = max(training.last, at) if at == at else training.last
        training.rows.append(row)
        training.at.append((line.number, line.rank))
        if self._given.said or not training.settings:
            training.settings = dict(self._given)
            self._given.said.clear()

    @property
    def _given(self) -> _Settings:
        assert isinstance(self.settings, _Settings)
        return self.settings

    def _is_new(self, training: _Training, at: float, rank: int) -> bool:
        """Whether a step that is below one logged before begins another training."""
        if rank >= 0 and training.at[-1][1] != rank and all(r != rank for _, r in training.at[-_RANKS:]):
            return False  # another rank tells of the same training
        if at <= training.first and at <= 1.5 * training.gap:
            self._forget()
            return True
        said = {k: v for k, v in self.settings.items() if k in self._given.said and _OF_MODEL.search(k)}
        return any(training.settings.get(k, v) != v for k, v in said.items())

    def _forget(self) -> None:
        """Drops the sizes of the model before, where the new training names sizes of its own."""
        given = self._given
        if any(_OF_MODEL.search(k) for k in given.said):
            for key in [k for k in given if _OF_MODEL.search(k) and k not in given.said]:
                del given[key]

    def read(self, step: str, complete: Callable[[dict[str, str]], dict[str, str]] = dict) -> Read:
        """Returns all steps as columns, with each run's settings, as `complete` gives them, as columns.

        Of ranks that log the same step the lowest is kept.

        Of several trainings each has a run's name and a status of its own.

        Raises:
            ReadError: there are no steps.
        """
        trainings = self._trainings
        if not trainings[0].rows:
            raise ReadError(f"{self.name} begins like a training log but no step with a loss could be read in it.")
        n_passed = sum(_one_rank(training, step) for training in trainings)
        if n_passed:
            self.notes.append(f"{counted(n_passed, 'line')} of further ranks repeat steps and are passed over.")
        if len(trainings) == 1 and self._given.said:
            trainings[0].settings = dict(self._given)
        for training in trainings:
            training.settings = complete(training.settings)
        several = len(trainings) > 1
        if several:
            self.notes.append(
                f"The log holds {counted(len(trainings), 'training')}, one after another: each is a run, with its own settings."
            )
            longest = max(t.last for t in trainings)
            for i, training in enumerate(trainings, start=1):
                early = training.last < _FINISHED * longest
                status = "finished" if not early else "crashed" if i < len(trainings) else "running"
                training.settings = {PART: str(i), "status": status} | training.settings
                if status == "running":
                    self.notes.append(
                        f"The last training ends at step {training.last:,.0f} where others went to {longest:,.0f}: it is in flight or has crashed."
                    )
        rows = [row for t in trainings for row in t.rows]
        names = list(dict.fromkeys(name for row in rows for name in row))
        label = run_name(self.name)
        keys = [k for k in dict.fromkeys(k for t in trainings for k in t.settings) if k not in names]
        columns = {RUN: [training_name(label, t.settings.get(PART, "")) for t in trainings for _ in t.rows]}
        columns |= {k: [t.settings.get(k, "") for t in trainings for _ in t.rows] for k in keys}
        columns |= {k: [row.get(k, "") for row in rows] for k in names}
        return Read(columns, [number for t in trainings for number, _ in t.at], self.notes)


def _one_rank(training: _Training, step: str) -> int:
    """Keeps of ranks that log the same step the lowest, and returns how many lines go."""
    lowest: dict[str, int] = {}
    for row, (_, rank) in zip(training.rows, training.at, strict=True):
        lowest[row[step]] = min(rank, lowest.get(row[step], rank))
    kept = [rank == lowest[row[step]] for row, (_, rank) in zip(training.rows, training.at, strict=True)]
    if all(kept):
        return 0
    training.rows, training.at = list(compress(training.rows, kept)), list(compress(training.at, kept))
    return kept.count(False)


def training_name(label: str, part: str) -> str:
    """Returns the name of a log's run: numbered where the log holds several trainings."""
    return f"{label} (training {part})" if part else label


def run_name(name: str) -> str:
    """Returns the run's name in a log's file name: the last part without endings."""
    path = PurePath(name)
    stem = path.name
    while PurePath(stem).suffix.lower() in (".gz", ".log", ".txt", ".out", ".csv", ".json", ".jsonl", ".err", ".parquet"):
        stem = PurePath(stem).stem
    return stem or path.name or "run"


def plain(text: str) -> str:
    """Returns a number without the commas that group its digits: "30,768" is "30768"; other text unchanged."""
    return text.replace(",", "") if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text) else text
