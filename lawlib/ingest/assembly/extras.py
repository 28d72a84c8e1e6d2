"""Keeps what a file says about a run beyond the canonical columns, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..core import Mapping, Table, numbers, shown
from .curves import Curves
from .values import Values

_CELLS = 10**6  # looked at in one go
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)


def extra(
    table: Table, mapping: Mapping, values: Values, rows: np.ndarray, kept: np.ndarray, curves: Curves | None, notes: list[str]
) -> pd.Series:
    """Returns what the file says beyond the canonical columns, as JSON: for curves what is constant along the run, and its step."""
    used = {s.column for s in values.sources.values()}
    if curves is not None:
        used |= set(mapping.loss_columns)
    if "arch" in values.texts and (values.texts["arch"] == "").any():
        used.discard(values.sources["arch"].column)  # a word for the architecture that is neither dense nor moe
    columns = [c for c in table.frame.columns if c not in used]
    items: list[list[str]] = []  # "key": value, of each column for every run, "" for blanks
    changing = []
    runs = None if curves is None else _Runs(curves.run_of_row, len(rows))
    for column, (codes, found) in zip(columns, _values(table.frame, columns), strict=True):
        given, constant = (codes[rows], True) if runs is None else runs.constant(codes)
        if not constant:
            changing.append(column)
            if pd.api.types.is_integer_dtype(table.frame[column].dtype):
                found = [f"{value}.0" for value in found]  # as ids of runs have it
        key = json.dumps(column)
        texts = np.array([*(f"{key}: {value}" for value in found), ""], dtype=object)
        items.append(texts[given[kept]].tolist())
    if curves is not None:
        steps = curves.values.numbers["step"][kept].tolist()
        given = items[columns.index("step")] if "step" in columns else [""] * len(steps)
        items.append(
            ["" if known else f'"step": {int(s) if s == int(s) else s!r}' for s, known in zip(steps, given, strict=True)]
        )
    if changing:
        notes.append(f"Not kept, as they change along the curves: {shown(', '.join(changing), 400)}.")
    if set(columns) - set(changing):
        notes.append(f"Kept with each run as extra: {shown(', '.join(c for c in columns if c not in changing), 400)}.")
    joined = [", ".join(filter(None, row)) for row in zip(*items, strict=True)] if items else [""] * int(kept.sum())
    return pd.Series([f"{{{text}}}" if text else "" for text in joined], dtype="str")


class _Runs:
    """The rows of each run, for the values that a column has along all of them."""

    def __init__(self, run_of_row: np.ndarray, n_runs: int) -> None:
        self._order = np.argsort(run_of_row, kind="stable")[np.count_nonzero(run_of_row < 0) :]
        of = run_of_row[self._order]
        self._runs, self._starts = np.unique(of, return_index=True)
        self._n_runs = n_runs

    def constant(self, codes: np.ndarray) -> tuple[np.ndarray, bool]:
        """Returns the one value of each run, -1 where it has several or none, and whether no run has several."""
        found = np.full(self._n_runs, -1)
        if not len(self._order):
            return found, True
        codes = codes[self._order]
        none = codes.max() + 1
        first = np.minimum.reduceat(np.where(codes < 0, none, codes), self._starts)
        one = np.maximum.reduceat(codes, self._starts) == first  # neither several nor none
        found[self._runs[one]] = first[one]
        return found, bool((one | (first == none)).all())


def _values(frame: pd.DataFrame, columns: list[str]) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Returns the distinct values of each column as JSON, and the index of each row's value, -1 for blanks.

    Numbers where all of a text are plain ones ("007" is none), else text.
    """
    several = max(_CELLS // max(len(frame), 1), 1)
    for at in range(0, len(columns), several):
        given = [frame[c] for c in columns[at : at + several]]
        texts = {i: _words(column) for i, column in enumerate(given) if isinstance(column.dtype, pd.StringDtype)}
        numeric = {i: words for i, (_, words) in texts.items() if _are_numbers(words)}
        whole = pd.Series([word for words in numeric.values() for word in words], dtype="str")
        ends = np.cumsum([len(words) for words in numeric.values()])  # all columns in one call
        by_number = dict(zip(numeric, np.split(numbers(whole).values, ends[:-1]), strict=True)) if numeric else {}
        for i, column in enumerate(given):
            if i in by_number and np.isfinite(by_number[i]).all():
                yield _numbers(by_number[i], *texts[i])
            elif i in texts:
                codes, words = texts[i]
                yield codes, list(map(json.dumps, words))
            elif column.dtype == object:
                yield pd.factorize(
                    np.array([None if pd.isna(v) else json.dumps(_plain(v)) for v in column.tolist()] or [], object)
                )
            else:
                codes, values = pd.factorize(column)
                yield codes, [json.dumps(_plain(value)) for value in values.tolist()]


def _words(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Returns the index of each row's text among a column's distinct texts, -1 for blanks."""
    codes, words = pd.factorize(column)
    texts: list[str] = words.tolist()
    filled = np.array([text.strip() != "" for text in texts], dtype=bool)
    if filled.all():
        return codes, texts
    place = np.append(np.where(filled, np.cumsum(filled) - 1, -1), -1)  # the last is that of missing ones
    return place[codes], [text for text in texts if text.strip()]


def _are_numbers(words: list[str]) -> bool:
    """Whether there are texts, and all of them are numbers as JSON writes them."""
    return bool(words) and all(map(_JSON_NUMBER.fullmatch, words))


def _numbers(values: np.ndarray, codes: np.ndarray, words: list[str]) -> tuple[np.ndarray, list[str]]:
    """Returns the distinct numbers: integers where all are written as such and none is too large."""
    same, values = pd.factorize(values)
    if (np.abs(values) < 2**53).all() and all(map(_INTEGER.fullmatch, words)):
        values = values.astype(np.int64)
    return np.append(same, -1)[codes], list(map(repr, values.tolist()))  # as JSON writes plain ones


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value in (np.inf, -np.inf):
        return str(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)
