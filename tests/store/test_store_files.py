"""Workspace files: kept, locked, damaged, killed, copied and brought back."""

import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from lawlib.errors import StoreError
from lawlib.store import open_store, schema, shipped
from lawlib.store.__main__ import main
from lawlib.store.database import sentence
from tests.support.runs import a_curve, some_runs

ROOT = Path(__file__).resolve().parents[2]


def run_python(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "deep" / "er" / "it's mine.duckdb"


def test_the_workspace_outlives_the_store_and_its_folder_is_made(workspace):
    with open_store(workspace=workspace) as store:
        assert store.writable
        assert store.warnings == []
        store.add(some_runs(), "mine", curves=a_curve())
        version = store.version
    with open_store(workspace=workspace) as store:
        assert store.runs("mine")["run_id"].tolist() == ["r0", "r1", "r2"]
        assert len(store.curves("mine")) == 5
        assert store.version == version


def test_the_environment_names_the_workspace(workspace, monkeypatch):
    monkeypatch.setenv("LAWLIB_WORKSPACE", str(workspace))
    with open_store() as store:
        store.add(some_runs(), "mine")
    assert workspace.is_file()


def test_stores_of_one_process_share_a_workspace(workspace):
    with open_store(workspace=workspace) as first, open_store(workspace=workspace) as second:
        first.add(some_runs(), "mine")
        assert len(second.runs("mine")) == 3
        assert first.version == second.version
        first.close()
        second.add(some_runs(1, first=3), "mine")
    with pytest.raises(StoreError, match=r"This store is closed\. Open it again"):
        first.datasets()
    with open_store(workspace=workspace) as third:
        assert len(third.runs("mine")) == 4


def test_workspaces_in_memory_are_apart():
    with open_store(workspace=":memory:") as first, open_store(workspace=":memory:") as second:
        first.add(some_runs(), "mine")
        assert "mine" not in second.datasets()["dataset"].tolist()
        assert first.version != second.version


def test_a_workspace_of_another_process_leaves_the_bundled_data_with_a_warning(workspace):
    code = "import sys, lawlib.store as s\nwith s.open_store(workspace=sys.argv[1]): print('open', flush=True); input()"
    with run_python(code, workspace) as other:
        assert other.stdout.readline() == "open\n"
        with open_store(workspace=workspace) as store:
            assert not store.writable
            assert f"open in another program (process {other.pid})" in store.warnings[0]
            assert "only the bundled data are shown and nothing can be saved. Close that program" in store.warnings[0]
            assert len(store.runs("marin-moe-v16")) == 47
            with pytest.raises(StoreError, match=r"Nothing was saved\. The workspace .* is open in another program"):
                store.add(some_runs(), "mine")
            with pytest.raises(StoreError, match="Nothing was saved"):
                store.restore(b"")
            with pytest.raises(StoreError, match="There is nothing to back up"):
                store.backup_bytes()
        other.communicate("\n", timeout=20)
    with open_store(workspace=workspace) as store:
        assert store.writable


def test_a_place_that_cannot_be_written_gives_a_session_in_memory(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with open_store(workspace=tmp_path / "file" / "w.duckdb") as store:
        assert "cannot be created (" in store.warnings[0]
        assert "uploads will not be kept when the program ends" in store.warnings[0]
        assert store.writable
        store.add(some_runs(), "mine")
        assert len(store.runs("mine")) == 3


def test_a_read_only_workspace_is_shown_and_not_written(workspace, monkeypatch):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine")
    monkeypatch.setattr("lawlib.store.database.os.access", lambda *_: False)
    with open_store(workspace=workspace) as store:
        assert len(store.runs("mine")) == 3
        assert "is read-only: its data are shown, but nothing can be saved" in store.warnings[0]
        with pytest.raises(StoreError, match=r"Nothing was saved\. The workspace .* is read-only"):
            store.delete("mine")
        assert len(store.backup_bytes()) > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"hello" * 9999, "is not a DuckDB file"), (None, "is damaged and cannot be read"), (0, "is damaged and cannot be read")],
)
def test_a_bad_workspace_is_left_alone_with_a_way_on(workspace, content, message):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine")
    if content is None:
        content = bytearray(workspace.read_bytes())
        content[200:6000] = bytes(5800)
    elif content == 0:
        content = workspace.read_bytes()[:10_000]
    workspace.write_bytes(content)
    with pytest.raises(StoreError, match=f"{message}.*It was left as it is.*move the file away.*LAWLIB_WORKSPACE"):
        open_store(workspace=workspace)
    assert workspace.read_bytes() == bytes(content)


def test_a_newer_workspace_is_refused_and_left_alone(workspace):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine")
    with duckdb.connect(workspace) as con:
        con.execute("update meta set schema_version = 99")
    with pytest.raises(
        StoreError,
        match=rf"was written by a newer version of this program \(schema 99; this one knows up to {schema.SCHEMA_VERSION}\)",
    ):
        open_store(workspace=workspace)
    with duckdb.connect(workspace) as con:
        assert con.execute("select count(*) from runs").fetchall() == [(3,)]


@pytest.mark.parametrize("sql", ["create table runs (a integer)", "create view runs as select 1 as a"])
def test_a_foreign_duckdb_file_is_no_workspace(tmp_path, sql):
    with duckdb.connect(tmp_path / "f.duckdb") as con:
        con.execute(sql)
    with pytest.raises(StoreError, match=r'DuckDB file but not a workspace of this program: it has no usable table "meta"'):
        open_store(workspace=tmp_path / "f.duckdb")


def test_a_workspace_with_a_table_changed_is_refused(workspace):
    open_store(workspace=workspace).close()
    with duckdb.connect(workspace) as con:
        con.execute("alter table runs add column more integer")
    with pytest.raises(StoreError, match="its table runs is missing or has other columns"):
        open_store(workspace=workspace)


def test_an_interrupted_first_start_is_begun_anew(workspace):
    workspace.parent.mkdir(parents=True)
    duckdb.connect(workspace).close()
    with open_store(workspace=workspace) as store:
        assert store.add(some_runs(), "mine").n_runs == 3


def test_migrations_run_one_by_one_and_keep_the_data(workspace, monkeypatch):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine")
    backup = workspace.with_name("old.duckdb")
    with open_store(workspace=workspace) as store:
        store.backup(backup)
    later = schema.SCHEMA_VERSION + 1
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, ("create table {db}.later (a integer)",)))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", later)
    bundled = workspace.with_name("runs.duckdb")
    shipped.build(bundled)
    with open_store(bundled, workspace) as store:
        assert len(store.runs("mine")) == 3
        store.restore(backup)
        assert len(store.runs("mine")) == 3
    with duckdb.connect(workspace) as con:
        assert con.execute("select schema_version from meta").fetchall() == [(later,)]
        assert con.execute("select count(*) from later").fetchall() == [(0,)]


def test_missing_or_bad_bundled_data_say_make_data(tmp_path):
    with pytest.raises(StoreError, match=r"The bundled data .*none\.duckdb are missing\. Run `make data` to build them\."):
        open_store(tmp_path / "none.duckdb", ":memory:")
    (tmp_path / "bad.duckdb").write_bytes(b"x" * 50_000)
    with pytest.raises(StoreError, match=r"bundled data file .*bad\.duckdb is not a DuckDB file\. Run `make data`"):
        open_store(tmp_path / "bad.duckdb", ":memory:")
    duckdb.connect(tmp_path / "other.duckdb").close()
    with pytest.raises(StoreError, match=r"other\.duckdb are of another version\. Run `make data`"):
        open_store(tmp_path / "other.duckdb", ":memory:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'Could not set lock on file "f": Conflicting lock is held in python (PID 7)',
            r"f is open in another program \(process 7\)",
        ),
        (
            "Trying to read a database file with version number 99, but we can only read",
            "f was written by another version of DuckDB",
        ),
        ("Failure while replaying WAL file", "f is damaged and cannot be read"),
        ("Cannot open file: No space left\nmore", r"f cannot be opened \(Cannot open file: No space left\)$"),
    ],
)
def test_errors_of_duckdb_become_sentences(text, message):
    assert re.search(message, sentence(Path("f"), duckdb.IOException(text)))


def test_a_kill_in_the_middle_of_a_write_leaves_the_last_saved_state(workspace):
    code = """
import sys, time
import lawlib.store as s
from lawlib.store import adding
from tests.support.runs import some_runs, a_curve
store = s.open_store(workspace=sys.argv[1])
store.add(some_runs(3), "mine", curves=a_curve())
def stop(*_):
    print("in the middle", flush=True); time.sleep(60)
adding.insert_evaluations = stop
store.add(some_runs(200_000), "mine", curves=a_curve("r1", 200_000), evaluations=some_runs(1))
"""
    with run_python(code, workspace) as child:
        assert child.stdout.readline() == "in the middle\n"
        child.kill()
    with open_store(workspace=workspace) as store:
        assert store.writable
        assert len(store.runs("mine")) == 3
        assert len(store.curves("mine")) == 5
        assert store.add(some_runs(4), "mine").n_runs == 1


def test_a_backup_holds_everything_and_comes_back_in_another_place(workspace, tmp_path):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine", curves=a_curve())
        store.add(some_runs(1), "gone")
        store.delete("gone")
        store.exclude("marin-moe-may", store.runs("marin-moe-may")["run_id"][:2], "odd")
        store.remember("a,b", "{}")
        store.backup(tmp_path / "b.duckdb")
        data = store.backup_bytes()
        before = store.runs("mine"), store.curves("mine")
    for source in (data, tmp_path / "b.duckdb"):
        with open_store(workspace=tmp_path / f"other-{type(source).__name__}.duckdb") as store:
            store.add(some_runs(2), "replaced")
            kept = store.restore(source)
            pd.testing.assert_frame_equal(store.runs("mine"), before[0])
            pd.testing.assert_frame_equal(store.curves("mine"), before[1])
            assert store.deleted()["dataset"].tolist() == ["gone"]
            assert store.runs("marin-moe-may")["excluded"].sum() == 2
            assert store.recall("a,b") == "{}"
            assert "replaced" not in store.datasets()["dataset"].tolist()
            assert kept.name.endswith(".before-restore")
            assert store.restore(kept).name.endswith(".before-restore-2")
            assert store.datasets()["dataset"].tolist()[-1] == "replaced"


def test_a_bad_backup_changes_nothing(workspace, tmp_path):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine", curves=a_curve(n=50_000))
        good, version = bytearray(store.backup_bytes()), store.version
        damaged = bytearray(good)
        damaged[len(good) // 4 : len(good) * 3 // 4] = bytes(len(good) * 3 // 4 - len(good) // 4)
        with duckdb.connect(tmp_path / "foreign.duckdb") as con:
            con.execute("create table t (a integer)")
        for data, message in [
            (b"", "The backup is an empty file. The workspace is as it was"),
            (b"zip" * 9999, "The backup is not a DuckDB file. The workspace is as it was"),
            (bytes(good[: len(good) // 2]), "The backup is damaged and cannot be read. The workspace is as it was"),
            (bytes(damaged), "The backup is damaged and cannot be read. The workspace is as it was"),
            ((tmp_path / "foreign.duckdb").read_bytes(), "The backup is a DuckDB file but not a workspace of this program"),
            (tmp_path / "none.duckdb", "none.duckdb cannot be read: No such file"),
            (workspace, "is the workspace itself, not a backup of it"),
        ]:
            with pytest.raises(StoreError, match=message):
                store.restore(data)
            assert len(store.curves("mine")) == 50_000
            assert store.version == version
        with pytest.raises(StoreError, match="is the workspace itself"):
            store.backup(workspace)
        with pytest.raises(StoreError, match="cannot be written"):
            store.backup(tmp_path / "no" / "folder.duckdb")
    assert sorted(p.name for p in workspace.parent.iterdir()) == [workspace.name]


def test_readers_see_whole_writes_while_one_writes(workspace):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(10), "mine", curves=a_curve(n=10))
        stop, rounds = threading.Event(), 0

        def read(_):
            n = 0
            while not stop.is_set() or n == 0:
                runs = store.runs("mine")
                assert len(runs) % 10 == 0
                assert runs["run_id"].tolist() == [f"r{i}" for i in range(len(runs))]
                assert len(store.runs("marin-moe-v16")) == 47
                assert len(store.curves("mine", ["r0"])) == 10
                n += 1
            return n

        with ThreadPoolExecutor(8) as pool:
            readers = [pool.submit(read, i) for i in range(8)]
            try:
                for rounds in range(1, 9):
                    store.add(some_runs(10, first=10 * rounds), "mine", curves=a_curve(f"r{10 * rounds}", 50))
            finally:
                stop.set()
            assert all(reader.result() >= 1 for reader in readers)
        assert len(store.runs("mine")) == 10 * (rounds + 1)


def test_writers_in_threads_lose_nothing(workspace):
    with open_store(workspace=workspace) as store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: store.add(some_runs(5, first=5 * (i % 4)), f"set {i // 4}"), range(16)))
        counts = store.datasets().set_index("dataset")["n_runs"]
        assert [counts[f"set-{i}"] for i in range(4)] == [20] * 4


def test_the_bundled_file_holds_what_the_seeds_hold():
    assert shipped.is_current(shipped.DEFAULT), "run `make data`"
    assert shipped.DEFAULT.stat().st_size < 1_000_000


def test_make_data_builds_only_what_changed(tmp_path, capsys):
    path = tmp_path / "runs.duckdb"
    assert main(["--check", str(path)]) == 1
    assert not path.exists()
    assert main([str(path)]) == 0
    built = path.stat().st_mtime_ns
    assert main([str(path)]) == 0
    assert main(["--check", str(path)]) == 0
    assert path.stat().st_mtime_ns == built
    with duckdb.connect(path) as con:
        con.execute("update released_models set n_total = 1 where model = 'DeepSeek-V3'")
    assert main(["--check", str(path)]) == 1
    assert main([str(path)]) == 0
    assert shipped.is_current(path)
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "runs.duckdb does not hold what the seeds hold: run `make data`.",
        "runs.duckdb was built.",
        "runs.duckdb is up to date.",
        "runs.duckdb is up to date.",
        "runs.duckdb does not hold what the seeds hold: run `make data`.",
        "runs.duckdb was built.",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["runs.duckdb"]


def test_a_rebuilt_bundled_file_is_seen_by_the_next_store(tmp_path, workspace):
    path = tmp_path / "runs.duckdb"
    shipped.build(path)
    with open_store(path, workspace) as first:
        shipped.build(tmp_path / "new.duckdb")
        with duckdb.connect(tmp_path / "new.duckdb") as con:
            con.execute("update released_models set n_total = 1")
        os.replace(tmp_path / "new.duckdb", path)
        with open_store(path, workspace) as second:
            assert second.reference("released_models")["n_total"].eq(1).all()
        assert not first.reference("released_models")["n_total"].eq(1).any()
