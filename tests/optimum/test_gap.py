"""The efficiency gap against the figures computed from Krajewski's coefficients and against bisection."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

import lawlib
from lawlib import compute_optimal, efficiency_gap, measured_gap
from lawlib.optimum.gap import shared_rounding

MOE, DENSE = lawlib.published("krajewski2024-moe-e64"), lawlib.published("krajewski2024-dense")
BUDGETS = np.array([1e18, 1e20, 1e22, 1e25])


def test_gaps_of_the_printed_coefficients():
    np.testing.assert_allclose(efficiency_gap(MOE, DENSE, BUDGETS, 64), [17.2, 21.3, 25.4, 32.0], atol=0.06)


@pytest.mark.parametrize(("budget", "low", "high"), [(1e20, 17, 26), (1e25, 24, 40)])
def test_print_rounding_spreads_the_gap(budget, low, high):
    gaps = efficiency_gap(MOE.rounding(2000, seed=0).law, DENSE.rounding(2000, seed=1).law, budget, 64)
    found = np.quantile(gaps, [0.05, 0.95])
    np.testing.assert_allclose(found, [low, high], rtol=0.05)


@pytest.mark.parametrize(("budget", "gap"), [(1e18, 1.7), (1e20, 1.9), (1e25, 2.25)])
def test_the_best_granularity_against_none(budget, gap):
    best = compute_optimal(MOE, budget, 64).loss
    matched = brentq(lambda c: compute_optimal(MOE, np.exp(c), 64, 1).loss - best, np.log(budget), np.log(budget * 10))
    assert np.exp(matched) / budget == pytest.approx(gap, abs=0.05)
    # The same by the gap itself: a finer model's gap over the gap at G = 1, at budgets of equal loss.
    assert efficiency_gap(MOE, DENSE, budget, 64) / (
        efficiency_gap(MOE, DENSE, np.exp(matched), 64, granularity=1) * np.exp(matched) / budget
    ) == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize("budget", BUDGETS)
def test_gap_is_where_the_losses_meet(budget):
    gap = efficiency_gap(MOE, DENSE, budget, 64)
    assert isinstance(gap, float)
    target = compute_optimal(MOE, budget, 64).loss
    assert compute_optimal(DENSE, gap * budget).loss == pytest.approx(target, rel=1e-10)
    found = brentq(lambda c: compute_optimal(DENSE, np.exp(c)).loss - target, np.log(budget), np.log(budget * 1e4), xtol=1e-12)
    assert gap == pytest.approx(np.exp(found) / budget, rel=1e-8)


def test_a_law_against_itself_has_no_gap():
    assert efficiency_gap(DENSE, DENSE, 1e21) == pytest.approx(1.0, rel=1e-9)
    joint = lawlib.published("ludziejewski2025")
    np.testing.assert_allclose(efficiency_gap(joint, joint, BUDGETS, 1), 1.0, rtol=1e-9)


def test_more_experts_save_more_compute():
    joint = lawlib.published("ludziejewski2025")
    gaps = [efficiency_gap(joint, joint, 1e22, e) for e in (1, 2, 4, 8, 16, 32)]
    assert np.all(np.diff(gaps) > 0)


def test_a_dense_law_that_never_gets_there_is_infinitely_behind():
    poor = lawlib.published("hoffmann2022")  # its floor of 1.69 nats lies above Krajewski's losses at 1e25
    gaps = efficiency_gap(MOE, poor, np.array([1e18, 1e26]), 64)
    assert np.isfinite(gaps[0])
    assert gaps[1] == np.inf


@pytest.mark.parametrize("which", ["moe", "dense", "both"])
def test_ensembles_are_answered_as_their_samples_one_by_one(which):
    moe = MOE.rounding(4, seed=2).law if which != "dense" else MOE
    dense = DENSE.rounding(4, seed=3).law if which != "moe" else DENSE
    together = efficiency_gap(moe, dense, BUDGETS, 64)
    assert together.shape == (4, len(BUDGETS))
    for i in range(4):
        m, d = (law if law.n_samples is None else law.at(i) for law in (moe, dense))
        np.testing.assert_allclose(together[i], efficiency_gap(m, d, BUDGETS, 64), rtol=1e-8)
    one = efficiency_gap(moe, dense, 1e20, 64)
    np.testing.assert_allclose(one, together[:, 1], rtol=1e-8)


class TestMeasured:
    """Dense losses on a straight line in ln C, so that interpolation between runs is exact, and MoE runs that save `ratio`."""

    DENSE = np.geomspace(1e18, 1e22, 9)

    @staticmethod
    def loss(flops):
        return 8 - 0.12 * np.log(flops)

    def runs(self, ratios, budgets=(1e18, 3e18, 1e19, 7e19)):
        dense = pd.DataFrame({"flops": self.DENSE, "loss": self.loss(self.DENSE), "expansion": 1.0})
        blocks = [
            pd.DataFrame({"flops": budgets, "loss": self.loss(np.array(budgets) * r), "expansion": float(e)})
            for e, r in ratios.items()
        ]
        return pd.concat([dense, *blocks], ignore_index=True)

    def test_the_planted_ratio_comes_back_at_every_budget(self):
        found = measured_gap(self.runs({8: 5.0, 64: 20.0}))
        assert found["expansion"].tolist() == [8.0] * 4 + [64.0] * 4
        np.testing.assert_allclose(found["gap"], [5.0] * 4 + [20.0] * 4, rtol=1e-9)
        assert found["flops"].tolist() == [1e18, 3e18, 1e19, 7e19] * 2
        np.testing.assert_allclose(found["loss"], self.loss(found["flops"] * found["gap"]), rtol=1e-12)

    def test_a_moe_that_loses_has_a_gap_below_one(self):
        assert measured_gap(self.runs({8: 0.5}, (1e19, 1e20)))["gap"].tolist() == pytest.approx([0.5, 0.5])

    def test_other_sizes_at_the_same_compute_change_nothing_in_any_order(self):
        runs = self.runs({8: 5.0}, (1e17, 1e18, 1e20))
        worse = pd.concat([runs.assign(loss=runs["loss"] + more) for more in (0.05, 0.1, 0.2)])
        for together in (pd.concat([runs, worse]), pd.concat([worse, runs])):
            found = measured_gap(together)
            assert found["flops"].tolist() == [1e18, 1e20], "at 1e17 a dense model needs less than the smallest that was run"
            np.testing.assert_allclose(found["gap"], 5.0, rtol=1e-9)

    def test_nothing_is_extrapolated(self):
        found = measured_gap(self.runs({8: 5.0}, (1e16, 1.9e17, 2.1e17, 1.9e21, 2.1e21, 1e23)))
        assert found["flops"].tolist() == [2.1e17, 1.9e21]

    def test_a_run_worse_than_a_cheaper_one_does_not_count(self):
        runs = self.runs({8: 5.0}, (1e18, 1e19, 1e20))
        runs.loc[(runs["expansion"] == 8) & (runs["flops"] == 1e19), "loss"] += 1
        assert measured_gap(runs)["flops"].tolist() == [1e18, 1e20]
        diverged = self.runs({8: 5.0})
        diverged.loc[4, "loss"] += 1
        np.testing.assert_allclose(measured_gap(diverged)["gap"], 5.0, rtol=1e-9)

    def test_excluded_and_incomplete_runs_do_not_count(self):
        runs = self.runs({8: 5.0}).assign(excluded=False)
        lucky = runs.assign(loss=runs["loss"] - 1, excluded=True)
        holed = runs.assign(loss=np.nan)
        pd.testing.assert_frame_equal(measured_gap(pd.concat([lucky, runs, holed])), measured_gap(runs))

    @pytest.mark.parametrize("kept", ["dense only", "moe only", "one dense budget"])
    def test_without_both_there_is_no_row(self, kept):
        runs = self.runs({8: 5.0})
        dense = runs["expansion"] == 1
        part = {"dense only": runs[dense], "moe only": runs[~dense], "one dense budget": runs[~dense | (runs["flops"] == 1e20)]}
        found = measured_gap(part[kept])
        assert (len(found), list(found)) == (0, ["expansion", "flops", "loss", "gap"])


def test_shared_rounding_draws_the_irreducible_loss_once():
    moe, dense = shared_rounding(MOE, DENSE, 50, seed=3)
    assert moe.params["c"].tolist() == pytest.approx(dense.params["L_inf"].tolist(), rel=1e-12)
    assert moe.params["c"].nunique() == 50
    assert np.corrcoef(moe.params["a"], dense.params["A"])[0, 1] < 0.5, "the others are drawn apart"
