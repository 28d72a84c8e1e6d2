"""Helpers to read console logs: lines without colours and rank prefixes, and the steps of one rank as columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import compress
from pathlib import PurePath
from typing import NamedTuple

from lawlib.errors import ReadError

from ..core import counted, decode
from .reader import RUN, Read

LINE = 2**16  # characters; no trainer logs a longer line
NUMBER = r"[+-]?(?:\d[\d,_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?nan|[+-]?inf(?:inity)?"
ANSI = re.compile(rb"\x1b\[[0-9;:?]{0,32}[A-Za-z]")
_RANK = re.compile(r"(?:\d{1,5}: )?\s{0,8}\[?(?:default|rank|Rank |RANK )(\d{1,6})\]?:|\d{1,5}: (?=\s|\[)")


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


class Steps:
    """Collects the logged steps of one run and turns them into columns."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self._rows: list[dict[str, str]] = []
        self._at: list[tuple[int, int]] = []  # line, rank
        self.settings: dict[str, str] = {}  # what holds for the whole run

    def add(self, line: Line, row: dict[str, str]) -> None:
        """Adds one logged step; `row` must have the format's step column."""
        self._rows.append(row)
        self._at.append((line.number, line.rank))

    def read(self, step: str) -> Read:
        """Returns all steps as columns, with the run's settings as columns. Of ranks that log the same step the lowest is kept.

        Raises:
            ReadError: there are no steps.
        """
        if not self._rows:
            raise ReadError(f"{self.name} begins like a training log but no step with a loss could be read in it.")
        rows, at = self._rows, self._at
        names = list(dict.fromkeys(name for row in rows for name in row))
        lowest: dict[str, int] = {}
        for row, (_, rank) in zip(rows, at, strict=True):
            lowest[row[step]] = min(rank, lowest.get(row[step], rank))
        kept = [rank == lowest[row[step]] for row, (_, rank) in zip(rows, at, strict=True)]
        if not all(kept):
            self.notes.append(f"{counted(kept.count(False), 'line')} of further ranks repeat steps and are passed over.")
            rows, at = list(compress(rows, kept)), list(compress(at, kept))
        settings = {RUN: run_name(self.name)} | {k: v for k, v in self.settings.items() if k not in names}
        columns = {k: [v] * len(rows) for k, v in settings.items()} | {k: [row.get(k, "") for row in rows] for k in names}
        return Read(columns, [number for number, _ in at], self.notes)


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
