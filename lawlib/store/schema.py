"""The tables of a lawlib database as a list of migrations, and the check that a file has them.

Plain columnar tables without indexes: DuckDB skips blocks by their minimum and maximum, and runs and curves lie in the order
of `seq`, the running number of a run within its file. Curves refer to it, so that 100 million points carry one integer
each instead of two texts; `point` counts within a curve (one run, one split) and `curve_sizes` holds each curve's length.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import duckdb

from lawlib.errors import StoreError
from lawlib.store.thinning import thin_all

# Once released, a migration is never edited: append one. CHECKs may use operators only (a function in a CHECK makes a
# write-ahead log unreadable after a crash, DuckDB 2.0).
Step = str | Callable[[duckdb.DuckDBPyConnection, str], None]
MIGRATIONS: tuple[tuple[Step, ...], ...] = (
    (
        "create table {db}.meta (version bigint, schema_version integer)",
        """create table {db}.datasets (
            seq bigint, dataset varchar, title varchar, kind varchar, source varchar, licence varchar, flops_rule varchar,
            notes varchar, created varchar, deleted varchar)""",
        """create table {db}.runs (
            seq bigint, run_id varchar, dataset varchar, name varchar, arch varchar, n_active double, n_total double,
            d_model double, n_layers double, n_experts double, top_k double, granularity double, expansion double,
            tokens double, flops double, loss double, loss_name varchar, seed double, status varchar, excluded boolean,
            exclude_reason varchar, extra varchar)""",
        """create table {db}.curves (
            run bigint, split varchar, point bigint, step double, tokens double, flops double, loss double)""",
        "create table {db}.curve_sizes (dataset varchar, run bigint, split varchar, n_points bigint)",
        "create table {db}.evaluations (dataset varchar, run_id varchar, benchmark varchar, metric varchar, value double)",
        """create table {db}.derivations (
            dataset varchar, run_id varchar, quantity varchar, source varchar, factor double, rule varchar)""",
        "create table {db}.exclusions (dataset varchar, run_id varchar, excluded boolean, reason varchar)",
        "create table {db}.mappings (signature varchar, mapping varchar)",
    ),
    ("create table {db}.analyses (name varchar, page varchar, query varchar, summary varchar, created varchar)",),
    (
        """create table {db}.imports (
            number bigint, dataset varchar, began varchar, ended varchar, n_runs bigint, n_points bigint)""",
        """insert into {db}.imports
        select d.seq, d.dataset, d.created, d.created, (select count(*) from {db}.runs r where r.dataset = d.dataset),
            (select coalesce(sum(n_points), 0) from {db}.curve_sizes z where z.dataset = d.dataset)
        from {db}.datasets d""",
    ),
    (
        "alter table {db}.curves add column hours double",
        """create table {db}.curves_thin (
            run bigint, split varchar, point bigint, step double, tokens double, flops double, loss double, hours double)""",
        thin_all,
    ),
    ("create table {db}.presets (name varchar, mapping varchar, created varchar)",),
    (
        """create table {db}.scrubbed (
            dataset varchar, field varchar, kind varchar, n bigint check (n >= 0), whole boolean, added varchar)""",
    ),
)
SCHEMA_VERSION = len(MIGRATIONS)
CURVES_VERSION = 4
"""The first schema whose curves have hours, and long ones a thinned copy."""
SHIPPED_VERSION = CURVES_VERSION
"""The schema of the bundled file: that of its runs and curves; later steps add tables of what users keep."""
TABLES = (
    "meta", "datasets", "runs", "curves", "curve_sizes", "evaluations", "derivations", "exclusions", "mappings", "analyses",
    "imports", "curves_thin", "presets", "scrubbed",
)  # fmt: skip


def migrate(con: duckdb.DuckDBPyConnection, db: str, *, version: int | None = None, upto: int | None = None) -> None:
    """Brings the attached, writable database `db` to the present schema (or to step `upto`), a transaction a step, then CHECKPOINT.

    `version` is the first value of the write counter; by default the time in microseconds, so that counters of
    different workspaces do not meet and a cache keyed by one never serves the other.
    """
    first = 0 if is_empty(con, db) else schema_version(con, db)
    for number, statements in enumerate(MIGRATIONS[first:upto], start=first + 1):
        with con.cursor() as cursor:
            cursor.execute("begin")
            for step in statements:
                _take(cursor, step, db)
            if number == 1:
                cursor.execute(f"insert into {db}.meta values (?, 1)", [time.time_ns() // 1000 if version is None else version])
            cursor.execute(f"update {db}.meta set schema_version = ?", [number])
            cursor.execute("commit")
    if first < SCHEMA_VERSION:
        con.execute(f"checkpoint {db}")


def _take(con: duckdb.DuckDBPyConnection, step: Step, db: str) -> None:
    if isinstance(step, str):
        con.execute(step.format(db=db))
    else:
        step(con, db)


def is_empty(con: duckdb.DuckDBPyConnection, db: str) -> bool:
    """Whether `db` has no tables or views at all: a new file, or one whose first migration never ended."""
    views = con.execute("select count(*) from duckdb_views() where database_name = ? and not internal", [db]).fetchall()
    return not _tables(con, db) and views == [(0,)]


def check(con: duckdb.DuckDBPyConnection, db: str, what: str) -> None:
    """Raises StoreError unless `db` has the known tables (and perhaps more) at a version this program knows.

    Views do not count as tables, so a file made by someone else cannot pass off a query as one.
    """
    tables = _tables(con, db)
    found = schema_version(con, db) if "meta" in tables else 0
    if found > SCHEMA_VERSION:
        raise StoreError(
            f"{what} was written by a newer version of this program (schema {found}; this one knows up to {SCHEMA_VERSION})."
            " Update the program to open it; the file was left as it is."
        )
    with duckdb.connect(":memory:") as model:
        model.execute("attach ':memory:' as model")
        for statements in MIGRATIONS[:found]:
            for step in statements:
                _take(model, step, "model")
        expected = _tables(model, "model")
    wrong = [name for name, sql in expected.items() if tables.get(name) != sql]
    if found < 1 or wrong:
        reason = f"its table {wrong[0]} is missing or has other columns" if wrong else 'it has no usable table "meta"'
        raise StoreError(f"{what} is a DuckDB file but not a workspace of this program: {reason}.")


def schema_version(con: duckdb.DuckDBPyConnection, db: str) -> int:
    """Returns the schema version that the database records; 0 where it records nothing usable."""
    try:
        ((version,),) = con.execute(f"select coalesce(max(schema_version), 0) from {db}.meta").fetchall()
        return int(version)
    except (duckdb.Error, ValueError):
        return 0


def write_counter(con: duckdb.DuckDBPyConnection, db: str) -> int:
    """Returns the number that changes with every write."""
    ((version,),) = con.execute(f"select max(version) from {db}.meta").fetchall()
    return int(version)


def _tables(con: duckdb.DuckDBPyConnection, db: str) -> dict[str, str]:
    rows = con.execute(
        "select table_name, sql from duckdb_tables() where database_name = ? and schema_name = 'main'", [db]
    ).fetchall()
    return dict(rows)
