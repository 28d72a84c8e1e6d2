"""FLOPs and size rules: which one is picked, and that each equals the formula it names."""

import numpy as np
import pandas as pd
import pytest

from lawlib import seeds
from lawlib.architecture import krajewski_flops
from lawlib.laws.flops import DENSE, FlopsRule, TotalRule, measured_rule, rule_of, total_rule_of
from tests.support.planted import krajewski_total

RNG = np.random.default_rng(3)
N = np.exp(RNG.uniform(np.log(1e6), np.log(1e11), 40))
D = np.exp(RNG.uniform(np.log(1e9), np.log(1e12), 40))
E = RNG.choice([2.0, 8.0, 64.0], 40)
G = RNG.choice([1.0, 4.0, 32.0], 40)
RULES = [
    FlopsRule(),
    FlopsRule("krajewski"),
    FlopsRule("router", ((6.0, 1.0), (0.3, 0.6))),
    FlopsRule("measured", ((5.0, 1.0), (3e3, 2 / 3), (1e6, 1 / 3))),
]


def runs(flops, **columns):
    return pd.DataFrame({"n_active": N, "tokens": D, "flops": flops} | columns)


def test_6nd_is_6nd():
    np.testing.assert_allclose(FlopsRule().flops(N, D, E, G), 6 * N * D, rtol=1e-12)


def test_krajewski_rule_is_the_papers_formula():
    np.testing.assert_allclose(FlopsRule("krajewski").flops(N, D, E, G), krajewski_flops(N, D, E, G), rtol=1e-12)


def test_krajewski_rule_has_no_router_for_dense_models():
    np.testing.assert_allclose(FlopsRule("krajewski").flops(N, D), 6 * N * D, rtol=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_derivatives_of_log_flops(rule):
    u, h = np.log(N), 1e-4
    value, first, second = rule.log_per_token(u, np.log(E * G))
    up, down = (rule.log_per_token(u + s, np.log(E * G))[0] for s in (h, -h))
    np.testing.assert_allclose(first, (up - down) / (2 * h), rtol=1e-7)
    np.testing.assert_allclose(second, (up - 2 * value + down) / h**2, atol=1e-5)
    assert np.all(second >= -1e-15), "FLOPs per token must be convex in ln N"


def test_the_rule_of_the_runs_is_found():
    assert rule_of(runs(6 * N * D * np.exp(RNG.normal(0, 0.02, 40)))).name == "6ND"
    assert rule_of(runs(6 * N * D * (1 + 4e3 / np.sqrt(N)))).name == "measured"
    assert rule_of(runs(np.nan)).name == "6ND"
    assert rule_of(pd.DataFrame({"loss": [3.0]})).name == "6ND"


@pytest.mark.parametrize("n_dense", [0, 15])
def test_krajewskis_rule_is_found_where_the_router_weighs_with_or_without_dense_runs(n_dense):
    e = np.where(np.arange(40) < n_dense, 1.0, 64.0)
    small = pd.DataFrame({"n_active": N / 1e3, "tokens": D, "expansion": e, "granularity": np.where(e > 1, 32.0, 1.0)})
    router = krajewski_flops(small["n_active"], D, 64, 32)
    small["flops"] = np.where(e > 1, router, 6 * small["n_active"] * D)
    assert rule_of(small).name == "krajewski"
    assert rule_of(small.drop(columns="granularity")).name == "measured"


def test_a_measured_rule_recovers_planted_coefficients():
    per_token = 4.5 * N + 2e3 * N ** (2 / 3) + 7e6 * N ** (1 / 3)
    rule = measured_rule(N, per_token)
    assert rule.rms < 1e-9
    for (found, power), (planted, expected) in zip(rule.measured, [(4.5, 1.0), (2e3, 2 / 3), (7e6, 1 / 3)], strict=True):
        assert power == expected
        assert found == pytest.approx(planted, rel=1e-6)
    np.testing.assert_allclose(rule.flops(N, D), per_token * D, rtol=1e-9)


def test_measured_coefficients_are_never_negative():
    rule = measured_rule(N, N**1.4)
    assert all(c > 0 for c, _ in rule.measured)
    assert rule.rms > 0.05


def test_marin_runs_need_the_measured_rule():
    marin = seeds.table("runs_marin").query("dataset == 'marin-moe-v16'")
    rule = rule_of(marin)
    assert rule.name == "measured"
    assert rule.rms < 0.1
    small = marin[marin["d_model"] == 512]
    np.testing.assert_allclose(rule.flops(small["n_active"], small["tokens"]) / small["flops"], 1.0, atol=0.15)
    assert (small["flops"] / (6 * small["n_active"] * small["tokens"])).min() > 2, "attention is over half of the FLOPs"


def test_unknown_rules_are_named():
    with pytest.raises(ValueError, match="no FLOPs rule 'cubic'; known are 6ND, krajewski, router, measured"):
        FlopsRule("cubic").terms()
    assert "router" in FlopsRule("krajewski").sentence


@pytest.mark.parametrize("expansion", [1.0, 8.0, 64.0])
def test_a_share_of_two_thirds_is_krajewskis_total(expansion):
    r0, r1 = TotalRule("share", 2 / 3).affine(expansion)
    np.testing.assert_allclose(np.exp(r0 + r1 * np.log(N)), krajewski_total(N, expansion), rtol=1e-12)


def test_total_rules_of_runs():
    assert total_rule_of(pd.DataFrame({"n_active": N, "n_total": N})) == DENSE
    share = total_rule_of(pd.DataFrame({"n_active": N, "n_total": krajewski_total(N, E), "expansion": E}))
    assert share.kind == "share"
    assert share.value == pytest.approx(2 / 3, rel=1e-9)
    power = total_rule_of(pd.DataFrame({"n_active": N, "n_total": 20 * N**0.95}))
    assert (power.kind, power.power, np.exp(power.value)) == ("power", pytest.approx(0.95), pytest.approx(20))
    assert total_rule_of(pd.DataFrame({"n_active": N})).kind == "unknown"


def test_a_router_of_other_shapes_is_measured_from_the_runs():
    """Blocks of any aspect ratio: 14 d n_blocks E·G with d n_blocks = 2 N^0.6."""
    e = np.where(np.arange(40) < 15, 1.0, 8.0)
    g = np.where(e > 1, G, 1.0)
    small = pd.DataFrame({"n_active": N / 1e3, "tokens": D, "expansion": e, "granularity": g})
    small["flops"] = (6 * small["n_active"] + np.where(e > 1, 14 * 2 * small["n_active"] ** 0.6 * e * g, 0.0)) * D
    rule = rule_of(small)
    assert rule.name == "router"
    assert rule.has_router
    np.testing.assert_allclose(rule.flops(small["n_active"], D, e, g), small["flops"], rtol=1e-9)
    assert rule.measured[1] == pytest.approx((28.0, 0.6))
    assert rule_of(small.drop(columns="expansion")).name != "router"
