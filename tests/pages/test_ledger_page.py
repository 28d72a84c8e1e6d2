"""Marks on the Runs page: counted and explained, marked runs left out with the mark's reason, restarts joined, curves compared."""

import numpy as np
import pandas as pd
import pytest

import lawlib
from tests.support.logs import attempts, log, runs_of
from tests.support.pages import answer, captions, clean, figure, open_page


@pytest.fixture
def mine():
    """Three attempts at one run, another seed, one in flight, and a duplicate of it, in the workspace."""
    runs, curves = attempts()
    more = runs_of(name=["half", "half"], loss=[2.6, 2.6], tokens=[5e5, 5e5], status=["running", "running"])
    more["run_id"] = ["h0", "h1"]
    steps = np.arange(10, 501, 10)
    half = [log(run, steps, 2.0 + 30 * (steps * 1000.0) ** -0.3) for run in ("h0", "h1")]
    with lawlib.open_store() as store:
        store.add(pd.concat([runs, more]), dataset="mine", title="Mine", curves=pd.concat([curves, *half]))


@pytest.mark.usefixtures("mine")
def test_marks_are_counted_told_and_change_nothing():
    at = open_page("runs", dataset="mine")
    assert "**6 of 6 selected runs** count" in answer(at)
    assert "2 in flight" in captions(at)
    assert "1 duplicate" in captions(at)
    assert "3 restart" in captions(at)
    (table,) = [t.value for t in at.dataframe if "why" in t.value]
    assert table.loc[table["mark"] == "restart", "why"].str.contains("attempt").all()
    (runs,) = [t.value for t in at.dataframe if "run_id" not in t.value and "mark" in t.value and "why" not in t.value]
    assert (runs["mark"] != "").sum() == len(table)


@pytest.mark.usefixtures("mine")
def test_runs_of_a_mark_are_left_out_with_its_reason():
    at = open_page("runs", dataset="mine")
    clean(at.selectbox(key="mark_kind").select("duplicate").run())
    clean(at.button(key="leave_marked").click().run())
    assert "**5 of 6 selected runs** count" in answer(at)
    with lawlib.open_store() as store:
        left = store.runs("mine").query("excluded")
    assert left["exclude_reason"].str.contains("duplicate: as").all()


@pytest.mark.usefixtures("mine")
def test_restarts_are_made_one_run_in_a_data_set_of_their_own():
    at = open_page("runs", dataset="mine")
    clean(at.button(key="stitch").click().run())
    assert at.selectbox(key="w_dataset").value == "mine-stitched"
    with lawlib.open_store() as store:
        whole, before = store.runs("mine-stitched"), store.runs("mine")
        curve = store.curves("mine-stitched", whole.query("name == 'm' and seed == 1")["run_id"].tolist())
    assert len(before) == 6
    assert len(whole) == 4
    assert curve["step"].tolist() == list(range(10, 1001, 10))
    assert curve["tokens"].iloc[-1] == pytest.approx(1e6)


@pytest.mark.usefixtures("mine")
def test_unfinished_curves_are_forecast_and_losses_compared_at_equal_tokens():
    at = open_page("runs", dataset="mine")
    clean(at.selectbox(key="curves_x").select("tokens").run())
    traces = figure(at, "curves")["data"]
    assert sum(t.get("line", {}).get("dash") == "dash" for t in traces) == 2
    assert "power law in tokens" in captions(at)
    assert any("At equal tokens: 400K" in m.value for m in at.markdown)
    clean(at.select_slider(key="curves_smooth").set_value(0.05).run())
    assert len(figure(at, "curves")["data"]) == len(traces)


def test_every_run_says_what_the_optimum_would_be_without_it():
    at = open_page("runs")
    (runs,) = [t.value for t in at.dataframe if "pull" in t.value]
    assert runs["pull"].notna().all()
    with lawlib.open_store() as store:
        found = store.runs("marin-moe-v16")
    law = lawlib.fit(found, "chinchilla")
    pulls = lawlib.pulls(law, 1e22).set_index("run_id")["n_pull"]
    assert runs["pull"].to_numpy() == pytest.approx(100 * np.expm1(found["run_id"].map(pulls).to_numpy()), abs=0.02)
