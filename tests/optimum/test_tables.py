"""The frames behind the charts: the same numbers as the functions they come from, with intervals, masks and rows in order."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import compute_optimal, efficiency_gap, granularity_frontier, isoflop, isoflop_losses
from lawlib.laws import Ensemble
from lawlib.numerics.percentiles import central
from lawlib.optimum.extrapolation import inside
from lawlib.optimum.gap import shared_rounding
from lawlib.optimum.tables import gap_curves, granularity_curves, isoflop_curves, optimal_path, stacked
from tests.support.planted import grid

FIT = lawlib.fit(grid("chinchilla", noise=0.01, seed=3), "chinchilla", objective="squared_log")
BOOT = lawlib.bootstrap(FIT, 60, seed=1)
MOE, DENSE = lawlib.published("krajewski2024-moe-e64"), lawlib.published("krajewski2024-dense")
MANY_MOE, MANY_DENSE = shared_rounding(MOE, DENSE, 60, seed=1)
JOINT = lawlib.published("ludziejewski2025")
BUDGETS = np.geomspace(1e18, 1e23, 6)


def quantiles(values, level):
    return np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)


def assert_same(frame, expected):
    """To the last digits: an optimum is iterated, and its samples start from another guess than it does alone."""
    pd.testing.assert_frame_equal(frame[list(expected)], expected, rtol=1e-13, atol=0)


class TestOptimalPath:
    def test_rows_are_the_optima_in_the_order_of_the_budgets(self):
        budgets = BUDGETS[[3, 0, 5]]
        frame = optimal_path(FIT, budgets)
        assert frame["flops"].tolist() == budgets.tolist()
        for row in frame.itertuples():
            opt = compute_optimal(FIT, row.flops)
            assert (row.n_active, row.n_total, row.tokens, row.loss) == pytest.approx(
                (opt.n_active, opt.n_total, opt.tokens, opt.loss), rel=1e-9
            )
        assert not [c for c in frame if c.endswith(("_low", "_high"))], "no ensemble, no intervals"

    def test_expansion_and_granularity_reach_the_law(self):
        frame = optimal_path(MOE, BUDGETS, expansion=64, granularity=4)
        assert frame["loss"].tolist() == np.asarray(compute_optimal(MOE, BUDGETS, 64, 4).loss).tolist()
        assert frame["granularity"].tolist() == [4.0] * 6
        assert frame["expansion"].tolist() == [64.0] * 6

    @pytest.mark.parametrize(("law", "samples", "e"), [(FIT, BOOT, None), (MOE, MANY_MOE, 64)], ids=["bootstrap", "rounding"])
    def test_intervals_bracket_the_point_and_are_the_samples_percentiles(self, law, samples, e):
        frame = optimal_path(law, BUDGETS, e, samples=samples)
        many = compute_optimal(samples.law, BUDGETS, e)
        for column in ("n_active", "tokens", "loss"):
            low, high = quantiles(getattr(many, column), 0.95)
            np.testing.assert_allclose(frame[f"{column}_low"], low, rtol=1e-13)
            np.testing.assert_allclose(frame[f"{column}_high"], high, rtol=1e-13)
            assert (frame[f"{column}_low"] < frame[column]).all()
            assert (frame[column] < frame[f"{column}_high"]).all()

    def test_a_lower_level_is_a_narrower_band(self):
        wide, narrow = (optimal_path(FIT, BUDGETS, samples=BOOT, level=level) for level in (0.95, 0.5))
        assert (narrow["n_active_low"] > wide["n_active_low"]).all()
        assert (narrow["n_active_high"] < wide["n_active_high"]).all()

    def test_inside_is_extrapolations_mask(self):
        budgets = np.geomspace(FIT.ranges["flops"][0] / 50, FIT.ranges["flops"][1] * 50, 12)
        frame = optimal_path(FIT, budgets)
        assert frame["inside"].tolist() == inside(FIT, compute_optimal(FIT, budgets)).tolist()
        assert set(frame["inside"]) == {True, False}


class TestIsoflopCurves:
    def test_it_is_isoflop_with_an_interval(self):
        frame = isoflop_curves(FIT, [1e21, 1e19], samples=BOOT)
        assert_same(frame, isoflop(FIT, np.array([1e21, 1e19]), span=1.0, n_points=61))
        assert frame["flops"].tolist() == [1e21] * 61 + [1e19] * 61
        assert frame.groupby("flops")["optimal"].sum().tolist() == [1, 1]
        assert (frame["loss_low"] < frame["loss"]).all()
        assert (frame["loss"] < frame["loss_high"]).all()

    def test_the_interval_is_that_of_the_sizes_not_of_the_optimum(self):
        frame = isoflop_curves(FIT, [1e20], samples=BOOT)
        _, losses = isoflop_losses(BOOT.law, 1e20, frame["n_active"].to_numpy())
        np.testing.assert_allclose(frame[["loss_low", "loss_high"]].to_numpy().T, quantiles(losses, 0.95), rtol=1e-12)

    def test_granularity_is_the_point_laws_best_also_in_the_samples(self):
        frame = isoflop_curves(MOE, [1e18, 1e24], 64, samples=MANY_MOE)
        assert frame.groupby("flops")["granularity"].unique().map(list).tolist() == [[8.0], [32.0]]
        _, losses = isoflop_losses(
            MANY_MOE.law, frame["flops"].to_numpy(), frame["n_active"].to_numpy(), 64, frame["granularity"]
        )
        np.testing.assert_allclose(frame["loss_low"], quantiles(losses, 0.95)[0], rtol=1e-12)

    def test_the_span_is_in_decades_to_both_sides(self):
        frame = isoflop_curves(FIT, [1e20], span=0.5)
        assert frame["n_active"].iloc[-1] / frame["n_active"].iloc[0] == pytest.approx(10)


class TestGranularityCurves:
    FRAME = granularity_curves(MOE, BUDGETS, 64, MANY_MOE)

    def test_it_is_the_frontier_budgets_outer(self):
        frontier = granularity_frontier(MOE, BUDGETS, 64)
        assert_same(self.FRAME, frontier)
        assert self.FRAME["flops"].tolist() == np.repeat(BUDGETS, 9).tolist()
        assert self.FRAME["granularity"].tolist() == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0] * 6

    def test_the_excess_is_zero_at_the_best_and_positive_elsewhere(self):
        assert (self.FRAME.loc[self.FRAME["best"], "excess"] == 0).all()
        assert (self.FRAME.loc[~self.FRAME["best"], "excess"] > 0).all()
        assert self.FRAME.groupby("flops")["best"].sum().tolist() == [1] * 6
        lowest = self.FRAME.groupby("flops")["loss"].transform("min")
        assert self.FRAME["excess"].tolist() == (self.FRAME["loss"] - lowest).tolist()

    def test_intervals(self):
        frame = self.FRAME
        assert ((frame["loss_low"] < frame["loss"]) & (frame["loss"] < frame["loss_high"])).all()
        assert ((frame["excess_low"] >= 0) & (frame["excess_low"] <= frame["excess"])).all()
        assert (frame["excess"] <= frame["excess_high"]).all()
        block = frame[frame["flops"] == BUDGETS[2]]
        losses = np.asarray(compute_optimal(MANY_MOE.law, BUDGETS[2], 64, block["granularity"].to_numpy()).loss)
        expected = quantiles(losses - losses.min(axis=1, keepdims=True), 0.95)
        np.testing.assert_allclose(block[["excess_low", "excess_high"]].to_numpy().T, expected, atol=1e-12)

    def test_the_excess_is_surer_than_the_loss(self):
        # Both come from the same samples, and what they share cancels.
        others = self.FRAME[~self.FRAME["best"] & (self.FRAME["granularity"] <= 16)]
        assert ((others["excess_high"] - others["excess_low"]) < 0.7 * (others["loss_high"] - others["loss_low"])).all()

    def test_inside_looks_at_g_too(self):
        assert not self.FRAME.loc[self.FRAME["granularity"] > 16 * 1.05, "inside"].any()
        small = granularity_curves(MOE, [2e17], 64)
        assert small["inside"].tolist() == inside(MOE, compute_optimal(MOE, 2e17, 64, small["granularity"].to_numpy())).tolist()

    def test_one_budget_and_other_granularities(self):
        frame = granularity_curves(MOE, 1e20, 64, granularities=[4, 12])
        assert frame["granularity"].tolist() == [4.0, 12.0]
        assert frame["best"].tolist() == [False, True]


class TestGapCurves:
    def test_a_block_for_each_e_in_the_order_given(self):
        frame = gap_curves({32.0: (JOINT, JOINT), 4.0: (JOINT, JOINT)}, BUDGETS)
        assert frame["expansion"].tolist() == [32.0] * 6 + [4.0] * 6
        assert frame["flops"].tolist() == BUDGETS.tolist() * 2
        for e, part in frame.groupby("expansion"):
            np.testing.assert_allclose(part["gap"], efficiency_gap(JOINT, JOINT, BUDGETS, e), rtol=1e-12)
            np.testing.assert_allclose(part["loss_moe"], compute_optimal(JOINT, BUDGETS, e).loss, rtol=1e-12)
            np.testing.assert_allclose(part["loss_dense"], compute_optimal(JOINT, BUDGETS, 1).loss, rtol=1e-12)
            assert part["inside"].tolist() == inside(JOINT, compute_optimal(JOINT, BUDGETS, e)).tolist()
        assert frame["granularity"].isna().all(), "a law without G"

    def test_the_dense_law_needs_the_gap_times_the_compute(self):
        frame = gap_curves({64.0: (MOE, DENSE)}, BUDGETS)
        matched = compute_optimal(DENSE, (frame["gap"] * frame["flops"]).to_numpy())
        np.testing.assert_allclose(matched.loss, frame["loss_moe"], rtol=1e-9)

    def test_intervals_are_paired_sample_by_sample(self):
        frame = gap_curves({64.0: (MOE, DENSE)}, BUDGETS, {64.0: (MANY_MOE, MANY_DENSE)}, level=0.9)
        gaps = efficiency_gap(MANY_MOE.law, MANY_DENSE.law, BUDGETS, 64)
        assert frame[["gap_low", "gap_high"]].to_numpy().T.tolist() == quantiles(gaps, 0.9).tolist()
        assert ((frame["gap_low"] < frame["gap"]) & (frame["gap"] < frame["gap_high"])).all()

    def test_a_pair_without_samples_has_no_interval_beside_one_that_has(self):
        pairs = {64.0: (MOE, DENSE), 8.0: (JOINT, JOINT)}
        frame = gap_curves(pairs, BUDGETS, {64.0: (MANY_MOE, MANY_DENSE)}).set_index("expansion")
        assert frame.loc[64.0, "gap_low"].notna().all()
        assert frame.loc[8.0, "gap_low"].isna().all()

    def test_a_granularity_is_for_the_laws_that_have_one(self):
        frame = gap_curves({64.0: (MOE, DENSE), 8.0: (JOINT, JOINT)}, BUDGETS, granularity=2.0).set_index("expansion")
        assert frame.loc[64.0, "granularity"].tolist() == [2.0] * 6
        assert frame.loc[8.0, "granularity"].isna().all()
        np.testing.assert_allclose(frame.loc[64.0, "gap"], efficiency_gap(MOE, DENSE, BUDGETS, 64, 2.0), rtol=1e-12)


def test_stacked_tables_keep_their_order_and_bear_their_names():
    a, b = optimal_path(FIT, BUDGETS[:2]), optimal_path(JOINT, BUDGETS[:3], 8)
    both = stacked({"second <b>": b, "first": a})
    assert both["law"].tolist() == ["second <b>"] * 3 + ["first"] * 2
    assert both.index.tolist() == [0, 1, 2, 3, 4]
    assert both["loss"].tolist() == b["loss"].tolist() + a["loss"].tolist()
    assert "law" not in a


class TestPercentiles:
    @pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
    def test_of_finite_samples_they_are_numpys(self, level):
        values = np.random.default_rng(0).normal(size=(41, 3, 2))
        low, high = central(values, level)
        assert [low.tolist(), high.tolist()] == quantiles(values, level).tolist()

    def test_missing_samples_are_left_out(self):
        low, high = central([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]], 0.5)
        assert (low[0], high[0]) == (1.5, 2.5)
        assert np.isnan([low[1], high[1]]).all()

    def test_infinite_samples_are_the_largest(self):
        values = np.array([[1.0, np.inf], [2.0, np.inf], [3.0, np.inf], [np.inf, np.inf]])
        low, high = central(values, 0.95)
        assert low[0] == pytest.approx(1.075)
        assert high[0] == np.inf
        assert (low[1], high[1]) == (np.inf, np.inf)


def test_a_dense_law_that_never_gets_there_has_an_infinite_interval():
    poor = lawlib.published("hoffmann2022")  # its floor of 1.69 nats lies above Krajewski's losses at 1e26
    many = Ensemble(replace(poor, theta=np.tile(poor.theta, (60, 1))), poor, "rounding")
    frame = gap_curves({64.0: (MOE, poor)}, np.array([1e18, 1e26]), {64.0: (MANY_MOE, many)})
    assert frame["gap"].tolist()[1] == np.inf
    assert frame[["gap_low", "gap_high"]].to_numpy()[1].tolist() == [np.inf, np.inf]
    assert np.isfinite(frame[["gap_low", "gap_high"]].to_numpy()[0]).all()
    assert many.interval(lambda law: efficiency_gap(MOE, law, 1e26, 64)) == (np.inf, np.inf)
