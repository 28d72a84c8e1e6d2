"""Chooses few points of long curves in SQL, keeping spikes: of equal stretches those of lowest and highest loss.

Long curves are thinned once more when they are added, to `LEVEL` points in the table `curves_thin`: a chart of a thousand
curves then reads a few hundred thousand points instead of ten million. Both tables number points alike, so thinning
on the thinned is exact wherever its stretches are whole multiples: 514 points (256 stretches), 258, 130, 66, 34, ...
"""

from __future__ import annotations

import duckdb

LEVEL = 514
LONG = 4 * LEVEL
"""Points above which a curve is thinned when it is added, which costs at most a quarter of its space."""
BATCH = 4_000_000
"""Points thinned at once, which bounds the store's memory."""


def thin_all(con: duckdb.DuckDBPyConnection, db: str) -> None:
    """Fills `curves_thin` of the database from its curves, some millions of points at a time."""
    sizes = con.execute(f"select run, n_points from {db}.curve_sizes where n_points > {LONG} order by run").fetchall()
    first = total = 0
    for i, (run, n_points) in enumerate(sizes):
        total += n_points
        if i + 1 < len(sizes) and (total < BATCH or sizes[i + 1][0] == run):
            continue
        wanted = f"(select * from {db}.curve_sizes where n_points > {LONG} and run between {sizes[first][0]} and {run})"
        con.execute(
            f"insert into {db}.curves_thin by name {thinned(f'{db}.curves', wanted, LEVEL)} order by c.run, c.split, c.point"
        )
        first, total = i + 1, 0


def thinned(points: str, curves: str, max_points: int) -> str:
    """Returns a query for at most `max_points` points of each curve.

    Args:
        points: the table (or subquery) with columns run, split, point, loss and others.
        curves: the table of curves wanted, with columns run, split, n_points.
    """
    stretches = (int(max_points) - 2) // 2
    return f"""
        select c.* from {points} c join (
            select distinct run, split, unnest([lowest, highest]) as point from (
                select p.run, p.split, coalesce(arg_min(p.point, p.loss), min(p.point)) as lowest,
                    coalesce(arg_max(p.point, p.loss), min(p.point)) as highest
                from {points} p join {curves} w on p.run = w.run and p.split = w.split
                group by p.run, p.split, case
                    when n_points <= {int(max_points)} then p.point
                    when p.point = 0 then -1
                    when p.point = n_points - 1 then {stretches}
                    else (p.point - 1) * {stretches} // (n_points - 2) end
            )
        ) kept on kept.run = c.run and kept.split = c.split and kept.point = c.point"""
