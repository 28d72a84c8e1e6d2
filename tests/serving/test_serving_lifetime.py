"""Sardana's example, lifetimes by scipy, break-even points; optima under serving limits against a dense grid."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import lawlib
from lawlib import serving
from lawlib.laws.saturation import log_ehat
from lawlib.serving.constrained import ServingLimits, best_under
from lawlib.serving.lifetime import at_loss, break_even, lifetime_optimal, training_rate

JOINT = lawlib.published("ludziejewski2025")
MACHINE = serving.Machine(serving.gpu("H100 SXM"))
SERVER = serving.Server(MACHINE, serving.Workload(prompt=1000, output=300))


def hoffmann_unrounded():
    """Hoffmann 2022 with the digits that Sardana uses."""
    law = lawlib.published("hoffmann2022")
    letters = {"L_inf": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849}
    return replace(law, theta=law.law.theta(letters))


def test_sardanas_example():
    """A 7B model's loss and 1e11 inference tokens: N = 6.06B, 1.164 times the data (the paper: 6B, 1.18)."""
    law = hoffmann_unrounded()
    p = law.params
    d = (0.2849 * 410.7 / (0.3392 * 406.4) * 7e9**0.3392) ** (1 / 0.2849)  # where a 7B model is compute-optimal
    assert d == pytest.approx(2.96e11, rel=0.002)
    found = lifetime_optimal(law, float(law.loss(7e9, d)), [0.0, 1e11], [1.0])
    assert found.n_active[0] == pytest.approx([7e9, 6.06e9], rel=0.001)
    assert found.tokens[0] / d == pytest.approx([1.0, 1.164], rel=0.001)
    n, served = found.n_active[0, 1], 1e11
    left = p["alpha"] * p["A"] * n ** -p["alpha"] / (p["beta"] * p["B"] * found.tokens[0, 1] ** -p["beta"])
    assert left == pytest.approx(1 + served / (3 * found.tokens[0, 1]), rel=1e-3)  # the paper's first-order condition


@pytest.mark.parametrize("expansion", [1.0, 16.0])
@pytest.mark.parametrize("served", [1e10, 3e12, 1e14])
def test_the_lifetime_optimum_is_scipys(expansion, served):
    rate, price = training_rate(MACHINE, 0.4), SERVER.price(JOINT)
    loss = float(lawlib.compute_optimal(JOINT, 1e22, 8.0).loss)
    found = lifetime_optimal(JOINT, loss, [served], [expansion], price, rate)
    p, ehat = JOINT.params, np.exp(log_ehat(expansion, JOINT.shapes))

    def total(u):
        left = loss - p["c"] - p["a"] * ehat ** p["delta"] * np.exp(u * (p["alpha"] + p["gamma"] * np.log(ehat)))
        if left <= 0:
            return np.inf
        d = (left / (p["b"] * ehat ** p["omega"])) ** (1 / (p["beta"] + p["zeta"] * np.log(ehat)))
        one = np.asarray(expansion)
        return rate * 6 * np.exp(u) * d + float(price(np.asarray(u), one, np.asarray(np.nan))) * served / 1e6

    grid = np.linspace(np.log(1e8), np.log(1e12), 20001)
    values = [total(u) for u in grid[::10]]
    near = grid[::10][int(np.argmin(values))]
    best = minimize_scalar(total, bounds=(near - 0.01, near + 0.01), method="bounded", options={"xatol": 1e-12})
    assert found.total[0, 0] == pytest.approx(min(best.fun, *values), rel=1e-5)
    assert found.total[0, 0] <= min(values) * (1 + 1e-6)


def test_more_tokens_served_ask_for_smaller_models():
    found = lifetime_optimal(
        JOINT, 2.1, np.geomspace(1e8, 1e15, 15), [1, 4, 16], SERVER.price(JOINT), training_rate(MACHINE, 0.4)
    )
    assert found.total.shape == (3, 15)
    assert (np.diff(found.n_active, axis=1) <= found.n_active[:, :1] * 1e-3).all()
    assert (np.diff(found.total, axis=1) > 0).all()


def test_break_even_by_hand():
    """A costs 10 and 2 a million, B 30 and 1: B pays off from 20 million tokens on; C is dearer in both."""
    table = break_even([10, 30, 40], [2, 1, 3])
    assert np.isnan(np.diag(table)).all()
    assert table[1, 0] == 20e6
    assert table[0, 1] == np.inf
    assert table[0, 2] == table[1, 2] == 0
    assert table[2, 0] == table[2, 1] == np.inf
    assert break_even([1, 2], [3, 3])[0, 1] == 0


def test_totals_are_equal_at_the_break_even():
    loss = float(lawlib.compute_optimal(JOINT, 1e22, 8.0).loss)
    expansions = np.array([1.0, 4.0, 16.0, 64.0])
    n = [
        lawlib.compute_optimal(JOINT, c, e).n_active
        for c, e in zip(serving.equal_loss_budget(JOINT, loss, expansions), expansions, strict=True)
    ]
    found = at_loss(JOINT, loss, n, expansions, SERVER.price(JOINT), training_rate(MACHINE, 0.4))
    table = break_even(found.train, found.serve)
    for i, j in zip(*np.nonzero(np.isfinite(table) & (table > 0)), strict=True):
        totals = found.train + found.serve * table[i, j] / 1e6
        assert totals[i] == pytest.approx(totals[j], rel=1e-9)
        after = found.train + found.serve * table[i, j] * 2 / 1e6
        assert after[i] < after[j]


def test_training_takes_the_hours_of_its_utilisation():
    """1e21 FLOPs at 40 % of 989.5 TFLOP/s: 702 GPU-hours."""
    assert training_rate(MACHINE, 0.4) * 1e21 == pytest.approx(1e21 / (989.5e12 * 0.4) / 3600)
    with pytest.raises(ValueError, match=r"utilisation in training \(MFU\) is a share between 0 and 1; got 40"):
        training_rate(MACHINE, 40)


def random_limits(rng):
    """Limits that bind in some sets and not in others, any of them left out."""
    keep = rng.random(3) < 0.6
    return ServingLimits(
        gpu_hours=float(10 ** rng.uniform(-4, -0.5)) if keep[0] else None,
        memory_gb=float(rng.choice([24, 48, 80, 141, 192, 640])) if keep[1] else None,
        context=float(rng.choice([1024, 16384, 65536])),
        tokens=float(10 ** rng.uniform(9.5, 13)) if keep[2] else None,
    )


def on_a_grid(n, budget, machine, work, limits, expansions):
    """Loss of sizes n `(n, n_expansions)`, infinite where a limit is not kept; written without the optimiser."""
    tokens = np.minimum(budget / 6 / n, limits.tokens or np.inf)
    loss = JOINT.loss(n, tokens, expansion=expansions[None, :])
    model = serving.law_footprint(JOINT, n, expansions[None, :])
    if limits.gpu_hours is not None:
        loss = np.where(serving.cheapest(model, machine, work).gpu_hours <= limits.gpu_hours, loss, np.inf)
    if limits.memory_gb is not None:
        used = 2 * model.total + 2 * limits.context * model.kv_values
        loss = np.where(used <= limits.memory_gb * 1e9, loss, np.inf)
    return loss


def test_optima_under_serving_limits_are_those_of_a_dense_grid():
    """100 random sets of budget, machine, requests, E and limits; a grid over eight decades and one within its best cells."""
    rng = np.random.default_rng(0)
    names = list(serving.gpus())
    coarse = np.geomspace(1e5, 1e13, 250)[:, None]
    bounds = set()
    for _ in range(100):
        budget = float(10 ** rng.uniform(19, 24))
        machine = serving.Machine(serving.gpu(str(rng.choice(names))), compute=rng.uniform(0.3, 1), bandwidth=rng.uniform(0.3, 1))
        work = serving.Workload(rng.uniform(50, 8000), rng.uniform(20, 2000), 512, rng.choice([np.inf, np.inf, 0.03]))
        server, limits = serving.Server(machine, work), random_limits(rng)
        expansions = np.sort(rng.choice([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0], 2, replace=False))
        found = best_under(JOINT, budget, expansions, server, limits)
        given = (budget, machine, work, limits, expansions)
        first = on_a_grid(coarse, *given)
        fine = coarse[first.argmin(axis=0), 0] * np.geomspace((1e8) ** (-1 / 249), (1e8) ** (1 / 249), 401)[:, None]
        lowest = np.minimum(first.min(axis=0), on_a_grid(fine, *given).min(axis=0))
        assert (np.isnan(found.loss) == np.isinf(lowest)).all()
        good = np.isfinite(lowest)
        np.testing.assert_allclose(found.loss[good], lowest[good], rtol=1e-4)
        assert (found.loss[good] <= lowest[good] * (1 + 1e-9)).all()
        bounds |= set(found.bound[good])
    assert bounds == {"nothing", "serving price", "memory", "tokens"}


def test_impossible_limits_leave_no_size():
    found = best_under(JOINT, 1e22, [1, 8], SERVER, ServingLimits(gpu_hours=1e-12))
    assert np.isnan(found.loss).all()
