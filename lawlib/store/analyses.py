"""Saved analyses: a name for a page and its address, so that a view is found again. Numbers are never saved: they are computed."""

from __future__ import annotations

import duckdb
import pandas as pd

from lawlib.errors import StoreError
from lawlib.store.database import Database, now

COLUMNS = ("name", "page", "query", "summary", "created")
SINCE = 2
"""The schema with their table: a read-only workspace of an earlier program has none, and none saved."""
MAX_NAME = 120


def saved(database: Database) -> pd.DataFrame:
    """All saved analyses, the last saved first."""
    if database.schema_version < SINCE:
        return pd.DataFrame({c: pd.Series(dtype="str") for c in COLUMNS})
    return database.read(f"select {', '.join(COLUMNS)} from workspace.analyses order by created desc, rowid desc")


def save(database: Database, name: str, page: str, query: str, summary: str, *, replace: bool) -> None:
    """See `Store.save_analysis`."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"A saved analysis needs a name of 1 to {MAX_NAME} characters; this one has {len(name)}.")

    def change(cursor: duckdb.DuckDBPyConnection) -> None:
        if replace:
            cursor.execute("delete from workspace.analyses where name = ?", [name])
        elif cursor.execute("select 1 from workspace.analyses where name = ?", [name]).fetchall():
            raise StoreError(f'There is an analysis "{name}" already. Choose another name, or delete that one first.')
        cursor.execute("insert into workspace.analyses values (?, ?, ?, ?, ?)", [name, page, query, summary, now()])

    database.write(change, runs=False)


def delete(database: Database, name: str) -> None:
    """Forgets the analysis of this name."""

    def change(cursor: duckdb.DuckDBPyConnection) -> None:
        if not cursor.execute("delete from workspace.analyses where name = ? returning name", [name]).fetchall():
            raise StoreError(f'There is no analysis "{name}".')

    database.write(change, runs=False)
