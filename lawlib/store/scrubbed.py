"""Stores what imports removed from a data set's logs as private: kinds and counts, never the values."""

from __future__ import annotations

import duckdb
import pandas as pd

from lawlib.store.database import Database

COLUMNS = ("field", "kind", "n", "whole", "added")
SINCE = 6
"""The schema with their table."""
_TYPES = {"field": "str", "kind": "str", "n": "int64", "whole": "bool", "added": "str"}


def none() -> pd.DataFrame:
    """Returns a table without rows."""
    return pd.DataFrame({c: pd.Series(dtype=t) for c, t in _TYPES.items()})


def saved(database: Database, dataset: str) -> pd.DataFrame:
    """Returns what was removed from a data set of the workspace, import after import."""
    if database.schema_version < SINCE:
        return none()
    sql = f"select {', '.join(COLUMNS)} from workspace.scrubbed where dataset = $dataset order by rowid"
    return database.read(sql, {"dataset": dataset})


def insert(cursor: duckdb.DuckDBPyConnection, dataset: str, found: pd.DataFrame, added: str) -> None:
    """Records what one import removed: a frame with the columns field, kind, n and whole."""
    missing = [c for c in COLUMNS[:4] if c not in found]
    if missing:
        raise ValueError(f'What was scrubbed has no column "{missing[0]}"; its columns are {", ".join(map(str, found.columns))}.')
    rows = [[dataset, str(f), str(k), int(n), bool(w), added] for f, k, n, w in found[list(COLUMNS[:4])].values.tolist()]
    if rows:
        cursor.executemany("insert into workspace.scrubbed values (?, ?, ?, ?, ?, ?)", rows)
