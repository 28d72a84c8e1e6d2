"""The Fine-grained at scale page run from app.py: two groups of runs compared, with laws and benchmarks beside."""

import re

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib.ingest import build, detect, open_table
from lawlib.runs.selection import content_hashes
from tests.support import planted
from tests.support.pages import answer, captions, clean, figure, open_page

SPEED = r"\*\*([\d.]+)x\*\* \[([\d.]+)x, ([\d.]+)x\]"


@pytest.fixture
def swept():
    """A SIMULATED sweep in the workspace: its runs."""
    runs, curves = planted.sweep()
    with lawlib.open_store() as store:
        store.add(runs, "sim", title="Simulated sweep", kind="simulated", curves=curves)
    return runs


def planted_speedup(n, d, a, b):
    """Tokens of (E, G) = a over those of b at a's loss after d tokens, by the planted law."""
    law, p = planted.joint_granular, planted.PARAMS["joint_granular"]
    grid = np.geomspace(d / 100, d * 100, 20_001)
    return d / np.interp(-law(p, n, d, a[1], a[0]), -law(p, n, grid, b[1], b[0]), grid)


def test_a_sweep_is_compared_by_granularity_and_says_that_it_is_simulated(swept):
    at = open_page("fine_grained", dataset="sim", basis="finished")
    line = answer(at)
    assert line.startswith("To the lowest loss that both reach, **G = 8** is ")
    value, low, high = map(float, re.search(SPEED, line).groups())
    truth = np.exp(np.mean([np.log(planted_speedup(n, 1e9, (8, 1), (8, 8))) for n in (1e6, 3e6, 1e7)]))
    assert low < truth < high
    assert value == pytest.approx(truth, rel=0.1)
    assert "(3 pairs of curves, 3 sizes)" in line
    assert "SIMULATED runs, not measured ones" in captions(at)
    assert "every loss comes after a whole learning-rate schedule" in captions(at)
    runs = swept.query("expansion == 8 and seed == 0").pivot(index=["n_active", "tokens"], columns="granularity", values="loss")
    gain = float(re.search(r"final loss is \*\*([\d.]+) nats\*\*", line)[1])
    assert gain == pytest.approx((runs[1.0] - runs[8.0]).mean(), rel=0.03)
    assert "Repeats of 9 configurations (18 runs) differ by 0.0" in captions(at)
    predicted = captions(at)
    fitted = float(re.search(r"Joint fine-grained MoE, fitted: \+([\d.]+) nats", predicted)[1])
    assert fitted == pytest.approx(gain, rel=0.05)
    assert "Krajewski 2024, E = 16: +" in predicted
    assert "C4, in nats per GPT-2 token: other data" in predicted
    assert len(figure(at, "gain")["data"]) == 3


def test_training_curves_are_the_other_basis_and_say_that_they_are_read_in_mid_schedule(swept):
    at = open_page("fine_grained", dataset="sim", by="G", side_b="4")
    assert "**G = 4**" in answer(at)
    assert "(10 pairs of runs, 3 sizes)" in answer(at)
    assert "planned for fewer tokens it would be faster still" in captions(at)
    assert len(figure(at, "progress")["data"]) == 3
    before = answer(at)
    clean(at.button_group(key="w_basis").set_value("finished").run())
    assert answer(at) != before
    assert "pairs of curves" in answer(at)


def test_runs_planned_for_different_tokens_are_compared_when_finished_and_marked_in_mid_curve():
    """Every run of b is planned for 1.5 times the tokens of a: the page takes finished runs and warns of curves."""
    runs, curves = planted.sweep()
    keep = (runs["seed"] == 0) & (runs["expansion"] == 8) & runs["granularity"].isin([1, 8])
    runs = runs[keep].reset_index(drop=True)
    fine = runs["granularity"] == 8
    runs.loc[fine, ["tokens", "flops"]] *= 1.5
    curves = curves[curves["run_id"].isin(runs["run_id"])]
    with lawlib.open_store() as store:
        store.add(runs, "sim", kind="simulated", curves=curves)
    at = open_page("fine_grained", dataset="sim")
    assert "pairs of curves" in answer(at)
    at = open_page("fine_grained", dataset="sim", basis="curves")
    assert "9 of 9 pairs were planned for different token counts" in captions(at)
    assert "not like for like in mid-training" in captions(at)


def test_dense_runs_against_moe_and_a_choice_of_hand_picked_runs(swept):
    at = open_page("fine_grained", dataset="sim", by="arch")
    assert "**MoE** is " in answer(at)
    assert "as fast as **dense**" in answer(at)
    assert figure(at, "pair")["data"][0]["line"]["color"] == lawlib.figures.LIGHT.dense
    clean(at.button_group(key="w_by").set_value("hand").run())
    assert "Choose at least one run for each side" in captions(at)
    with lawlib.open_store() as store:
        stored = store.runs("sim")
    hashes = dict(zip(stored["name"], content_hashes(stored), strict=True))
    assert at.multiselect(key="w_hand_a").options[0].startswith("n1e+06 d1e+08 E1 G1 s0 · N 1M · D 100M · E 1 · G 1")
    clean(at.multiselect(key="w_hand_a").set_value([hashes["n1e+07 d1e+09 E1 G1 s0"]]).run())
    clean(at.multiselect(key="w_hand_b").set_value([hashes["n1e+07 d1e+09 E32 G1 s0"]]).run())
    line = answer(at)
    assert "**b \\(1 run\\)** is" in line
    gain = swept.set_index("name")["loss"]
    expected = gain["n1e+07 d1e+09 E1 G1 s0"] - gain["n1e+07 d1e+09 E32 G1 s0"]
    assert f"final loss is **{expected:.3f} nats** lower (1 pair of runs, 1 size)" in line
    assert "No interval: it needs at least two pairs" in captions(at)


def test_runs_without_two_groups_get_what_is_published_marked_as_from_a_secondary_source():
    at = open_page("fine_grained")
    line = answer(at)
    assert "**0.050 nats** at 11B, 1xFLOPs; **0.023 nats** at 56B, 2xFLOPs (secondary source)" in line
    assert float(re.search(r"predicts \*\*([\d.]+) nats\*\* at 10B", line)[1]) == pytest.approx(0.059, abs=0.001)
    assert "it needs runs of one size at two granularities" in captions(at)
    table = at.dataframe[-1].value
    assert table["loss"].tolist() == [2.233, 2.183, 1.780, 1.757]
    assert table["benchmark_mean"].tolist() == [48.4, 50.6, 58.8, 60.5]
    assert "from one secondary summary" in captions(at)


def test_uploaded_benchmarks_are_kept_and_compared_pair_by_pair(swept):
    at = open_page("fine_grained", dataset="sim")
    pair = ["n1e+07 d1e+09 E8 G1 s0", "n1e+07 d1e+09 E8 G8 s0"]
    rows = [(r, f"task {i}", "acc", 50 + i + 2 * (r == pair[1]) + 0.1 * i * (r == pair[1])) for r in pair for i in range(5)]
    rows.append(("nobody", "task 1", "acc", 1.0))
    csv = pd.DataFrame(rows, columns=["run", "benchmark", "metric", "value"]).to_csv(index=False)
    clean(at.file_uploader[0].set_value(("results.csv", csv.encode(), "text/csv")).run())
    assert any("1 result cannot be taken and is left out" in m.value for m in at.markdown)
    clean(at.button(key="keep_evaluations").click().run())
    said = "\n".join(m.value for m in at.markdown)
    assert "Over **5** benchmarks **G = 8** averages **54.2** in acc and **G = 1** **52**: a difference of **+2.2**" in said
    assert "paired bootstrap over benchmarks (10,000 draws of 5)" in captions(at)
    assert len(figure(at, "benchmarks")["data"]) == 7
    clean(at.button(key="forget_evaluations").click().run())
    with lawlib.open_store() as store:
        assert store.evaluations("sim").empty


def test_clark_s_dense_runs_against_64_experts(test_data):
    table = open_table(test_data / "clark2022_curves.csv.gz", "clark2022_curves.csv.gz")
    found = build(table, detect(table))
    with lawlib.open_store() as store:
        store.add(found.runs, "clark", curves=found.curves)
    at = open_page("fine_grained", dataset="clark")
    line = answer(at)
    assert "**E = 64** is " in line
    value, low, high = map(float, re.search(SPEED, line).groups())
    assert (value, low, high) == pytest.approx((7.75, 4.82, 12.5), abs=0.02)
    assert "(36 pairs of runs, 6 sizes)" in line
    assert "All pairs were planned for the same number of tokens" in captions(at)
    assert "Repeats of 1 configuration (3 runs)" in captions(at)
    assert re.search(r"predicted for the same pairs: Routed \(unified\), fitted: \+0\.2\d\d nats", captions(at))


@pytest.mark.parametrize(
    "query",
    [
        {"by": "nope", "side_a": "x", "side_b": "1", "along": "miles", "basis": "maybe", "law_f": "joint", "metric": "acc"},
        {"by": "hand", "hand_a": "zzz", "hand_b": "0123456789abcdef"},
        {"by": "E", "side_a": "32", "side_b": "32", "along": "step", "basis": "finished"},
    ],
)
def test_a_link_with_bad_values_opens_the_page(swept, query):
    assert answer(open_page("fine_grained", dataset="sim", **query))
