"""Reads one unpacked file of any known format into a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lawlib.errors import ReadError

from ..core import Table, shown
from ..readers import READERS, RUN, read_sqlite, run_name, wandb_chart
from . import limits, sniff
from .delimited import read_delimited
from .records import CELLS, read_records


def load_table(content: bytes, name: str) -> Table:
    """Returns the table in one unpacked file; `name` gives the ending and is used in sentences.

    Raises:
        ReadError: the content is damaged, empty, of a kind that is not read, or a pickle.
    """
    kind = sniff.format_of(content, name)
    if kind == "parquet":
        frame, notes = _parquet(content, name)
        return _known(Table(name, frame, np.arange(1, len(frame) + 1), "parquet", notes))
    if kind == "sqlite":
        frame, notes = read_sqlite(content, name)
        return Table(name, frame, np.arange(1, len(frame) + 1), "sqlite", notes, sparse=True)
    if kind in ("json", "jsonl"):
        found = read_records(content, name, kind)
        return _known(Table(name, found.frame, found.lines, found.format, found.notes, found.ragged))
    if kind in READERS:
        log = READERS[kind].read(content, name)
        return Table(name, log.frame, np.array(log.lines, dtype=np.int64), kind, log.notes, log.ragged, sparse=True)
    read = read_delimited(content, name)
    return _known(Table(name, read.frame, read.lines, read.format, read.notes, read.ragged, decimal=read.decimal))


def _known(table: Table) -> Table:
    """Returns a tracker's own layout brought into one row a run and step."""
    columns = list(table.frame.columns)
    if wandb_chart.fits(columns):
        frame, lines, notes = wandb_chart.unpivot(table.frame, table.lines)
        return replace(table, frame=frame, lines=lines, notes=[*table.notes, *notes], sparse=True)
    nameless, sparse = layout(columns)
    if nameless:
        run = pd.Series(run_name(table.name), index=table.frame.index, name=RUN, dtype="str")
        return replace(table, frame=pd.concat([run, table.frame], axis=1), sparse=sparse)
    return replace(table, sparse=sparse)


def layout(columns: Sequence[str]) -> tuple[bool, bool]:
    """Returns whether a tracker's table takes its run's name from the file's, and whether its blanks mean that nothing was logged."""
    olmo = {"throughput/total_tokens", "batch_size_in_tokens"} <= set(columns)  # of OLMo it tells the model's size
    history = "_step" in columns and bool({"_runtime", "_timestamp"} & set(columns))  # W&B: metrics of a step on several rows
    nameless = (olmo or history) and not {c.lower() for c in columns} & {RUN, "name", "run_name", "run_id", "display_name"}
    return nameless, nameless or history


def _parquet(content: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    notes: list[str] = []
    try:
        head = pq.read_metadata(BytesIO(content))
        limits.check_columns(head.num_columns, name)
        size = sum(head.row_group(i).total_byte_size for i in range(head.num_row_groups))
        if size > limits.UNPACKED_LIMIT or head.num_rows * head.num_columns > CELLS:
            raise ReadError(
                f"{name} unpacks to {head.num_rows:,} rows of {head.num_columns:,} columns ({size / 2**20:,.0f} MB), which is "
                f"more than {limits.UNPACKED_LIMIT / 2**30:g} GB or {CELLS:,} cells: leave out columns and steps not needed."
            )
        table = pq.read_table(BytesIO(content))
        while any(pa.types.is_struct(column.type) for column in table.schema):
            table = table.flatten()
        index = [c for c in table.column_names if c.startswith("__index_level_")]
        if index:
            table = table.drop_columns(index)
            notes.append("The unnamed row index that pandas saved with the table is passed over.")
        if len(set(table.column_names)) < table.num_columns:
            raise ReadError(f"{name} has two columns of one name among {shown(table.column_names)}: rename one.")
        for i, column in enumerate(table.schema):
            write = _writer(column.type)
            if write is not None:
                cells = [None if v is None else write(v) for v in table.column(i).to_pylist()]
                table = table.set_column(i, column.name, pa.array(cells, pa.string()))
        frame = table.to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, TypeError, NotImplementedError, MemoryError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{name} is a damaged or unusual Parquet file ({shown(error)}): save it again.") from error
    if frame.empty:
        raise ReadError(f"{name} has {len(frame.columns)} columns but no rows: give a file with at least one run.")
    for column in frame.columns[[isinstance(t, pd.CategoricalDtype) for t in frame.dtypes]]:
        frame[column] = frame[column].astype(frame[column].cat.categories.dtype)
    return frame, notes


def _writer(kind: pa.DataType) -> Callable[[Any], str] | None:
    """Returns how cells of a type without a place in a table become text; None for types that have one."""
    if pa.types.is_nested(kind):
        return lambda cell: json.dumps(cell, default=str)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return lambda cell: cell.decode("utf-8", errors="backslashreplace")
    return None
