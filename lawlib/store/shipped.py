"""Builds `runs.duckdb` from the text seeds, and compares them by content (its bytes differ from build to build)."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import duckdb
import pandas as pd
from platformdirs import user_data_path

from lawlib import seeds
from lawlib.store import adding, schema
from lawlib.store.database import STORAGE, connect, quoted

_CHECKOUT = Path(__file__).parents[2]
_IN_CHECKOUT = (_CHECKOUT / "pyproject.toml").is_file()
DEFAULT = (_CHECKOUT if _IN_CHECKOUT else Path(__file__).parents[1] / "data") / "runs.duckdb"
"""The bundled data: at the top of a checkout, among the package's data where the library is installed."""
REFERENCES = tuple(name for name in seeds.NAMES if name not in ("catalogue", "datasets", "runs_marin"))


def build(path: Path) -> None:
    """Writes the shipped file: a new file put in place of the old one when it is complete.

    Small blocks, as most tables have a few rows: with DuckDB's default of 256 KB for a column the file is ten times as large.
    """
    part = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    try:
        with connect() as con:
            con.execute(f"attach {quoted(part)} as workspace (block_size 16384, {STORAGE})")
            _fill(con)
            con.execute("checkpoint workspace")
            con.execute("detach workspace")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def is_current(path: Path) -> bool:
    """Whether the file is there, readable, and holds what the seeds hold."""
    if not path.is_file():
        return False
    with connect() as con:
        try:
            con.execute(f"attach {quoted(path)} as shipped (read_only)")
            found = _content(con, "shipped")
        except duckdb.Error:
            return False
        con.execute("attach ':memory:' as workspace")
        _fill(con)
        expected = _content(con, "workspace")
    return found.keys() == expected.keys() and all(found[name].equals(frame) for name, frame in expected.items())


def _fill(con: duckdb.DuckDBPyConnection) -> None:
    schema.migrate(con, "workspace", version=1, upto=schema.SHIPPED_VERSION)
    runs, curves, derivations = seeds.runs(), seeds.curves(), seeds.derivations()
    for record in seeds.table("datasets").to_dict("records"):
        dataset = record["dataset"]
        mine = runs.query("dataset == @dataset")
        adding.insert_dataset(con, **{str(key): value for key, value in record.items()}, created="")
        adding.insert_runs(con, dataset, mine)
        adding.insert_curves(con, dataset, curves[curves["run_id"].isin(mine["run_id"])])
        adding.insert_derivations(con, dataset, derivations.query("dataset == @dataset"))
    for name in REFERENCES:
        con.register("incoming", seeds.table(name))
        con.execute(f"create table workspace.{name} as select * from incoming")
        con.unregister("incoming")


def _content(con: duckdb.DuckDBPyConnection, db: str) -> dict[str, pd.DataFrame]:
    tables = con.execute("select table_name from duckdb_tables() where database_name = ?", [db]).fetchall()
    return {name: con.execute(f"select * from {db}.{name} order by rowid").df() for (name,) in sorted(tables)}


def workspace() -> Path:
    """Where uploads are kept unless LAWLIB_WORKSPACE names a file: beside a checkout's bundled data, else in the user's data folder."""
    if named := os.environ.get("LAWLIB_WORKSPACE"):
        return Path(named)
    if _IN_CHECKOUT:
        return DEFAULT.with_name("workspace.duckdb")
    return user_data_path("lawlib", appauthor=False) / "workspace.duckdb"
