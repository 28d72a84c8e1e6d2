"""Reads data sets, runs and curves from the attached databases. `place` is the database that holds the data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from lawlib.runs import COLUMNS, CURVE_COLUMNS
from lawlib.store.database import Database
from lawlib.store.schema import CURVES_VERSION
from lawlib.store.thinning import LEVEL, LONG, thinned

PART = 1_000_000
"""Points of curves that are read at once where all of a data set's are."""


def datasets(database: Database, shipped: str) -> pd.DataFrame:
    """Returns one row a data set: those of the file `shipped` first; of two with one name, the workspace's."""
    return database.read(
        f"""with known as (
            select 1 as place, * from workspace.datasets where deleted = ''
            union all by name
            select 0 as place, * from {shipped}.datasets
            where dataset not in (select dataset from workspace.datasets where deleted = '')
        ), runs as (
            select 1 as place, dataset, count(*) as n from workspace.runs group by dataset
            union all select 0, dataset, count(*) from {shipped}.runs group by dataset
        ), points as (
            select 1 as place, dataset, sum(n_points) as n from workspace.curve_sizes group by dataset
            union all select 0, dataset, sum(n_points) from {shipped}.curve_sizes group by dataset
        )
        select k.dataset, title, kind, source, licence, flops_rule, notes, cast(coalesce(r.n, 0) as bigint) as n_runs,
            cast(coalesce(p.n, 0) as bigint) as n_curve_points, created
        from known k left join runs r using (place, dataset) left join points p using (place, dataset)
        order by place, seq"""
    )


def runs(database: Database, place: str, dataset: str, wanted: Iterable[str] = COLUMNS) -> pd.DataFrame:
    """Returns these canonical columns in the order of adding; the workspace's exclusions replace those of the rows."""
    columns = ", ".join(
        {
            "excluded": "coalesce(x.excluded, r.excluded) as excluded",
            "exclude_reason": "case when x.excluded is null then r.exclude_reason else x.reason end as exclude_reason",
        }.get(column, f"r.{column}")
        for column in wanted
    )
    found = database.read(
        f"""select {columns}, r.seq from {place}.runs r
        left join (select * from workspace.exclusions where dataset = $dataset) x on x.run_id = r.run_id
        where r.dataset = $dataset""",
        {"dataset": dataset},
    )
    # They lie in order, as a rule: DuckDB would sort a million runs in 200 MB that it keeps.
    if not found["seq"].is_monotonic_increasing:
        found = found.sort_values("seq", ignore_index=True)
    return found.drop(columns="seq")


def curves(
    database: Database, place: str, dataset: str, run_ids: Iterable[str] | None, split: str | None, max_points: int | None
) -> pd.DataFrame:
    """Returns what `Store.curves` describes. Thinning groups points by their number, so that it needs no sorting.

    The curves are chosen first, from the small tables, and then read from where that is quickest: a plan for one kind of
    them alone skips the blocks of other runs, one for all kinds does not.
    """
    parameters: dict[str, object] = {"dataset": dataset}
    conditions, frames = "", {}
    if run_ids is not None:
        conditions += " and r.run_id in (select run_id from wanted)"
        frames["wanted"] = ids(run_ids)
    if split is not None:
        conditions += " and z.split = $split"
        parameters["split"] = split
    chosen = database.read(
        f"""select z.run, z.split, z.n_points, r.run_id from {place}.runs r join {place}.curve_sizes z on z.run = r.seq
        where r.dataset = $dataset{conditions} order by z.run, z.split""",
        parameters,
        **frames,
    )
    old = place == "workspace" and database.schema_version < CURVES_VERSION
    parts = [
        database.read(
            f"""select k.run_id, c.step, c.tokens, c.flops, c.split, c.loss,
                {"cast('nan' as double) as " if old else "c."}hours, c.run, c.point
            from ({query}) c join kind k on c.run = k.run and c.split = k.split
            where c.run between {kind["run"].min()} and {kind["run"].max()}""",
            kind=kind,
        )
        for query, kind in _sources(place, chosen, max_points, old)
    ]
    if not parts:
        return pd.DataFrame({c: pd.Series(dtype="str" if c in ("run_id", "split") else float) for c in CURVE_COLUMNS})
    points = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    points = points.sort_values(["run", "split", "point"], ignore_index=True)
    return points[list(CURVE_COLUMNS)]


def curve_parts(
    database: Database, place: str, dataset: str, split: str, max_points: int
) -> Iterator[tuple[float, pd.DataFrame]]:
    """Yields what `Store.curve_parts` describes. Without texts, in storage order, thirty million points take seconds."""
    chosen = database.read(
        f"""select r.place, z.run, z.split, z.n_points from {place}.curve_sizes z join
            (select seq, row_number() over (order by seq) - 1 as place from {place}.runs where dataset = $dataset) r on z.run = r.seq
        where z.dataset = $dataset and z.split = $split order by z.run""",
        {"dataset": dataset, "split": split},
    )
    old = place == "workspace" and database.schema_version < CURVES_VERSION
    done = chosen["n_points"].clip(upper=max_points).cumsum()
    for _, part in chosen.groupby(done // PART):
        parts = []
        for query, kind in _sources(place, part, max_points, old):
            points = database.read(
                f"""select c.run, c.point, c.tokens, c.loss from ({query}) c
                where c.split = $split and c.run between {kind["run"].min()} and {kind["run"].max()}""",
                {"split": split},
                kind=kind,
            )
            row = np.searchsorted(kind["run"], points["run"])
            points = points.assign(place=kind["place"].to_numpy()[row])[kind["run"].to_numpy()[row] == points["run"]]
            parts.append(points)
        points = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        run, point = points["place"].to_numpy(), points["point"].to_numpy()
        if not ((run[1:] > run[:-1]) | ((run[1:] == run[:-1]) & (point[1:] > point[:-1]))).all():
            points = points.sort_values(["place", "point"], ignore_index=True)
        yield float(done[part.index[-1]] / done.iloc[-1]), points[["place", "tokens", "loss"]]


def curve_ends(database: Database, place: str, dataset: str, run_ids: Iterable[str] | None) -> pd.DataFrame:
    """Returns what `Store.curve_ends` describes. The thinned copies of long curves keep what is needed."""
    old = place == "workspace" and database.schema_version < CURVES_VERSION
    wanted, frames = "", {}
    if run_ids is not None:
        wanted = f"and run in (select seq from {place}.runs where dataset = $dataset and run_id in (select run_id from wanted))"
        frames["wanted"] = ids(run_ids)
    curves = f"select run, split, point, step, loss from {place}.curves"
    ends = """min(step) as first_step, max(step) as last_step, arg_min(loss, point) as first_loss,
        arg_max(loss, point) as last_loss, min(loss) as lowest_loss"""
    chosen = f"(select * from {place}.curve_sizes where dataset = $dataset {wanted} and n_points"
    parts = [f"select run, split, {ends} from ({curves}) join {chosen} > 0) using (run, split) group by run, split"]
    if not old:
        thin = f"select run, split, point, step, loss from {place}.curves_thin"
        parts = [
            f"select run, split, {ends} from ({curves}) join {chosen} <= {LONG}) using (run, split) group by run, split",
            f"select run, split, {ends} from ({thin}) join {chosen} > {LONG}) using (run, split) group by run, split",
        ]
    return database.read(
        f"""select r.run_id, z.split, z.n_points, e.* exclude (run, split)
        from {place}.curve_sizes z join {place}.runs r on r.seq = z.run
        join ({" union all by name ".join(parts)}) e on e.run = z.run and e.split = z.split
        where z.dataset = $dataset order by z.run, z.split""",
        {"dataset": dataset},
        **frames,
    )


def _sources(place: str, chosen: pd.DataFrame, max_points: int | None, old: bool) -> list[tuple[str, pd.DataFrame]]:
    """Returns queries over a table `kind` of curves, each with its curves: whole ones, ones to thin, ones with a thinned copy."""
    points, n = f"{place}.curves", chosen["n_points"]
    if max_points is None:
        kinds = [(f"select * from {points}", chosen)]
    else:
        copied = (n > LONG) & (n > max_points) & (max_points <= LEVEL) & (not old)
        kinds = [
            (f"select * from {points}", chosen[n <= max_points]),
            (thinned(points, "kind", max_points), chosen[(n > max_points) & ~copied]),
            (thinned(f"{place}.curves_thin", "kind", max_points), chosen[copied]),
        ]
    return [(query, kind) for query, kind in kinds if len(kind)]


def ids(run_ids: Iterable[str]) -> pd.DataFrame:
    """Returns run ids as a table that queries can name; one id alone is taken as a list of one."""
    listed = [run_ids] if isinstance(run_ids, str) else list(dict.fromkeys(run_ids))
    return pd.DataFrame({"run_id": pd.Series(listed, dtype="str")})
