"""Queries: data sets, runs and curves of the attached databases. `place` is the database that holds the data set."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from lawlib.runs import COLUMNS
from lawlib.store.database import Database


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
    points = f"{place}.curves"
    if max_points is not None:
        parameters |= {"max_points": max_points, "stretches": (max_points - 2) // 2}
        points = f"""(
            select c.* from {place}.curves c join (
                select distinct run, split, unnest([lowest, highest]) as point from (
                    select c.run, c.split, coalesce(arg_min(c.point, c.loss), min(c.point)) as lowest,
                        coalesce(arg_max(c.point, c.loss), min(c.point)) as highest
                    from {place}.curves c join chosen on c.run = chosen.run and c.split = chosen.split
                    group by c.run, c.split, case
                        when n_points <= $max_points then c.point
                        when c.point = 0 then -1
                        when c.point = n_points - 1 then $stretches
                        else (c.point - 1) * $stretches // (n_points - 2) end
                )
            ) kept on kept.run = c.run and kept.split = c.split and kept.point = c.point)"""
    return database.read(
        f"""with chosen as materialized (
            select z.run, z.split, z.n_points, r.run_id
            from {place}.runs r join {place}.curve_sizes z on z.run = r.seq
            where r.dataset = $dataset{conditions}
        )
        select chosen.run_id, c.step, c.tokens, c.flops, c.split, c.loss
        from {points} c join chosen on c.run = chosen.run and c.split = chosen.split
        order by c.run, c.split, c.point""",
        parameters,
        **frames,
    )


def ids(run_ids: Iterable[str]) -> pd.DataFrame:
    """Run ids as a table that queries can name; one id alone is taken as a list of one."""
    listed = [run_ids] if isinstance(run_ids, str) else list(dict.fromkeys(run_ids))
    return pd.DataFrame({"run_id": pd.Series(listed, dtype="str")})
