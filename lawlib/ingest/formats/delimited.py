"""Reads CSV, TSV and semicolon files: every cell as text, every row with its line number, rows that do not fit reported one by one.

This module reads what precedes the rows; `body` reads the rows.
"""

from __future__ import annotations

import csv
import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import RowProblem, counted, decode, shown
from . import limits
from .body import Head, read_body, well_quoted
from .unknown import LOOKED, not_a_table, refuse_text

FORMATS = {",": "csv", "\t": "tsv", ";": "csv"}
"""What a table is called by its delimiter."""
LINE = 2**24  # bytes of a line: longer ones are no table, and cost ten times their size in memory
_TITLES = 5  # lines of a title
_TOLD = 5  # repeated column names told one by one
_SAMPLE = 200  # lines looked at for the delimiter
_QUOTED = re.compile(r'"[^"]*"')
_GROUPED = re.compile(r"[+-]?\d[\d\s.,']*([eE][+-]?\d+)?")
_NUMERIC = re.compile(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?[kKMBGT]?|nan|-?inf", re.IGNORECASE)


class Delimited(NamedTuple):
    frame: pd.DataFrame
    lines: np.ndarray
    format: str
    decimal: str
    notes: list[str]
    ragged: list[RowProblem]


def read_delimited(content: bytes, name: str) -> Delimited:
    """Returns the table in `content`.

    Raises:
        ReadError: no delimiter, no column names, no rows, or not one row that fits the header; a line longer than `LINE`,
            or more columns than `limits.COLUMNS`.
    """
    head = read_head(content, name)
    found = read_body([head], [name])
    if not len(found.frame):
        raise no_rows(head, found.ragged[0], name)
    notes = head.notes + found.notes[0] + decimal_notes(found.decimals[0])
    return Delimited(found.frame, found.lines, FORMATS[head.delimiter], found.decimals[0], notes, found.ragged[0])


def read_head(content: bytes, name: str) -> Head:
    """Returns what precedes the rows of the file; raises as `read_delimited` does."""
    data, notes = decode(content, name)
    _check_lines(data, name)
    comments, start, first_line = _comment_head(data, name)
    title = _title(data, start)
    if title:
        text = data[start : start + title].decode()
        notes.append(f'Passed over above the header: "{shown(" ".join(text.split()))}".')
        start, first_line = start + title, first_line + text.count("\n")
    refuse_text(data[start : start + LOOKED].decode(errors="ignore"), name)
    delimiter = _delimiter(data[start:], name)
    header, body, body_line = _header(data, start, first_line, delimiter, comments, name)
    limits.check_columns(len(header), name)
    names = _unique(header, notes)
    if not data[body:].strip():
        raise ReadError(f"{name} has column names ({shown(', '.join(names))}) but no rows: give a file with at least one run.")
    return Head(delimiter, tuple(names), data[body:], body_line, notes)


def no_rows(head: Head, ragged: list[RowProblem], name: str) -> ReadError:
    """Returns the error for a file of which not one row can be used."""
    first = ragged[0].reason if ragged else "All rows are blank."
    return ReadError(f"{name}: no row fits the header of {len(head.names)} columns ({shown(', '.join(head.names))}). {first}")


def decimal_notes(decimal: str) -> list[str]:
    """Returns notes on a file's decimal sign."""
    return ["Numbers are read with decimal commas: 3,25 is 3.25."] if decimal == "," else []


def _check_lines(data: bytes, name: str) -> None:
    """Raises ReadError where a line has more than `LINE` bytes."""
    at = 0
    while len(data) - at > LINE:
        end = data.rfind(b"\n", at, at + LINE + 1)
        if end < 0:
            line = data.count(b"\n", 0, at) + 1
            raise ReadError(
                f'{name}: line {line:,} has more than {LINE / 2**20:g} MB (it begins with "{shown(data[at : at + 200].decode(errors="replace"))}"), '
                "so this is no table of runs. Save the runs as CSV with a line a row."
            )
        at = end + 1


def _comment_head(data: bytes, name: str) -> tuple[list[str], int, int]:
    """The comment lines that the file begins with, the offset of what follows and its line number."""
    comments, start, line = [], 0, 1
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        text = data[start:end].strip()
        if text.startswith(b"#"):
            comments.append(text.decode().lstrip("# "))
        elif text:
            return comments, start, line
        start, line = end + 1, line + 1
    if comments and any(d in comments[-1] for d in FORMATS):
        raise ReadError(f'{name} has a header ("# {shown(comments[-1])}") but no rows: give a file with at least one run.')
    raise ReadError(f"{name} is empty: it has only blank lines and comments.")


def _title(data: bytes, start: int) -> int:
    """Returns the bytes of a title above the header: lines of words that no cell parts as the table below does; 0 where there is none."""
    lines = data[start : start + 2**16].decode(errors="ignore").split("\n")
    filled = [(i, line) for i, line in enumerate(lines[:_SAMPLE]) if line.strip()]
    if filled and filled[0][1].count('"') % 2:
        return 0  # a quoted cell of several lines
    for delimiter in FORMATS:
        if len(filled) < 4 or 0 < filled[0][1].count(delimiter) == filled[1][1].count(delimiter):
            continue  # the first line is the header
        counts = [_QUOTED.sub("", line).count(delimiter) for _, line in filled]
        usual = max(set(counts), key=counts.count) if len(counts) > 3 else 0
        at = next((k for k, n in enumerate(counts) if n == usual), 0)
        if (
            not usual
            or not 0 < at <= _TITLES
            or counts[at:].count(usual) < 0.8 * len(counts[at:])
            or any(n >= usual for n in counts[:at])
        ):
            continue
        if len(counts) - at < 3:
            continue
        header, row = (_cells(filled[k][1], delimiter) for k in (at, at + 1))
        if any(_NUMERIC.fullmatch(c.strip()) for c in header if c.strip()) or not _has_number(row):
            continue
        if any(_has_number(_cells(line, delimiter)) for (_, line), n in zip(filled[:at], counts, strict=False) if n):
            continue
        above = lines[: filled[at][0]]
        return len(("\n".join(above) + "\n").encode())
    return 0


def _has_number(cells: list[str]) -> bool:
    return any(_NUMERIC.fullmatch(c.strip()) or _GROUPED.fullmatch(c.strip()) for c in cells)


def _delimiter(data: bytes, name: str) -> str:
    """The delimiter that the first line has and that the lines after it have as often."""
    text = data[: 2**20].decode(errors="ignore")
    by_line = [_QUOTED.sub("", line) for line in text.split("\n") if line.strip()]
    as_whole = [line for line in _QUOTED.sub("", text).split("\n") if line.strip()]  # quoted cells may have line ends
    best, score = "", (0.0, 0)
    for sample in (by_line[:_SAMPLE], as_whole[:_SAMPLE]):
        for delimiter in FORMATS:
            n = sample[0].count(delimiter) if sample else 0
            agreeing = sum(line.count(delimiter) == n for line in sample) / max(len(sample), 1)
            if n and (agreeing, n) > score:
                best, score = delimiter, (agreeing, n)
    if not best:
        raise not_a_table(text, name)
    return best


def _header(data: bytes, start: int, line: int, delimiter: str, comments: list[str], name: str) -> tuple[list[str], int, int]:
    """The header's cells, the offset of the first row and its line number; the header may be the last comment line."""
    first = end = data.find(b"\n", start) + 1 or len(data)
    while data.count(b'"', start, end) % 2 and end < len(data):  # a quoted column name may go over several lines
        end = data.find(b"\n", end) + 1 or len(data)
    if end > first and not well_quoted(data[start:end].decode().split("\n")[:-1], {"delimiter": delimiter}):
        end = first
    text = data[start:end].decode()
    cells = _cells(text, delimiter)
    if any(not _NUMERIC.fullmatch(c.strip()) for c in cells if c.strip()):
        return cells, end, line + text.count("\n")
    if comments and len(_cells(comments[-1], delimiter)) == len(cells):
        return _cells(comments[-1], delimiter), start, line
    raise ReadError(f'{name}: line {line} ("{shown(text)}") should name the columns but holds numbers: add a header line.')


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:
        raise ReadError(f'The header "{shown(text)}" could not be split into column names: {error}.') from error


def _unique(header: list[str], notes: list[str]) -> list[str]:
    """Column names without blanks around them, none empty and none twice."""
    names: dict[str, int] = {}
    used: dict[str, int] = {}
    again: list[str] = []
    for i, cell in enumerate(header):
        name = stripped = " ".join(cell.split()) or f"column {i + 1}"
        n = used.get(stripped, 1)
        while name in names:
            name = f"{stripped}.{n}"
            n += 1
        used[stripped] = n
        if name != stripped:
            again.append(f'The header names "{shown(stripped)}" more than once: column {i + 1} is called "{shown(name)}" here.')
        names[name] = i
    notes += again[:_TOLD]
    if len(again) > _TOLD:
        notes.append(f"So it does with {counted(len(again) - _TOLD, 'further column')}, numbered in the same way.")
    return list(names)
