"""Presets of mappings: saved under a name, applied to files of other columns, with a sentence on what such a file lacks."""

import duckdb
import pytest

import lawlib
from lawlib.errors import StoreError
from lawlib.ingest import Mapping, Source, apply_preset, build, detect, open_table
from lawlib.store import open_store, schema
from lawlib.store.database import connect, quoted
from tests.support.pages import answer, captions, clean, open_page

HEADER, ROWS = "run,size,seen,quality", "".join(f"r{i},{i + 1}00,{i + 2}e9,3.{i}\n" for i in range(4))
ODD = f"{HEADER}\n{ROWS}".encode()
OTHER = f"{HEADER},extra\n{''.join(line + ',x' + chr(10) for line in ROWS.splitlines())}".encode()
PRESET = Mapping(
    "plain",
    {"name": Source("run"), "n_active": Source("size", "million"), "tokens": Source("seen"), "loss": Source("quality")},
    loss_columns=("quality",),
)


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "w.duckdb"


# In the workspace


def test_a_preset_is_found_again_by_the_next_program_and_deleted(workspace):
    with open_store(workspace=workspace) as store:
        store.save_preset("  My\n logs ", PRESET.to_json())
        store.save_preset("another", "{}")
    with open_store(workspace=workspace) as store:
        found = store.presets()
        assert found["name"].tolist() == ["another", "My logs"]
        assert Mapping.from_json(found["mapping"].iloc[1]) == PRESET
        store.delete_preset("another")
        assert store.presets()["name"].tolist() == ["My logs"]
        with pytest.raises(StoreError, match='no preset "another"'):
            store.delete_preset("another")


def test_a_name_is_taken_once_unless_it_is_replaced(workspace):
    with open_store(workspace=workspace) as store:
        store.save_preset("mine", "1")
        with pytest.raises(StoreError, match=r'There is a preset "mine" already\. Choose another name'):
            store.save_preset("mine", "2")
        store.save_preset("mine", "3", replace=True)
        assert store.presets()["mapping"].tolist() == ["3"]
        with pytest.raises(ValueError, match="a name of 1 to 120 characters"):
            store.save_preset(" ", "1")


def test_presets_are_in_backups_and_seen_by_caches(workspace):
    with open_store(workspace=workspace) as store:
        before = store.version
        store.save_preset("mine", "1")
        assert store.version > before
        backup = store.backup_bytes()
        store.delete_preset("mine")
        store.restore(backup)
        assert store.presets()["name"].tolist() == ["mine"]


def earlier(workspace):
    with connect() as con:
        con.execute(f"attach {quoted(workspace)} as workspace")
        schema.migrate(con, "workspace", upto=4)


def test_a_workspace_of_an_earlier_program_gets_the_table(workspace):
    earlier(workspace)
    with open_store(workspace=workspace) as store:
        store.save_preset("mine", "1")
    assert not workspace.with_name("w.duckdb.wal").exists()
    with duckdb.connect(workspace) as con:
        assert con.execute("select schema_version from meta").fetchall() == [(schema.SCHEMA_VERSION,)]


def test_a_read_only_one_has_none(workspace, monkeypatch):
    earlier(workspace)
    monkeypatch.setattr("lawlib.store.database.os.access", lambda *_: False)
    with open_store(workspace=workspace) as store:
        assert store.presets().empty
        with pytest.raises(StoreError, match=r"Nothing was saved\. The workspace .* is read-only"):
            store.save_preset("mine", "1")


# Applied


def test_a_file_with_all_columns_takes_the_preset_as_it_is():
    table = open_table(OTHER, "other.csv")
    found = apply_preset(PRESET, table, detect(table))
    assert (found.mapping, found.lacking, found.sentence) == (PRESET, (), "")
    assert build(table, found.mapping).runs["n_active"].tolist() == [1e8, 2e8, 3e8, 4e8]


def test_what_the_file_lacks_is_told_and_keeps_what_was_detected():
    table = open_table(ODD.replace(b"seen", b"tokens").replace(b"size", b"width"), "other.csv")
    found = apply_preset(PRESET, table, detect(table))
    assert found.lacking == ("size", "seen")
    assert found.mapping.sources["tokens"] == Source("tokens")
    assert found.mapping.loss == "quality"
    assert found.sentence == ("The file lacks 2 columns that the preset names: size, seen. Left as it was: n_active, tokens.")
    assert build(table, found.mapping).runs["loss"].tolist() == [3.0, 3.1, 3.2, 3.3]


def test_a_quantity_that_the_preset_leaves_out_is_left_out():
    table = open_table(ODD.replace(b"size", b"seed"), "other.csv")
    assert "seed" in detect(table).sources
    assert "seed" not in apply_preset(PRESET, table, detect(table)).mapping.sources


def test_a_loss_that_is_lacking_keeps_the_detected_one_with_its_curves():
    curves = "run,step,val_loss\n" + "".join(f"a,{s},{4 - s / 10}\nb,{s},{5 - s / 10}\n" for s in range(1, 6))
    table = open_table(curves.encode(), "c.csv")
    preset = Mapping(
        "plain", {"name": Source("run"), "step": Source("step"), "loss": Source("eval")}, ("who",), ("eval", "train")
    )
    found = apply_preset(preset, table, detect(table))
    assert found.lacking == ("eval", "who", "train")
    assert (found.mapping.loss, found.mapping.loss_columns, found.mapping.run_columns) == ("val_loss", ("val_loss",), ("run",))
    assert len(build(table, found.mapping).curves) == 10


def test_a_file_with_none_of_the_columns_is_refused():
    table = open_table(b"a,b\n1,2\n", "x.csv")
    with pytest.raises(lawlib.ReadError, match=r"x\.csv has none of the columns that the preset names: run, size, seen, quality"):
        apply_preset(PRESET, table, detect(table))


# On the page


def uploaded(content, name="odd.csv"):
    at = open_page("upload")
    return clean(at.file_uploader(key="file").set_value((name, content, "text/csv")).run())


def corrected():
    at = uploaded(ODD)
    for quantity, column in (("loss", "quality"), ("n_active", "size"), ("tokens", "seen")):
        (box,) = [s for s in at.selectbox if s.label.startswith(f"{quantity}:")]
        at = clean(box.select(column).run())
    (unit,) = [s for s in at.selectbox if s.label == "unit of n_active"]
    return clean(unit.select("million").run())


def saved(at, name="My *logs*"):
    at = clean(at.text_input(key="preset_name").input(name).run())
    return clean(at.button(key="preset_save").click().run())


def test_a_corrected_mapping_is_kept_and_applied_to_another_file():
    at = saved(corrected())
    assert "is kept as" in at.success[0].value
    assert "**My \\*logs\\***, saved 20" in "\n".join(m.value for m in at.markdown)
    at = uploaded(OTHER, "other.csv")
    assert "no runs were found" in answer(at)
    at = clean(at.button(key="preset_apply_0").click().run())
    assert "**4 runs**" in answer(at)
    assert "N 100M to 400M" in answer(at)
    assert "applied" in at.success[0].value
    (table,) = [t.value for t in at.dataframe if "quantity" in t.value]
    assert table.set_index("quantity").loc["n_active", ["column", "unit"]].tolist() == ["size", "million"]


def test_a_file_that_lacks_columns_says_which_until_the_mapping_is_corrected():
    saved(corrected())
    at = uploaded(OTHER.replace(b"seen", b"read"), "other.csv")
    at = clean(at.button(key="preset_apply_0").click().run())
    assert "The file lacks 1 column that the preset names\\: seen\\. Left as it was\\: tokens\\." in at.warning[0].value
    (box,) = [s for s in at.selectbox if s.label.startswith("tokens:")]
    at = clean(box.select("read").run())
    assert not at.warning
    assert "D 2" in answer(at)
    at = uploaded(b"a,b\n1,2\n", "x.csv")
    at = clean(at.button(key="preset_apply_0").click().run())
    assert any("has none of the columns" in e.value for e in at.error)


def test_a_taken_name_is_told_replaced_on_request_and_deleted():
    at = saved(corrected(), "mine")
    at = saved(at, "mine")
    assert "There is a preset" in at.error[0].value
    at = clean(at.checkbox(key="preset_replace").check().run())
    at = clean(at.button(key="preset_save").click().run())
    assert not at.error
    at = clean(at.button(key="preset_delete_0").click().run())
    with lawlib.open_store() as store:
        assert store.presets().empty
    assert "Presets of mappings" in [e.label for e in at.expander]
    assert "takes its last mapping by itself" in captions(at)
