"""The store: the bundled data sets and the user's own, presented as one.

The bundled file is read-only and never written; uploads, exclusions and remembered mappings go to the workspace file.
Where both have a data set of one name, the user's is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pandas as pd

from lawlib.errors import StoreError
from lawlib.runs import as_runs
from lawlib.store import adding, backup, journal, reading, scrubbed, shipped
from lawlib.store.adding import Added, Addition
from lawlib.store.database import Database, now, share
from lawlib.store.external import External
from lawlib.store.named import ANALYSES, PRESETS


def open_store(shipped: str | Path | None = None, workspace: str | Path | None = None) -> Store:
    """Returns the store of these two files; a context manager.

    Args:
        shipped: the bundled data; by default the checkout's or the installed package's own.
        workspace: where uploads are kept; by default what LAWLIB_WORKSPACE names, else `workspace.duckdb` beside a checkout's
            bundled data, else the same in the user's data folder. ":memory:" keeps nothing.
    Raises:
        StoreError: the bundled data are missing, or a file is damaged, of another kind or of a newer program. A workspace
            that another program holds open, or that cannot be created, is no error: see `Store.warnings`.
    """
    return Store(shipped, workspace)


class Store:
    """Data sets of runs. Safe to share between threads; every method sees all writes that ended before it began."""

    def __init__(self, shipped_path: str | Path | None = None, workspace: str | Path | None = None) -> None:
        path = Path(shipped_path or shipped.DEFAULT).expanduser().resolve()
        chosen = workspace or shipped.workspace()
        self._database = share(None if str(chosen) == ":memory:" else Path(chosen))
        try:
            self._shipped = self._database.attach_shipped(path)
        except BaseException:
            self._database.close()
            raise
        self._shipped_path = path
        self._closed = False

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases the files; the last store of a process on a workspace closes it."""
        if not self._closed:
            self._closed = True
            self._database.close()

    @property
    def _db(self) -> Database:
        if self._closed:
            raise StoreError("This store is closed. Open it again with open_store().")
        return self._database

    @property
    def version(self) -> int:
        """Changes with every write; use it as cache key for data that depend on exclusions too."""
        return self._db.version

    @property
    def runs_version(self) -> int:
        """Changes with every write except exclusions; use it as cache key for data that do not depend on exclusions."""
        return self._db.runs_version

    @property
    def warnings(self) -> list[str]:
        """Sentences about problems that the user should know, such as that another program holds the workspace."""
        return list(self._db.warnings)

    @property
    def notices(self) -> list[str]:
        """Sentences about the state of the workspace, such as that it is whole although the program had been killed."""
        return list(self._db.notices)

    @property
    def writable(self) -> bool:
        """Whether `add` and the other writing methods work."""
        return self._db.writable

    # Reading

    def datasets(self) -> pd.DataFrame:
        """Returns one row a data set, the bundled ones first, each in the order of adding; deleted ones are left out.

        Columns: dataset, title, kind, source, licence, flops_rule, notes, n_runs, n_curve_points, created.
        """
        return reading.datasets(self._db, self._shipped)

    def runs(self, dataset: str) -> pd.DataFrame:
        """Returns the runs of a data set in canonical columns and in the order of adding, with the user's exclusions."""
        return reading.runs(self._db, *self._find(dataset))

    def exclusions(self, dataset: str) -> pd.DataFrame:
        """Returns the columns excluded and exclude_reason of `runs` alone."""
        return reading.runs(self._db, *self._find(dataset), ("excluded", "exclude_reason"))

    def curves(
        self,
        dataset: str,
        run_ids: Iterable[str] | None = None,
        split: str | None = None,
        max_points: int | None = None,
    ) -> pd.DataFrame:
        """Returns training curves, run after run and by step: columns run_id, step, tokens, flops, split, loss, hours.

        Args:
            run_ids: of these runs only; by default of all.
            split: of this split only.
            max_points: at most so many points of each curve (one run, one split), 4 or more: the first and the last, and
                of equal stretches between them those of lowest and highest loss, so that spikes stay. Up to 514 points
                of curves with more than 2,056 come from a copy thinned when they were added: quick for thousands of curves.
        """
        if max_points is not None and max_points < 4:
            raise ValueError(f"max_points is {max_points}; a thinned curve needs at least 4.")
        return reading.curves(self._db, *self._find(dataset), run_ids, split, max_points)

    def curve_parts(self, dataset: str, split: str, max_points: int) -> Iterator[tuple[float, pd.DataFrame]]:
        """Yields all curves of one split, some millions of points at a time: (share of them done with it, points).

        Whole curves, one after the other and thinned as by `curves`; columns place (of the run among `runs`), tokens, loss.
        """
        return reading.curve_parts(self._db, *self._find(dataset), split, max_points)

    def curve_ends(self, dataset: str, run_ids: Iterable[str] | None = None) -> pd.DataFrame:
        """Returns the ends of every curve (of these runs), a row each.

        Columns run_id, split, n_points, first_step, last_step, first_loss, last_loss, lowest_loss.
        """
        return reading.curve_ends(self._db, *self._find(dataset), run_ids)

    def splits(self, dataset: str) -> list[str]:
        """Returns the names of the curves' splits, sorted."""
        place, dataset = self._find(dataset)
        sql = f"select distinct split from {place}.curve_sizes where dataset = $dataset order by split"
        return self._db.read(sql, {"dataset": dataset})["split"].tolist()

    def evaluations(self, dataset: str) -> pd.DataFrame:
        """Returns benchmark results: columns run_id, benchmark, metric, value, in the order of adding."""
        bundled = self._rows("evaluations", adding.EVALUATION_COLUMNS, dataset)
        place, name = self._find(dataset)
        if place == "workspace":
            return bundled
        sql = f"select {', '.join(adding.EVALUATION_COLUMNS)} from workspace.evaluations where dataset = $dataset order by rowid"
        both = pd.concat([bundled, self._db.read(sql, {"dataset": name})], ignore_index=True)
        return both.drop_duplicates(["run_id", "benchmark", "metric"], keep="last", ignore_index=True)

    def derivations(self, dataset: str) -> pd.DataFrame:
        """Returns how each quantity was derived: columns run_id ("" for all runs), quantity, source, factor, rule."""
        return self._rows("derivations", adding.DERIVATION_COLUMNS, dataset)

    def scrubbed(self, dataset: str) -> pd.DataFrame:
        """Returns what imports removed from the logs as private: kinds and counts, never the values themselves.

        Columns: field (the log's column), kind ("host name", "path", ...), n (different values), whole (the column is not
        kept at all), added (the time of the import). Nothing is known of data sets stored before this was noted.
        """
        place, name = self._find(dataset)
        return scrubbed.saved(self._db, name) if place == "workspace" else scrubbed.none()

    def _rows(self, table: str, columns: tuple[str, ...], dataset: str) -> pd.DataFrame:
        place, dataset = self._find(dataset)
        sql = f"select {', '.join(columns)} from {place}.{table} where dataset = $dataset order by rowid"
        return self._db.read(sql, {"dataset": dataset})

    def reference(self, name: str) -> pd.DataFrame:
        """Returns a table of published figures, such as "released_models", "krajewski_table2" or "published_laws".

        Raises:
            StoreError: there is no such table; the message names those there are.
        """
        if name not in shipped.REFERENCES:
            raise StoreError(f'There is no reference table "{name}". There are: {", ".join(shipped.REFERENCES)}.')
        return self._db.read(f"select * from {self._shipped}.{name} order by rowid")

    # Writing

    def add(
        self,
        runs: pd.DataFrame,
        dataset: str,
        title: str | None = None,
        *,
        kind: str = "uploaded",
        source: str = "",
        licence: str = "",
        notes: str = "",
        flops_rule: str = "",
        curves: pd.DataFrame | None = None,
        derivations: pd.DataFrame | None = None,
        evaluations: pd.DataFrame | None = None,
        scrubbed: pd.DataFrame | None = None,
    ) -> Added:
        """Adds runs to a data set of the user's, which is made if it does not exist: all in one transaction.

        Runs whose `run_id` the data set has already, or that come twice, are left out and counted. Curves are taken of runs
        that have none yet, evaluations where the run has none of that benchmark and metric. Title, kind and the other
        texts are those of a new data set; an existing one keeps its own. `scrubbed` (see there) is noted with what was added.

        Raises:
            StoreError: the data set is a bundled or a deleted one; curves or evaluations name other runs; it cannot be saved.
            ValueError: the name has no letters or digits, the kind is unknown, or there is nothing to add.
        """
        return self.add_all(
            [Addition(runs, dataset, title, kind, source, licence, notes, flops_rule, curves, derivations, evaluations, scrubbed)]
        )[0]

    def add_all(self, additions: Iterable[Addition]) -> list[Added]:
        """`add` for several data sets in one transaction: all are stored, or none. Raises as `add`."""
        prepared = [(a, adding.slug(a.dataset)) for a in additions]
        frames = [as_runs(a.runs, name) for a, name in prepared]

        began = now()
        number = self._db.write(lambda cursor: journal.announce(cursor, [name for _, name in prepared], began), seen=False)

        def change(cursor: duckdb.DuckDBPyConnection) -> list[Added]:
            added = [self._insert(cursor, a, name, runs) for (a, name), runs in zip(prepared, frames, strict=True)]
            journal.complete(cursor, number, added, began, now())
            return added

        try:
            return self._db.write(change)
        except BaseException:
            with suppress(StoreError):
                self._db.write(lambda cursor: journal.withdraw(cursor, number), seen=False)
            raise

    def _insert(self, cursor: duckdb.DuckDBPyConnection, a: Addition, name: str, runs: pd.DataFrame) -> Added:
        own = cursor.execute("select deleted from workspace.datasets where dataset = ?", [name]).fetchall()
        if not own:
            if self._is_shipped(name):
                raise StoreError(f'Data set "{name}" comes with the program and cannot be changed. Choose another name.')
            if runs.empty:
                raise ValueError(f'There are no runs to make data set "{name}" of.')
            texts = {
                "title": a.title or a.dataset.strip(),
                "kind": a.kind,
                "source": a.source,
                "licence": a.licence,
                "notes": a.notes,
            }
            adding.insert_dataset(cursor, name, **texts, flops_rule=a.flops_rule, created=now())
        elif own[0][0]:
            raise StoreError(f'Data set "{name}" was deleted: restore it first, or choose another name.')
        n_runs = adding.insert_runs(cursor, name, runs)
        n_points = 0 if a.curves is None else adding.insert_curves(cursor, name, a.curves)
        if a.derivations is not None:
            adding.insert_derivations(cursor, name, a.derivations)
        if a.evaluations is not None:
            adding.insert_evaluations(cursor, name, a.evaluations)
        if a.scrubbed is not None and (n_runs or n_points):
            scrubbed.insert(cursor, name, a.scrubbed, now())
        return Added(name, n_runs, len(runs) - n_runs, n_points)

    def set_evaluations(self, dataset: str, evaluations: pd.DataFrame) -> tuple[int, int]:
        """Stores benchmark results of a data set's runs, bundled ones too: (how many, how many of them replace another).

        evaluations: columns run_id, benchmark, metric, value.
        Raises StoreError where they name runs that the data set does not have: nothing is kept then.
        """
        place, name = self._find(dataset)
        replaced: list[int] = []
        self._db.write(lambda c: replaced.append(adding.replace_evaluations(c, place, name, evaluations)), runs=False)
        return len(evaluations), replaced[-1]

    def remove_evaluations(self, dataset: str) -> None:
        """Deletes the benchmark results that were added to a data set."""
        _, name = self._find(dataset)
        self._db.write(lambda c: c.execute("delete from workspace.evaluations where dataset = ?", [name]), runs=False)

    def exclude(self, dataset: str, run_ids: Iterable[str], reason: str | Iterable[str]) -> None:
        """Leaves runs out of fits, with a reason; works for bundled data sets too and is kept in the workspace.

        reason: one for all of these runs, or one for each.
        """
        reasons = reason.strip() if isinstance(reason, str) else [r.strip() for r in reason]
        if not (reasons if isinstance(reasons, str) else all(reasons)):
            raise ValueError("Say why these runs are excluded: the reason is shown beside them.")
        self._mark(dataset, run_ids, True, reasons)

    def include(self, dataset: str, run_ids: Iterable[str]) -> None:
        """Includes runs in fits again."""
        self._mark(dataset, run_ids, False, "")

    def _mark(self, dataset: str, run_ids: Iterable[str], excluded: bool, reason: str | list[str]) -> None:
        place, dataset = self._find(dataset)
        if isinstance(reason, str):
            wanted = reading.ids(run_ids).assign(reason=reason)
        else:
            wanted = pd.DataFrame({"run_id": list(run_ids), "reason": reason}, dtype="str").drop_duplicates("run_id", keep="last")

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.register("wanted", wanted)
            unknown = cursor.execute(
                f"select run_id from wanted where run_id not in (select run_id from {place}.runs where dataset = ?)", [dataset]
            ).fetchall()
            if unknown:
                more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
                raise StoreError(f'Data set "{dataset}" has no run "{unknown[0][0]}"{more}.')
            cursor.execute(
                "delete from workspace.exclusions where dataset = ? and run_id in (select run_id from wanted)", [dataset]
            )
            cursor.execute("insert into workspace.exclusions select ?, run_id, ?, reason from wanted", [dataset, excluded])

        self._db.write(change, runs=False)

    def rename(self, dataset: str, title: str) -> None:
        """Gives a data set of the user's another title; its id stays."""
        if not title.strip():
            raise ValueError("A data set needs a title.")
        self._set(dataset, "title", title.strip(), deleted=False)

    def delete(self, dataset: str) -> None:
        """Hides a data set of the user's; `restore_deleted` brings it back, `purge` frees its space."""
        self._set(dataset, "deleted", now(), deleted=False)

    def restore_deleted(self, dataset: str) -> None:
        """Undoes `delete`."""
        self._set(dataset, "deleted", "", deleted=True)

    def deleted(self) -> pd.DataFrame:
        """Returns the deleted data sets, last deleted first: columns dataset, title, kind, n_runs, deleted (a time)."""
        return self._db.read(
            """select dataset, title, kind, (select count(*) from workspace.runs r where r.dataset = d.dataset) as n_runs, deleted
            from workspace.datasets d where deleted <> '' order by deleted desc, seq desc"""
        )

    def purge(self, dataset: str) -> None:
        """Deletes a deleted data set for good."""
        name = self._own(dataset, deleted=True)

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute("delete from workspace.curves where run in (select seq from workspace.runs where dataset = ?)", [name])
            thin = "delete from workspace.curves_thin where run in (select seq from workspace.runs where dataset = ?)"
            cursor.execute(thin, [name])
            for table in ("runs", "curve_sizes", "evaluations", "derivations", "exclusions", "imports", "scrubbed", "datasets"):
                cursor.execute(f"delete from workspace.{table} where dataset = ?", [name])

        self._db.write(change)

    def _set(self, dataset: str, column: str, value: str, *, deleted: bool) -> None:
        name = self._own(dataset, deleted=deleted)
        self._db.write(lambda c: c.execute(f"update workspace.datasets set {column} = ? where dataset = ?", [value, name]))

    # Whole workspaces, mappings, other files

    def backup(self, path: str | Path) -> None:
        """Writes the whole workspace, deleted data sets included, to one file."""
        backup.backup(self._db, Path(path).expanduser().resolve())

    def backup_bytes(self) -> bytes:
        """Returns the whole workspace as the bytes of one file, for a download."""
        return backup.backup_bytes(self._db)

    def restore(self, data: bytes | str | Path) -> Path | None:
        """Replaces the workspace's content by that of a backup, and returns the file that keeps the content before.

        Raises:
            StoreError: the backup is damaged, of another kind or of a newer program; the workspace is as it was.
        """
        return backup.restore(self._db, data)

    def remember(self, signature: str, mapping_json: str) -> None:
        """Stores how a user mapped the columns of a file, by the signature of its columns."""

        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            cursor.execute("delete from workspace.mappings where signature = ?", [signature])
            cursor.execute("insert into workspace.mappings values (?, ?)", [signature, mapping_json])

        self._db.write(change)

    def recall(self, signature: str) -> str | None:
        """Returns the mapping remembered for this signature, or None."""
        sql = "select mapping from workspace.mappings where signature = $signature"
        found = self._db.read(sql, {"signature": signature})
        return None if found.empty else str(found["mapping"].iloc[0])

    def save_preset(self, name: str, mapping_json: str, *, replace: bool = False) -> None:
        """Stores a mapping of columns under a name, for files of any columns (`remember` is for files with the same).

        Raises:
            StoreError: the name is taken and `replace` is False, or nothing can be saved; ValueError: an empty or long name.
        """
        PRESETS.save(self._db, name, mapping_json, replace=replace)

    def presets(self) -> pd.DataFrame:
        """Returns saved mappings by name: columns name, mapping (JSON), created (a time)."""
        return PRESETS.saved(self._db)

    def delete_preset(self, name: str) -> None:
        """Deletes a saved mapping. Raises StoreError where there is none of this name."""
        PRESETS.delete(self._db, name)

    def save_analysis(self, name: str, page: str, query: str, summary: str = "", *, replace: bool = False) -> None:
        """Stores a page's address under a name. `query` is the address's part after "?", `summary` the answer it gave.

        Raises:
            StoreError: the name is taken and `replace` is False, or nothing can be saved; ValueError: an empty or long name.
        """
        ANALYSES.save(self._db, name, page, query, summary, replace=replace)

    def analyses(self) -> pd.DataFrame:
        """Returns saved analyses, the last first: columns name, page, query, summary, created (a time)."""
        return ANALYSES.saved(self._db)

    def delete_analysis(self, name: str) -> None:
        """Deletes a saved analysis. Raises StoreError where there is none of this name."""
        ANALYSES.delete(self._db, name)

    def open_external(self, source: str | Path | bytes) -> External:
        """Opens a user's own DuckDB file, read-only and unable to reach anything else; a context manager.

        Raises:
            StoreError: it is no DuckDB file, damaged, of another version, or held open by a program.
        """
        if not isinstance(source, bytes):
            path = Path(source).expanduser().resolve()
            if path in (self._db.path, self._shipped_path):
                raise StoreError(f"{path} is a file of this program: its data sets are shown already.")
        return External(source)

    # Which file a data set is in

    def _is_shipped(self, name: str) -> bool:
        with self._db.cursor() as cursor:
            sql = f"select 1 from {self._shipped}.datasets where dataset = ?"
            return bool(cursor.execute(sql, [name]).fetchall())

    def _find(self, dataset: str) -> tuple[str, str]:
        """Returns the attached database that holds the data set, and its id."""
        name = adding.slug(dataset)
        with self._db.cursor() as cursor:
            sql = "select 1 from workspace.datasets where dataset = ? and deleted = ''"
            if cursor.execute(sql, [name]).fetchall():
                return "workspace", name
        if self._is_shipped(name):
            return self._shipped, name
        raise StoreError(f'There is no data set "{dataset}". There are: {", ".join(self.datasets()["dataset"])}.')

    def _own(self, dataset: str, *, deleted: bool) -> str:
        name = adding.slug(dataset)
        if deleted:
            known = self.deleted()["dataset"].tolist()
            if name not in known:
                raise StoreError(f'There is no deleted data set "{dataset}". There are: {", ".join(known) or "none"}.')
        elif self._find(dataset)[0] != "workspace":
            raise StoreError(f'Data set "{name}" comes with the program and cannot be changed.')
        return name
