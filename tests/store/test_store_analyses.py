"""Saved analyses: kept in the workspace, found again, and no trouble where nothing can be saved."""

import duckdb
import pytest

from lawlib.errors import StoreError
from lawlib.store import open_store, schema
from lawlib.store.database import connect, quoted

QUERY = "dataset=mine&budget=1e21&out=3f9a1c02"


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "w.duckdb"


def test_an_analysis_is_found_again_by_the_next_program(workspace):
    with open_store(workspace=workspace) as store:
        store.save_analysis("  first\n try ", "isoflop", QUERY, "At **1e21 FLOPs** <b>")
        store.save_analysis("second", "", "")
    with open_store(workspace=workspace) as store:
        found = store.analyses()
        assert found["name"].tolist() == ["second", "first try"]
        assert found.loc[1, ["page", "query", "summary"]].tolist() == ["isoflop", QUERY, "At **1e21 FLOPs** <b>"]
        assert found["created"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
        store.delete_analysis("first try")
        assert store.analyses()["name"].tolist() == ["second"]


def test_a_name_is_taken_once_unless_it_is_replaced(workspace):
    with open_store(workspace=workspace) as store:
        store.save_analysis("mine", "fit", "law=joint")
        with pytest.raises(StoreError, match=r'There is an analysis "mine" already\. Choose another name'):
            store.save_analysis("mine", "fit", "law=chinchilla")
        assert store.analyses()["query"].tolist() == ["law=joint"]
        store.save_analysis("mine", "fit", "law=chinchilla", replace=True)
        assert store.analyses()["query"].tolist() == ["law=chinchilla"]


@pytest.mark.parametrize("name", ["", "  \n ", "x" * 121])
def test_a_name_that_is_none_is_refused(workspace, name):
    with open_store(workspace=workspace) as store, pytest.raises(ValueError, match="a name of 1 to 120 characters"):
        store.save_analysis(name, "fit", "")


def test_deleting_what_is_not_there_says_so(workspace):
    with open_store(workspace=workspace) as store, pytest.raises(StoreError, match='no analysis "none"'):
        store.delete_analysis("none")


def test_saving_is_a_write_that_caches_see_and_backups_hold(workspace, tmp_path):
    with open_store(workspace=workspace) as store:
        before = store.version
        store.save_analysis("mine", "fit", "law=joint")
        assert store.version > before
        backup = store.backup_bytes()
        store.delete_analysis("mine")
        store.restore(backup)
        assert store.analyses()["name"].tolist() == ["mine"]


def first_schema(workspace):
    """A workspace as the program before saved analyses left it."""
    with connect() as con:
        con.execute(f"attach {quoted(workspace)} as workspace")
        schema.migrate(con, "workspace", upto=1)


def test_a_workspace_of_an_earlier_program_gets_the_table(workspace):
    first_schema(workspace)
    with open_store(workspace=workspace) as store:
        store.save_analysis("mine", "fit", "")
        assert len(store.analyses()) == 1
    with duckdb.connect(workspace) as con:
        assert con.execute("select schema_version from meta").fetchall() == [(schema.SCHEMA_VERSION,)]


def test_a_read_only_one_opens_with_none_saved_and_says_why_not(workspace, monkeypatch):
    first_schema(workspace)
    monkeypatch.setattr("lawlib.store.database.os.access", lambda *_: False)
    with open_store(workspace=workspace) as store:
        assert store.analyses().empty
        assert not store.writable
        with pytest.raises(StoreError, match=r"Nothing was saved\. The workspace .* is read-only"):
            store.save_analysis("mine", "fit", "")
