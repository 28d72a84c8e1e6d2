"""Benchmarks: read from uploads, kept with runs, compared pair by pair with a bootstrap that scipy's agrees with."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lawlib import ReadError, StoreError, open_store
from lawlib.comparisons.benchmarks import compare_benchmarks
from lawlib.ingest import open_table, read_evaluations

RUNS = pd.DataFrame({"run_id": ["id1", "id2", "id3", "id4"], "name": ["coarse", "fine", "twin", "twin"]})


def read(text, name="results.csv"):
    return read_evaluations(open_table(text.encode(), name), RUNS)


def rows(found):
    return found.frame.to_numpy().tolist()


class TestReading:
    def test_run_benchmark_metric_value(self):
        found = read("run,benchmark,metric,value\ncoarse,piqa,acc,0.61\nid2,piqa,acc,0.64\nfine,arc,acc_norm,41\n")
        assert rows(found) == [["id1", "piqa", "acc", 0.61], ["id2", "piqa", "acc", 0.64], ["id2", "arc", "acc_norm", 41.0]]
        assert (found.problems, found.notes) == ([], [])

    def test_other_names_of_the_columns_and_a_metric_that_the_column_names(self):
        found = read("Model Name,Task,Acc\ncoarse,piqa,0.61\n")
        assert rows(found) == [["id1", "piqa", "Acc", 0.61]]
        assert found.notes == ['No column names the metric: it is taken to be "Acc".']

    def test_a_column_for_each_benchmark(self):
        found = read("model,comment,MMLU,PIQA\ncoarse,old,30.1,\nfine,new,31.5,70\n")
        assert rows(found) == [["id1", "MMLU", "score", 30.1], ["id2", "MMLU", "score", 31.5], ["id2", "PIQA", "score", 70.0]]
        assert "read as a benchmark" in found.notes[0]

    def test_rows_that_cannot_be_taken_are_told_by_line(self):
        found = read(
            "run,benchmark,metric,value\n"
            "nobody,piqa,acc,0.5\n"
            "twin,piqa,acc,0.5\n"
            "coarse,,acc,0.5\n"
            "coarse,piqa,acc,high\n"
            "coarse,arc,acc,0.5\n"
            "coarse,arc,acc,0.5\n"
            "coarse,arc,acc,0.6\n"
        )
        assert rows(found) == [["id1", "arc", "acc", 0.5]]
        assert [(p.line, p.reason) for p in found.problems] == [
            (2, "No run has this name or id."),
            (3, "Several runs have this name: give their run_id."),
            (4, "The benchmark is missing."),
            (5, "The result must be a finite number."),
            (8, "The run has another result of this benchmark and metric further up."),
        ]

    def test_json_lines(self):
        text = '{"run": "coarse", "benchmark": "piqa", "metric": "acc", "value": 0.6}\n' * 2
        assert rows(read(text, "results.jsonl")) == [["id1", "piqa", "acc", 0.6]]

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("benchmark,value\npiqa,0.5\n", "no column names the run. Call one of benchmark, value run, name or model"),
            ("run,task,comment\ncoarse,piqa,good\n", "no column holds the results"),
            ("run,comment\ncoarse,good\n", "no column names the benchmark and none beside the run holds numbers"),
        ],
    )
    def test_a_table_of_something_else(self, text, sentence):
        with pytest.raises(ReadError, match=sentence):
            read(text)


class TestStore:
    @pytest.fixture
    def store(self, tmp_path):
        with open_store(workspace=tmp_path / "w.duckdb") as store:
            yield store

    @pytest.mark.parametrize("dataset", ["marin-moe-v16", "mine"])
    def test_results_are_kept_with_bundled_and_own_runs_and_can_be_replaced(self, store, dataset):
        store.add(pd.DataFrame({"name": ["a", "b"], "loss": [3.0, 2.9]}), "mine")
        one, two = store.runs(dataset)["run_id"].iloc[:2]
        first = pd.DataFrame({"run_id": [one, two], "benchmark": "piqa", "metric": "acc", "value": [0.5, 0.6]})
        assert store.set_evaluations(dataset, first) == (2, 0)
        assert store.set_evaluations(dataset, first.iloc[1:].assign(value=0.7)) == (1, 1)
        found = store.evaluations(dataset).set_index("run_id")["value"].to_dict()
        assert found == {one: 0.5, two: 0.7}
        assert store.evaluations("marin-moe-may").empty
        store.remove_evaluations(dataset)
        assert store.evaluations(dataset).empty

    def test_unknown_runs_keep_everything_out(self, store):
        run = store.runs("marin-moe-v16")["run_id"].iloc[0]
        rows = pd.DataFrame({"run_id": [run, "nobody"], "benchmark": "piqa", "metric": "acc", "value": 0.5})
        with pytest.raises(StoreError, match=r'Nothing was saved: the evaluations name 1 run_id .* such as "nobody"'):
            store.set_evaluations("marin-moe-v16", rows)
        assert store.evaluations("marin-moe-v16").empty


def results(values, metric="acc"):
    """values: {run: {benchmark: value}} as stored."""
    found = [(r, b, metric, v) for r, of in values.items() for b, v in of.items()]
    return pd.DataFrame(found, columns=["run_id", "benchmark", "metric", "value"])


PAIRS = pd.DataFrame({"a": ["a1", "a2"], "b": ["b1", "b2"]})


class TestComparison:
    def test_means_over_pairs_and_benchmarks(self):
        table = results({"a1": {"x": 1, "y": 5, "z": 9}, "b1": {"x": 2, "y": 7}, "a2": {"x": 3}, "b2": {"x": 6}})
        found = compare_benchmarks(table, PAIRS, "acc")
        assert found.table.to_numpy().tolist() == [["x", 2.0, 4.0, 2.0, 2], ["y", 5.0, 7.0, 2.0, 1]]
        assert (found.mean_a, found.mean_b, found.difference) == (3.5, 5.5, 2.0)
        assert (found.low, found.high) == (2.0, 2.0)

    def test_the_interval_is_scipy_s_paired_bootstrap(self):
        rng = np.random.default_rng(5)
        easy = rng.uniform(20, 80, 12)  # benchmarks differ far more than the groups do
        a = {f"t{i}": v for i, v in enumerate(easy)}
        b = {f"t{i}": v + 1.5 + rng.normal(0, 1.2) for i, v in enumerate(easy)}
        found = compare_benchmarks(results({"a1": a, "b1": b}), PAIRS, "acc", n_resamples=40_000)
        oracle = stats.bootstrap(
            (np.array(list(b.values())), np.array(list(a.values()))),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            paired=True,
            n_resamples=40_000,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=0.02)

    def test_other_metrics_and_unshared_benchmarks_are_no_part(self):
        table = results({"a1": {"x": 1}, "b1": {"y": 2}})
        assert compare_benchmarks(table, PAIRS, "acc") is None
        assert compare_benchmarks(results({"a1": {"x": 1}, "b1": {"x": 2}}), PAIRS, "ppl") is None

    def test_one_benchmark_has_no_interval(self):
        found = compare_benchmarks(results({"a1": {"x": 1}, "b1": {"x": 2}}), PAIRS, "acc")
        assert np.isnan(found.low)
        assert found.difference == 1.0

    def test_percentages_beside_fractions_are_noticed(self):
        values = {"x": 0.5, "y": 60.0}
        assert compare_benchmarks(results({"a1": values, "b1": values}), PAIRS, "acc").mixed_scales
        values = {"x": 0.5, "y": 0.7}
        assert not compare_benchmarks(results({"a1": values, "b1": values}), PAIRS, "acc").mixed_scales
