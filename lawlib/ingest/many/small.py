"""Reads many small files together: files with equal columns become one frame, as building a frame per file takes most of the time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import Table
from ..formats import (
    FORMATS,
    MISFITS,
    Head,
    Parsed,
    decimal_notes,
    frame_of,
    kinds_of_cells,
    layout,
    limits,
    load_table,
    no_rows,
    parse_records,
    read_body,
    read_head,
)
from ..readers import READERS, RUN, Read, run_name, wandb_chart
from .batch import Batch, Files, alone, check_cells

SIZE = MISFITS  # bytes: so a small file cannot have too many lines that do not fit
TOGETHER = 2**26  # bytes of files that become one frame
_HEADERS = 1000  # more different ones are counted before any row is read
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # halves of them alone are no text


class Small(NamedTuple):
    """A small file: its number, its unpacked content, and its format by `sniff.format_of`."""

    number: int
    content: bytes
    kind: str


@dataclass(frozen=True)
class _Read:
    """A file parsed by itself; those with the same `key` are put together by the same function."""

    number: int
    key: tuple[Any, ...]
    size: int
    given: Any
    put_together: Callable[[list[_Read], Files], list[Batch]]


def is_small(content: bytes, kind: str) -> bool:
    """Whether a file may be read together with others."""
    return len(content) <= SIZE and kind in ("csv", "json", "jsonl", *READERS)


def read_small(given: list[Small], files: Files, name: str) -> list[Batch]:
    """Returns the tables of small files; those that cannot be read are in `files.passed`.

    Raises:
        ReadError: so many columns that no table could hold the rows of all files.
    """
    found: list[_Read] = []
    batches: list[Batch] = []
    for file in given:
        path = files.paths[file.number]
        try:
            read = _READ.get(file.kind, _log)(file, path)
            if read is None:  # by itself
                batches.append(alone(load_table(file.content, path), file.number, files))
            else:
                found.append(read)
        except ReadError as error:
            files.passed[file.number] = str(error)
    _check_headers(found, name)
    return batches + [batch for group in _groups(found) for batch in group[0].put_together(group, files)]


def _groups(found: list[_Read]) -> Iterator[list[_Read]]:
    """Yields files with the same key, up to `TOGETHER` bytes."""
    groups: dict[tuple[Any, ...], list[_Read]] = {}
    sizes: dict[tuple[Any, ...], int] = {}
    for file in found:
        sizes[file.key] = sizes.get(file.key, 0) + file.size
        groups.setdefault((file.key, sizes[file.key] // TOGETHER), []).append(file)
    yield from groups.values()


def _check_headers(found: list[_Read], name: str) -> None:
    heads: list[Head] = [file.given for file in found if file.put_together is _bodies]
    headers = {head.names for head in heads}
    if len(headers) > _HEADERS:
        check_cells(sum(head.body.count(b"\n") for head in heads), set().union(*headers), name)


def _delimited(file: Small, path: str) -> _Read | None:
    head = read_head(file.content, path)
    if head.body.startswith(b"\xef\xbb\xbf") or wandb_chart.fits(head.names):
        return None
    return _Read(file.number, (head.delimiter, head.names), len(file.content), head, _bodies)


def _bodies(group: list[_Read], files: Files) -> list[Batch]:
    heads, paths = [file.given for file in group], [files.paths[file.number] for file in group]
    found = read_body(heads, paths)
    there = np.bincount(found.of_row, minlength=len(group)) > 0
    decimals = np.array(found.decimals)
    for i, (file, head) in enumerate(zip(group, heads, strict=True)):
        if there[i]:
            files.say(file.number, head.notes + found.notes[i] + decimal_notes(found.decimals[i]), found.ragged[i])
        else:
            files.passed[file.number] = str(no_rows(head, found.ragged[i], paths[i]))
    numbers = np.array([file.number for file in group])
    batches = []
    for decimal in np.unique(decimals[there]).tolist():
        table = Table(paths[0], found.frame, found.lines, FORMATS[heads[0].delimiter], decimal=decimal)
        batch = Batch(table, numbers, found.of_row).only(np.flatnonzero(there & (decimals == decimal)))
        batches.append(_known(batch, files))
    return batches


def _records(file: Small, path: str) -> _Read | None:
    if _SURROGATE.search(file.content):
        return None
    parsed = parse_records(file.content, path, file.kind)
    columns = parsed.columns
    kinds = kinds_of_cells(parsed, columns)
    if not columns or len(columns) > limits.COLUMNS or kinds is None or wandb_chart.fits(columns):
        return None
    return _Read(file.number, (parsed.format, tuple(columns), kinds), len(file.content), parsed, _frames)


def _frames(group: list[_Read], files: Files) -> list[Batch]:
    parsed: list[Parsed] = [file.given for file in group]
    for file in group:
        files.say(file.number, file.given.notes, file.given.ragged)
    whole = parsed[0]._replace(records=[record for each in parsed for record in each.records])
    found = frame_of(whole, files.paths[group[0].number])
    table = Table(files.paths[group[0].number], found.frame, found.lines, found.format)
    return [_known(_batch(table, group, [len(each.records) for each in parsed]), files)]


def _log(file: Small, path: str) -> _Read:
    log = READERS[file.kind].read(file.content, path)
    return _Read(file.number, (file.kind, tuple(log.columns)), len(file.content), log, _logs)


def _logs(group: list[_Read], files: Files) -> list[Batch]:
    logs: list[Read] = [file.given for file in group]
    for file, log in zip(group, logs, strict=True):
        files.say(file.number, log.notes, log.ragged)
    columns = {c: [cell for log in logs for cell in log.columns[c]] for c in logs[0].columns}
    lines = np.array([line for log in logs for line in log.lines], dtype=np.int64)
    kind = group[0].key[0]
    table = Table(files.paths[group[0].number], pd.DataFrame(columns, dtype="str"), lines, kind, sparse=True)
    return [_batch(table, group, [len(log.lines) for log in logs])]


def _batch(table: Table, group: list[_Read], n_rows: list[int]) -> Batch:
    return Batch(table, np.array([file.number for file in group]), np.repeat(np.arange(len(group)), n_rows))


def _known(batch: Batch, files: Files) -> Batch:
    """Returns a tracker's table with its runs' names, as `load_table` gives them."""
    nameless, sparse = layout(list(batch.table.frame.columns))
    batch = replace(batch, table=replace(batch.table, sparse=sparse))
    return batch.with_column(RUN, [run_name(files.paths[i]) for i in batch.files]) if nameless else batch


_READ: dict[str, Callable[[Small, str], _Read | None]] = {"csv": _delimited, "json": _records, "jsonl": _records}
