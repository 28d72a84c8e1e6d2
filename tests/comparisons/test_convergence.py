"""Speed-ups between training curves: planted power laws whose speed-up is known in closed form, matching, intervals."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

import lawlib
from lawlib.comparisons.convergence import (
    ALONG,
    along_training,
    envelope,
    finished_curves,
    mean_difference,
    mean_ratio,
    predicted_gain,
    predicted_speedup,
    speedups,
)
from lawlib.comparisons.pairing import HELD, pair_runs
from lawlib.ingest import build, detect, open_table
from lawlib.runs.canonical import as_runs
from tests.support.planted import fine_grained

FLOOR = 1.7


def curve(run, b, beta, start=1e8, end=2e10, n=40, floor=FLOOR, flops_per_token=6e8, noise=0.0, seed=0):
    """A run whose loss is floor + b / tokens^beta, at points evenly spaced in ln tokens; 1e6 tokens a step."""
    tokens = np.geomspace(start, end, n)
    loss = floor + b * tokens**-beta * np.exp(noise * np.random.default_rng(seed).normal(size=n))
    return pd.DataFrame({"run_id": run, "step": tokens / 1e6, "tokens": tokens, "flops": flops_per_token * tokens, "loss": loss})


def pair_of(*names):
    return pd.DataFrame({"a": list(names[::2]), "b": list(names[1::2])})


class TestAgainstClosedForms:
    def test_equal_exponents_give_the_same_speed_up_at_every_loss(self):
        both = pd.concat([curve("a", 300, 0.25), curve("b", 240, 0.25, flops_per_token=9e8)])
        found = speedups(pair_of("a", "b"), both)
        tokens = (300 / 240) ** (1 / 0.25)
        assert np.allclose(found.points["tokens"], tokens, rtol=2e-3)
        assert np.allclose(found.points["step"], tokens, rtol=2e-3)
        assert np.allclose(found.points["flops"], tokens * 6 / 9, rtol=2e-3)
        assert len(found.crossings) == 0

    def test_different_exponents_give_the_closed_form_along_the_curve_and_its_crossing(self):
        both = pd.concat([curve("a", 300, 0.25), curve("b", 1500, 0.32)])
        found = speedups(pair_of("a", "b"), both)
        left = found.points["loss"] - FLOOR
        expected = (300 / left) ** (1 / 0.25) / (1500 / left) ** (1 / 0.32)
        assert np.allclose(found.points["tokens"], expected, rtol=3e-3)
        crossing = (1500 / 300) ** (1 / (0.32 - 0.25))
        assert 1e8 < crossing < 2e10
        assert found.crossings["tokens"].tolist() == pytest.approx([crossing], rel=5e-3)
        assert found.crossings["loss"].tolist() == pytest.approx([FLOOR + 300 * crossing**-0.25], rel=1e-4)

    def test_the_last_speed_up_is_at_the_lowest_loss_that_both_reach(self):
        both = pd.concat([curve("a", 300, 0.25), curve("b", 240, 0.25, end=4e9)])
        found = speedups(pair_of("a", "b"), both)
        assert found.pairs["level"].iloc[0] == pytest.approx(FLOOR + 240 * 4e9**-0.25)
        assert found.points["loss"].min() == found.pairs["level"].iloc[0]
        assert found.pairs["tokens"].iloc[0] == pytest.approx((300 / 240) ** 4, rel=2e-3)

    def test_exchanging_the_two_inverts_the_speed_up(self):
        both = pd.concat([curve("a", 300, 0.25, noise=0.01), curve("b", 700, 0.3, noise=0.01, seed=1)])
        found = speedups(pair_of("a", "b", "b", "a"), both).pairs
        for x in ALONG:
            assert found[x][0] * found[x][1] == pytest.approx(1.0, rel=1e-12)

    def test_noise_does_not_bias_the_speed_up(self):
        many = [(f"a{i}", f"b{i}") for i in range(60)]
        frames = [curve(a, 300, 0.25, noise=0.01, seed=i) for i, (a, _) in enumerate(many)]
        frames += [curve(b, 240, 0.25, noise=0.01, n=160, seed=900 + i) for i, (_, b) in enumerate(many)]
        found = speedups(pair_of(*sum(many, ())), pd.concat(frames))
        middle = found.points[found.points["progress"].between(0.2, 0.8)].groupby("pair")["tokens"].mean()
        assert mean_ratio(middle, middle.index).value == pytest.approx((300 / 240) ** 4, rel=0.02)


class TestWhatCannotBeCompared:
    def test_curves_without_a_common_loss_have_no_speed_up_and_say_why(self):
        both = pd.concat([curve("a", 300, 0.25), curve("b", 20, 0.25)])
        found = speedups(pair_of("a", "b"), both)
        assert found.points.empty
        assert np.isnan(found.pairs["tokens"].iloc[0])
        assert found.pairs["why"].iloc[0] == "b is below the other's last loss at its first point"

    def test_a_run_without_a_curve(self):
        found = speedups(pair_of("a", "gone"), curve("a", 300, 0.25))
        assert found.pairs["why"].tolist() == ["no curve"]

    def test_no_pairs_at_all(self):
        found = speedups(pair_of(), curve("a", 300, 0.25))
        assert found.pairs.empty
        assert found.points.empty
        assert along_training(found).empty

    def test_points_at_step_0_and_without_a_loss_are_left_out(self):
        holes = curve("a", 300, 0.25)
        holes.loc[3, "loss"] = np.nan
        start = holes.iloc[:1].assign(step=0.0, tokens=0.0, flops=0.0, loss=11.0)
        assert np.array_equal(envelope(pd.concat([start, holes])).losses, holes["loss"].dropna().to_numpy())

    def test_a_curve_with_steps_alone_is_compared_by_steps(self):
        both = pd.concat([curve("a", 300, 0.25), curve("b", 240, 0.25)]).assign(tokens=np.nan, flops=np.nan)
        found = speedups(pair_of("a", "b"), both).pairs.iloc[0]
        assert found["step"] == pytest.approx((300 / 240) ** 4, rel=2e-3)
        assert np.isnan(found["tokens"])
        assert np.isnan(found["flops"])


def test_pooled_points_keep_the_mean_of_the_curve():
    bumpy = curve("a", 300, 0.25)
    bumpy.loc[[10, 11], "loss"] = bumpy.loc[[11, 10], "loss"].to_numpy()  # exchanged: two violators
    fitted = envelope(bumpy)
    assert len(fitted.losses) == len(bumpy) - 1
    assert fitted.losses[10] == pytest.approx(bumpy["loss"][[10, 11]].mean())
    assert np.exp(fitted.log_x[10, 0]) == pytest.approx(np.sqrt(bumpy["tokens"][10] * bumpy["tokens"][11]))


# Means and intervals


def test_the_mean_of_ratios_is_student_s_between_clusters():
    ratios = np.array([2.0, 4.0, 3.0, np.nan, 6.0])
    found = mean_ratio(ratios, ["p", "p", "q", "q", "r"])
    logs = np.log([np.sqrt(8.0), 3.0, 6.0])
    half = student.ppf(0.975, 2) * logs.std(ddof=1) / np.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx(tuple(np.exp(logs.mean() + np.array([0, -half, half]))))
    assert (found.n_pairs, found.n_clusters) == (4, 3)


def test_one_cluster_has_no_interval():
    found = mean_difference([0.1, 0.2], ["p", "p"])
    assert found.value == pytest.approx(0.15)
    assert np.isnan(found.low)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        found = mean_ratio(np.exp(0.7 + 0.3 * rng.normal(size=5)), range(5))
        hits += found.low < np.exp(0.7) < found.high
    assert 0.92 < hits / 400 < 0.98


def test_the_mean_along_training_is_the_planted_one():
    frames = [curve(f"a{i}", 300 + 20 * i, 0.25) for i in range(4)] + [curve(f"b{i}", 240 + 16 * i, 0.25) for i in range(4)]
    found = speedups(pair_of(*(f"{s}{i}" for i in range(4) for s in "ab")), pd.concat(frames))
    table = along_training(found)
    assert np.allclose(table["value"], (300 / 240) ** 4, rtol=3e-3)
    assert table["progress"].iloc[-1] == 1.0
    assert (table["n_pairs"].iloc[-1], len(table)) == (4, len(table.dropna()))


# Matching


def runs(**columns):
    n = len(next(iter(columns.values())))
    base = {"name": [f"r{i}" for i in range(n)], "arch": "moe", "n_active": 1e8, "tokens": 1e10, "flops": 6e18, "loss": 3.0}
    base |= {"loss_name": "loss", "granularity": 1.0, "expansion": 8.0, "n_experts": 8.0, "top_k": 1.0, "seed": 0.0}
    return as_runs(pd.DataFrame(base | columns))


def matched(table, a, b, held):
    """(index in a, index in b) of every pair."""
    ids = table["run_id"]
    found = pair_runs(table, ids.iloc[a], ids.iloc[b], held)
    place = {run: i for i, run in enumerate(ids)}
    return list(zip(found["a"].map(place), found["b"].map(place), strict=True)), found


def test_pairs_have_one_size_one_e_and_the_nearest_tokens():
    table = runs(
        n_active=[1e8, 1e8, 3e8, 1e8, 3e8, 9e8],
        tokens=[1e10, 4e10, 1e10, 3e10, 1e10, 1e10],
        granularity=[1, 1, 1, 8, 8, 8],
    )
    pairs, found = matched(table, [0, 1, 2], [3, 4, 5], HELD["G"])
    assert pairs == [(1, 3), (2, 4)]
    assert found["same_schedule"].tolist() == [False, True]


def test_another_expansion_is_no_partner_in_granularity():
    table = runs(granularity=[1, 8], expansion=[8, 16])
    assert matched(table, [0], [1], HELD["G"])[0] == []
    assert matched(table, [0], [1], HELD["hand"])[0] == [(0, 1)]


def test_a_dense_run_is_a_partner_at_any_granularity():
    table = runs(arch=["dense", "moe", "moe"], granularity=[1, 1, 4], expansion=[1, 8, 8])
    assert matched(table, [0], [1, 2], HELD["E"])[0] == [(0, 1), (0, 2)]


def test_top_2_meets_the_dense_run_of_its_compute():
    table = runs(arch=["dense", "dense", "moe"], flops=[6e18, 9e18, 9.1e18], expansion=[1, 1, 64], top_k=[1, 1, 2])
    assert matched(table, [0, 1], [2], HELD["E"])[0] == [(1, 2)]


def test_ties_go_to_the_same_settings_and_then_to_the_same_seed():
    extra = [json.dumps({"router": r}) for r in ("hash", "topk", "topk", "topk", "topk")]
    table = runs(granularity=[1, 1, 1, 8, 8], seed=[1, 1, 2, 1, 2], extra=extra)
    assert matched(table, [0, 1, 2], [3, 4], HELD["G"])[0] == [(1, 3), (2, 4)]


def test_another_loss_and_excluded_runs_are_no_partners():
    table = runs(granularity=[1, 1, 8], loss_name=["loss", "other", "other"])
    assert matched(table, [0], [2], HELD["G"])[0] == []
    table["excluded"] = [False, True, False]
    assert matched(table, [1], [2], HELD["G"])[0] == []


# Finished runs


def test_finished_runs_of_one_configuration_are_one_curve():
    """Every run with its own schedule: final losses on planted laws give the planted speed-up."""
    d = np.geomspace(1e9, 1.6e10, 5)
    table = runs(
        n_active=[1e8] * 10,
        tokens=[*d, *d],
        flops=[*(6e8 * d), *(7e8 * d)],
        granularity=[1] * 5 + [8] * 5,
        loss=[*(FLOOR + 300 * d**-0.25), *(FLOOR + 270 * d**-0.25)],
    )
    groups = {run: "ab"[i // 5] for i, run in enumerate(table["run_id"])}
    frames, points = finished_curves(table, groups)
    assert frames["granularity"].tolist() == [1, 8]
    assert len(points) == 10
    pairs = pair_runs(frames, frames["run_id"][:1], frames["run_id"][1:], HELD["G"])
    found = speedups(pairs, points).pairs.iloc[0]
    assert found["tokens"] == pytest.approx((300 / 270) ** 4, rel=0.01)
    assert found["flops"] == pytest.approx((300 / 270) ** 4 * 6 / 7, rel=0.01)
    assert np.isnan(found["step"])


def test_repeats_at_one_number_of_tokens_are_averaged():
    table = runs(loss=[3.0, 3.1, 2.9], seed=[1, 2, 1], tokens=[1e10, 1.001e10, 2e10])
    _, points = finished_curves(table, dict.fromkeys(table["run_id"], "a"))
    assert points["loss"].tolist() == pytest.approx([3.05, 2.9])


# Laws


def test_krajewski_s_law_at_e_16_predicts_what_the_reference_figures_say():
    """papers: 0.058 nats from G = 1 to G = 8 at 11B total parameters, 0.048 at 56B."""
    law = lawlib.published("krajewski2024-moe-e16")
    one = pd.DataFrame({"n_total": [11e9, 56e9], "tokens": 1e11, "granularity": 1.0, "expansion": 8.0})
    assert predicted_gain(law, one, one.assign(granularity=8.0)) == pytest.approx([0.058, 0.048], abs=6e-4)


def test_the_predicted_speed_up_reaches_the_loss_by_the_law_as_written_in_the_paper():
    law = lawlib.published("krajewski2024-moe-e16")
    one = pd.DataFrame({"n_total": [1e9, 1e10], "tokens": [2e10, 1e11], "granularity": 1.0, "expansion": 16.0})
    ratio = predicted_speedup(law, one, one.assign(granularity=8.0))
    p = law.params
    fine = fine_grained(p, one["n_total"], one["tokens"] / ratio, 8.0, 16.0)
    coarse = fine_grained(p, one["n_total"], one["tokens"], 1.0, 16.0)
    assert fine.to_numpy() == pytest.approx(coarse.to_numpy(), rel=1e-9)
    assert (ratio > 1).all()


def test_a_law_without_tokens_predicts_no_speed_up_and_a_hopeless_run_a_ratio_of_0():
    one = pd.DataFrame({"n_active": [1e8], "n_total": 1e8, "tokens": 1e10, "granularity": 1.0, "expansion": 8.0})
    assert np.isnan(predicted_speedup(lawlib.published("clark2022-sbase"), one, one)).all()
    tiny = one.assign(n_total=1e4)
    assert predicted_speedup(lawlib.published("krajewski2024-moe-e16"), one, tiny).tolist() == [0.0]


# Real curves


def test_clark_s_routed_runs_learn_faster_than_dense_ones_and_less_so_when_large(test_data):
    table = open_table(test_data / "clark2022_curves.csv.gz", "clark2022_curves.csv.gz")
    found = build(table, detect(table))
    runs = found.runs
    curves = found.curves[found.curves["split"] == "loss_validation"]
    dense = runs.loc[runs["arch"] == "dense", "run_id"]
    means = {}
    for e in (8, 64):
        pairs = pair_runs(runs, dense, runs.loc[runs["expansion"] == e, "run_id"], HELD["E"])
        assert (pairs["flops_per_token"].sub(1).abs() < 0.02).all()  # k = 2, 4 met the dense runs of flop_increase 2, 4
        assert pairs["same_schedule"].all()
        result = speedups(pairs, curves).pairs
        assert result["tokens"].notna().all()
        assert (result["tokens"] > 1).all()
        by_size = result.groupby(result["n_active"].round(-6))["tokens"].mean()
        assert by_size.iloc[0] > by_size.iloc[-1] > 1
        means[e] = mean_ratio(result["tokens"], result["a"]).value
    assert means[64] > means[8] > 2
