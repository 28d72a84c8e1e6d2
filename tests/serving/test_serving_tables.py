"""The frames of the Serving page, its figures, calibration, and released models beside the laws."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import figures, numbers, serving
from lawlib.numerics.percentiles import central
from lawlib.optimum.released import placed
from lawlib.serving import tables
from lawlib.serving.calibration import calibrate
from tests.support.planted import grid
from tests.support.throughput import measured

LAW = lawlib.published("ludziejewski2025")
SERVER = serving.Server(serving.Machine(serving.gpu("H100 SXM"), compute=0.5, bandwidth=0.7), serving.Workload(1024, 256, 256))
Q = tables.Question(LAW, SERVER, 1e22, 16.0)
SAMPLES = LAW.rounding(20)
EARLIER = serving.answer(dataclasses.replace(Q, expansion=10.0), 1e12, SAMPLES), serving.answer(Q, 1e12, SAMPLES)


@pytest.mark.parametrize(
    ("change", "served", "samples"),
    [
        ({}, 3e11, SAMPLES),
        ({}, float(tables.SERVED[7]), SAMPLES),
        ({"expansion": 8.0}, 1e12, SAMPLES),
        ({"expansion": 8.0}, 3e11, SAMPLES),
        ({"expansion": 12.0}, 1e12, SAMPLES),
        ({"expansion": 12.0, "budget": 3e22}, 1e12, SAMPLES),
        ({"budget": 3e22}, 1e12, SAMPLES),
        ({"reference": 4.0}, 1e12, SAMPLES),
        ({"reference": 5.0}, 1e12, SAMPLES),
        ({"utilisation": 0.3}, 1e12, SAMPLES),
        ({"server": serving.Server(SERVER.machine, serving.Workload(512, 256, 256))}, 1e12, SAMPLES),
        ({"server": serving.Server(serving.Machine(serving.gpu("H100 SXM"), compute=0.4), SERVER.work)}, 1e12, SAMPLES),
        ({"law": dataclasses.replace(LAW, theta=LAW.theta * 0.999)}, 1e12, SAMPLES),
        ({}, 1e12, LAW.rounding(30)),
        ({}, 1e12, None),
    ],
)
@pytest.mark.parametrize("earlier", EARLIER, ids=["E = 10", "E = 16"])
def test_what_is_taken_from_an_earlier_answer_is_what_would_come_out_anew(change, served, samples, earlier):
    """`earlier` holds another question's tables: every one that the change reaches is worked out again."""
    q = dataclasses.replace(Q, **change)
    again, anew = serving.answer(q, served, samples, earlier), serving.answer(q, served, samples)
    for name in ("optima", "equal_loss", "equal_cost", "sizes", "at_loss", "lifetimes", "configurations"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(anew, name), rtol=1e-12)
    assert again.loss == anew.loss
    assert again.interval == anew.interval
    assert (again.question, again.served) == (q, served)


def test_the_region_is_better_and_cheaper_than_the_reference():
    """Its ends are the sizes of Algorithms 1 and 2."""
    sizes, optima = tables.size_curves(Q), tables.optima_table(Q).set_index("expansion")
    part = sizes[(sizes["expansion"] == 16) & sizes["better"] & sizes["cheaper"]]
    assert (part["loss"] <= optima.loc[1, "loss"]).all()
    assert (part["gpu_hours"] <= optima.loc[1, "gpu_hours"]).all()
    same, cost = (tables.algorithm_table(Q, k).set_index("expansion").loc[16] for k in ("equal loss", "equal cost"))
    assert same["n_active"] <= part["n_active"].min()
    assert part["n_active"].max() <= cost["n_active"] * (1 + 1e-9)
    assert same["loss"] == pytest.approx(optima.loc[1, "loss"], rel=1e-9)
    assert cost["cost_ratio"] == pytest.approx(1, rel=1e-6)
    assert cost["gain"] == pytest.approx(optima.loc[1, "loss"] - cost["loss"], rel=1e-9)


@pytest.mark.parametrize("kind", ["equal loss", "equal cost"])
def test_intervals_hold_the_point(kind):
    frame = tables.algorithm_table(Q, kind, SAMPLES)
    for column in ("n_active", "shrink", "gpu_hours"):
        good = frame[np.isfinite(frame[column])]
        slack = 1e-6 * good[column]
        assert (good[f"{column}_low"] <= good[column] + slack).all()
        assert (good[column] <= good[f"{column}_high"] + slack).all()
    with pytest.raises(ValueError, match="kind must be"):
        tables.algorithm_table(Q, "equal size")


def test_price_intervals_are_those_of_the_samples_prices():
    """A price rises with size, so its interval is the price at the ends of the sizes'; here each sample is priced."""
    samples = LAW.rounding(400)
    frame = tables.optima_table(Q, samples)
    e = frame["expansion"].to_numpy()
    u = np.log(lawlib.compute_optimal(samples.law, np.full(len(e), Q.budget), e).n_active)
    low, high = central(SERVER.price(LAW)(u, e, np.asarray(np.nan)), 0.95)
    np.testing.assert_allclose(frame["gpu_hours_low"], low, rtol=1e-3)
    np.testing.assert_allclose(frame["gpu_hours_high"], high, rtol=1e-3)
    same = tables.algorithm_table(Q, "equal loss", samples)
    reference = SERVER.price(LAW)(u[:, [0]], np.asarray([1.0]), np.asarray([np.nan]))
    found = serving.bounded_loss(samples.law, Q.budget, e, 1.0)
    low, high = central(SERVER.price(LAW)(np.log(found.n_active), e, np.asarray(np.nan)) / reference, 0.95)
    np.testing.assert_allclose(same["cost_ratio_low"], low, rtol=1e-6)
    np.testing.assert_allclose(same["cost_ratio_high"], high, rtol=1e-6)


def test_a_question_knows_the_optima_of_its_own_expansions_alone():
    found = Q.optima(LAW)
    assert Q.optima(LAW) is found
    np.testing.assert_allclose(np.exp(found.of([16.0, 1.0]).u), lawlib.compute_optimal(LAW, Q.budget, [16.0, 1.0]).n_active)
    with pytest.raises(ValueError, match="asked for"):
        found.of(3.0)


def test_models_of_one_loss_have_that_loss():
    frame = tables.equal_loss_curves(Q, 2.1)
    found = LAW.loss(frame["n_active"], frame["tokens"], expansion=frame["expansion"])
    np.testing.assert_allclose(found, 2.1, rtol=1e-9)
    fewest = frame.groupby("expansion")["flops"].idxmin()
    assert frame.loc[fewest, "optimal"].all()


def test_configurations_are_sorted_and_their_best_is_the_curves_best():
    served = float(tables.SERVED[20])
    table, curves = tables.configurations(Q, 2.1, served), tables.lifetime_curves(Q, 2.1)
    assert table["total"].is_monotonic_increasing
    best = curves[curves["best"] & np.isclose(curves["served"], served)].iloc[0]
    assert table.iloc[0]["expansion"] == best["expansion"]
    assert table.iloc[0]["total"] == pytest.approx(best["total"], rel=1e-9)
    assert curves["ratio"].min() == 1


def test_a_law_with_granularity_is_served_at_one_g():
    fit = lawlib.fit(grid("joint_granular"), "joint_granular")
    q = tables.Question(fit, SERVER, 1e21, 8.0, granularity=4.0)
    assert np.isfinite(tables.optima_table(q)["loss"]).all()
    assert np.isfinite(tables.lifetime_curves(q, float(tables.optima_table(q)["loss"].iloc[2]))["total"]).any()


@pytest.mark.parametrize("style", [figures.LIGHT, figures.DARK], ids=["light", "dark"])
def test_figures_draw_what_the_tables_hold(style):
    sizes, optima = tables.size_curves(Q, SAMPLES), tables.optima_table(Q)
    picks = pd.concat(
        [tables.algorithm_table(Q, k).query("expansion == 16").assign(kind=k) for k in ("equal loss", "equal cost")]
    )
    fig = figures.trilemma_figure(sizes, optima, picks, style, 2.5, 16.0, 1.0)
    lines = {t.name: t for t in fig.data if t.mode == "lines"}
    assert list(lines) == ["dense", "E = 2", "E = 4", "E = 8", "E = 16", "E = 32", "E = 64"]
    part = sizes[(sizes["expansion"] == 16) & np.isfinite(sizes["gpu_hours"])]
    np.testing.assert_allclose(lines["E = 16"].x, part["gpu_hours"] * 2.5)
    assert lines["E = 16"].line.color == style.accent
    assert {t.name for t in fig.data} >= {"equal loss", "equal cost"}
    loss = float(optima.query("expansion == 16")["loss"].iloc[0])
    at_loss = tables.equal_loss_curves(Q, loss)
    *lines, dots = figures.equal_loss_figure(at_loss, style, 2.5, 16.0).data
    assert [t.name for t in lines] == ["dense", "E = 2", "E = 4", "E = 8", "E = 16", "E = 32", "E = 64"]
    fewest = at_loss[at_loss["optimal"]].sort_values("expansion")
    np.testing.assert_allclose(dots.x, fewest["flops"])
    np.testing.assert_allclose(dots.y, fewest["serve"] * 2.5)
    assert [t.line.color for t in lines] == list(dots.marker.color)
    over = figures.over_training_figure(sizes, style, 2.5, 16.0, (1e9, 1e10), "95 %")
    assert over.layout.shapes[0].x0 == 1e9
    assert any(t.yaxis == "y2" for t in over.data)
    curves = tables.lifetime_curves(Q, loss)
    life = figures.lifetime_figure(curves, style, 2.5, 16.0, 1e13)
    np.testing.assert_allclose(life.data[0].y, curves.query("expansion == 1")["total"] * 2.5)


def test_calibration_finds_planted_shares():
    found = calibrate(measured(0.42, 0.71))
    assert (found.compute, found.bandwidth) == (pytest.approx(0.42, rel=1e-4), pytest.approx(0.71, rel=1e-4))
    assert found.rms < 1e-5
    assert found.known == {"compute": True, "bandwidth": True}
    noisy = calibrate(measured(0.42, 0.71, noise=0.05))
    assert (noisy.compute, noisy.bandwidth) == (pytest.approx(0.42, rel=0.1), pytest.approx(0.71, rel=0.1))
    np.testing.assert_allclose(noisy.rows["residual"], np.log(noisy.rows["tokens_per_second"] / noisy.rows["predicted"]))
    assert 0.02 < noisy.rms < 0.08


def test_calibration_says_what_the_rows_do_not_tell():
    rows = measured(0.42, 0.71).query("batch == 1 and prompt == 100").assign(prompt=1, output=100_000)
    found = calibrate(rows)
    assert found.known == {"compute": False, "bandwidth": True}
    assert "do not depend on the peak compute" in found.sentence


def test_calibration_of_a_model_of_ones_own_and_bad_rows():
    rows = measured(0.42, 0.71).head(2).assign(model="mine", n_active=1.5e9, n_total=9e9, n_experts=32.0, top_k=4.0)
    assert np.isfinite(calibrate(rows).rms)
    with pytest.raises(lawlib.FitError, match=r"Row 1: 'mine' is not among Mixtral 8x7B, .*; give its n_total"):
        calibrate(rows.assign(n_total=np.nan))
    with pytest.raises(lawlib.FitError, match="Row 1 needs a positive batch; got 0"):
        calibrate(rows.assign(batch=0))
    with pytest.raises(lawlib.FitError, match="Row 1: There is no GPU 'TPU'"):
        calibrate(rows.assign(gpu="TPU"))
    with pytest.raises(lawlib.FitError, match="There are no measurements"):
        calibrate(rows.head(0))


def test_released_models_are_placed_in_one_definition_of_g():
    table = placed(LAW).set_index("model")
    assert len(table) == 14
    mixtral, v3 = table.loc["Mixtral 8x7B"], table.loc["DeepSeek-V3"]
    assert mixtral["granularity"] == pytest.approx(4 * 4096 / 14336)
    assert v3["granularity"] == 4 * 7168 / 2048
    assert v3["expansion"] == pytest.approx(256 / 14)
    assert v3["flops"] == pytest.approx(6 * 37.55e9 * 14.8e12)
    best = lawlib.compute_optimal(LAW, v3["flops"], 256 / 14)
    assert v3["law_ratio"] == pytest.approx(best.tokens_per_parameter)
    assert v3["over_training"] == pytest.approx(14.8e12 / 37.55e9 / best.tokens_per_parameter)
    assert np.isnan(mixtral["over_training"])  # its training tokens were never published
    assert not table.loc["OLMoE-1B-7B", "verified"]
    fine = placed(lawlib.published("krajewski2024-moe-e64")).set_index("model")
    assert fine.loc["DeepSeek-V3", "law_granularity"] in (32, 64)


def test_money_is_written_in_dollars():
    assert numbers.money(0.03124) == "USD 0.0312"
    assert numbers.money(1.234e6) == "USD 1.23M"
    assert numbers.money(np.inf) == "–"


def test_a_price_is_no_multiple_of_that_of_a_model_that_does_not_fit():
    law = lawlib.published("ludziejewski2025")
    server = serving.Server(serving.Machine(serving.gpu("L40S"), compute=0.5, bandwidth=0.7), serving.Workload(max_step=1e-3))
    found = serving.answer(serving.Question(law, server, 1e22, 8.0), 1e12)
    reference = found.optima["gpu_hours"][found.optima["expansion"] == 1].item()
    assert np.isinf(reference), "the case is that the dense model does not fit"
    assert np.isnan(found.equal_loss["cost_ratio"]).all()


def test_a_smaller_vocabulary_takes_memory_and_nothing_else():
    law = lawlib.published("ludziejewski2025")
    own, bytes_ = serving.Server(SERVER.machine, SERVER.work), serving.Server(SERVER.machine, SERVER.work, vocabulary=256)
    large, small = (server.footprint(law, 1e9, 8.0) for server in (own, bytes_))
    d = 64 * np.cbrt(lawlib.architecture.without_embeddings(np.asarray(1e9), 8.0)[0] / (13 * 64**2))
    assert large.total - small.total == pytest.approx(2 * d * (50257 - 256), rel=1e-12)
    assert large.expert == small.expert
    assert small.kv_values == large.kv_values
    assert bytes_.service(law, 1e9, 8.0).gpu_hours < own.service(law, 1e9, 8.0).gpu_hours
