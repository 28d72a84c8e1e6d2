"""Iso-FLOP curves, the granularity frontier and switching budgets against the figures computed from Krajewski's law."""

from dataclasses import replace

import numpy as np
import pytest

import lawlib
from lawlib import (
    FlopsRule,
    OptimumError,
    allocation_exponents,
    compute_optimal,
    granularity_frontier,
    granularity_gain,
    isoflop,
    isoflop_losses,
    router_share,
    switching_budgets,
)
from lawlib.architecture import Transformer, krajewski_flops

INROUNDING = "krajewski2024-moe-e64-inrounding"
FIXED_G = {
    1e18: (3.430, 3.375, 3.343, 3.329, 3.335, 3.363, 3.420, 3.507),
    1e20: (2.670, 2.628, 2.601, 2.585, 2.580, 2.587, 2.607, 2.646),
    1e22: (2.106, 2.074, 2.053, 2.040, 2.033, 2.031, 2.037, 2.051),
    1e24: (1.686, 1.663, 1.647, 1.636, 1.630, 1.627, 1.627, 1.631),
}


@pytest.mark.parametrize("budget", FIXED_G)
def test_optimal_loss_at_fixed_granularity(budget):
    frame = granularity_frontier(lawlib.published(INROUNDING), budget, 64, 2.0 ** np.arange(8))
    np.testing.assert_allclose(frame["loss"], FIXED_G[budget], atol=0.001)
    assert frame["best"].sum() == 1
    assert frame["loss"][frame["best"]].item() == frame["loss"].min()
    assert frame.loc[frame["best"], "granularity"].item() == {1e18: 8, 1e20: 16, 1e22: 32, 1e24: 32}[budget]


def test_switching_budgets():
    found, moved = (
        switching_budgets(lawlib.published(name), 64).set_index("granularity")["flops"]
        for name in ("krajewski2024-moe-e64", INROUNDING)
    )
    for granularity, log10_budget in {8: 16.06, 16: 18.77, 32: 21.43, 64: 24.05, 128: 26.6}.items():
        assert np.log10(found[granularity]) == pytest.approx(log10_budget, abs=0.03)
        assert np.log10(moved[granularity] / found[granularity]) == pytest.approx(0, abs=0.04)


def test_both_sides_of_a_switching_budget_prefer_different_granularities():
    law = lawlib.published("krajewski2024-moe-e64")
    for granularity, budget in switching_budgets(law, 64).itertuples(index=False):
        assert compute_optimal(law, budget * 1.001, 64).granularity == granularity
        assert compute_optimal(law, budget / 1.001, 64).granularity == granularity / 2
        coarse, fine = (compute_optimal(law, budget, 64, g).loss for g in (granularity / 2, granularity))
        assert coarse == pytest.approx(fine, rel=1e-9)


def test_frontier_is_the_optimum_at_each_pair():
    law, budgets = lawlib.published("krajewski2024-moe-e64"), [1e19, 1e22]
    frame = granularity_frontier(law, budgets, 64)
    assert list(frame["flops"]) == [1e19] * 9 + [1e22] * 9
    for row in frame.itertuples():
        opt = compute_optimal(law, row.flops, 64, row.granularity)
        assert (row.loss, row.n_active, row.tokens) == pytest.approx((opt.loss, opt.n_active, opt.tokens), rel=1e-10)


def test_router_share_is_the_routers_part_of_the_counted_flops():
    law = lawlib.published("krajewski2024-moe-e64")
    shape = Transformer(d_model=256, n_layers=4, d_ff=1024, n_experts=64 * 64, top_k=64, granularity=64)
    expected = 14 * shape.n_router / shape.flops_per_token()
    assert router_share(law, shape.n_active, 64, 64) == pytest.approx(expected, rel=1e-10)
    assert expected > 0.5, "at d = 256, E = 64, G = 64 the router costs more than all else"
    assert np.all(router_share(lawlib.published("ludziejewski2025"), np.array([1e9, 1e10]), 8, 4) == 0)


@pytest.mark.parametrize(
    ("name", "expansion"), [("hoffmann2022", None), (INROUNDING, 64), ("ludziejewski2025", 8), ("abnar2025", 16)]
)
def test_isoflop_curves_use_up_the_budget_and_bottom_out_at_the_optimum(name, expansion):
    law = lawlib.published(name)
    frame = isoflop(law, [1e20, 1e22], expansion)
    for budget, block in frame.groupby("flops"):
        opt = compute_optimal(law, budget, expansion)
        assert block["loss"].idxmin() == block["optimal"].idxmax()
        assert block["optimal"].sum() == 1
        best = block[block["optimal"]].iloc[0]
        assert (best["n_active"], best["tokens"], best["loss"]) == pytest.approx((opt.n_active, opt.tokens, opt.loss), rel=1e-8)
        curve = block["loss"].to_numpy()
        assert np.all(np.diff(np.sign(np.diff(curve))) >= 0), "falls, then rises"
        assert block["n_active"].iloc[-1] / block["n_active"].iloc[0] == pytest.approx(1e3)
    if name == INROUNDING:
        flops = krajewski_flops(frame["n_active"], frame["tokens"], 64, frame["granularity"])
    else:
        flops = 6 * frame["n_active"] * frame["tokens"]
    np.testing.assert_allclose(flops, frame["flops"], rtol=1e-10)


def test_isoflop_losses_of_an_ensemble_are_those_of_its_samples():
    law = lawlib.published("krajewski2024-moe-e64")
    many = law.rounding(5, seed=1).law
    sizes, budgets = np.geomspace(1e8, 1e10, 4), np.array([1e20, 1e22])[:, None]
    tokens, losses = isoflop_losses(many, budgets, sizes, 64, 16)
    assert losses.shape == (5, 2, 4)
    for i in range(5):
        alone_tokens, alone = isoflop_losses(many.at(i), budgets, sizes, 64, 16)
        np.testing.assert_allclose(losses[i], alone, rtol=1e-12)
        np.testing.assert_allclose(np.broadcast_to(tokens, (2, 4)), alone_tokens, rtol=1e-12)


def test_a_law_without_granularity_has_no_frontier():
    with pytest.raises(OptimumError, match="ludziejewski2025 law has no granularity; fine_grained and joint_granular have"):
        granularity_frontier(lawlib.published("ludziejewski2025"), 1e20, 8)
    with pytest.raises(OptimumError, match="no granularity"):
        switching_budgets(lawlib.published("hoffmann2022"))


def test_switches_outside_the_range_and_of_a_law_without_router_cost_are_left_out():
    law = lawlib.published("krajewski2024-moe-e64")
    whole = switching_budgets(law, 64)
    part = switching_budgets(law, 64, low=1e18, high=1e23)
    expected = whole[whole["flops"].between(1e18, 1e23)]
    assert part["granularity"].tolist() == expected["granularity"].tolist()
    np.testing.assert_allclose(part["flops"], expected["flops"], rtol=1e-5)
    free = switching_budgets(replace(law, flops_rule=FlopsRule("6ND")), 64)
    assert (len(free), list(free)) == (0, ["granularity", "flops"]), "without a router finer is better at every budget"


@pytest.mark.parametrize("budget", [1e18, 1e20, 1e24])
def test_coarse_experts_need_the_gain_times_the_compute(budget):
    law = lawlib.published("krajewski2024-moe-e64")
    gain = granularity_gain(law, budget, 64)
    assert gain > 1
    best, coarse = compute_optimal(law, budget, 64), compute_optimal(law, budget * gain, 64, 1)
    assert coarse.loss == pytest.approx(best.loss, rel=1e-9)


def test_granularity_gains_nothing_where_coarse_is_best():
    law = lawlib.published("krajewski2024-moe-e64")
    none = replace(law, theta=law.law.theta(law.params | {"g": 1e-9}))
    assert compute_optimal(none, 1e20, 64).granularity == 1
    assert granularity_gain(none, 1e20, 64) == pytest.approx(1.0, rel=1e-9)


def test_coarse_experts_may_never_get_there():
    law = lawlib.published("krajewski2024-moe-e64")
    steep = replace(law, theta=law.law.theta(law.params | {"g": 1e3, "gamma": 2.0}))
    assert granularity_gain(steep, 1e20, 64) == np.inf


@pytest.mark.parametrize("budget", [1e18, 10**22, np.array([1e17, 1e20, 1e25])])
@pytest.mark.parametrize("name", ["hoffmann2022", "besiroglu2024"])
def test_allocation_exponents_are_hoffmanns_closed_form(name, budget):
    law = lawlib.published(name)
    alpha, beta = law.params["alpha"], law.params["beta"]
    n, d = allocation_exponents(law, budget)
    np.testing.assert_allclose(n, np.broadcast_to(beta / (alpha + beta), np.shape(budget)), rtol=1e-10)
    np.testing.assert_allclose(d, np.broadcast_to(alpha / (alpha + beta), np.shape(budget)), rtol=1e-10)


def test_allocation_exponents_of_an_ensemble_are_those_of_its_samples():
    many = lawlib.published("besiroglu2024").rounding(6, seed=2)
    n, d = allocation_exponents(many.law, [1e20, 1e22])
    assert n.shape == d.shape == (6, 2)
    p = many.params
    np.testing.assert_allclose(n, np.stack([p["beta"] / (p["alpha"] + p["beta"])] * 2, axis=1), rtol=1e-6)


@pytest.mark.parametrize("many", [False, True], ids=["law", "samples"])
@pytest.mark.parametrize("name", ["krajewski2024-moe-e64", "ludziejewski2025", "besiroglu2024"])
def test_allocation_exponents_are_the_slopes_of_the_optima(name, many):
    """Richardson's extrapolation of central differences, also of a router whose FLOPs are no power of N."""
    law = lawlib.published(name)
    e = 16.0 if law.law.has_expansion else law.expansion
    g = 8.0 if "G" in law.law.variables else None
    law = law.rounding(5, seed=1).law if many else law
    budgets = np.array([1e17, 1e20, 1e24])

    def slopes(step):
        low, high = (lawlib.compute_optimal(law, budgets * np.exp(s), e, g) for s in (-step, step))
        return np.array([np.log(np.asarray(getattr(high, q)) / getattr(low, q)) / (2 * step) for q in ("n_active", "tokens")])

    wanted = (4 * slopes(0.02) - slopes(0.04)) / 3
    np.testing.assert_allclose(allocation_exponents(law, budgets, e, g), wanted, rtol=1e-7)


def test_allocation_exponents_hold_the_granularity_of_the_budget():
    law = lawlib.published("krajewski2024-moe-e64")
    switch = switching_budgets(law, 64).set_index("granularity")["flops"][16.0]
    # Right at a switch the best G jumps; the exponent is that of one G.
    n, d = allocation_exponents(law, switch, 64)
    sides = [allocation_exponents(law, switch, 64, g)[0] for g in (8, 16)]
    assert min(np.abs(n - s) for s in sides) < 1e-6
    assert 0 < n < 1
    assert n + d != pytest.approx(1.0, abs=1e-3), "the router makes FLOPs a token fall behind N"
    fixed = allocation_exponents(replace(law, flops_rule=FlopsRule("6ND")), switch, 64, 16)
    assert sum(fixed) == pytest.approx(1.0, abs=1e-9)
