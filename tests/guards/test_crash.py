"""kill -9 while uploads are stored: `LAWLIB_KILLS=20 python -m pytest tests/guards/test_crash.py` for more kills than in every run."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from lawlib.errors import StoreError
from lawlib.store import open_store, schema
from lawlib.store.database import connect, quoted
from tests.support.runs import a_curve, some_runs

ROOT = Path(__file__).resolve().parents[2]
N_KILLS = int(os.environ.get("LAWLIB_KILLS", "3"))
UPLOADS = """
import io, sys
from lawlib import ingest
from lawlib.store import Addition, open_store
from tests.guards.test_crash import upload

store = open_store(workspace=sys.argv[1])
print("open", flush=True)
for number in range(int(sys.argv[2]), 10**6):
    table = ingest.open_table(upload(number), "log.csv")
    found = ingest.build(table, ingest.detect(table))
    print("begun", number, flush=True)
    store.add_all([Addition(found.runs, f"upload {number}", curves=found.curves)])
    print("stored", number, flush=True)
"""


def upload(number: int) -> bytes:
    """A log of 1 to 30 runs with 200 to 2,000 steps each."""
    n_runs, n_points = 1 + number * 7 % 30, 200 + number * 311 % 1800
    rows = [f"run-{r},{5e7 + r:.0f},{s},{s * 1000},{3 + r / 10 - s / 1e5:.6f}" for r in range(n_runs) for s in range(n_points)]
    return "\n".join(["name,n_params,step,tokens,train_loss", *rows]).encode()


def expected(number: int) -> tuple[int, int]:
    """(runs, curve points) of `upload`."""
    n_runs = 1 + number * 7 % 30
    return n_runs, n_runs * (200 + number * 311 % 1800)


def test_kills_at_random_moments_lose_nothing_that_was_stored(tmp_path):
    path, first, rng = tmp_path / "w.duckdb", 0, np.random.default_rng(7)
    for kill in range(N_KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", UPLOADS, str(path), str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout.readline() == "open\n"
            time.sleep(rng.uniform(0.05, 1.5))
            child.kill()
            lines = child.stdout.read().split("\n")
        told = [int(line.split()[1]) for line in lines if re.fullmatch(r"stored \d+", line)]
        with open_store(workspace=path) as store:
            table = store.datasets().query("kind == 'uploaded'")
            stored = list(range(told[-1] + 1 if told else first))
            if len(table) == len(stored) + 1:  # killed between the commit and its report
                stored.append(len(stored))
            found = dict(zip(table["dataset"], zip(table["n_runs"], table["n_curve_points"], strict=True), strict=True))
            assert found == {f"upload-{n}": expected(n) for n in stored}, kill
            assert store.warnings == []
            assert f"Nothing was lost: all {len(stored)} stored imports are whole" in store.notices[0]
            first = len(stored)
    with open_store(workspace=path) as store:
        assert store.notices == []


def left_open(workspace, **changes):
    """A workspace with one import of two runs, as a killed process leaves it."""
    with open_store(workspace=workspace) as store:
        store.add(some_runs(2), "mine", curves=a_curve())
        number = store._db.write(lambda c: c.execute("select max(number) from workspace.imports").fetchall())[0][0]
        for statement in changes.values():
            store._db.write(lambda c, s=statement: c.execute(s))
    Path(f"{workspace}.open").write_text("1\n")
    return number


def test_the_app_says_that_nothing_was_lost_and_what_to_upload_again(tmp_path):
    workspace = Path(os.environ["LAWLIB_WORKSPACE"])
    left_open(workspace, begun="insert into workspace.imports values (9, 'second', '2026-01-02T03:04:05Z', '', 0, 0)")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    (told,) = [s.value.replace("\\", "") for s in app.success]
    assert "all 1 stored imports are whole, 2 runs and 5 curve points" in told
    assert 'The import into "second" begun at 2026-01-02T03:04:05Z had not been stored' in told
    app.button(key="got_it").click().run()
    assert not app.success
    assert not app.exception


def test_an_import_that_lost_rows_is_a_warning(tmp_path):
    workspace = tmp_path / "w.duckdb"
    left_open(workspace, lost="delete from workspace.curves where point = 3")
    with open_store(workspace=workspace) as store:
        assert store.warnings == [
            'Data set "mine" of the workspace has 2 runs and 4 curve points, but 2 and 5 were stored in it. Restore a backup,'
            " or delete it and upload it again."
        ]
        assert "Nothing was lost" not in store.notices[0]


def test_an_import_that_fails_is_no_import_under_way(tmp_path):
    with open_store(workspace=tmp_path / "w.duckdb") as store:
        with pytest.raises(StoreError, match="the curves name 1 run_id"):
            store.add(some_runs(2), "mine", curves=a_curve("other"))
        assert store._db.read("select * from workspace.imports").empty
        store.add(some_runs(2), "mine")
        store.delete("mine")
        store.purge("mine")
        assert store._db.read("select * from workspace.imports").empty


def test_a_closed_workspace_leaves_no_mark_and_a_program_that_just_ends_neither(tmp_path):
    path = tmp_path / "w.duckdb"
    with open_store(workspace=path):
        assert Path(f"{path}.open").is_file()
    assert not Path(f"{path}.open").exists()
    subprocess.run([sys.executable, "-c", f"import lawlib; s = lawlib.open_store(workspace={str(path)!r})"], cwd=ROOT, check=True)
    assert not Path(f"{path}.open").exists()


def test_a_workspace_from_before_the_journal_knows_its_imports(tmp_path):
    path = tmp_path / "w.duckdb"
    with connect() as con:
        con.execute(f"attach {quoted(path)} as workspace")
        schema.migrate(con, "workspace", upto=1)
        con.execute("insert into workspace.datasets values (1, 'old', 'Old', 'uploaded', '', '', '', '', '2025', '')")
        con.execute("insert into workspace.runs by name select 1 as seq, 'r' as run_id, 'old' as dataset")
    Path(f"{path}.open").write_text("1\n")
    with open_store(workspace=path) as store:
        assert "all 1 stored imports are whole, 1 runs and 0 curve points" in store.notices[0]


def test_a_workspace_from_before_the_thinned_copies_gets_them_and_read_only_ones_do_without(tmp_path, monkeypatch):
    path = tmp_path / "w.duckdb"
    with connect() as con:
        con.execute(f"attach {quoted(path)} as workspace")
        schema.migrate(con, "workspace", upto=3)
        con.execute("insert into workspace.datasets values (1, 'old', 'Old', 'uploaded', '', '', '', '', '2025', '')")
        con.execute("insert into workspace.runs by name select 1 as seq, 'r' as run_id, 'old' as dataset")
        con.execute(
            """insert into workspace.curves by name
            select 1 as run, 'loss' as split, i as point, i as step, 3 + cos(i) as loss from range(5000) t(i)"""
        )
        con.execute("insert into workspace.curve_sizes values ('old', 1, 'loss', 5000)")
    with monkeypatch.context() as locked:
        locked.setattr("lawlib.store.database.os.access", lambda *_: False)
        with open_store(workspace=path) as store:
            before = store.curves("old", max_points=130)
    with open_store(workspace=path) as store:
        after = store.curves("old", max_points=130)
        assert len(after) == 130
        assert after.equals(before)
        assert after["hours"].isna().all()
        assert len(store._db.read("select * from workspace.curves_thin")) == 514
