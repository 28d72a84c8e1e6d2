"""Reads JSON (an array of objects, or an object of columns) and JSONL (an object a line) into a frame, nested keys joined by dots."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import RowProblem, decode, loss_rank, shown
from . import json_shapes, limits

CELLS = 2 * 10**8  # a frame of more cells would not fit into memory


class Records(NamedTuple):
    frame: pd.DataFrame
    lines: np.ndarray
    format: str
    notes: list[str]
    ragged: list[RowProblem]


class Parsed(NamedTuple):
    """The content of a file before it is a frame: records of plain values, each with its number."""

    records: list[tuple[int, dict[str, Any]]]
    format: str
    notes: list[str]
    ragged: list[RowProblem]

    @property
    def columns(self) -> list[str]:
        """All keys, in the order of their first appearance."""
        return list(dict.fromkeys(key for _, record in self.records for key in record))


def read_records(content: bytes, name: str, kind: str) -> Records:
    """Returns the records in `content`; `kind` is "json" or "jsonl", and JSON that is an object a line is read as JSONL.

    Raises:
        ReadError: no JSON, no records, or an object that is neither a record nor columns.
    """
    return frame_of(parse_records(content, name, kind), name)


def parse_records(content: bytes, name: str, kind: str) -> Parsed:
    """Returns the records as they are in the file; raises as `read_records` does."""
    data, notes = decode(content, name)
    text = data.decode().strip("\n")
    skipped = data.decode().index(text) if text else 0  # blank lines before the first record
    if kind == "json":
        try:
            whole = _loads(text)
        except (ValueError, RecursionError) as error:
            if not _is_object(text.partition("\n")[0]):
                raise ReadError(f"{name} is not JSON: {_why(error)}. Save it again, or as CSV.") from error
        else:
            given = [(i + 1, record) for i, record in enumerate(_array(whole, name))]
            records, ragged = _checked(json_shapes.with_lists(given, notes), "record")
            return Parsed(records, "json", notes, ragged)
    given, ragged = [], []
    for i, line in enumerate(text.split("\n"), start=1 + skipped):
        if line.strip():
            try:
                given.append((i, _loads(line)))
            except (ValueError, RecursionError) as error:
                ragged.append(RowProblem(i, "", shown(line), f"The line is not a JSON object: {_why(error)}."))
    records, others = _checked(json_shapes.with_lists(given, notes), "line")
    return Parsed(records, "jsonl", notes, sorted(ragged + others, key=lambda p: p.line))


def kinds_of_cells(parsed: Parsed, columns: Sequence[str]) -> tuple[frozenset[type], ...] | None:
    """Returns the types in each column, `type(...)` where a record lacks the key; equal types give columns of one dtype.

    None where the largest numbers make the dtype.
    """
    kinds: dict[str, set[type]] = {column: set() for column in columns}
    for _, record in parsed.records:
        for key, value in record.items():
            if type(value) is int and not -(2**63) <= value < 2**63:
                return None
            kinds[key].add(type(value))
        if len(record) < len(kinds):
            for key in kinds.keys() - record.keys():
                kinds[key].add(type(...))
    return tuple(map(frozenset, kinds.values()))


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _why(error: Exception) -> str:
    """Returns what keeps a text from being read as JSON, in plain words."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if "integer string conversion" in str(error):
        return "a number in it has more than 4,300 digits"
    return str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f'the key "{shown(next(k for k in keys if keys.count(k) > 1))}" comes twice in one object')
    return found


def _is_object(line: str) -> bool:
    try:
        return isinstance(_loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _array(whole: Any, name: str) -> list[Any]:
    """Returns the list of records that a JSON document holds."""
    if isinstance(whole, list):
        if whole and all(isinstance(row, list) and len(row) == 3 and all(map(json_shapes.is_number, row)) for row in whole):
            return [dict(zip(("Wall time", "Step", "Value"), row, strict=True)) for row in whole]  # TensorBoard's download
        return whole
    if not isinstance(whole, dict):
        raise ReadError(f"{name} holds one JSON value ({shown(whole)}): needed is an array of objects or an object of columns.")
    values = list(whole.values())
    if isinstance(whole.get("columns"), list) and isinstance(whole.get("data"), list):  # pandas "split", W&B tables
        return [dict(zip(map(str, whole["columns"]), row, strict=True)) if _fits(row, whole) else row for row in whole["data"]]
    if len(values) == 1 and isinstance(values[0], list) and all(isinstance(row, dict) for row in values[0]):
        return values[0]
    if values and all(isinstance(v, list) for v in values):
        lengths = {key: len(v) for key, v in whole.items()}
        if len(set(lengths.values())) > 1:
            raise ReadError(f"{name} holds lists of different lengths ({shown(lengths)}): columns must be equally long.")
        if json_shapes.is_history(whole):
            return [whole]
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    return json_shapes.rows(whole, name)


def _fits(row: Any, whole: dict[str, Any]) -> bool:
    return isinstance(row, list) and len(row) == len(whole["columns"])


def _checked(given: list[tuple[int, Any]], noun: str) -> tuple[list[tuple[int, dict[str, Any]]], list[RowProblem]]:
    records, ragged = [], []
    for number, record in given:
        reason = f"The {noun} is not a JSON object with keys."
        try:
            if isinstance(record, dict) and record:
                records.append((number, _flat(record)))
                continue
        except RecursionError:
            reason, record = f"The {noun} is nested too deeply.", ""
        ragged.append(RowProblem(number, "", shown(record), reason))
    return records, ragged


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    if not any(isinstance(v, (dict, list)) for v in record.values()):
        return record
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": v for inner, v in _flat(value).items()})
        else:
            flat[key] = json.dumps(value) if isinstance(value, list) else value
    return flat


def frame_of(parsed: Parsed, name: str) -> Records:
    """Returns the records as a frame; raises as `read_records` does."""
    records, kind, notes, ragged = parsed
    columns = parsed.columns
    if not records:
        first = f" First: {ragged[0].reason}" if ragged else ""
        raise ReadError(f"{name} holds no records: needed is at least one JSON object with a run's values.{first}")
    limits.check_columns(len(columns), name)
    if len(records) * len(columns) > CELLS:
        raise ReadError(
            f"{name} has {len(records):,} records with {len(columns):,} different keys, which is too much for one table: "
            "leave out keys that are not needed."
        )
    for column in filter(loss_rank, columns):  # a logged NaN is no blank
        for _, record in records:
            value = record.get(column)
            if type(value) is float and not math.isfinite(value):
                record[column] = "NaN"
    try:
        frame = pd.DataFrame([record for _, record in records], columns=columns)
        "".join(columns).encode()
    except UnicodeEncodeError:  # "\\ud800" alone is valid JSON and no text
        notes.append("Broken characters (half surrogates) are shown as \ufffd.")
        mended = [(i, {_mended(k): _mended(v) for k, v in record.items()}) for i, record in records]
        return frame_of(parsed._replace(records=mended), name)
    return Records(frame, np.array([number for number, _ in records], dtype=np.int64), kind, notes, ragged)


def _mended(value: Any) -> Any:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
