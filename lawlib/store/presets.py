"""Presets: mappings of columns that a user keeps under a name, to apply them to other files."""

from __future__ import annotations

import duckdb
import pandas as pd

from lawlib.errors import StoreError
from lawlib.store.database import Database, now

COLUMNS = ("name", "mapping", "created")
SINCE = 5
"""The schema with their table: a read-only workspace of an earlier program has none, and none saved."""
MAX_NAME = 120


def saved(database: Database) -> pd.DataFrame:
    """All presets by name."""
    if database.schema_version < SINCE:
        return pd.DataFrame({c: pd.Series(dtype="str") for c in COLUMNS})
    return database.read(f"select {', '.join(COLUMNS)} from workspace.presets order by lower(name), name")


def save(database: Database, name: str, mapping: str, *, replace: bool) -> None:
    """See `Store.save_preset`."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= MAX_NAME:
        raise ValueError(f"A preset needs a name of 1 to {MAX_NAME} characters; this one has {len(name)}.")

    def change(cursor: duckdb.DuckDBPyConnection) -> None:
        if replace:
            cursor.execute("delete from workspace.presets where name = ?", [name])
        elif cursor.execute("select 1 from workspace.presets where name = ?", [name]).fetchall():
            raise StoreError(f'There is a preset "{name}" already. Choose another name, or delete that one first.')
        cursor.execute("insert into workspace.presets values (?, ?, ?)", [name, mapping, now()])

    database.write(change, runs=False)


def delete(database: Database, name: str) -> None:
    """Forgets the preset of this name."""

    def change(cursor: duckdb.DuckDBPyConnection) -> None:
        if not cursor.execute("delete from workspace.presets where name = ? returning name", [name]).fetchall():
            raise StoreError(f'There is no preset "{name}".')

    database.write(change, runs=False)
