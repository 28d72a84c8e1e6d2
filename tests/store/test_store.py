"""Data sets of the bundled file and of the workspace, seen as one and changed by the user."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from lawlib.errors import StoreError
from lawlib.runs.canonical import COLUMNS, CURVE_COLUMNS, NUMBERS
from lawlib.seeds import byte_models
from lawlib.store import Added, open_store, shipped
from lawlib.store.schema import MIGRATIONS
from tests.support.runs import a_curve, some_runs


@pytest.fixture
def store():
    with open_store(workspace=":memory:") as opened:
        yield opened


def test_the_bundled_data_sets_come_first_and_in_order(store):
    store.add(some_runs(), "A first one by name")
    listed = store.datasets()
    assert list(listed.columns) == [
        "dataset", "title", "kind", "source", "licence", "flops_rule", "notes", "n_runs", "n_curve_points", "created",
    ]  # fmt: skip
    assert listed["dataset"].tolist() == ["byte-moe-sweep", "marin-moe-v16", "marin-moe-may", "a-first-one-by-name"]
    assert listed["n_runs"].tolist() == [len(byte_models.records()), 47, 15, 3]
    assert listed["kind"].tolist() == ["trained", "published", "published", "uploaded"]
    assert listed["licence"].tolist() == ["MIT", "Apache-2.0", "Apache-2.0", ""]


def test_byte_models_are_canonical_and_typed(store):
    runs = store.runs("marin-moe-v16")
    assert tuple(runs.columns) == COLUMNS
    assert {column: str(runs[column].dtype) for column in COLUMNS} == {
        column: "float64" if column in NUMBERS else "bool" if column == "excluded" else "str" for column in COLUMNS
    }
    assert runs["name"].iloc[[0, -1]].tolist() == ["v16-d512-1e18", "v16-d2560-1e21"]
    assert runs["granularity"].isna().all()
    assert json.loads(runs["extra"].iloc[-1])["token_provenance"].startswith("derived")
    derived = store.derivations("marin-moe-v16")
    assert list(derived.columns) == ["run_id", "quantity", "source", "factor", "rule"]
    assert len(derived) == 47 * 5


def test_reference_tables_are_the_seeds(store):
    from lawlib import seeds

    for name in shipped.REFERENCES:
        pd.testing.assert_frame_equal(store.reference(name), seeds.table(name))
    with pytest.raises(StoreError, match=r'no reference table "x"\. There are: claims, coarse_fine, .*released_models'):
        store.reference("x")


def test_the_schema_holds_the_canonical_columns():
    sql = next(s for s in MIGRATIONS[0] if ".runs" in s)
    assert [word for word in COLUMNS if f" {word} " not in sql.replace("\n", " ")] == []


def test_what_is_added_comes_back_in_its_order(store):
    given = some_runs(5).iloc[::-1]
    assert store.add(given, "mine", title="My runs", source="a log") == Added("mine", 5, 0, 0)
    runs = store.runs("mine")
    assert runs["run_id"].tolist() == ["r4", "r3", "r2", "r1", "r0"]
    assert runs["loss"].tolist() == given["loss"].tolist()
    assert runs["flops"].isna().all()
    assert (runs["status"] == "").all()
    assert store.datasets().set_index("dataset").loc["mine", ["title", "source"]].tolist() == ["My runs", "a log"]


def test_appending_skips_and_counts_what_is_there_or_comes_twice(store):
    store.add(some_runs(3), "mine")
    twice = pd.concat([some_runs(4), some_runs(1, first=3)])
    assert store.add(twice, "Mine", title="ignored") == Added("mine", 1, 4, 0)
    assert store.runs("mine")["run_id"].tolist() == ["r0", "r1", "r2", "r3"]
    assert store.datasets()["title"].iloc[-1] == "mine"
    assert store.add(some_runs(3), "other").n_runs == 3


def test_the_same_rows_without_ids_are_the_same_runs(store):
    anonymous = some_runs(3).drop(columns="run_id")
    assert store.add(anonymous, "mine").n_runs == 3
    assert store.add(anonymous, "mine") == Added("mine", 0, 3, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dataset": "marin-moe-v16"}, StoreError, 'Data set "marin-moe-v16" comes with the program and cannot be changed'),
        ({"dataset": "--"}, ValueError, '"--" cannot name a data set: it needs 1 to 80 letters or digits'),
        ({"dataset": "m", "kind": "stolen"}, ValueError, "cannot be of kind .stolen.. The kinds are trained, published"),
        ({"dataset": "m", "runs": some_runs(0)}, ValueError, 'There are no runs to make data set "m" of'),
        (
            {"dataset": "m", "curves": a_curve("r9")},
            StoreError,
            'curves name 1 run_id that data set "m" does not have, such as "r9"',
        ),
        (
            {"dataset": "m", "curves": pd.DataFrame({"loss": [1.0]})},
            ValueError,
            'curves have no column "run_id"; their columns are',
        ),
        (
            {"dataset": "m", "evaluations": pd.DataFrame({"run_id": ["q"], "benchmark": "b", "metric": "acc", "value": 1})},
            StoreError,
            'Nothing was saved: the evaluations name 1 run_id that data set "m" does not have, such as "q"',
        ),
    ],
)
def test_what_cannot_be_added_leaves_everything_as_it_was(store, arguments, error, message):
    version = store.version
    with pytest.raises(error, match=message):
        store.add(**{"runs": some_runs(), **arguments})
    assert store.datasets()["dataset"].tolist() == ["byte-moe-sweep", "marin-moe-v16", "marin-moe-may"]
    assert len(store.runs("marin-moe-v16")) == 47
    assert store.version == version


def test_an_error_in_the_middle_of_adding_leaves_no_trace(store, monkeypatch):
    store.add(some_runs(1), "mine")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lawlib.store.adding.insert_curves", fail)
    with pytest.raises(KeyboardInterrupt):
        store.add(some_runs(9), "mine", curves=a_curve())
    assert store.runs("mine")["run_id"].tolist() == ["r0"]
    monkeypatch.undo()
    assert store.add(some_runs(2), "mine").n_runs == 1


def test_curves_come_back_by_run_split_and_step(store):
    shuffled = a_curve("r1", 5).sample(frac=1, random_state=0)
    added = store.add(some_runs(), "mine", curves=pd.concat([shuffled, a_curve("r0", 3, "c4"), a_curve("r0", 2)]))
    assert added.n_curve_points == 10
    curves = store.curves("mine")
    assert tuple(curves.columns) == CURVE_COLUMNS
    assert curves["run_id"].tolist() == ["r0"] * 5 + ["r1"] * 5
    assert curves["split"].tolist() == ["c4"] * 3 + ["validation"] * 7
    assert curves["step"].tolist() == [0, 10, 20, 0, 10, 0, 10, 20, 30, 40]
    assert curves["flops"].isna().all()
    assert store.splits("mine") == ["c4", "validation"]
    assert store.datasets().set_index("dataset").loc[["marin-moe-v16", "marin-moe-may", "mine"], "n_curve_points"].tolist() == [
        0,
        0,
        10,
    ]
    assert store.curves("mine", ["r0"], "validation")["step"].tolist() == [0, 10]
    assert store.curves("mine", "r1")["run_id"].unique().tolist() == ["r1"]
    assert store.curves("mine", []).empty


def test_curves_are_added_once_to_runs_that_have_none(store):
    store.add(some_runs(), "mine", curves=a_curve("r0"))
    again = store.add(some_runs(), "mine", curves=pd.concat([a_curve("r0"), a_curve("r2", 4)]))
    assert again == Added("mine", 0, 3, 4)
    assert len(store.curves("mine")) == 9


@pytest.mark.parametrize("limit", [34, 130, 514])
def test_a_long_curve_thinned_from_its_copy_is_the_curve_thinned(store, limit):
    rng = np.random.default_rng(3)
    curves = [a_curve(f"r{i}", 5000 + i, loss=rng.normal(3, 1, 5000 + i)).assign(hours=0.5) for i in range(2)]
    store.add(some_runs(), "mine", curves=pd.concat([*curves, a_curve("r2", 600)]))
    assert store._db.read("select count(distinct run) as n from workspace.curves_thin")["n"].tolist() == [2]
    thin = store.curves("mine", max_points=limit)
    assert (thin["run_id"] == "r2").sum() == limit
    for i, whole in enumerate(curves):
        mine = thin[thin["run_id"] == f"r{i}"]
        stretch = np.arange(len(whole) - 2) * ((limit - 2) // 2) // (len(whole) - 2)
        inner = whole["loss"].iloc[1:-1].groupby(stretch)
        expected = {0, len(whole) - 1, *inner.idxmin(), *inner.idxmax()}
        assert sorted(mine["step"] / 10) == sorted(expected)
        assert (mine["hours"] == 0.5).all()
    store.delete("mine")
    store.purge("mine")
    assert store._db.read("select * from workspace.curves_thin").empty


def test_a_thinned_curve_keeps_its_ends_and_its_spikes(store):
    loss = np.linspace(4, 3, 10_000)
    loss[1234] = 9.0
    loss[5000:5010] = np.nan
    store.add(some_runs(), "mine", curves=pd.concat([a_curve("r0", 10_000, loss=loss), a_curve("r1", 20)]))
    for limit in (4, 5, 50, 51, 1000):
        thin = store.curves("mine", max_points=limit)
        first = thin[thin["run_id"] == "r0"]
        assert limit - 3 <= len(first) <= limit
        assert first["step"].is_monotonic_increasing
        assert first["step"].iloc[[0, -1]].tolist() == [0, 99_990]
        assert first["loss"].max() == 9.0
        assert first["step"].is_unique
        assert len(thin) - len(first) == min(20, len(thin) - len(first))
    assert len(store.curves("mine", ["r1"], max_points=20)) == 20
    with pytest.raises(ValueError, match=r"max_points is 3; a thinned curve needs at least 4\."):
        store.curves("mine", max_points=3)


def test_evaluations_are_kept_once_a_run_benchmark_and_metric(store):
    rows = pd.DataFrame({"run_id": ["r0", "r1", "r1"], "benchmark": "mmlu", "metric": "acc", "value": [0.5, 0.6, 0.7]})
    store.add(some_runs(), "mine", evaluations=rows)
    store.add(some_runs(), "mine", evaluations=pd.concat([rows, rows.iloc[:1].assign(benchmark="arc")]))
    found = store.evaluations("mine")
    assert found.to_numpy().tolist() == [["r0", "mmlu", "acc", 0.5], ["r1", "mmlu", "acc", 0.6], ["r0", "arc", "acc", 0.5]]
    assert store.evaluations("marin-moe-may")["run_id"].dtype == "str"


def test_derivations_may_name_all_runs(store):
    how = pd.DataFrame(
        {"quantity": ["tokens", "tokens", "loss"], "source": ["t", "t", "l"], "factor": [1e9, 1e9, 1], "rule": "r"}
    )
    store.add(some_runs(), "mine", derivations=how)
    store.add(some_runs(1, first=5), "mine", derivations=how)
    assert store.derivations("mine").to_numpy().tolist() == [["", "tokens", "t", 1e9, "r"], ["", "loss", "l", 1.0, "r"]]


@pytest.mark.parametrize("dataset", ["mine", "marin-moe-v16"])
def test_exclusions_lie_over_any_data_set(store, dataset):
    store.add(some_runs().assign(excluded=[False, False, True], exclude_reason=["", "", "in the log"]), "mine")
    ids = store.runs(dataset)["run_id"].tolist()[:3]
    before = store.runs(dataset)
    store.exclude(dataset, ids[:2], " diverged ")
    store.exclude(dataset, ids[1], "spiked")
    runs = store.runs(dataset)
    assert runs["excluded"].tolist()[:2] == [True, True]
    assert runs["exclude_reason"].tolist()[:2] == ["diverged", "spiked"]
    pd.testing.assert_frame_equal(
        runs.drop(columns=["excluded", "exclude_reason"]), before.drop(columns=["excluded", "exclude_reason"])
    )
    store.include(dataset, ids)
    assert not store.runs(dataset)["excluded"].any()
    assert (store.runs(dataset)["exclude_reason"] == "").all()


def test_exclusion_wants_a_reason_and_known_runs(store):
    store.add(some_runs(), "mine")
    with pytest.raises(ValueError, match="Say why these runs are excluded"):
        store.exclude("mine", ["r0"], "  ")
    with pytest.raises(StoreError, match=r'Data set "mine" has no run "x" \(and 1 more\)\.'):
        store.exclude("mine", ["r0", "x", "y"], "why")
    assert not store.runs("mine")["excluded"].any()
    with pytest.raises(
        StoreError, match=r'There is no data set "yours"\. There are: byte-moe-sweep, marin-moe-v16, marin-moe-may, mine\.'
    ):
        store.runs("yours")


def test_a_deleted_data_set_comes_back_whole(store):
    store.add(some_runs(), "mine", curves=a_curve())
    store.exclude("mine", ["r1"], "odd")
    before = store.runs("mine"), store.curves("mine")
    store.delete("mine")
    assert "mine" not in store.datasets()["dataset"].tolist()
    with pytest.raises(StoreError, match='no data set "mine"'):
        store.runs("mine")
    with pytest.raises(StoreError, match='"mine" was deleted: restore it first, or choose another name'):
        store.add(some_runs(), "mine")
    assert store.deleted()[["dataset", "n_runs"]].to_numpy().tolist() == [["mine", 3]]
    store.restore_deleted("mine")
    pd.testing.assert_frame_equal(store.runs("mine"), before[0])
    pd.testing.assert_frame_equal(store.curves("mine"), before[1])
    assert store.deleted().empty


def test_purging_frees_the_name_and_touches_no_other_data_set(store):
    store.add(some_runs(), "mine", curves=a_curve())
    store.add(some_runs(), "other", curves=a_curve("r1", 7))
    with pytest.raises(StoreError, match=r'There is no deleted data set "mine"\. There are: none\.'):
        store.purge("mine")
    store.delete("mine")
    store.purge("mine")
    assert store.deleted().empty
    assert len(store.curves("other")) == 7
    store.add(some_runs(2), "mine")
    assert store.curves("mine").empty


def test_rename_changes_the_title_alone(store):
    store.add(some_runs(), "mine")
    store.rename("mine", " Better ")
    assert store.datasets().iloc[-1][["dataset", "title"]].tolist() == ["mine", "Better"]
    with pytest.raises(ValueError, match="needs a title"):
        store.rename("mine", " ")
    for change in (lambda: store.rename("marin-moe-may", "x"), lambda: store.delete("marin-moe-may")):
        with pytest.raises(StoreError, match='"marin-moe-may" comes with the program and cannot be changed'):
            change()


def test_every_write_changes_the_version_and_no_read_does(store):
    seen = {store.version}
    writes = [
        lambda: store.add(some_runs(), "mine"),
        lambda: store.exclude("mine", ["r0"], "x"),
        lambda: store.include("mine", ["r0"]),
        lambda: store.rename("mine", "t"),
        lambda: store.delete("mine"),
        lambda: store.restore_deleted("mine"),
        lambda: store.remember("s", "{}"),
        lambda: store.restore(store.backup_bytes()),
    ]
    for number, write in enumerate(writes, start=2):
        write()
        store.datasets(), store.runs("marin-moe-may"), store.backup_bytes()
        seen.add(store.version)
        assert len(seen) == number


def test_mappings_are_remembered_by_signature(store):
    assert store.recall("a,b") is None
    store.remember("a,b", '{"N": "a"}')
    store.remember("a,b", '{"N": "b"}')
    assert store.recall("a,b") == '{"N": "b"}'


def test_the_bundled_file_is_never_written(tmp_path):
    before = hashlib.sha256(shipped.DEFAULT.read_bytes()).hexdigest()
    with open_store(workspace=tmp_path / "w.duckdb") as store:
        store.add(some_runs(), "mine")
        store.exclude("marin-moe-v16", store.runs("marin-moe-v16")["run_id"], "all of them")
        store.restore(store.backup_bytes())
    assert hashlib.sha256(shipped.DEFAULT.read_bytes()).hexdigest() == before


def test_names_in_any_script_and_with_quotes_are_safe(store):
    assert store.add(some_runs(), "实验 1; drop table runs'").dataset == "实验-1-drop-table-runs"
    assert store.runs("实验 1; drop table runs'")["dataset"].unique().tolist() == ["实验-1-drop-table-runs"]
    store.add(some_runs(1).assign(run_id="a'b\"c"), "mine")
    store.exclude("mine", ["a'b\"c"], 'it\'s "odd"')
    assert store.runs("mine")["exclude_reason"].tolist() == ['it\'s "odd"']


def test_what_is_too_much_for_one_transaction_is_said_and_nothing_is_saved(store):
    def much(cursor):
        cursor.execute("delete from workspace.runs")
        cursor.execute("set memory_limit = '2MB'")
        cursor.execute("create temp table big as select string_agg(repeat('x', 100_000), '') from range(1_000)")

    before = store.version
    with pytest.raises(StoreError, match=r"too much to store at once\. Give fewer runs"):
        store._db.write(much)
    assert store.version == before
