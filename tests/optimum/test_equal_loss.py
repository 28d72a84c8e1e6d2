"""The compute for a given loss: against the optimum it came from, from any start, out of reach, and for many samples in blocks."""

from dataclasses import replace

import numpy as np
import pytest

import lawlib
from lawlib.optimum import balance
from lawlib.optimum.allocation import expansion_of, solve
from lawlib.optimum.equal_loss import log_budget_of

LAWS = {"besiroglu2024": None, "krajewski2024-moe-e64": None, "ludziejewski2025": 8.0}
BUDGETS = np.geomspace(1e18, 1e25, 15)


def asked(name):
    law, e = lawlib.published(name), LAWS[name]
    g = 4.0 if "G" in law.law.variables else None
    losses = np.log(lawlib.compute_optimal(law, BUDGETS, e, g).loss)
    return law, losses, expansion_of(law, e), np.asarray(np.nan if g is None else g)


@pytest.mark.parametrize("start", [None, 5.0, 45.0, 80.0])
@pytest.mark.parametrize("name", LAWS)
def test_the_budget_of_an_optimum_s_loss_is_its_own(name, start):
    law, losses, e, g = asked(name)
    found = log_budget_of(law, losses, e, g, np.log(1e10), np.log(1e40), start)
    np.testing.assert_allclose(found, np.log(BUDGETS), atol=1e-9)


@pytest.mark.parametrize("name", LAWS)
def test_where_the_first_search_fails_the_bracket_finds_the_same(name, monkeypatch):
    law, losses, e, g = asked(name)
    monkeypatch.setattr("lawlib.optimum.equal_loss._newton", lambda balance, log_loss, x, high: np.full(x.shape, np.nan))
    found = log_budget_of(law, losses, e, g, np.log(1e10), np.log(1e40))
    np.testing.assert_allclose(found, np.log(BUDGETS), atol=1e-8)


@pytest.mark.parametrize("name", LAWS)
def test_a_loss_that_is_never_reached_is_infinitely_dear_and_an_unknown_one_unknown(name):
    law, losses, e, g = asked(name)
    floor = float(solve(law, np.asarray(np.log(1e40)), e, g)[1])
    wanted = np.array([losses[0], floor - 1e-3, np.nan, losses[1]])
    found = log_budget_of(law, wanted, e, g, np.log(1e10), np.log(1e40))
    np.testing.assert_allclose(found, [np.log(BUDGETS[0]), np.inf, np.nan, np.log(BUDGETS[1])], atol=1e-9)


@pytest.mark.parametrize("name", LAWS)
def test_a_loss_that_is_reached_at_the_lowest_budget_costs_that(name):
    """Also where it is reached just there, as rounding has it; in all budgets alike."""
    law, losses, e, g = asked(name)
    np.testing.assert_allclose(log_budget_of(law, losses, e, g, np.log(BUDGETS), np.log(1e40)), np.log(BUDGETS), atol=1e-9)
    np.testing.assert_allclose(log_budget_of(law, losses + 0.5, e, g, np.log(BUDGETS), np.log(1e40)), np.log(BUDGETS), atol=1e-9)


def test_coarse_experts_that_are_the_best_gain_nothing_at_any_budget():
    law = lawlib.published("krajewski2024-moe-e64")
    none = replace(law, theta=law.law.theta(law.params | {"g": 1e-9}))
    gains = [lawlib.granularity_gain(none, budget, 64.0) for budget in np.geomspace(1e17, 1e25, 60)]
    np.testing.assert_allclose(gains, 1.0, rtol=1e-6)
    samples = law.rounding(50, seed=1).law
    best = np.asarray(lawlib.compute_optimal(samples, 1e22).granularity)
    gain = np.asarray(lawlib.granularity_gain(samples, 1e22, coarse=32.0))
    assert (best == 32).any()
    np.testing.assert_allclose(gain[best == 32], 1.0, rtol=1e-9)
    assert (gain >= 1.0 - 1e-12).all()


def test_an_ensemble_of_no_samples_has_no_optima():
    law, _, e, g = asked("besiroglu2024")
    assert solve(law.rounding(3).law.part(slice(0)), np.log(BUDGETS), e, g)[0].shape == (0, len(BUDGETS))


@pytest.mark.parametrize("name", LAWS)
def test_samples_in_blocks_are_answered_as_one_by_one(name, monkeypatch):
    law, _, e, g = asked(name)
    samples = law.rounding(7, seed=3).law
    monkeypatch.setattr(balance, "BLOCK", 2 * len(law.law.terms) * len(BUDGETS))
    assert len(balance.blocks(samples, (7, len(BUDGETS)))) == 4
    u, log_loss = solve(samples, np.log(BUDGETS), e, g)
    for i in range(7):
        one = solve(samples.part(slice(i, i + 1)), np.log(BUDGETS), e, g)
        np.testing.assert_allclose([u[i], log_loss[i]], [one[0][0], one[1][0]], rtol=1e-12)
