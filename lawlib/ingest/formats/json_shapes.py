"""Finds the rows in JSON documents that are no plain list of records: dicts of runs, lists beside settings, lists in the cells."""

from __future__ import annotations

import re
from typing import Any

from lawlib.errors import ReadError

from ..core import ranked, shown

_LISTED = 3  # values: shorter lists are settings (betas) and no curves
_SPLITS = 100
_STEPS = re.compile(r"(?<![a-z])(global_?)?(steps?|iters?|iterations?)$|^(steps?|iters?|iterations?)(?![a-z])")
_MEASURED = re.compile(r"acc|lr|learning.?rate|norm|time|epoch|f1|throughput|per_?sec|mem|mfu|step|iter")


def rows(whole: dict[str, Any], name: str) -> list[Any]:
    """Returns the records in an object: of a dict of runs one each, of a list beside settings one an entry, else the object itself.

    Raises:
        ReadError: several lists of records lie beside one another.
    """
    values = list(whole.values())
    if len(values) > 1 and all(isinstance(v, dict) and v for v in values):
        if all(v.keys() == values[0].keys() for v in values) and not _names_quantities(values[0], whole):
            return [{key: column[row] for key, column in whole.items()} for row in values[0]]
        if ranked(k for v in values for k in _keys(v)):
            return [{"name": key} | value if "name" not in value else value for key, value in whole.items()]
    if (
        len(values) == 1
        and isinstance(values[0], dict)
        and values[0]
        and all(isinstance(v, dict) and v for v in values[0].values())
    ):
        return rows(values[0], name) if len(values[0]) > 1 else [whole]
    tables = [key for key, v in whole.items() if isinstance(v, list) and v and all(isinstance(r, dict) for r in v)]
    if len(tables) == 1:
        settings = {k: v for k, v in whole.items() if k != tables[0]}
        return [settings | _within(record, tables[0], settings) for record in _side_by_side(whole[tables[0]])]
    if tables:
        raise ReadError(
            f"{name} is one object that holds several lists of records ({shown(', '.join(tables))}): save the one with the losses alone, "
            "as an array of objects."
        )
    return [whole] if whole else []


def _names_quantities(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    """Whether the inner keys are columns and the outer ones runs, and not the other way round."""
    return bool(ranked(_keys(inner))) and not ranked(map(str, outer))


def _keys(record: dict[str, Any]) -> list[str]:
    """Returns the keys of an object and of the objects in it."""
    return [k for key, value in record.items() for k in (str(key), *(map(str, value) if isinstance(value, dict) else ()))]


def _within(record: dict[str, Any], table: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns a record with its keys' list in front of them where a setting has the same name."""
    return {f"{table}.{key}" if key in settings else key: value for key, value in record.items()}


def _side_by_side(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns one record for all where they are one state evaluated on several sets: they differ in one text and in measured numbers.

    Each loss then has the text in its name: {"set": "c4", "loss": 2.9} gives "loss c4".
    """
    if len(records) < 2 or len(records) > _SPLITS or any(r.keys() != records[0].keys() for r in records):
        return records
    differing = [k for k in records[0] if any(r[k] != records[0][k] for r in records)]
    texts = [k for k in differing if all(_text(r[k]) for r in records)]
    numbers = [k for k in differing if k not in texts]
    if (
        len(texts) != 1
        or not numbers
        or set(numbers) - set(ranked(numbers))
        or len({_text(r[texts[0]]) for r in records}) < len(records)
    ):
        return records
    same = {k: v for k, v in records[0].items() if k not in differing}
    return [same | {f"{k} {_text(r[texts[0]])}": r[k] for k in numbers for r in records}]


def _text(value: Any) -> str:
    """Returns a text, or the one text in a list; "" for others."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else ""


def with_lists(given: list[tuple[int, Any]], notes: list[str]) -> list[tuple[int, Any]]:
    """Returns the records with those that hold a curve, equally long lists of numbers, as a record a point; the other keys repeat.

    Where none of the lists is called a step, the points are counted from 1.
    """
    if not any(isinstance(record, dict) and _curve(_inner(record)) for _, record in given):
        return given
    found: list[tuple[int, Any]] = []
    for number, whole in given:
        record = _inner(whole) if isinstance(whole, dict) else whole
        lists = _curve(record) if isinstance(record, dict) else []
        if not lists:
            found.append((number, record))
            continue
        rest = {k: v for k, v in record.items() if k not in lists}
        step = next((k for k in lists if _STEPS.search(k.lower())), "")
        names = ["step" if k == step else k for k in lists]
        for i, row in enumerate(zip(*(record[k] for k in lists), strict=True), start=1):
            found.append((number, rest | ({} if step else {"step": i}) | dict(zip(names, row, strict=True))))
    notes.append("Lists in the records are read as curves, a point an entry; where no list is a step, the entries are counted.")
    return found


def _inner(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the record with the lists in the objects that it holds among its own keys, by their paths."""
    nested = {k: v for k, v in record.items() if isinstance(v, dict) and any(isinstance(x, list) for x in v.values())}
    return {k: v for k, v in record.items() if k not in nested} | {f"{k}.{i}": x for k, v in nested.items() for i, x in v.items()}


def _curve(record: dict[str, Any]) -> list[str]:
    """Returns the keys of equally long lists of numbers among which is a loss, the longest such lists."""
    lists = {k: v for k, v in record.items() if isinstance(v, list) and len(v) >= _LISTED and all(is_number(x) for x in v)}
    losses = ranked(map(str, lists))
    if not losses:
        return []
    length = len(lists[losses[0]])
    return [k for k, v in lists.items() if len(v) == length]


def is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def is_history(columns: dict[str, Any]) -> bool:
    """Whether lists are the curves of one training, as Keras' History has them: losses and what is measured beside them alone."""
    losses = ranked(map(str, columns))
    return (
        bool(losses)
        and all(k in losses or _MEASURED.search(str(k).lower()) for k in columns)
        and len(columns[losses[0]]) >= _LISTED
    )
