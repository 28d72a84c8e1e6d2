"""Stores what a user saves under a name: analyses (a page and its address; numbers are computed anew) and presets (mappings)."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import pandas as pd

from lawlib.errors import StoreError
from lawlib.store.database import Database, now

MAX_NAME = 120


@dataclass(frozen=True)
class Named:
    """A table of the workspace whose rows have a name each.

    columns: as stored, `name` first and `created` last. called, article, noun: how sentences speak of a row. since: the schema with
    the table: a read-only workspace of an earlier program has none, and none saved. order: how rows are sorted.
    """

    table: str
    columns: tuple[str, ...]
    called: str
    article: str
    noun: str
    since: int
    order: str

    def saved(self, database: Database) -> pd.DataFrame:
        """Returns all that is saved, in the table's order."""
        if database.schema_version < self.since:
            return pd.DataFrame({c: pd.Series(dtype="str") for c in self.columns})
        return database.read(f"select {', '.join(self.columns)} from workspace.{self.table} order by {self.order}")

    def save(self, database: Database, name: str, *values: str, replace: bool) -> None:
        """Saves `values` under a name. Raises ValueError for a wrong name, StoreError where it is taken and not replaced."""
        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME:
            raise ValueError(f"{self.called} needs a name of 1 to {MAX_NAME} characters; this one has {len(name)}.")
        row = [name, *values, now()]

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if replace:
                cursor.execute(f"delete from workspace.{self.table} where name = ?", [name])
            elif cursor.execute(f"select 1 from workspace.{self.table} where name = ?", [name]).fetchall():
                raise StoreError(
                    f'There is {self.article} {self.noun} "{name}" already. Choose another name, or delete that one first.'
                )
            cursor.execute(f"insert into workspace.{self.table} values ({', '.join('?' * len(row))})", row)

        database.write(change, runs=False)

    def delete(self, database: Database, name: str) -> None:
        """Deletes what has this name. Raises StoreError where there is none."""

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            if not cursor.execute(f"delete from workspace.{self.table} where name = ? returning name", [name]).fetchall():
                raise StoreError(f'There is no {self.noun} "{name}".')

        database.write(change, runs=False)


ANALYSES = Named(
    "analyses",
    ("name", "page", "query", "summary", "created"),
    "A saved analysis",
    "an",
    "analysis",
    since=2,
    order="created desc, rowid desc",
)
PRESETS = Named("presets", ("name", "mapping", "created"), "A preset", "a", "preset", since=5, order="lower(name), name")
