"""Writes tables as CSV in which a spreadsheet runs no cell as a formula."""

from __future__ import annotations

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheets take for the start of a formula, or strip from before one (OWASP, CSV injection)."""


def safe_csv(table: pd.DataFrame) -> bytes:
    """Returns the table as UTF-8 CSV without its index; numbers read back exactly, a "'" is put before text that starts like a formula."""
    out = table.copy()
    for i, dtype in enumerate(out.dtypes):
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_datetime64_any_dtype(dtype)):
            out.isetitem(i, out.iloc[:, i].map(_safe))
    out.columns = [_safe(str(c)) for c in out.columns]
    return out.to_csv(index=False).encode()


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
    return text.replace("\r", "\n")  # a lone carriage return would end the row: the writer does not quote it
