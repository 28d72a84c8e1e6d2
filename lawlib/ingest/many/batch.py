"""A batch: the rows of several files with the same format and columns, kept as one table so that they are processed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import RowProblem, Table
from ..detection import detect_each, rows_of
from ..readers import RUN

CELLS = 10**8
PLAIN = ("csv", "tsv", "json", "jsonl", "parquet")
"""Formats that do not say by themselves whether a row is a run or a step."""


@dataclass
class Files:
    """The files of one upload, by their number in the order given: paths, runs' names, notes on each."""

    paths: list[str]
    labels: list[str]
    notes: dict[int, list[str]] = field(default_factory=dict)
    ragged: dict[int, list[RowProblem]] = field(default_factory=dict)
    passed: dict[int, str] = field(default_factory=dict)  # why a file is passed over

    def say(self, number: int, notes: list[str], ragged: list[RowProblem]) -> None:
        """Records the notes and problems that reading a file gave besides its rows."""
        self.notes[number], self.ragged[number] = notes, ragged


@dataclass(frozen=True, eq=False)
class Batch:
    """One table of the rows of several files with the same columns; its notes and ragged lines are kept in `Files`."""

    table: Table
    files: np.ndarray  # numbers of the files, ascending, shape (n_files,)
    of_row: np.ndarray  # which of them each row is from, ascending, shape (n_rows,)
    curves: bool | None = None  # whether all hold learning curves, None where the present columns were not looked at

    @property
    def numbers(self) -> np.ndarray:
        """The number of the file of each row."""
        return self.files[self.of_row]

    def only(self, places: np.ndarray) -> Batch:
        """Returns the batch of some of its files, by their places in it, ascending."""
        if len(places) == len(self.files):
            return self
        rows, of_row = rows_of(places, self.of_row, len(self.files))
        frame = self.table.frame[rows].reset_index(drop=True)
        table = replace(self.table, frame=frame, lines=self.table.lines[rows])
        return Batch(table, self.files[places], of_row)

    def with_column(self, column: str, values: Sequence[str]) -> Batch:
        """Returns the batch with a text for each file in a column: replaced where there is one of that name, else in front."""
        cells = pd.Series(np.array(values, dtype=object)[self.of_row], name=column, dtype="str")
        frame = self.table.frame
        frame = frame.assign(**{column: cells}) if column in frame else pd.concat([cells, frame], axis=1)
        return self.with_frame(frame)

    def with_frame(self, frame: pd.DataFrame) -> Batch:
        """Returns the batch with other columns in the same rows."""
        return replace(self, table=self.table.with_frame(frame), curves=None)


def alone(table: Table, number: int, files: Files) -> Batch:
    """Returns the batch of one file."""
    files.say(number, table.notes, table.ragged)
    return Batch(table, np.array([number]), np.zeros(len(table.frame), dtype=np.int64))


def named(batch: Batch, files: Files) -> list[Batch]:
    """Returns the batch with runs' names taken from the paths: always for logs, for curves of one run where they name none."""
    labels = [files.labels[i] for i in batch.files]
    if RUN in batch.table.frame and batch.table.format not in PLAIN:
        return [batch.with_column(RUN, labels)]
    found = []
    for places, mapping in detect_each(batch.table, batch.of_row):
        part = batch.only(places)
        if mapping.step and "name" not in mapping.sources and not mapping.run_columns:
            found.append(part.with_column(RUN, [labels[i] for i in places]))
        else:
            found.append(replace(part, curves=bool(mapping.step)))
    return found


def of_curves(batch: Batch) -> list[tuple[Batch, bool]]:
    """Splits the batch into files with learning curves and files without; returns each part with whether it holds curves."""
    if batch.table.format not in PLAIN or batch.curves is not None:
        return [(batch, batch.curves is not False)]
    curves = np.zeros(len(batch.files), dtype=bool)
    for places, mapping in detect_each(batch.table, batch.of_row):
        curves[places] = bool(mapping.step)
    return [(batch.only(np.flatnonzero(curves == which)), which) for which in np.unique(curves).tolist()]


def stack(batches: list[Batch], files: Files, name: str) -> Table:
    """Joins all files of one format into one table, in their order.

    Raises:
        ReadError: more than `CELLS` cells together, or decimal commas beside points.
    """
    batches = sorted(batches, key=lambda batch: batch.files[0])
    first = batches[0].table
    numbers = np.sort(np.concatenate([batch.files for batch in batches])).tolist()
    if len(numbers) == 1:
        only = numbers[0]
        return replace(first, name=files.paths[only], notes=files.notes[only], ragged=files.ragged[only])
    check_cells(sum(len(p.table.frame) for p in batches), {c for p in batches for c in p.table.frame.columns}, name)
    if len({p.table.decimal for p in batches}) > 1:
        raise ReadError(f"{name} holds tables with decimal commas and tables with points: give those of one kind at a time.")
    text = any(isinstance(d, pd.StringDtype) for p in batches for d in p.table.frame.dtypes)
    frame = _texts(batches) if text else pd.concat([p.table.frame for p in batches], ignore_index=True)
    of_row, lines = np.concatenate([p.numbers for p in batches]), np.concatenate([p.table.lines for p in batches])
    if (np.diff(of_row) < 0).any():
        order = np.argsort(of_row, kind="stable")
        frame, of_row, lines = frame.take(order).reset_index(drop=True), of_row[order], lines[order]
    origins = np.array(files.paths, dtype=object)[of_row]
    ragged = [replace(problem, file=files.paths[i]) for i in numbers for problem in files.ragged[i]]
    notes = dict.fromkeys(note for i in numbers for note in files.notes[i])
    return Table(name, frame, lines, first.format, list(notes), ragged, "", first.decimal, first.sparse, origins)


def _texts(batches: list[Batch]) -> pd.DataFrame:
    """Joins the rows of all batches as text, "" where one lacks the column; `concat` would take time for every column and batch."""
    ends = np.cumsum([len(p.table.frame) for p in batches])
    cells: dict[str, np.ndarray] = {}
    for batch, end in zip(batches, ends.tolist(), strict=True):
        frame = batch.table.frame.astype("str").fillna("")
        for column in frame.columns:
            if column not in cells:
                cells[column] = np.full(ends[-1], "", dtype=object)
            cells[column][end - len(frame) : end] = frame[column].to_numpy(dtype=object)
    return pd.DataFrame({c: pd.Series(cells.pop(c), dtype="str") for c in list(cells)}, index=pd.RangeIndex(ends[-1]))


def check_cells(n_rows: int, columns: set[str], name: str) -> None:
    """Raises ReadError where a table of all files would have more than `CELLS` cells."""
    if n_rows * len(columns) > CELLS:
        raise ReadError(
            f"{name} has {n_rows:,} rows with {len(columns):,} different columns together, more than {CELLS:,} cells: "
            "give fewer files at a time."
        )
