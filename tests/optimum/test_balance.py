"""A law along a budget: its loss against the law's own, derivatives against finite differences, the best size against a search."""

from dataclasses import replace

import numpy as np
import pytest

import lawlib
from lawlib import FAMILIES, FittedLaw, FlopsRule
from lawlib.laws.flops import KRAJEWSKI_TOTAL
from lawlib.optimum.allocation import log_n, log_tokens_of_budget, solve
from lawlib.optimum.balance import Balance

E, G = np.asarray(8.0), np.asarray(4.0)
RULES = (FlopsRule(), FlopsRule("krajewski"), FlopsRule("measured", ((6.0, 1.0), (900.0, 2 / 3))))
PARAMS = {
    "chinchilla": {"L_inf": 1.7, "A": 400, "B": 410, "alpha": 0.34, "beta": 0.28},
    "fine_grained": {"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47},
    "joint": {
        "a": 35.91, "alpha": -0.1889, "delta": 0.2285, "gamma": -0.0098, "b": 35.98, "beta": -0.1775,
        "omega": -0.2109, "zeta": 0.0081, "c": 1.3637, "E_start": 1.8, "E_max": 290,
    },
    "joint_granular": {
        "a": 35.91, "alpha": -0.1889, "delta": 0.2285, "gamma": -0.0098, "b": 35.98, "beta": -0.1775,
        "omega": -0.2109, "zeta": 0.0081, "c": 1.3637, "g": 4.0, "gamma_g": 0.6, "E_start": 1.8, "E_max": 290,
    },
    "inference_optimal": {
        "A": 400, "B": 0.4, "C": 410, "F": 1.7, "alpha": 0.34, "beta": 0.2, "gamma": 0.28, "d": -0.001, "E_start": 1.8, "E_max": 290,
    },
    "sparsity": {
        "a": 400, "alpha": 0.34, "b": 410, "beta": 0.28, "c": 0.1, "lambda": 0.1, "d": 40, "delta": 0.2, "gamma": 0.3, "e": 1.5,
    },
}  # fmt: skip


def law_of(name, rule=RULES[0]):
    form = FAMILIES[name]
    given = PARAMS[name]
    e_start, e_max = given.get("E_start", 0), given.get("E_max", 0)
    shapes = np.array([np.log(1 / (1 / e_start - 1 / e_max)), np.log(e_max)]) if form.has_shapes else np.empty(0)
    return FittedLaw(form, form.theta(given), shapes, rule, KRAJEWSKI_TOTAL)


def said(law, u, log_c):
    """ln L by the law itself, of models of ln N_active = u that use up the budget."""
    v = log_tokens_of_budget(law, u, log_c, E, G)
    return np.log(law.loss(np.exp(log_n(law, u, E)), np.exp(v), G, E))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("name", PARAMS)
def test_the_loss_is_the_law_s_and_its_slopes_are_differences_of_it(name, rule):
    law, rng, h = law_of(name, rule), np.random.default_rng(0), 1e-5
    log_c = rng.uniform(np.log(1e17), np.log(1e25), 40)
    u = rng.uniform(np.log(1e6), np.log(1e11), 40)
    balance = Balance(law, E, G, 1)
    log_loss, log_balance, _ = balance(u, log_c)
    slopes = balance.slopes(u, log_c)
    np.testing.assert_allclose(log_loss, said(law, u, log_c), rtol=1e-13, atol=1e-13)
    in_u = (said(law, u + h, log_c) - said(law, u - h, log_c)) / (2 * h)
    in_c = (said(law, u, log_c + h) - said(law, u, log_c - h)) / (2 * h)
    np.testing.assert_allclose(slopes.loss_u, in_u, atol=1e-9)
    np.testing.assert_allclose(balance.along(u, log_c)[1], in_u, atol=1e-9)
    np.testing.assert_allclose(slopes.loss_c, in_c, atol=1e-9)
    assert (np.sign(log_balance[np.abs(in_u) > 1e-6]) == np.sign(in_u[np.abs(in_u) > 1e-6])).all()
    ahead, behind = balance(u + h, log_c)[1], balance(u - h, log_c)[1]
    np.testing.assert_allclose(balance(u, log_c)[2], (ahead - behind) / (2 * h), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["chinchilla", "joint_granular", "sparsity"])
def test_the_optimum_is_the_lowest_of_a_fine_grid(name):
    law, log_c = law_of(name, RULES[1]), np.log(1e21)
    u, log_loss = solve(law, np.asarray(log_c), E, G)
    grid = np.linspace(np.log(1e5), np.log(1e13), 200_001)
    losses = said(law, grid, log_c)
    assert u == pytest.approx(grid[np.argmin(losses)], abs=1e-4)
    assert log_loss <= losses.min() + 1e-13


def test_terms_that_move_alike_are_one():
    assert FAMILIES["chinchilla"].bundles == (((1,), (2,)), (0,))
    assert FAMILIES["fine_grained"].bundles == (((1, 2), (3,)), (0,))
    assert FAMILIES["joint_granular"].bundles == (((1, 2), (3,)), (0,))
    assert FAMILIES["inference_optimal"].bundles == (((0,), (1, 3), (2,)), ()), "d ln N ln E moves B and F alike"
    assert FAMILIES["sparsity"].bundles == (((0,), (1,), (3,)), (2, 4))


def test_an_irreducible_loss_of_zero_is_no_trouble():
    law = law_of("chinchilla")
    none = replace(law, theta=law.law.theta(PARAMS["chinchilla"] | {"L_inf": 0.0}))
    log_loss, log_balance, slope = Balance(none, E, G, 0)(np.asarray(20.0), np.asarray(50.0))
    assert np.isfinite([log_loss, log_balance, slope]).all()
    assert log_loss == pytest.approx(said(none, np.asarray(20.0), np.asarray(50.0)), abs=1e-13)


def test_a_missing_sample_is_silent_and_a_single_loss_a_number():
    law = law_of("joint_granular")
    ensemble = replace(law, theta=np.stack([law.theta, np.full_like(law.theta, np.nan)]), shapes=np.stack([law.shapes] * 2))
    found = lawlib.compute_optimal(ensemble, 1e21, 8.0, 4.0)
    assert np.isfinite(found.loss[0])
    assert np.isnan(found.loss[1])
    assert isinstance(law.loss(1e9, 1e10, 4.0, 8.0), float)


def test_newton_s_method_that_goes_to_and_fro_is_made_to_end():
    rule = FlopsRule("router", ((6.0, 1.0), (40.0, 0.1)))
    chinchilla = law_of("chinchilla", rule)
    flat = replace(
        chinchilla,
        theta=chinchilla.law.theta(PARAMS["chinchilla"] | {"A": np.exp(4.71), "B": np.exp(4.82), "alpha": 0.049, "beta": 0.031}),
    )
    e = g = np.asarray(1e5)
    u, log_loss = solve(flat, np.asarray(np.log(1e6)), e, g)
    grid = np.linspace(np.log(1e1), np.log(1e30), 200_001)
    tokens = np.exp(log_tokens_of_budget(flat, grid, np.log(1e6), e, g))
    losses = np.log(flat.loss(np.exp(grid), tokens, g, e))
    assert log_loss == pytest.approx(losses.min(), abs=1e-9)
    assert u == pytest.approx(grid[np.argmin(losses)], abs=1e-3)
