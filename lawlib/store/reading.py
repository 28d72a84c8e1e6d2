"""Queries: data sets, runs and curves of the attached databases. `place` is the database that holds the data set."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lawlib.runs import COLUMNS
from lawlib.store.database import Database
from lawlib.store.schema import CURVES_VERSION
from lawlib.store.thinning import LEVEL, LONG, thinned


def datasets(database: Database, shipped: str) -> pd.DataFrame:
    """One row a data set: those of the file `shipped` first; of two with one name, the workspace's."""
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


def runs(database: Database, place: str, dataset: str) -> pd.DataFrame:
    """Canonical columns in the order of adding; the workspace's exclusions lie over those of the rows."""
    columns = ", ".join(
        {
            "excluded": "coalesce(x.excluded, r.excluded) as excluded",
            "exclude_reason": "case when x.excluded is null then r.exclude_reason else x.reason end as exclude_reason",
        }.get(column, f"r.{column}")
        for column in COLUMNS
    )
    return database.read(
        f"""select {columns} from {place}.runs r
        left join (select * from workspace.exclusions where dataset = $dataset) x on x.run_id = r.run_id
        where r.dataset = $dataset order by r.seq""",
        {"dataset": dataset},
    )


def curves(
    database: Database, place: str, dataset: str, run_ids: Iterable[str] | None, split: str | None, max_points: int | None
) -> pd.DataFrame:
    """See `Store.curves`. Thinning groups the points of a curve by their number, so that it needs no sorting.

    The curves are chosen first, from the small tables: the join then skips all blocks of other runs.
    """
    parameters: dict[str, object] = {"dataset": dataset}
    conditions, frames = "", {}
    if run_ids is not None:
        conditions += " and r.run_id in (select run_id from wanted)"
        frames["wanted"] = ids(run_ids)
    if split is not None:
        conditions += " and z.split = $split"
        parameters["split"] = split
    now = place != "workspace" or database.schema_version >= CURVES_VERSION
    return database.read(
        f"""with chosen as materialized (
            select z.run, z.split, z.n_points, r.run_id
            from {place}.runs r join {place}.curve_sizes z on z.run = r.seq
            where r.dataset = $dataset{conditions}
        ), {_points(place, max_points, now)}
        select chosen.run_id, c.step, c.tokens, c.flops, c.split, c.loss, {"c.hours" if now else "cast('nan' as double)"} as hours
        from points c join chosen on c.run = chosen.run and c.split = chosen.split
        order by c.run, c.split, c.point""",
        parameters,
        **frames,
    )


def _points(place: str, max_points: int | None, now: bool) -> str:
    """The table `points`, at most `max_points` of each curve of `chosen`: long ones from their thinned copy if that is enough."""
    if max_points is None:
        return f"points as not materialized (select * from {place}.curves)"
    if max_points > LEVEL or not now:
        return f"points as not materialized ({thinned(f'{place}.curves', 'chosen', max_points)})"
    return f"""long as materialized (select * from chosen where n_points > {LONG}),
        short as materialized (select * from chosen where n_points <= {LONG}),
        points as not materialized (
            {thinned(f"{place}.curves_thin", "long", max_points)}
            union all by name
            {thinned(f"{place}.curves", "short", max_points)})"""


def ids(run_ids: Iterable[str]) -> pd.DataFrame:
    """Run ids as a table that queries can name; one id alone is taken as a list of one."""
    listed = [run_ids] if isinstance(run_ids, str) else list(dict.fromkeys(run_ids))
    return pd.DataFrame({"run_id": pd.Series(listed, dtype="str")})
