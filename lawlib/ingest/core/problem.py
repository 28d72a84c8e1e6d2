"""The reason why a row of a file is not among the runs."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 80  # characters of an offending value that are kept for showing


@dataclass(frozen=True)
class RowProblem:
    """Why a row is left out: its line in the file (record number for JSON and Parquet), column, value, and a sentence."""

    line: int
    column: str
    value: str
    reason: str
    file: str = ""  # where a table is made of several files


def shown(value: object, width: int = WIDTH) -> str:
    """Returns `value` as text on one line, cut to `width` characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def counted(n: int, noun: str) -> str:
    """Returns a count with its noun: "1 row", "1,200 rows"."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
