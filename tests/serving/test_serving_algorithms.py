"""Yun 2024's algorithms against scipy's root finder on the joint law written out, and their equalities."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import lawlib
from lawlib import serving
from lawlib.serving.algorithms import EXPANSIONS, bounded_cost, bounded_loss, equal_loss_budget, over_training
from tests.support.planted import grid

LAW = lawlib.published("ludziejewski2025")
E = np.array(EXPANSIONS, dtype=float)
SERVER = serving.Server(serving.Machine(serving.gpu("H100 SXM")), serving.Workload(prompt=161, output=338))


def joint(n, d, e):
    """Ludziejewski 2025 in the paper's letters."""
    ehat = 1 / (1 / (e - 1 + 1 / (1 / 2.0732 - 1 / 290.4521)) + 1 / 290.4521)
    first = 35.91 * ehat**-0.2285 * n ** (-0.1889 + 0.0098 * np.log(ehat))
    return first + 35.98 * ehat**0.5529 * d ** (-0.1775 - 0.0259 * np.log(ehat)) + 1.3637


def at_budget(log_n, c, e):
    return joint(np.exp(log_n), c / 6 / np.exp(log_n), e)


def optimum(c, e):
    return minimize_scalar(at_budget, bounds=(np.log(1e6), np.log(1e13)), args=(c, e), method="bounded", options={"xatol": 1e-12})


@pytest.mark.parametrize("budget", [1e20, 6.5e21, 1e24])
@pytest.mark.parametrize("reference", [1.0, 4.0])
def test_equal_loss_sizes_are_scipys(budget, reference):
    found = bounded_loss(LAW, budget, E, reference)
    assert np.nanmax(np.abs(found.gap)) < 1e-6
    target = optimum(budget, reference).fun
    for i, e in enumerate(E):
        best = optimum(budget, e)
        if e < reference:
            assert np.isnan(found.n_active[i])
            continue
        if e == reference:
            assert found.shrink[i] == pytest.approx(1, abs=1e-5)
            continue
        n = np.exp(brentq(lambda u, e=e: at_budget(u, budget, e) - target, np.log(1e6), best.x, xtol=1e-13))
        assert found.n_active[i] == pytest.approx(n, rel=1e-6)
        assert found.loss[i] == pytest.approx(target, rel=1e-9)
        assert 6 * found.n_active[i] * found.tokens[i] == pytest.approx(budget, rel=1e-9)


@pytest.mark.parametrize("budget", [1e20, 6.5e21, 1e23])
@pytest.mark.parametrize("reference", [1.0, 4.0])
def test_equal_cost_sizes_cost_the_same_and_use_the_budget_up(budget, reference):
    found = bounded_cost(LAW, budget, E, reference, SERVER.price(LAW))
    assert np.isfinite(found.n_active).all()
    assert np.abs(found.gap).max() < 1e-6
    best = lawlib.compute_optimal(LAW, budget, reference)
    wanted = SERVER.service(LAW, best.n_active, reference).gpu_hours
    np.testing.assert_allclose(SERVER.service(LAW, found.n_active, E).gpu_hours, wanted, rtol=1e-6)
    np.testing.assert_allclose(6 * found.n_active * found.tokens, budget, rtol=1e-9)
    np.testing.assert_allclose(found.loss, joint(found.n_active, found.tokens, E), rtol=1e-9)
    assert found.loss[reference == E] == pytest.approx(best.loss, rel=1e-9)


def test_more_experts_at_equal_cost_lower_the_loss_and_need_smaller_models():
    found = bounded_cost(LAW, 1e23, E, 1.0, SERVER.price(LAW))
    assert (np.diff(found.loss) < 0).all()
    assert (np.diff(found.shrink) < 0).all()


def test_the_budget_for_a_loss_is_that_of_its_optimum():
    budgets = equal_loss_budget(LAW, 2.2, E)
    for c, e in zip(budgets, E, strict=True):
        assert optimum(c, e).fun == pytest.approx(2.2, abs=1e-8)
    assert np.isinf(equal_loss_budget(LAW, 1.36, E)).all()  # below the law's irreducible loss


def test_every_sample_is_solved_for_itself():
    samples = LAW.rounding(20, seed=1)
    together = bounded_cost(samples.law, 1e22, E, 4.0, SERVER.price(samples.law))
    same = bounded_loss(samples.law, 1e22, E, 4.0)
    budgets = equal_loss_budget(samples.law, np.linspace(2.0, 2.1, 20), E)
    assert together.loss.shape == same.loss.shape == budgets.shape == (20, 7)
    for i in (0, 7, 19):
        law = samples.law.at(i)
        alone = bounded_cost(law, 1e22, E, 4.0, SERVER.price(law))
        np.testing.assert_allclose(together.n_active[i], alone.n_active, rtol=1e-8)
        np.testing.assert_allclose(same.n_active[i], bounded_loss(law, 1e22, E, 4.0).n_active, rtol=1e-8)
        np.testing.assert_allclose(budgets[i], equal_loss_budget(law, np.linspace(2.0, 2.1, 20)[i], E), rtol=1e-8)


def test_models_below_the_smallest_searched_are_none():
    """At so small a budget 100 parameters already have a lower loss than the reference's optimum."""
    found = bounded_loss(LAW, 1e10, [1.0, 8.0, 64.0], 1.0)
    assert np.isnan(found.n_active[1:]).all()
    assert not np.isnan(found.n_active[0])


def test_the_over_training_curve_has_its_minimum_at_the_optimum():
    shares = np.geomspace(0.05, 4, 101)
    curve = over_training(LAW, 1e22, shares, [8.0])
    assert shares[np.argmin(curve.loss)] == pytest.approx(1, abs=0.03)
    np.testing.assert_allclose(curve.shrink, shares[None])
    np.testing.assert_allclose(curve.loss, joint(curve.n_active, curve.tokens, 8.0), rtol=1e-9)


def test_a_fit_of_yuns_own_form_is_served_too():
    """Its coefficients were never published: the form is fitted to runs, here planted ones."""
    law = lawlib.fit(grid("inference_optimal"), "inference_optimal")
    found = bounded_cost(law, 1e21, E[:5], 4.0, SERVER.price(law))
    good = np.isfinite(found.n_active)
    assert good.any()
    assert np.abs(found.gap[good]).max() < 1e-6


def test_a_law_with_granularity_needs_one():
    fit = lawlib.fit(grid("joint_granular"), "joint_granular")
    with pytest.raises(lawlib.OptimumError, match="Give a granularity"):
        bounded_loss(fit, 1e21, E, 1.0)
    assert np.nanmax(np.abs(bounded_loss(fit, 1e21, E[:5], 1.0, granularity=4.0).gap)) < 1e-6
