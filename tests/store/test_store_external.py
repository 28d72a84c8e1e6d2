"""A user's own DuckDB file is read, and can do nothing."""

import subprocess
import sys

import duckdb
import numpy as np
import pytest

from lawlib.errors import StoreError
from lawlib.store import open_store, shipped


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "user's.duckdb"
    with duckdb.connect(path) as con:
        con.execute(
            'create table runs (name varchar, n bigint, loss decimal(9, 4), day date, tags varchar[], "odd ""name" float)'
        )
        con.execute("insert into runs values ('a', 1, 3.25, '2025-01-02', ['x'], 1.5), (null, null, null, null, null, null)")
        con.execute("create schema s; create table s.runs as select range as i from range(5)")
        con.execute("create view secrets as select * from read_text('/etc/hostname')")
    return path


@pytest.fixture
def store():
    with open_store(workspace=":memory:") as opened:
        yield opened


@pytest.mark.parametrize("as_bytes", [False, True])
def test_tables_are_listed_and_read_in_plain_types(store, file, as_bytes):
    with store.open_external(file.read_bytes() if as_bytes else file) as external:
        listed = external.tables()
        assert listed.to_numpy().tolist() == [["runs", 2, 'name, n, loss, day, tags, odd "name'], ["s.runs", 5, "i"]]
        runs = external.read("runs")
        assert [str(t) for t in runs.dtypes] == ["str", "float64", "float64", "str", "str", "float32"]
        assert runs.iloc[0].tolist() == ["a", 1.0, 3.25, "2025-01-02", "[x]", 1.5]
        assert runs.isna().iloc[1].all()
        assert external.read("s.runs", limit=3)["i"].tolist() == [0, 1, 2]
        with pytest.raises(StoreError, match=r'The file has no table "secrets"\. Its tables: runs, s\.runs\.'):
            external.read("secrets")


def test_the_instance_is_locked_and_the_file_unchanged(store, file):
    before = file.read_bytes()
    with store.open_external(file) as external:
        for sql in [
            "select * from secrets",
            "copy (select 1) to 'x.csv'",
            "set enable_external_access = true",
            "drop table external.runs",
        ]:
            with pytest.raises(duckdb.Error):
                external._con.execute(sql)
    assert file.read_bytes() == before


def test_what_cannot_be_read_says_why(store, file, tmp_path):
    content = bytearray(file.read_bytes())
    content[200:6000] = bytes(5800)
    for source, message in [
        (b"PK" * 9999, "The file is not a DuckDB file. Only DuckDB database files"),
        (b"", "The file "),
        (bytes(content), "The file is damaged and cannot be read"),
        (tmp_path / "none.duckdb", "There is no file .*none.duckdb"),
        (shipped.DEFAULT, "runs.duckdb is a file of this program: its data sets are shown already"),
    ]:
        with pytest.raises(StoreError, match=message):
            store.open_external(source)


def test_a_file_open_in_another_program_says_so(store, file):
    code = "import sys, duckdb; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    arguments = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=rf"is open in another program \(process {other.pid}\)"):
            store.open_external(file)
        other.communicate("\n", timeout=20)


def test_a_file_without_tables_is_empty(store, tmp_path):
    duckdb.connect(tmp_path / "empty.duckdb").close()
    with store.open_external(tmp_path / "empty.duckdb") as external:
        assert external.tables().empty
        with pytest.raises(StoreError, match="Its tables: none"):
            external.read("t")


def test_reading_a_large_table_takes_only_what_is_asked(store, tmp_path):
    with duckdb.connect(tmp_path / "large.duckdb") as con:
        con.execute("create table t as select range as i, range / 3 as x from range(1000000)")
    with store.open_external(tmp_path / "large.duckdb") as external:
        assert external.tables()["rows"].tolist() == [1_000_000]
        head = external.read("t", limit=10)
        assert len(head) == 10
        assert np.isclose(head["x"].iloc[-1], 3.0)
