"""Records imports, and whether the program ended during one: the table `imports` and a file beside the workspace.

An import is announced in a transaction of its own and completed in the one that stores its rows. So after a crash the
workspace itself tells which imports are whole (those completed) and which was under way (announced only: none of its rows
is there). That the program ended without closing shows in the file `<workspace>.open`, which it then leaves behind.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from pathlib import Path

import duckdb

from lawlib.store.adding import Added


def announce(cursor: duckdb.DuckDBPyConnection, datasets: list[str], began: str) -> int:
    """Records that an import into these data sets begins, and returns its number."""
    ((number,),) = cursor.execute("select coalesce(max(number), 0) + 1 from workspace.imports").fetchall()
    cursor.executemany("insert into workspace.imports values (?, ?, ?, '', 0, 0)", [[number, d, began] for d in datasets])
    return int(number)


def complete(cursor: duckdb.DuckDBPyConnection, number: int, added: list[Added], began: str, ended: str) -> None:
    """Records what the import stored, in the transaction that stores it."""
    withdraw(cursor, number)
    rows = [[number, a.dataset, began, ended, a.n_runs, a.n_curve_points] for a in added]
    cursor.executemany("insert into workspace.imports values (?, ?, ?, ?, ?, ?)", rows)


def withdraw(cursor: duckdb.DuckDBPyConnection, number: int) -> None:
    """Deletes the record of an import."""
    cursor.execute("delete from workspace.imports where number = ?", [number])


def recover(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    """Returns, after an end without closing, (what to tell the user, what is wrong), and forgets imports that were under way.

    Every completed import is counted against the rows that are there.
    """
    under_way = con.execute("select distinct dataset, began from workspace.imports where ended = '' order by all").fetchall()
    con.execute("delete from workspace.imports where ended = ''")
    counts = con.execute(
        """with stored as (
            select dataset, sum(n_runs) as n_runs, sum(n_points) as n_points, count(distinct number) as n
            from workspace.imports group by dataset
        ), present as (select dataset, count(*) as n_runs from workspace.runs group by dataset),
        points as (
            select z.dataset, sum(p.n) as n_points
            from (select run, split, count(*) as n from workspace.curves group by run, split) p
            join workspace.curve_sizes z using (run, split) group by z.dataset
        )
        select dataset, s.n_runs, s.n_points, coalesce(p.n_runs, 0), coalesce(q.n_points, 0)
        from stored s full join present p using (dataset) left join points q using (dataset) order by dataset"""
    ).fetchall()
    ((n_imports,),) = con.execute("select count(distinct number) from workspace.imports").fetchall()
    wrong = [
        f'Data set "{dataset}" of the workspace has {n:,} runs and {m:,} curve points, but {runs or 0:,} and {points or 0:,} were'
        " stored in it. Restore a backup, or delete it and upload it again."
        for dataset, runs, points, n, m in counts
        if (runs, points) != (n, m)
    ]
    told = "The program was ended without closing, by a kill or a power cut. "
    if not wrong:
        told += (
            f"Nothing was lost: all {n_imports:,} stored imports are whole, {sum(row[3] for row in counts):,} runs and"
            f" {sum(row[4] for row in counts):,} curve points."
        )
    told += "".join(
        f' The import into "{dataset}" begun at {began} had not been stored, and nothing of it was kept: do it again.'
        for dataset, began in under_way
    )
    return [told], wrong


class Mark:
    """The file `<workspace>.open`: present while this process holds the workspace, left behind by one that was killed."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace.with_name(f"{workspace.name}.open")
        self.found = self.path.exists()
        self._process = os.getpid()
        self.path.write_text(f"{self._process}\n", "utf-8")
        atexit.register(self.remove)

    def remove(self) -> None:
        """Removes the file when the workspace is closed."""
        atexit.unregister(self.remove)
        if os.getpid() == self._process:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
