"""Reads the SQLite files of trackers, MLflow's `mlflow.db` and trackio's project files, without running their views and triggers."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pandas as pd

from lawlib.errors import ReadError

from ..core import counted, shown
from .mlflow_run import label, run_settings
from .reader import RUN
from .tracking import Scalars

SECONDS = 20.0
ROWS = 50_000_000
_MLFLOW = {"runs", "metrics", "params", "experiments"}
_TRACKIO = {"metrics", "configs"}


def looks(head: bytes) -> bool:
    return head.startswith(b"SQLite format 3\0")


def read_sqlite(content: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Returns a row a run and step, and notes.

    Raises:
        ReadError: damaged, of another program, or without a metric.
    """
    scalars, notes = Scalars(), []
    # A copy without its write-ahead log: marked as one that has none, or it would not open.
    content = content[:18] + b"\x01\x01" + content[20:]
    try:
        with closing(sqlite3.connect(":memory:")) as con:
            con.deserialize(content)
            con.execute("pragma trusted_schema = off")
            con.execute("pragma cell_size_check = on")
            con.execute("pragma query_only = on")
            end = time.monotonic() + SECONDS
            con.set_progress_handler(lambda: time.monotonic() > end, 20_000)
            con.text_factory = lambda raw: raw.decode("utf-8", "replace")
            sql = "select name from sqlite_master where type = 'table' and sql not like 'create virtual%'"
            tables = {row[0] for row in con.execute(sql)}
            if tables >= _MLFLOW:
                _mlflow(con, tables, scalars, notes)
            elif tables >= _TRACKIO:
                _trackio(con, scalars, notes)
            else:
                raise ReadError(
                    f"{name} is an SQLite database of neither MLflow nor trackio (its tables: {shown(', '.join(sorted(tables)))}). "
                    "Export its table of runs as CSV and read that."
                )
    except (sqlite3.Error, OverflowError, MemoryError, UnicodeDecodeError) as error:
        slow = "interrupted" in str(error)
        reason = f"takes more than {SECONDS:g} s to read" if slow else f"is damaged or of another version ({shown(error)})"
        raise ReadError(f"{name} {reason}: export its runs as CSV and read that.") from error
    if not scalars.n:
        raise ReadError(f"{name} holds no metric of any run, so there is no loss in it.")
    return scalars.frame(RUN, notes), notes


def _rows(con: sqlite3.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(con.execute(sql)):
        if number > ROWS:
            raise ReadError(f"The database has more than {ROWS:,} rows in one table: export the runs that are needed.")
        yield row


def _mlflow(con: sqlite3.Connection, tables: set[str], scalars: Scalars, notes: list[str]) -> None:
    experiments = {str(key): str(name) for key, name in _rows(con, "select experiment_id, name from experiments")}
    given = {table: _pairs(con, table) if table in tables else {} for table in ("params", "tags")}
    labels, n_deleted = {}, 0
    for key, name, status, stage, experiment in _rows(
        con, "select run_uuid, name, status, lifecycle_stage, experiment_id from runs order by start_time, run_uuid"
    ):
        if stage == "deleted":
            n_deleted += 1
            continue
        labels[key] = label(str(name or key), set(labels.values()))
        params, tags = given["params"].get(key, []), given["tags"].get(key, [])
        scalars.settings[labels[key]] = run_settings(status, experiments.get(str(experiment), ""), params, tags)
    if n_deleted:
        notes.append(f"{counted(n_deleted, 'run')} marked as deleted in MLflow left out.")
    for run, key, value, step, is_nan in _rows(
        con, "select run_uuid, key, value, step, is_nan from metrics order by timestamp, rowid"
    ):
        number, at = _float(value), _float(step)
        if run in labels and number is not None and at is not None and not is_nan:
            scalars.add(labels[run], at, f"metrics.{key}", number)


def _pairs(con: sqlite3.Connection, table: str) -> dict[Any, list[tuple[str, Any]]]:
    """Returns (key, value) of every row of `params` or `tags`, by run."""
    found: dict[Any, list[tuple[str, Any]]] = {}
    for run, key, value in _rows(con, f"select run_uuid, key, value from {table} order by rowid"):
        found.setdefault(run, []).append((str(key), value))
    return found


def _trackio(con: sqlite3.Connection, scalars: Scalars, notes: list[str]) -> None:
    labels: dict[Any, str] = {}
    columns = {row[1] for row in con.execute("pragma table_info(metrics)")}
    key = "run_id" if "run_id" in columns else "run_name"
    unreadable = 0
    for run, name, step, given in _rows(con, f"select {key}, run_name, step, metrics from metrics order by timestamp, rowid"):
        if run not in labels:
            labels[run] = label(str(name), set(labels.values()))
        metrics, at = _object(given), _float(step)
        if metrics is None or at is None:
            unreadable += 1
            continue
        for metric, value in metrics.items():
            number = _float(value)
            if number is not None:
                scalars.add(labels[run], at, metric, number)
    for run, given in _rows(con, f"select {key}, config from configs"):
        config = _object(given)
        if run in labels and config is not None:
            flat = {k: str(v)[:500] for k, v in config.items() if isinstance(v, (int, float, str)) and not k.startswith("_")}
            scalars.settings.setdefault(labels[run], {}).update({f"config.{k}": v for k, v in flat.items()})
    if unreadable:
        notes.append(f"{counted(unreadable, 'row')} of metrics are no JSON and are passed over.")


def _object(given: Any) -> dict[str, Any] | None:
    try:
        found = json.loads(given)
    except (ValueError, TypeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
