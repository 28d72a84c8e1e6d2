"""A file read as a table: raw columns, the line of every row, and notes on what was assumed or left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from .problem import RowProblem
from .scrubbed import Scrubbed


@dataclass(frozen=True, eq=False)
class Table:
    """A file's columns as they are: text for CSV and TSV, the file's own types for JSON, JSONL and Parquet.

    `lines` has a number a row: the physical line, counted from 1, or the record's number in JSON and Parquet files.
    `ragged` holds the lines that are not in `frame` because they do not fit it.
    """

    name: str
    frame: pd.DataFrame
    lines: np.ndarray
    format: str  # csv, tsv, json, jsonl, parquet or a reader's name
    notes: list[str] = field(default_factory=list)
    ragged: list[RowProblem] = field(default_factory=list)
    sha256: str = ""  # of the file as given, before unpacking
    decimal: str = "."  # "," where numbers are written 3,25
    sparse: bool = False  # a blank cell says that nothing was logged at this step, as losses have rows of their own
    origins: np.ndarray | None = None  # the file of each row, where the table is made of several
    dropped: list[Scrubbed] = field(default_factory=list)  # what was taken out because it tells of people and machines

    def with_frame(self, frame: pd.DataFrame) -> Table:
        """Returns the table with other cells in the same rows."""
        return replace(self, frame=frame)

    def renamed(self, name: str, sha256: str) -> Table:
        """Returns the table with the name and content hash of its upload."""
        return replace(self, name=name, sha256=sha256)


def signature(table: Table) -> str:
    """Returns a hash of the sorted column names; files of the same origin share it, so that a corrected mapping can be remembered."""
    return hashlib.sha256("\x1f".join(sorted(table.frame.columns)).encode(errors="replace")).hexdigest()[:16]
