"""Questions that column detection asks about rows (numeric? filled? repeated?), answered for many files with equal columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from ..core import Table, numbers

SAMPLE = 2000  # rows of a file that show whether a column holds numbers


class Disagree(Exception):
    """Raised where the files answer a question differently: `answers` has one for each, shape `(n_files,)`."""

    def __init__(self, answers: np.ndarray) -> None:
        super().__init__()
        self.answers = answers


def rows_of(files: np.ndarray, of_row: np.ndarray, n_files: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of these files (ascending), of rows numbered by `of_row`, and the place of each row's file among them."""
    place = np.full(n_files, -1)
    place[files] = np.arange(len(files))
    found = place[of_row]
    rows = found >= 0
    return rows, found[rows]


class Evidence:
    """Answers from the rows of several files. Every question raises `Disagree` where the files differ.

    `of_row` holds the number of the file of each row, ascending from 0; without it all rows are one file's.
    """

    def __init__(self, table: Table, of_row: np.ndarray | None = None) -> None:
        self._frame, self._decimal = table.frame, table.decimal
        self._of_row = np.zeros(len(table.frame), dtype=np.int64) if of_row is None else of_row
        self.columns: list[str] = list(table.frame.columns)
        self.n_files = int(self._of_row[-1]) + 1 if len(self._of_row) else 1
        self._numeric: dict[str, np.ndarray] = {}

    def at_hand(self, files: np.ndarray) -> Evidence:
        """Returns the evidence of some of the files; what is known about their columns is kept."""
        if len(files) == self.n_files:
            return self
        rows, of_row = rows_of(files, self._of_row, self.n_files)
        table = Table("", self._frame[rows], np.zeros(0), "", decimal=self._decimal)
        found = Evidence(table, of_row)
        found._numeric = {column: answers[files] for column, answers in self._numeric.items()}
        return found

    def is_numeric(self, column: str) -> bool:
        """Whether at least half of the filled cells in the first rows are numbers."""
        if column not in self._numeric:
            first, of = self._first
            found = numbers(self._frame[column] if first is None else self._frame[column][first], self._decimal)
            n_numbers = self._count(~np.isnan(found.values) | found.nan, of)
            self._numeric[column] = (n_numbers > 0) & (n_numbers >= self._count(found.text, of))
        return self._one(self._numeric[column])

    def is_filled(self, column: str) -> bool:
        """Whether no cell of the column is missing."""
        return self._one(self._count(self._frame[column].isna().to_numpy(), self._of_row) == 0)

    def has_rows(self, n: int) -> bool:
        """Whether there are at least `n` rows."""
        return self._one(np.bincount(self._of_row, minlength=self.n_files) >= n)

    def points(self, column: str) -> Points:
        """Returns the rows that have a number in the column, all of them for ""."""
        kept = np.ones(len(self._frame), dtype=bool)
        if column:
            kept = ~np.isnan(numbers(self._frame[column], self._decimal).values)
        return Points(self, kept)

    def n_values(self, column: str) -> int:
        """Returns how many distinct values the column has, at most 2: more make no difference."""
        return self._one(np.minimum(self._n_different([column], np.ones(len(self._frame), dtype=bool)), 2))

    def has_several(self, columns: Sequence[str]) -> bool:
        """Whether more than one row has the same values in all of the columns."""
        return self._one(self._count(self._ids(columns).duplicated().to_numpy(), self._of_row) > 0)

    @cached_property
    def _first(self) -> tuple[np.ndarray | None, np.ndarray]:
        """Marks the rows among the first of their file (None where all are), and returns their files."""
        counts = np.bincount(self._of_row, minlength=self.n_files)
        if counts.max() <= SAMPLE:
            return None, self._of_row
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        first = np.arange(len(self._of_row)) - starts[self._of_row] < SAMPLE
        return first, self._of_row[first]

    def _count(self, mask: np.ndarray, of: np.ndarray) -> np.ndarray:
        return np.bincount(of[mask], minlength=self.n_files)

    def _ids(self, columns: Sequence[str], kept: np.ndarray | None = None) -> pd.DataFrame:
        """The file and the number of the value in each column, a row a row: equal where all values are; missing is -1."""
        of = self._of_row if kept is None else self._of_row[kept]
        frame = self._frame if kept is None else self._frame[kept]
        return pd.DataFrame({0: of} | {i: pd.factorize(frame[c])[0] for i, c in enumerate(columns, start=1)})

    def _n_different(self, columns: Sequence[str], kept: np.ndarray) -> np.ndarray:
        """How many different combinations of values, none missing, each file has in the columns."""
        ids = self._ids(columns, kept)
        ids = ids[(ids >= 0).all(axis=1)].drop_duplicates()
        return np.bincount(ids[0], minlength=self.n_files)

    def _one(self, answers: np.ndarray):
        if len(answers) > 1 and (answers != answers[0]).any():
            raise Disagree(answers)
        return answers[0].item()


class Points:
    """Rows that are points of curves, for the questions about how runs can be told apart."""

    def __init__(self, evidence: Evidence, kept: np.ndarray) -> None:
        self._all, self._kept = evidence, kept

    def changes(self, column: str, within: Sequence[str]) -> bool:
        """Whether the column has more than one value, blanks apart, in rows of one run by the columns `within`."""
        cells = self._all._frame[column]
        filled = self._kept & cells.notna().to_numpy() & (cells.astype("str").str.strip() != "").to_numpy()
        more = self._all._n_different([*within, column], filled) > self._all._n_different(within, filled)
        return self._all._one(more)

    def repeats(self, columns: Sequence[str]) -> bool:
        """Whether rows have the same values in all of the columns."""
        return self._all._one(self._n_repeats(columns) > 0)

    def telling_apart(self, columns: Sequence[str], others: Sequence[str]) -> list[str]:
        """Returns those other columns that leave no repeat when they are added, the one with the fewest values first."""
        apart = [c for c in self._able(columns, others) if self._all._one(self._n_repeats([*columns, c]) == 0)]
        if len(apart) < 2:
            return apart
        counts = np.array([self._all._n_different([c], self._kept) for c in apart])
        best = self._all._one(counts.argmin(axis=0))
        return [apart[best], *(c for i, c in enumerate(apart) if i != best)]

    def _able(self, columns: Sequence[str], others: Sequence[str]) -> list[str]:
        """Returns the other columns that differ in every examined pair of repeating rows of at least one file."""
        ids = self._all._ids(columns, self._kept)
        group = ids.groupby(list(ids.columns), sort=False).ngroup().to_numpy()
        order = np.argsort(group, kind="stable")
        pairs = np.flatnonzero(np.diff(group[order]) == 0)
        if self._all.n_files == 1:
            pairs = pairs[:SAMPLE]  # enough to pass over most columns of a wide table
        one, two, of = order[pairs], order[pairs + 1], ids[0].to_numpy()[order[pairs]]
        frame = self._all._frame[self._kept]
        a, b = frame.iloc[one], frame.iloc[two]
        least = len(np.unique(of))
        return [c for c in others if len(np.unique(of[a[c].to_numpy() == b[c].to_numpy()])) < least]

    def _n_repeats(self, columns: Sequence[str]) -> np.ndarray:
        again = self._all._ids(columns, self._kept).duplicated().to_numpy()
        return self._all._count(again, self._all._of_row[self._kept])
