"""Reads benchmark results of runs that are already stored: run, benchmark, metric, value, one row a result or one column a benchmark."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from .core import RowProblem, Table, numbers, shown

ALIASES: dict[str, tuple[str, ...]] = {
    "run": ("run", "runid", "runname", "displayname", "name", "model", "modelname", "id"),
    "benchmark": ("benchmark", "task", "taskname", "eval", "evaluation", "benchmarkname"),
    "metric": ("metric", "metricname", "measure"),
    "value": ("value", "score", "result", "accuracy", "acc", "accnorm", "em", "exactmatch", "f1"),
}
"""Names without case, blanks and signs; the first that a file has is taken."""
SCORE = "score"
"""The metric where the file names none."""


@dataclass(frozen=True, eq=False)
class Evaluations:
    """frame: run_id, benchmark, metric, value. problems: the rows left out. notes: what was assumed."""

    frame: pd.DataFrame
    problems: list[RowProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_evaluations(table: Table, runs: pd.DataFrame) -> Evaluations:
    """Returns the benchmark results in a table, matched to these runs by run_id or, where it is unique, by name.

    Raises:
        ReadError: no column names the run, or none holds values.
    """
    names = {re.sub(r"[^a-z0-9]", "", str(c).lower()): str(c) for c in reversed(table.frame.columns)}
    found = {what: next((names[a] for a in aliases if a in names), "") for what, aliases in ALIASES.items()}
    columns = shown(", ".join(map(str, table.frame.columns)), 400)
    if not found["run"]:
        raise ReadError(f"{table.name}: no column names the run. Call one of {columns} run, name or model.")
    notes: list[str] = []
    if found["benchmark"]:
        if not found["value"]:
            raise ReadError(f"{table.name}: no column holds the results. Call one of {columns} value or score.")
        long = _long(table, found)
        if not found["metric"]:
            notes.append(f'No column names the metric: it is taken to be "{long["metric"].iloc[0] if len(long) else SCORE}".')
    else:
        long = _wide(table, found["run"])
        if long.empty:
            raise ReadError(f"{table.name}: no column names the benchmark and none beside the run holds numbers: {columns}.")
        notes.append(f'Every column of numbers is read as a benchmark, its metric as "{SCORE}".')
    problems = _problems(long, runs)
    kept = long[[i not in problems for i in range(len(long))]]
    frame = kept.assign(run_id=kept["run"].map(_ids(runs)))[["run_id", "benchmark", "metric", "value"]]
    frame = frame.drop_duplicates(["run_id", "benchmark", "metric"], keep="last").reset_index(drop=True)
    return Evaluations(frame, [*table.ragged, *problems.values()], [*table.notes, *notes])


def _long(table: Table, found: dict[str, str]) -> pd.DataFrame:
    value = numbers(table.frame[found["value"]], table.decimal)
    named = found["value"].strip() if found["value"].strip().lower() not in ("value", "result") else SCORE
    metric = _texts(table.frame[found["metric"]]) if found["metric"] else np.full(len(table.frame), named, dtype=object)
    return pd.DataFrame(
        {
            "run": _texts(table.frame[found["run"]]),
            "benchmark": _texts(table.frame[found["benchmark"]]),
            "metric": metric,
            "value": value.values,
            "cell": _texts(table.frame[found["value"]]),
            "column": found["value"],
            "line": table.lines,
        }
    )


def _wide(table: Table, run: str) -> pd.DataFrame:
    """Returns one row a result, from every column in which at least one cell is a number and none is text."""
    blocks = []
    for column in table.frame.columns:
        value = numbers(table.frame[column], table.decimal)
        if column != run and np.isfinite(value.values).any() and not value.text.any():
            block = {"run": _texts(table.frame[run]), "benchmark": str(column), "metric": SCORE, "value": value.values}
            frame = pd.DataFrame(block | {"cell": _texts(table.frame[column]), "column": str(column), "line": table.lines})
            blocks.append(frame[~np.isnan(value.values)])
    return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _texts(column: pd.Series) -> np.ndarray:
    return column.astype("str").fillna("").str.strip().to_numpy(dtype=object)


def _ids(runs: pd.DataFrame) -> dict[str, str]:
    """Name or id -> id, of the names that one run only has."""
    unique = runs[(runs["name"] != "") & ~runs["name"].duplicated(keep=False)]
    return dict(zip(unique["name"], unique["run_id"], strict=True)) | {i: i for i in runs["run_id"]}


def _problems(long: pd.DataFrame, runs: pd.DataFrame) -> dict[int, RowProblem]:
    """Returns row of `long` -> why it is left out."""
    known, shared = _ids(runs), set(runs.loc[runs["name"].duplicated(keep=False), "name"])
    found: dict[int, RowProblem] = {}
    first: dict[tuple[str, str, str], float] = {}
    rows = zip(*(long[c] for c in ("run", "benchmark", "metric", "value", "cell", "column", "line")), strict=True)
    for i, (run, benchmark, metric, value, cell, column, line) in enumerate(rows):
        reason, at, said = "", column, cell
        if run not in known:
            at, said = "run", run
            reason = "Several runs have this name: give their run_id." if run in shared and run else "No run has this name or id."
        elif not benchmark:
            at, said, reason = "benchmark", "", "The benchmark is missing."
        elif not np.isfinite(value):
            reason = "The result must be a finite number."
        elif first.setdefault((known[run], benchmark, metric), value) != value:
            reason = "The run has another result of this benchmark and metric further up."
        if reason:
            found[i] = RowProblem(int(line), at, shown(said), reason)
    return found
