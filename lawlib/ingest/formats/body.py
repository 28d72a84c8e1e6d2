"""Reads the rows below a header, of one delimited file or of many with the same header at once.

Records are found by their bytes (delimiters and line ends outside quotes), which is fast and gives the line numbers; the
cells themselves are split by pandas' C parser. Files whose quotes do not follow the rules go through `csv`, line by line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import RowProblem, counted, shown

MISFITS = 100_000  # lines that do not fit the header, told one by one
_FIRST = 1000  # rows of a file that show how numbers are written


class Head(NamedTuple):
    """What precedes the rows of a file: how cells are parted, the columns' names, the rows' bytes and the first row's line."""

    delimiter: str
    names: tuple[str, ...]
    body: bytes
    line: int
    notes: list[str]


class Body(NamedTuple):
    """The rows of all files, file after file. Lists have an item a file: lines that do not fit, notes, decimal sign."""

    frame: pd.DataFrame
    of_row: np.ndarray  # number of the file, shape (n_rows,)
    lines: np.ndarray
    ragged: list[list[RowProblem]]
    notes: list[list[str]]
    decimals: list[str]


class _Irregular(Exception):
    """Raised with the numbers of the files whose lines have to be read one by one."""

    def __init__(self, files: np.ndarray) -> None:
        super().__init__()
        self.files = set(files.tolist())


def read_body(heads: Sequence[Head], names: Sequence[str]) -> Body:
    """Returns the rows of files with the same delimiter and columns; `names` are the files', for sentences.

    Raises:
        ReadError: more than `MISFITS` lines of a file do not fit its header.
    """
    ragged: list[list[RowProblem]] = [[] for _ in heads]
    plain = [i for i, head in enumerate(heads) if head.body.count(b'"') % 2 == 0]
    parts = _regular_rows(heads, plain, names, ragged)
    done = {i for _, of_row, _ in parts for i in np.unique(of_row).tolist()} | {i for i in plain if ragged[i]}
    single = [i for i in range(len(heads)) if i not in done]
    if single:
        parts.append(_careful_rows(heads, single, names, ragged))
    frame, of_row, lines = parts[0]
    if len(parts) > 1:
        of_row = np.concatenate([of for _, of, _ in parts])
        order = np.argsort(of_row, kind="stable")
        frame = pd.concat([frame for frame, _, _ in parts], ignore_index=True).take(order).reset_index(drop=True)
        of_row, lines = of_row[order], np.concatenate([lines for _, _, lines in parts])[order]
    notes: list[list[str]] = [[] for _ in heads]
    frame, of_row, lines = _without_blank_rows(frame, of_row, lines, notes)
    decimals = _decimals(frame, of_row, heads)
    return Body(frame, of_row, lines, ragged, notes, decimals)


_Part = tuple[pd.DataFrame, np.ndarray, np.ndarray]  # rows, the file and the line of each


def _regular_rows(heads: Sequence[Head], files: list[int], names: Sequence[str], ragged: list[list[RowProblem]]) -> list[_Part]:
    """Reads the rows of the files that follow the rules, all at once as far as possible."""
    while files:
        try:
            return [_fast([heads[i] for i in files], np.array(files), names[files[0]], ragged)]
        except _Irregular as found:
            files = [i for i in files if i not in found.files]
        except pd.errors.ParserError:
            if len(files) == 1:
                break
            half = len(files) // 2
            return _regular_rows(heads, files[:half], names, ragged) + _regular_rows(heads, files[half:], names, ragged)
    return []


def _fast(heads: list[Head], numbers: np.ndarray, name: str, ragged: list[list[RowProblem]]) -> _Part:
    """Reads all records at once; those that do not fit go to `ragged`.

    Raises:
        _Irregular: quotes of these files do not follow the rules.
        ParserError: the parser sees other records.
    """
    delimiter, columns = heads[0].delimiter, heads[0].names
    data = b"".join([head.body if head.body.endswith(b"\n") else head.body + b"\n" for head in heads])
    file_ends = np.cumsum([len(head.body) + (not head.body.endswith(b"\n")) for head in heads])
    characters = np.frombuffer(data, dtype=np.uint8)
    line_end, cell_end = characters == ord("\n"), characters == ord(delimiter)
    all_ends = None
    if b'"' in data:
        quote = characters == ord('"')
        odd = _misplaced(characters, np.flatnonzero(quote), delimiter)
        if len(odd):
            raise _Irregular(numbers[np.unique(np.searchsorted(file_ends, odd, "right"))])
        inside = (np.cumsum(quote, dtype=np.uint8) & 1).astype(bool)  # wraps at 256, which keeps odd and even apart
        all_ends = np.flatnonzero(line_end)
        line_end &= ~inside
        cell_end &= ~inside
    ends = np.flatnonzero(line_end)
    starts = np.concatenate([[0], ends[:-1] + 1])
    of = np.searchsorted(file_ends, starts, "right")
    before = np.concatenate([[0], file_ends[:-1]])
    at = np.arange(len(ends)) if all_ends is None else np.searchsorted(all_ends, starts)
    begun = np.searchsorted(ends if all_ends is None else all_ends, before)
    lines = at - begun[of] + np.array([head.line for head in heads])[of]
    n_cells = np.add.reduceat(cell_end, starts, dtype=np.int64) + 1
    misfits = np.flatnonzero(n_cells != len(columns))
    good = np.ones(len(ends), dtype=bool)
    good[misfits] = False
    misfits = misfits[ends[misfits] > starts[misfits]]  # blank lines are passed over
    if len(heads) == 1 and len(misfits) > MISFITS:
        _too_many(name, len(columns), int(lines[misfits[0]]))
    texts = [data[starts[i] : ends[i]].strip() for i in misfits]
    broken = [of[i] for i, text in zip(misfits, texts, strict=True) if b"\n" in text]
    if broken:
        raise _Irregular(numbers[np.unique(broken)])
    if not good.all():
        edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8))).reshape(-1, 2)
        data = b"".join(data[starts[a] : ends[b - 1] + 1] for a, b in edges)
    frame = _parse(data, delimiter, columns) if good.any() else pd.DataFrame(columns=list(columns), dtype="str")
    if len(frame) != good.sum():
        raise pd.errors.ParserError
    for i, text in zip(misfits, texts, strict=True):
        if text:
            ragged[numbers[of[i]]].append(_ragged(int(lines[i]), text.decode(), int(n_cells[i]), len(columns)))
    return frame, numbers[of[good]], lines[good]


def _misplaced(characters: np.ndarray, at: np.ndarray, delimiter: str) -> np.ndarray:
    """Where a quote opens that does not begin a cell or closes one that does not end it, doubled quotes inside cells apart."""
    edges = np.array([ord(delimiter), ord("\n"), ord('"')], dtype=np.uint8)
    opening, closing = at[0::2], at[1::2]
    opening = opening[opening > 0]
    return np.concatenate([opening[~np.isin(characters[opening - 1], edges)], closing[~np.isin(characters[closing + 1], edges)]])


def _parse(data: bytes, delimiter: str, columns: Sequence[str]) -> pd.DataFrame:
    return pd.read_csv(
        BytesIO(data), sep=delimiter, header=None, names=list(columns), index_col=False, dtype="str", na_filter=False,
        skip_blank_lines=False, skipinitialspace=True, encoding="utf-8", low_memory=False,
    )  # fmt: skip


def _careful_rows(heads: Sequence[Head], files: list[int], names: Sequence[str], ragged: list[list[RowProblem]]) -> _Part:
    rows: list[list[str]] = []
    of_row: list[int] = []
    lines: list[int] = []
    for i in files:
        found, at = _careful(heads[i], names[i], ragged[i])
        rows += found
        lines += at
        of_row += [i] * len(found)
    return pd.DataFrame(rows, columns=list(heads[0].names), dtype="str"), np.array(of_row, dtype=int), np.array(lines, dtype=int)


def _careful(head: Head, name: str, ragged: list[RowProblem]) -> tuple[list[list[str]], list[int]]:
    """Reads line by line: a record that does not fit costs its first line only, and reading goes on with the next one."""
    physical, n_columns = head.body.decode().split("\n"), len(head.names)
    dialect: dict[str, Any] = {"delimiter": head.delimiter, "skipinitialspace": True}
    rows, lines = [], []
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
                return rows, lines
            many = physical[line : at + reader.line_num]
            if len(many) > 1 and not well_quoted(many, dialect):
                cells = []
            if len(cells) == n_columns:
                rows.append([cell.removesuffix("\n") for cell in cells])
                lines.append(head.line + line)
                continue
            if physical[line].strip():
                n_cells = len(cells) if len(many) == 1 else 0
                ragged.append(_ragged(head.line + line, physical[line], n_cells, n_columns))
                if len(ragged) > MISFITS:
                    _too_many(name, n_columns, ragged[0].line)
            if len(many) > 1:  # several lines in one record: a quote is open, start again after the first
                at = line + 1
                break
    return rows, lines


def _too_many(name: str, n_columns: int, line: int) -> NoReturn:
    raise ReadError(
        f"{name}: more than {MISFITS:,} lines do not fit the header of {counted(n_columns, 'column')} (the first is line {line:,}), so this is "
        "no table of runs. Save it as CSV with a line a row."
    )


def well_quoted(lines: list[str], dialect: dict[str, Any]) -> bool:
    """Whether the quotes in a record of several lines open and close cells, and do not merely happen to pair."""
    try:
        return len(list(csv.reader([line + "\n" for line in lines], strict=True, **dialect))) == 1
    except csv.Error:
        return False


def _ragged(line: int, text: str, n_cells: int, n_columns: int) -> RowProblem:
    if not n_cells:
        return RowProblem(line, "", shown(text), "The line opens a quote that does not close in a row of the header's width.")
    return RowProblem(line, "", shown(text), f"The line has {counted(n_cells, 'cell')}, the header {n_columns}.")


def _without_blank_rows(frame: pd.DataFrame, of_row: np.ndarray, lines: np.ndarray, notes: list[list[str]]) -> _Part:
    if not len(frame):
        return frame, of_row, lines
    blank = (frame.iloc[:, 0].str.strip() == "").to_numpy(dtype=bool, copy=True)
    if blank.any():
        rest = frame.loc[blank]
        blank[blank] = np.logical_and.reduce([(rest[c].str.strip() == "").to_numpy(dtype=bool) for c in frame.columns])
    files, first, counts = np.unique(of_row[blank], return_index=True, return_counts=True)
    for i, at, n in zip(files.tolist(), first.tolist(), counts.tolist(), strict=True):
        notes[i].append(f"{counted(n, 'row')} without any content passed over (first: line {lines[blank][at]}).")
    return (frame[~blank].reset_index(drop=True), of_row[~blank], lines[~blank]) if blank.any() else (frame, of_row, lines)


def _decimals(frame: pd.DataFrame, of_row: np.ndarray, heads: Sequence[Head]) -> list[str]:
    """Returns "," for each file whose numbers have decimal commas, shown by a cell that can be read in no other way."""
    delimiter, n = heads[0].delimiter, len(heads)
    may = re.compile(rb'"[^"]*[\d\x80-\xff],[\d\x80-\xff]' if delimiter == "," else rb"[\d\x80-\xff],[\d\x80-\xff]")
    some = np.array([may.search(head.body) is not None for head in heads])[of_row] if len(of_row) else np.zeros(0, dtype=bool)
    decimals = ["."] * n
    if not some.any():
        return decimals
    counts = np.bincount(of_row, minlength=n)
    place = np.arange(len(of_row)) - np.concatenate([[0], np.cumsum(counts)[:-1]])[of_row]
    first = some & (place < _FIRST)
    of, told = of_row[first], np.zeros((3, n), dtype=bool)  # a comma, one that parts no thousands, a point
    for column in frame.columns:
        codes, cells = pd.factorize(frame[column][first])
        for kind, pattern in enumerate((_COMMA, _NO_THOUSANDS, _POINT)):
            fits = np.array([pattern.fullmatch(cell.strip()) is not None for cell in cells], dtype=bool)
            told[kind, of[fits[codes]]] = True
    comma, no_thousands, point = told
    # Semicolons part the cells where the comma is taken, so 3,245 is a fraction there and a thousand elsewhere.
    by_comma = comma if delimiter == ";" else comma & ~point & no_thousands
    return ["," if given else "." for given in by_comma]


_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_NO_THOUSANDS = re.compile(r"(?![+-]?[1-9]\d{0,2},\d{3}$)[+-]?\d+,\d+([eE][+-]?\d+)?")
_POINT = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?")
