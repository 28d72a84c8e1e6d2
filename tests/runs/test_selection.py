"""Filters, runs left out by content, and fingerprints that tell what differs between two copies of a data set."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lawlib import select
from lawlib.runs.canonical import as_runs
from lawlib.runs.selection import Fingerprint, content_hashes, extra_values, fingerprint, marked
from tests.support.planted import grid

RUNS = as_runs(
    grid("joint_granular", noise=0.01).assign(
        name=lambda r: [f"run {i}" for i in range(len(r))],
        arch=lambda r: np.where(r["expansion"] == 1, "dense", "moe"),
        n_experts=lambda r: r["expansion"] * r["granularity"],
        extra=lambda r: ['{"router": "hash", "depth": 3}' if i % 2 else "" for i in range(len(r))],
    ),
    "planted",
)


class TestSelect:
    def test_without_filters_all_runs_pass_as_they_are(self):
        pd.testing.assert_frame_equal(select(RUNS), RUNS)

    @pytest.mark.parametrize(
        ("filters", "mask"),
        [
            ({"flops": (1e19, None)}, RUNS["flops"] >= 1e19 / 1.001),
            ({"flops": (None, 1e20)}, RUNS["flops"] <= 1e20 * 1.001),
            ({"arch": "moe"}, RUNS["arch"] == "moe"),
            ({"granularity": [RUNS["granularity"].max()]}, RUNS["granularity"] == RUNS["granularity"].max()),
            ({"n_experts": RUNS["n_experts"].unique()[:2]}, RUNS["n_experts"].isin(RUNS["n_experts"].unique()[:2])),
            ({"extra": {"router": ["hash"]}}, RUNS["extra"] != ""),
            ({"extra": {"router": [""], "depth": [""]}}, RUNS["extra"] == ""),
        ],
        ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
    )
    def test_a_filter_keeps_what_it_names(self, filters, mask):
        found = select(RUNS, **filters)
        assert 0 < len(found) < len(RUNS)
        assert found["run_id"].tolist() == RUNS.loc[mask, "run_id"].tolist()
        assert found.index.tolist() == list(range(len(found)))

    def test_runs_without_flops_pass_the_bounds_on_them(self):
        bare = RUNS.assign(flops=np.nan)
        assert len(select(bare, flops=(1e19, 1e20))) == len(RUNS)

    def test_other_columns_of_the_log_are_text(self):
        assert set(extra_values(RUNS)["depth"]) == {"3.0", ""}


class TestLeftOut:
    def test_exactly_the_named_runs_are_left_out(self):
        own = RUNS.assign(
            excluded=[i < 3 for i in range(len(RUNS))], exclude_reason=["diverged" if i < 3 else "" for i in range(len(RUNS))]
        )
        found = select(own, leave_out=content_hashes(RUNS.iloc[[2, 7]]))
        assert found.index[found["excluded"]].tolist() == [2, 7]
        assert found["exclude_reason"].iloc[[0, 2, 7]].tolist() == ["", "diverged", "left out by the address"]
        assert not select(own, leave_out=[])["excluded"].any()

    def test_the_ids_of_a_log_have_no_part_in_it(self):
        hashes = content_hashes(RUNS)
        assert content_hashes(RUNS.assign(run_id="x", dataset="elsewhere")) == hashes
        assert len(set(hashes)) == len(RUNS)

    def test_of_equal_runs_as_many_are_left_out_as_are_named(self):
        twice = pd.concat([RUNS.head(2), RUNS.head(1)], ignore_index=True)
        (first,) = content_hashes(RUNS.head(1))
        assert marked(twice, [first])["excluded"].sum() == 1
        assert marked(twice, [first, first])["excluded"].tolist() == [True, False, True]

    def test_hashes_that_no_run_has_leave_out_nothing(self):
        assert not marked(RUNS, ["00000000"])["excluded"].any()


class TestFingerprint:
    def test_it_reads_back_and_does_not_depend_on_order_names_or_exclusions(self):
        here = fingerprint(RUNS)
        assert Fingerprint.read(str(here)) == here
        shuffled = RUNS.sample(frac=1, random_state=1).assign(name="", run_id="", excluded=True, extra="")
        assert fingerprint(shuffled) == here
        assert here.difference(fingerprint(shuffled)) == ""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda r: r.head(len(r) - 1), f"it was made with {len(RUNS):,} runs, here are {len(RUNS) - 1:,}"),
            (lambda r: r.assign(tokens=r["tokens"] * (1 + 1e-15)), "their sizes, tokens or FLOPs differ"),
            (lambda r: r.assign(n_total=np.nan), "their sizes, tokens or FLOPs differ"),
            (
                lambda r: r.assign(loss=r["loss"].sample(frac=1, random_state=3).to_numpy()),
                "same sizes and tokens, but other losses",
            ),
        ],
    )
    def test_it_says_what_differs(self, change, words):
        assert words in fingerprint(RUNS).difference(fingerprint(change(RUNS)))

    def test_one_digit_of_one_loss_changes_it(self):
        other = RUNS.copy()
        other.loc[5, "loss"] = np.nextafter(other.loc[5, "loss"], 10)
        assert fingerprint(other).sizes == fingerprint(RUNS).sizes
        assert fingerprint(other).losses != fingerprint(RUNS).losses

    def test_it_is_the_same_in_another_process(self):
        code = "import lawlib; from lawlib.runs.selection import fingerprint\nwith lawlib.open_store(workspace=':memory:') as s: print(fingerprint(s.runs('marin-moe-v16')))"
        done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
        assert done.stdout.strip() == "47-" + done.stdout.strip()[3:]
        import lawlib

        with lawlib.open_store(workspace=":memory:") as store:
            assert done.stdout.strip() == str(fingerprint(store.runs("marin-moe-v16")))

    def test_no_runs_have_one_too(self):
        assert str(fingerprint(RUNS.head(0))) == "0-00000000-00000000"
