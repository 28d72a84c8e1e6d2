"""What a file says of a run beyond the canonical columns, as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from .curves import Curves
from .mapping import Mapping
from .problem import shown
from .table import Table
from .units import numbers
from .values import Values

_JSON_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"


def extra(
    table: Table, mapping: Mapping, values: Values, rows: np.ndarray, kept: np.ndarray, curves: Curves | None, notes: list[str]
) -> pd.Series:
    """What the file says beyond the canonical columns, as JSON: for curves, what is constant along the run, and its step."""
    used = {s.column for s in values.sources.values()}
    if curves is not None:
        used |= set(mapping.loss_columns)
    if "arch" in values.texts and (values.texts["arch"] == "").any():
        used.discard(values.sources["arch"].column)  # a word for the architecture that is neither dense nor moe
    columns = [c for c in table.frame.columns if c not in used]
    records: list[dict[str, Any]] = [{} for _ in range(int(kept.sum()))]
    changing = []
    for column in columns:
        cells, integers = _cells(table.frame[column])
        if curves is not None:
            groups = cells[curves.run_of_row >= 0].groupby(curves.run_of_row[curves.run_of_row >= 0])
            constant = groups.nunique() <= 1
            cells = groups.first().where(constant).reindex(range(len(rows)))
            if not constant.all():
                changing.append(column)
            given = cells.to_numpy(dtype=object)[kept]
        else:
            given = cells.to_numpy(dtype=object)[rows[kept]]
        for record, value in zip(records, given, strict=True):
            if not pd.isna(value):
                record[column] = int(value) if integers else _plain(value)
    if curves is not None:
        for record, step in zip(records, curves.values.numbers["step"][kept].tolist(), strict=True):
            record.setdefault("step", int(step) if step == int(step) else step)
    if changing:
        notes.append(f"Not kept, as they change along the curves: {shown(', '.join(changing), 400)}.")
    if set(columns) - set(changing):
        notes.append(f"Kept with each run as extra: {shown(', '.join(c for c in columns if c not in changing), 400)}.")
    return pd.Series([json.dumps(r) if r else "" for r in records], dtype="str")


def _cells(column: pd.Series) -> tuple[pd.Series, bool]:
    """The cells of an unmapped column: numbers where all are plain ones ("007" is none), else as they are; blank is NaN.

    The second value says whether the numbers are integers.
    """
    if not isinstance(column.dtype, pd.StringDtype):
        return column, False
    column = column.where(column.str.strip() != "")
    filled = column.dropna()
    if not len(filled) or not filled.str.fullmatch(_JSON_NUMBER).all():
        return column, False
    cells = numbers(column).values
    if not np.isfinite(cells[~np.isnan(cells)]).all():
        return column, False
    integers = bool((np.abs(cells[~np.isnan(cells)]) < 2**53).all() and filled.str.fullmatch(r"-?\d+").all())
    return pd.Series(cells, index=column.index), integers


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value in (np.inf, -np.inf):
        return str(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)
