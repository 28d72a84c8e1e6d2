"""The list of what was left out of logs: kinds and counts by column, kept with the data set, the values nowhere."""

import duckdb
import pandas as pd
import pytest

import lawlib
from lawlib.ingest import Scrubbed, build, detect, open_table
from lawlib.ingest.core.scrubbed import HEADER, as_frame, told
from lawlib.store import open_store, schema
from lawlib.store.database import connect, quoted
from tests.support.pages import captions, clean, open_page
from tests.support.runs import some_runs

PRIVATE = ("node-7", "someone", "example.org", "secret")
CSV = "name,host,args.cwd,notes,git,loss//home/someone/x/eval,params,tokens,loss\n" + "".join(
    f"r{i},node-7,/home/someone/{i},{note},{git},1,{i + 1}00000000,{i + 2}e9,3.{i}\n"
    for i, (note, git) in enumerate(
        [
            ("see /home/secret/runs/a", "git@example.org:someone/repo.git"),
            ("mail someone@example.org, see /data/secret/b", "ssh://git@example.org/someone/repo.git"),
            ("from https://example.org/secret/c", "main"),
            ("see /home/secret/runs/a", "main"),
        ]
    )
).replace("mail someone@example.org, see", "mail someone@example.org see")
FOUND = [
    Scrubbed("host", "host name", 1, True),
    Scrubbed("args.cwd", "path", 4, True),
    Scrubbed("loss/eval", HEADER, 1),
    Scrubbed("notes", "address", 1),
    Scrubbed("notes", "e-mail", 1),
    Scrubbed("notes", "path", 2),
    Scrubbed("git", "git remote", 2),
]


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "w.duckdb"


def as_rows(frame: pd.DataFrame) -> list[Scrubbed]:
    return [Scrubbed(*row) for row in frame[["field", "kind", "n", "whole"]].itertuples(index=False, name=None)]


# Found


def test_what_is_taken_out_is_counted_by_column_and_kind():
    table = open_table(CSV.encode(), "runs.csv")
    assert table.dropped == FOUND
    found = build(table, detect(table))
    assert found.scrubbed == FOUND
    text = table.frame.to_csv() + found.runs.to_csv() + str(found.notes) + str(found.scrubbed)
    assert not [word for word in PRIVATE if word in text]


def test_it_is_told_in_one_sentence():
    assert told(FOUND) == (
        "Left out, as it tells of people and machines: 2 columns: host, args.cwd; paths in 1 column name; "
        '"notes", 1 value with address and 1 value with e-mail and 2 values with path; "git", 2 values with git remote.'
    )
    assert told([]) == ""
    assert as_frame([]).columns.tolist() == ["field", "kind", "n", "whole"]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("system/hostname", "host name"),
        ("user_name", "user name"),
        ("git.remote", "git remote"),
        ("codePath", "path"),
        ("artifact_uri", "path or address"),
        ("ip_address", "IP address"),
        ("contact.email", "e-mail"),
        ("_wandb.runtime", "facts of the machine"),
        ("metadata", "facts of the machine"),
        ("tags.mlflow.user", "user name"),
        ("tags.mlflow.source.name", "path"),
        ("tags.mlflow.source.git.commit", "state of the code"),
        ("tags.mlflow.parentRunId", "id of another run"),
        ("tags.mlflow.databricks.webappURL", "facts of the workspace"),
    ],
)
def test_a_column_that_holds_nothing_else_is_named_with_what_it_holds(column, kind):
    table = open_table(f"name,params,tokens,loss,{column}\na,1e8,2e9,3,x\nb,1e8,3e9,2,\n".encode(), "runs.csv")
    assert table.dropped == [Scrubbed(column, kind, 1, True)]


def test_a_column_named_after_a_path_is_listed_without_it():
    table = open_table(b"name,params,tokens,loss,/home/someone/x.host\na,1e8,2e9,3,x\n", "runs.csv")
    assert [s.kind for s in table.dropped] == ["host name"]
    assert "someone" not in table.dropped[0].field


# Kept


def test_it_is_kept_with_the_data_set_import_after_import(workspace):
    with open_store(workspace=workspace) as store:
        store.add(some_runs(), "mine", scrubbed=as_frame(FOUND))
        store.add(some_runs(), "mine", scrubbed=as_frame(FOUND))  # no new run: nothing is noted
        more = some_runs().assign(run_id=["x", "y", "z"])
        store.add(more, "mine", scrubbed=as_frame(FOUND[:1]))
        store.add(some_runs(), "other")
    with open_store(workspace=workspace) as store:
        assert as_rows(store.scrubbed("mine")) == [*FOUND, FOUND[0]]
        assert store.scrubbed("mine")["added"].str.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").all()
        assert store.scrubbed("other").empty
        assert store.scrubbed("marin-moe-v16").empty
        backup = store.backup_bytes()
        store.delete("mine")
        store.purge("mine")
        assert store._db.read("select * from workspace.scrubbed").empty
        store.restore(backup)
        assert len(store.scrubbed("mine")) == len(FOUND) + 1


def test_a_list_without_its_columns_saves_nothing(workspace):
    with open_store(workspace=workspace) as store:
        with pytest.raises(ValueError, match='What was scrubbed has no column "kind"; its columns are field, n'):
            store.add(some_runs(), "mine", scrubbed=pd.DataFrame({"field": ["a"], "n": [1]}))
        assert "mine" not in store.datasets()["dataset"].tolist()


@pytest.mark.parametrize("version", [4, 5])
def test_a_workspace_of_an_earlier_program_gets_the_table(workspace, version, monkeypatch):
    with connect() as con:
        con.execute(f"attach {quoted(workspace)} as workspace")
        schema.migrate(con, "workspace", upto=version)
        con.execute("insert into workspace.datasets (seq, dataset, title, deleted, created) values (1, 'old', 'Old', '', 'x')")
    with monkeypatch.context() as patched:
        patched.setattr("lawlib.store.database.os.access", lambda *_: False)
        with open_store(workspace=workspace) as store:
            assert store.scrubbed("old").dtypes.astype(str).tolist() == ["str", "str", "int64", "bool", "str"]
    with open_store(workspace=workspace) as store:
        assert store.scrubbed("old").empty
        store.add(some_runs(), "mine", scrubbed=as_frame(FOUND))
    with duckdb.connect(workspace) as con:
        assert con.execute("select schema_version from meta").fetchall() == [(schema.SCHEMA_VERSION,)]
        assert con.execute("select count(*) from scrubbed").fetchall() == [(len(FOUND),)]
        with pytest.raises(duckdb.ConstraintException):
            con.execute("insert into scrubbed values ('a', 'b', 'c', -1, true, '')")


# Shown


def test_the_runs_page_lists_it_again_and_the_workspace_holds_none_of_the_values(tmp_path):
    at = open_page("upload")
    at = clean(at.file_uploader(key="file").set_value(("mine.csv", CSV.encode(), "text/csv")).run())
    assert "Left out, as it tells of people and machines" in captions(at)
    (button,) = [b for b in at.button if b.label.startswith("Store ")]
    clean(button.click().run())
    with open_store() as store:
        assert as_rows(store.scrubbed("mine")) == FOUND
        assert "Left out" not in store.datasets().set_index("dataset").loc["mine", "notes"], "once is enough"
    at = open_page("runs", dataset="mine")
    assert "Left out on import: 2 columns whole, 3 columns in part" in [e.label for e in at.expander]
    (table,) = [t.value for t in at.dataframe if "what" in t.value]
    assert table.columns.tolist() == ["column", "what", "different values", "left out"]
    assert table.iloc[0].tolist() == ["host", "host name", 1, "the whole column"]
    assert table.iloc[-1].tolist() == ["git", "git remote", 2, "that part of the text"]
    with open_store() as store:
        content = store.backup_bytes()
    assert not [word for word in PRIVATE if word.encode() in content]


def test_nothing_is_shown_where_nothing_is_known():
    at = open_page("runs")
    assert not [e.label for e in at.expander if e.label.startswith("Left out")]


def test_restarts_made_one_run_keep_the_list():
    from tests.support.logs import attempts

    runs, curves = attempts()
    with lawlib.open_store() as store:
        store.add(runs, "mine", curves=curves, scrubbed=as_frame(FOUND))
    at = open_page("runs", dataset="mine")
    clean(at.button(key="stitch").click().run())
    with lawlib.open_store() as store:
        assert as_rows(store.scrubbed("mine-stitched")) == FOUND
