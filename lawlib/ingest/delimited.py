"""CSV, TSV and semicolon files: every cell as text, every row with its physical line, ragged rows told one by one.

Records are found by their bytes (delimiters and line ends outside quotes), which is fast and gives the line numbers; the
cells themselves are split by pandas' C parser. Files whose quotes do not follow the rules go through `csv`, line by line.
"""

from __future__ import annotations

import csv
import re
from io import BytesIO
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from . import sniff
from .problem import RowProblem, counted, shown
from .text import decode

_DELIMITERS = {",": "csv", "\t": "tsv", ";": "csv"}
LINE = 2**24  # bytes of a line: longer ones are no table, and cost ten times their size in memory
MISFITS = 100_000  # lines that do not fit the header, told one by one
_TOLD = 5  # repeated column names told one by one
_SAMPLE = 200  # lines looked at for the delimiter
_QUOTED = re.compile(r'"[^"]*"')
_NUMERIC = re.compile(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?[kKMBGT]?|nan|-?inf", re.IGNORECASE)


class Delimited(NamedTuple):
    frame: pd.DataFrame
    lines: np.ndarray
    format: str
    decimal: str
    notes: list[str]
    ragged: list[RowProblem]


class _Body(NamedTuple):
    frame: pd.DataFrame
    lines: np.ndarray
    ragged: list[RowProblem]


def read_delimited(content: bytes, name: str) -> Delimited:
    """The table in `content`.

    Raises:
        ReadError: no delimiter, no column names, no rows, or not one row that fits the header; a line longer than `LINE`,
            or more columns than `sniff.COLUMNS`.
    """
    data, notes = decode(content, name)
    _check_lines(data, name)
    comments, start, first_line = _comment_head(data, name)
    delimiter = _delimiter(data[start:], name)
    header, body, body_line = _header(data, start, first_line, delimiter, comments, name)
    sniff.check_columns(len(header), name)
    names = _unique(header, notes)
    if not data[body:].strip():
        raise ReadError(f"{name} has column names ({shown(', '.join(names))}) but no rows: give a file with at least one run.")
    found = _fast(data[body:], body_line, delimiter, names, name)
    if found is None:
        found = _careful(data[body:].decode(), body_line, delimiter, names, name)
    found = _without_blank_rows(found, notes)
    if not len(found.frame):
        first = found.ragged[0].reason if found.ragged else "All rows are blank."
        raise ReadError(f"{name}: no row fits the header of {len(names)} columns ({shown(', '.join(names))}). {first}")
    decimal = _decimal(found.frame, delimiter)
    if decimal == ",":
        notes.append("Numbers are read with decimal commas: 3,25 is 3.25.")
    return Delimited(found.frame, found.lines, _DELIMITERS[delimiter], decimal, notes, found.ragged)


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
    if comments and any(d in comments[-1] for d in _DELIMITERS):
        raise ReadError(f'{name} has a header ("# {shown(comments[-1])}") but no rows: give a file with at least one run.')
    raise ReadError(f"{name} is empty: it has only blank lines and comments.")


def _delimiter(data: bytes, name: str) -> str:
    """The delimiter that the first line has and that the lines after it have as often."""
    text = data[: 2**20].decode(errors="ignore")
    by_line = [_QUOTED.sub("", line) for line in text.split("\n") if line.strip()]
    as_whole = [line for line in _QUOTED.sub("", text).split("\n") if line.strip()]  # quoted cells may have line ends
    best, score = "", (0.0, 0)
    for sample in (by_line[:_SAMPLE], as_whole[:_SAMPLE]):
        for delimiter in _DELIMITERS:
            n = sample[0].count(delimiter) if sample else 0
            agreeing = sum(line.count(delimiter) == n for line in sample) / max(len(sample), 1)
            if n and (agreeing, n) > score:
                best, score = delimiter, (agreeing, n)
    if not best:
        raise ReadError(
            f'{name}: the first line ("{shown(by_line[0])}") has no comma, tab or semicolon, so it is not the header of a '
            "table. Nor is it a training log that is known here (Megatron-LM, torchtitan, nanoGPT, LitGPT, MaxText, OLMo): save "
            "the runs as CSV."
        )
    return best


def _header(data: bytes, start: int, line: int, delimiter: str, comments: list[str], name: str) -> tuple[list[str], int, int]:
    """The header's cells, the offset of the first row and its line number; the header may be the last comment line."""
    first = end = data.find(b"\n", start) + 1 or len(data)
    while data.count(b'"', start, end) % 2 and end < len(data):  # a quoted column name may go over several lines
        end = data.find(b"\n", end) + 1 or len(data)
    if end > first and not _well_quoted(data[start:end].decode().split("\n")[:-1], {"delimiter": delimiter}):
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


def _fast(data: bytes, first_line: int, delimiter: str, names: list[str], name: str) -> _Body | None:
    """All records at once; None where the quotes do not follow the rules and lines have to be looked at singly."""
    if not data.endswith(b"\n"):
        data += b"\n"
    characters = np.frombuffer(data, dtype=np.uint8)
    line_end, cell_end = characters == ord("\n"), characters == ord(delimiter)
    n_lines_before = None
    if b'"' in data:
        quote = characters == ord('"')
        at = np.flatnonzero(quote)
        if len(at) % 2 or not _regular(characters, at, delimiter):
            return None
        inside = (np.cumsum(quote, dtype=np.uint8) & 1).astype(bool)  # wraps at 256, which keeps odd and even apart
        all_ends = np.flatnonzero(line_end)
        line_end &= ~inside
        cell_end &= ~inside
        n_lines_before = all_ends
    ends = np.flatnonzero(line_end)
    starts = np.concatenate([[0], ends[:-1] + 1])
    numbers = np.arange(len(ends)) if n_lines_before is None else np.searchsorted(n_lines_before, starts)
    n_cells = np.add.reduceat(cell_end, starts, dtype=np.int64) + 1
    misfits = np.flatnonzero(n_cells != len(names))
    good = np.ones(len(ends), dtype=bool)
    good[misfits] = False
    misfits = misfits[ends[misfits] > starts[misfits]]  # blank lines are passed over
    if len(misfits) > MISFITS:
        _too_many(name, len(names), first_line + int(numbers[misfits[0]]))
    texts = [data[starts[i] : ends[i]].strip() for i in misfits]
    if any(b"\n" in text for text in texts):
        return None
    ragged = [
        _ragged(first_line + int(numbers[i]), text.decode(), int(n_cells[i]), len(names))
        for i, text in zip(misfits, texts, strict=True)
        if text
    ]
    if not good.all():
        edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8))).reshape(-1, 2)
        data = b"".join(data[starts[a] : ends[b - 1] + 1] for a, b in edges)
    lines = first_line + numbers[good]
    try:
        frame = _parse(data, delimiter, names) if len(lines) else pd.DataFrame(columns=names, dtype="str")
    except pd.errors.ParserError:
        return None
    return _Body(frame, lines, ragged) if len(frame) == len(lines) else None


def _regular(characters: np.ndarray, at: np.ndarray, delimiter: str) -> bool:
    """Whether every opening quote begins a cell and every closing one ends it, doubled quotes inside cells apart."""
    edges = np.array([ord(delimiter), ord("\n"), ord('"')], dtype=np.uint8)
    opening, closing = at[0::2], at[1::2]
    before = characters[opening[opening > 0] - 1]
    return bool(np.isin(before, edges).all() and np.isin(characters[closing + 1], edges).all())


def _parse(data: bytes, delimiter: str, names: list[str]) -> pd.DataFrame:
    return pd.read_csv(
        BytesIO(data), sep=delimiter, header=None, names=names, index_col=False, dtype="str", na_filter=False,
        skip_blank_lines=False, skipinitialspace=True, encoding="utf-8", low_memory=False,
    )  # fmt: skip


def _careful(text: str, first_line: int, delimiter: str, names: list[str], name: str) -> _Body:
    """Line by line: a record that does not fit costs its first line only, and reading goes on with the next one."""
    physical = text.split("\n")
    dialect: dict[str, Any] = {"delimiter": delimiter, "skipinitialspace": True}
    rows, lines, ragged = [], [], []
    at = 0
    while at < len(physical):
        reader = csv.reader((physical[i] + "\n" for i in range(at, len(physical))), **dialect)
        while True:
            line = at + reader.line_num
            try:
                cells = next(reader, None)
            except csv.Error:
                cells = []
            if cells is None:
                return _Body(pd.DataFrame(rows, columns=names, dtype="str"), np.array(lines, dtype=np.int64), ragged)
            many = physical[line : at + reader.line_num]
            if len(many) > 1 and not _well_quoted(many, dialect):
                cells = []
            if len(cells) == len(names):
                rows.append([cell.removesuffix("\n") for cell in cells])
                lines.append(first_line + line)
                continue
            if physical[line].strip():
                n_cells = len(cells) if len(many) == 1 else 0
                ragged.append(_ragged(first_line + line, physical[line], n_cells, len(names)))
                if len(ragged) > MISFITS:
                    _too_many(name, len(names), ragged[0].line)
            if len(many) > 1:  # several lines in one record: a quote is open, start again after the first
                at = line + 1
                break
    return _Body(pd.DataFrame(rows, columns=names, dtype="str"), np.array(lines, dtype=np.int64), ragged)


def _too_many(name: str, n_columns: int, line: int) -> NoReturn:
    raise ReadError(
        f"{name}: more than {MISFITS:,} lines do not fit the header of {counted(n_columns, 'column')} (the first is line {line:,}), so this is "
        "no table of runs. Save it as CSV with a line a row."
    )


def _well_quoted(lines: list[str], dialect: dict[str, Any]) -> bool:
    """Whether the quotes in a record of several lines open and close cells: else they only happen to pair."""
    try:
        return len(list(csv.reader([line + "\n" for line in lines], strict=True, **dialect))) == 1
    except csv.Error:
        return False


def _ragged(line: int, text: str, n_cells: int, n_columns: int) -> RowProblem:
    if not n_cells:
        return RowProblem(line, "", shown(text), "The line opens a quote that does not close in a row of the header's width.")
    return RowProblem(line, "", shown(text), f"The line has {counted(n_cells, 'cell')}, the header {n_columns}.")


def _without_blank_rows(found: _Body, notes: list[str]) -> _Body:
    frame, lines, ragged = found
    if not len(frame):
        return found
    blank = (frame.iloc[:, 0].str.strip() == "").to_numpy(dtype=bool, copy=True)
    if blank.any():
        rest = frame.loc[blank]
        blank[blank] = np.logical_and.reduce([(rest[c].str.strip() == "").to_numpy(dtype=bool) for c in frame.columns])
    if not blank.any():
        return found
    notes.append(f"{counted(blank.sum(), 'row')} without any content passed over (first: line {lines[blank][0]}).")
    return _Body(frame[~blank].reset_index(drop=True), lines[~blank], ragged)


def _decimal(frame: pd.DataFrame, delimiter: str) -> str:
    """ "," where numbers are written with decimal commas: always told by a cell that can be nothing else."""
    cells = [cell.strip() for c in frame.columns for cell in frame[c].head(1000).unique()]
    comma = [cell for cell in cells if re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", cell)]
    point = any(re.fullmatch(r"[+-]?\d+\.\d+([eE][+-]?\d+)?", cell) for cell in cells)
    thousands = all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", cell) for cell in comma)
    if not comma or (point and delimiter != ";"):
        return "."
    # Semicolons part the cells where the comma is taken, so 3,245 is a fraction there and a thousand elsewhere.
    return "," if delimiter == ";" or not thousands else "."
