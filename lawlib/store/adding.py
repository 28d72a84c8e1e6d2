"""Writes runs, their curves, evaluations and derivations into the attached database `workspace`, inside a transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from lawlib.errors import StoreError
from lawlib.runs import COLUMNS, CURVE_COLUMNS
from lawlib.store.thinning import LEVEL, LONG, thinned

KINDS = ("trained", "published", "uploaded", "simulated")
EVALUATION_COLUMNS = ("run_id", "benchmark", "metric", "value")
DERIVATION_COLUMNS = ("run_id", "quantity", "source", "factor", "rule")
_NUMBERS = {"step", "tokens", "flops", "loss", "hours", "value", "factor"}


@dataclass(frozen=True, eq=False)
class Addition:
    """The content of one data set to be added: the arguments of `Store.add`."""

    runs: pd.DataFrame
    dataset: str
    title: str | None = None
    kind: str = "uploaded"
    source: str = ""
    licence: str = ""
    notes: str = ""
    flops_rule: str = ""
    curves: pd.DataFrame | None = None
    derivations: pd.DataFrame | None = None
    evaluations: pd.DataFrame | None = None
    scrubbed: pd.DataFrame | None = None


@dataclass(frozen=True)
class Added:
    """The result of `add`: the data set's id, runs written, runs left out as they were there already, curve points written."""

    dataset: str
    n_runs: int
    n_duplicates: int
    n_curve_points: int


def slug(dataset: str) -> str:
    """Returns the id of a data set: lower case, letters, digits, "_", "." and "-" only ("My runs!" becomes "my-runs").

    Raises:
        ValueError: nothing is left, or more than 80 characters are.
    """
    found = re.sub(r"[^\w.]+", "-", dataset.strip().lower()).strip("-.")
    if not found or len(found) > 80:
        raise ValueError(f'"{dataset}" cannot name a data set: it needs 1 to 80 letters or digits.')
    return found


def insert_dataset(cursor: duckdb.DuckDBPyConnection, dataset: str, **texts: str) -> None:
    """Writes one row of `datasets`; `texts` are title, kind, source, licence, flops_rule, notes and created."""
    if texts["kind"] not in KINDS:
        raise ValueError(f'A data set cannot be of kind "{texts["kind"]}". The kinds are {", ".join(KINDS)}.')
    cursor.execute(
        """insert into workspace.datasets by name
        select (select coalesce(max(seq), 0) + 1 from workspace.datasets) as seq, $dataset as dataset, $title as title,
            $kind as kind, $source as source, $licence as licence, $flops_rule as flops_rule, $notes as notes,
            $created as created, '' as deleted""",
        {"dataset": dataset, **texts},
    )


def insert_runs(cursor: duckdb.DuckDBPyConnection, dataset: str, runs: pd.DataFrame) -> int:
    """Writes canonical runs that the data set does not have yet, in their order, and returns how many they are."""
    fresh = runs.loc[~runs["run_id"].duplicated(), [c for c in COLUMNS if c != "dataset"]].reset_index(drop=True)
    cursor.register("incoming", fresh.assign(row=np.arange(1, len(fresh) + 1)))
    count = cursor.execute(
        """insert into workspace.runs by name
        with added as (
            select * from incoming
            where run_id not in (select run_id from workspace.runs where dataset = $dataset)
        )
        select * exclude (row), $dataset as dataset,
            (select coalesce(max(seq), 0) from workspace.runs) + row_number() over (order by row) as seq
        from added order by row""",
        {"dataset": dataset},
    ).fetchall()
    cursor.unregister("incoming")
    return int(count[0][0])


def insert_curves(cursor: duckdb.DuckDBPyConnection, dataset: str, curves: pd.DataFrame) -> int:
    """Writes points of runs that have no curve yet, sorted by step within each curve, and returns how many they are."""
    frame = _typed(curves, CURVE_COLUMNS, "curves").assign(row=np.arange(len(curves)))
    cursor.register("incoming", frame)
    _require_known(cursor, dataset, "curves")
    cursor.execute(
        """create temp table numbered as
        select r.seq as run, i.split, i.step, i.tokens, i.flops, i.loss, i.hours,
            row_number() over (partition by r.seq, i.split order by i.step nulls last, i.row) - 1 as point
        from incoming i join workspace.runs r on r.run_id = i.run_id and r.dataset = $dataset
        where r.seq not in (select run from workspace.curve_sizes where dataset = $dataset)""",
        {"dataset": dataset},
    )
    count = cursor.execute("insert into workspace.curves by name select * from numbered order by run, split, point").fetchall()
    cursor.execute(
        """insert into workspace.curve_sizes by name
        select $dataset as dataset, run, split, count(*) as n_points from numbered group by run, split order by run, split""",
        {"dataset": dataset},
    )
    cursor.execute(
        """create temp table long as
        select run, split, count(*) as n_points from numbered group by run, split having count(*) > $long""",
        {"long": LONG},
    )
    if cursor.execute("select count(*) from long").fetchall() != [(0,)]:
        order = "order by c.run, c.split, c.point"
        cursor.execute(f"insert into workspace.curves_thin by name {thinned('numbered', 'long', LEVEL)} {order}")
    cursor.execute("drop table long")
    cursor.execute("drop table numbered")
    cursor.unregister("incoming")
    return int(count[0][0])


def insert_evaluations(cursor: duckdb.DuckDBPyConnection, dataset: str, evaluations: pd.DataFrame) -> None:
    """Writes benchmark results; one that the run has already, by benchmark and metric, is left as it is."""
    frame = _typed(evaluations, EVALUATION_COLUMNS, "evaluations")
    cursor.register("incoming", frame.drop_duplicates(["run_id", "benchmark", "metric"]))
    _require_known(cursor, dataset, "evaluations")
    cursor.execute(
        """insert into workspace.evaluations by name
        select $dataset as dataset, * from incoming
        where (run_id, benchmark, metric) not in
            (select (run_id, benchmark, metric) from workspace.evaluations where dataset = $dataset)""",
        {"dataset": dataset},
    )
    cursor.unregister("incoming")


def replace_evaluations(cursor: duckdb.DuckDBPyConnection, place: str, dataset: str, evaluations: pd.DataFrame) -> int:
    """Writes benchmark results of runs in the database `place` to the workspace, and returns how many replaced another."""
    frame = _typed(evaluations, EVALUATION_COLUMNS, "evaluations")
    cursor.register("incoming", frame.drop_duplicates(["run_id", "benchmark", "metric"], keep="last"))
    _require_known(cursor, dataset, "evaluations", place)
    ((replaced,),) = cursor.execute(
        """delete from workspace.evaluations where dataset = $dataset
            and (run_id, benchmark, metric) in (select (run_id, benchmark, metric) from incoming)""",
        {"dataset": dataset},
    ).fetchall()
    cursor.execute("insert into workspace.evaluations by name select $dataset as dataset, * from incoming", {"dataset": dataset})
    cursor.unregister("incoming")
    return int(replaced)


def insert_derivations(cursor: duckdb.DuckDBPyConnection, dataset: str, derivations: pd.DataFrame) -> None:
    """Writes how each quantity of each run was derived; an empty `run_id` means all runs. Repeated rows are written once."""
    frame = _typed(derivations, DERIVATION_COLUMNS, "derivations").drop_duplicates()
    cursor.register("incoming", frame)
    cursor.execute(
        """insert into workspace.derivations by name
        select $dataset as dataset, * from incoming
        where (run_id, quantity) not in
            (select (run_id, quantity) from workspace.derivations where dataset = $dataset)""",
        {"dataset": dataset},
    )
    cursor.unregister("incoming")


def _typed(frame: pd.DataFrame, columns: tuple[str, ...], what: str) -> pd.DataFrame:
    """Returns `frame` with exactly these columns: numbers float with NaN, texts with "" where missing."""
    if "run_id" not in frame and what != "derivations":
        raise ValueError(f'The {what} have no column "run_id"; their columns are {", ".join(map(str, frame.columns))}.')
    typed = pd.DataFrame(index=pd.RangeIndex(len(frame)))
    for column in columns:
        given = frame[column].reset_index(drop=True) if column in frame else None
        if column in _NUMBERS:
            typed[column] = np.nan if given is None else pd.Series(pd.to_numeric(given, errors="coerce"), dtype=float)
        else:
            typed[column] = pd.Series("", index=typed.index, dtype="str") if given is None else given.astype("str").fillna("")
    return typed


def _require_known(cursor: duckdb.DuckDBPyConnection, dataset: str, what: str, place: str = "workspace") -> None:
    ((count, example),) = cursor.execute(
        f"""select count(distinct run_id), min(run_id) from incoming
        where run_id not in (select run_id from {place}.runs where dataset = $dataset)""",
        {"dataset": dataset},
    ).fetchall()
    if count:
        raise StoreError(
            f'Nothing was saved: the {what} name {count} run_id that data set "{dataset}" does not have, such as "{example}".'
        )
