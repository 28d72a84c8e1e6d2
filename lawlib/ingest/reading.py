"""Reads any supported file into canonical runs in one call, by the mapping that its columns suggest (`read_runs`)."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from lawlib.errors import ReadError

from .assembly import build
from .core import counted
from .detection import detect
from .many import open_table

N_REASONS = 3  # reasons spelled out in the warning


class ReadWarning(UserWarning):
    """Warns that rows of a file were left out; the text says how many and why."""


def read_runs(path: str | Path) -> pd.DataFrame:
    """Returns the canonical runs of a CSV, TSV, JSONL, JSON or Parquet file, plain or as .gz: one row a run.

    Of a file with learning curves each run is its last state with a loss. The columns are found by their names; no
    suggestion (another unit, a derived quantity) is applied: see `open_table`, `detect` and `build` for those.

    Warns:
        ReadWarning: rows with problems were left out; once, with their count and the first reasons.
    Raises:
        ReadError: the file cannot be read, or none of its rows is a run.
    """
    path = Path(path)
    table = open_table(path, path.name)
    found = build(table, detect(table))
    if found.problems:
        noun = "record" if table.format in ("json", "parquet") else "line"
        reasons = [f"{noun.capitalize()} {p.line}: {p.reason}" for p in found.problems[:N_REASONS]]
        n_more = len(found.problems) - len(reasons)
        text = f"{' '.join(reasons)}" + (f" And {n_more:,} more." if n_more else "")
        count = counted(len({p.line for p in found.problems}), noun)
        if found.runs.empty:
            raise ReadError(f"{path.name}: none of its rows is a run, {count} with problems. {text}")
        warnings.warn(f"{path.name}: {count} left out. {text}", ReadWarning, stacklevel=2)
    return found.runs
