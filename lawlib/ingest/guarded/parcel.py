"""Serialises tables between the parser subprocess and the program (Arrow and JSON, never pickle); round trips are exact.

A frame is an Arrow file with a column each of numbers, times or text; cells of mixed types (`object` columns, names of
columns) are JSON, in which half surrogates keep their place. What else there is to a table is JSON too.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ..core import RowProblem, Scrubbed, Table
from ..evaluations import Evaluations

_CELLS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "bytes": (bytes, bytes.hex, bytes.fromhex),
    "decimal": (Decimal, str, Decimal),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
}
"""Cells that JSON has no type for: how they become text, and a cell again."""


def save_table(folder: Path, table: Table) -> None:
    """Writes the table into the empty folder.

    Raises:
        TypeError: a cell is of a type that no file is read into.
        OSError: there is no room for it.
    """
    save_frame(folder, table.frame)
    np.save(folder / "lines.npy", table.lines, allow_pickle=False)
    facts = {
        "name": table.name, "format": table.format, "notes": table.notes, "ragged": [asdict(p) for p in table.ragged],
        "sha256": table.sha256, "decimal": table.decimal, "sparse": table.sparse, "dropped": [asdict(s) for s in table.dropped],
        "origins": None,
    }  # fmt: skip
    if table.origins is not None:  # a few names, over and over
        codes, names = pd.factorize(table.origins)
        np.save(folder / "origins.npy", codes, allow_pickle=False)
        facts["origins"] = names.tolist()
    _write(folder / "facts.json", facts)


def load_table(folder: Path) -> Table:
    """Returns the table that `save_table` wrote."""
    facts = _read(folder / "facts.json")
    names = facts.pop("origins")
    origins = None if names is None else np.array(names, dtype=object)[np.load(folder / "origins.npy")]
    return Table(
        frame=load_frame(folder),
        lines=np.load(folder / "lines.npy"),
        ragged=[RowProblem(**p) for p in facts.pop("ragged")],
        dropped=[Scrubbed(**s) for s in facts.pop("dropped")],
        origins=origins,
        **facts,
    )


def save_evaluations(folder: Path, found: Evaluations) -> None:
    """Writes benchmark results into the empty folder; raises as `save_table` does."""
    save_frame(folder, found.frame)
    _write(folder / "facts.json", {"problems": [asdict(p) for p in found.problems], "notes": found.notes})


def load_evaluations(folder: Path) -> Evaluations:
    """Returns the benchmark results that `save_evaluations` wrote."""
    facts = _read(folder / "facts.json")
    return Evaluations(load_frame(folder), [RowProblem(**p) for p in facts["problems"]], facts["notes"])


def save_frame(folder: Path, frame: pd.DataFrame) -> None:
    """Writes a frame into the folder; raises as `save_table` does."""
    columns, cells = {}, {}
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        if column.dtype == object:
            cells[str(i)] = column.tolist()
        elif isinstance(column.dtype, np.dtype):
            columns[str(i)] = pa.array(column.to_numpy(), from_pandas=False)  # NaN is a number here, not a blank
        else:
            columns[str(i)] = pa.array(column.array)
    dtypes = [str(dtype) for dtype in frame.dtypes]
    head = {"dtypes": dtypes, "columns": _labels(frame.columns), "index": _labels(frame.index), "cells": cells}
    _write(folder / "frame.json", head)
    table = pa.table(columns)
    with pa.OSFile(str(folder / "frame.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def load_frame(folder: Path) -> pd.DataFrame:
    """Returns the frame that `save_frame` wrote, with the same names, types and cells, in memory of its own."""
    head = _read(folder / "frame.json")
    with pa.OSFile(str(folder / "frame.arrow"), "rb") as file:
        table = pa.ipc.open_file(file).read_all()
    index = _index(head["index"])
    found: dict[int, Any] = {}
    for i, name in enumerate(head["dtypes"]):
        dtype = pd.api.types.pandas_dtype(name)
        if name == "object":
            found[i] = np.empty(len(index), dtype=object)
            found[i][:] = head["cells"][str(i)]
        elif isinstance(dtype, np.dtype):
            found[i] = table.column(str(i)).to_numpy()
        else:
            found[i] = dtype.__from_arrow__(table.column(str(i)))
    frame = pd.DataFrame(found, index=index)
    frame.columns = _index(head["columns"])
    return frame


def _labels(index: pd.Index) -> dict[str, Any]:
    if isinstance(index, pd.RangeIndex):
        return {"cells": [index.start, index.stop, index.step], "dtype": "range", "name": index.name}
    return {"cells": index.tolist(), "dtype": str(index.dtype), "name": index.name}


def _index(given: dict[str, Any]) -> pd.Index:
    if given["dtype"] == "range":
        return pd.RangeIndex(*given["cells"], name=given["name"])
    return pd.Index(given["cells"], dtype=given["dtype"], name=given["name"])


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, default=_as_text), encoding="ascii")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="ascii"), object_hook=_as_cell)


def _as_text(cell: Any) -> Any:
    if isinstance(cell, np.generic):
        return cell.item()
    for kind, (of, write, _) in _CELLS.items():
        if type(cell) is of:
            return {"": [kind, write(cell)]}
    raise TypeError(f"no column has cells of the type {type(cell).__name__}")


def _as_cell(given: dict[str, Any]) -> Any:
    if given.keys() != {""}:
        return given
    kind, text = given[""]
    return _CELLS[kind][2](text)
