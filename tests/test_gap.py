"""The efficiency gap against the figures computed from Krajewski's coefficients and against bisection."""

import numpy as np
import pytest
from scipy.optimize import brentq

import lawlib
from lawlib import compute_optimal, efficiency_gap

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
