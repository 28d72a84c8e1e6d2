"""Compute-optimal models against the papers' tables, a closed form, scipy's scalar search and dense grids."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import lawlib
from lawlib import OptimumError, compute_optimal, seeds
from lawlib.architecture import krajewski_flops, without_embeddings
from lawlib.laws import FAMILIES, FittedLaw
from lawlib.laws.flops import DENSE, KRAJEWSKI_TOTAL, FlopsRule, TotalRule
from lawlib.laws.saturation import to_free
from lawlib.optimum.allocation import GRANULARITIES, best_loss
from tests.support.planted import PAPER, PARAMS

RULES = {
    "6ND": FlopsRule(),
    "krajewski": FlopsRule("krajewski"),
    "measured": FlopsRule("measured", ((4.5, 1.0), (2e3, 2 / 3), (1e6, 1 / 3))),
}
TOTALS = {"sparsity": TotalRule("share", 1.0), "fine_grained": KRAJEWSKI_TOTAL}
WITH_D = [name for name, law in FAMILIES.items() if "D" in law.variables]


def planted(name, rule="6ND", params=None):
    law, params = FAMILIES[name], PARAMS[name] if params is None else params
    shapes = to_free(params["E_start"], params["E_max"]) if law.has_shapes else np.empty(0)
    return FittedLaw(law, law.theta(params), shapes, RULES[rule], TOTALS.get(name, DENSE))


def per_token(rule, n_active, e, g):
    """FLOPs per token written out once more."""
    if rule == "6ND" or (rule == "krajewski" and e == 1):
        return 6 * n_active
    if rule == "krajewski":
        return krajewski_flops(n_active, 1.0, e, g)
    return 4.5 * n_active + 2e3 * n_active ** (2 / 3) + 1e6 * n_active ** (1 / 3)


def total(name, n_active, e):
    return {"fine_grained": n_active * (8 * e + 4) / 12, "sparsity": n_active * e}.get(name, n_active)


def loss_along(name, params, rule, budget, e, g):
    """The loss of a model of ln N_active = u that uses the budget up, from the paper's formula alone."""

    def at(u):
        n = np.exp(u)
        return PAPER[name](params, total(name, n, e), budget / per_token(rule, n, e, g), g, e)

    return at


def ask(name, law, budget, e, g):
    return compute_optimal(law, budget, e, g if name in ("fine_grained", "joint_granular") else None)


RNG = np.random.default_rng(21)
PROBLEMS = [
    (
        WITH_D[i % len(WITH_D)],
        list(RULES)[i % 3],
        10 ** RNG.uniform(18, 25),
        2.0 ** RNG.integers(0, 6),
        2.0 ** RNG.integers(0, 8),
        i,
    )
    for i in range(54)
]


@pytest.mark.parametrize(("name", "rule", "budget", "e", "g", "seed"), PROBLEMS)
def test_random_problems_against_scipy_and_a_dense_grid(name, rule, budget, e, g, seed):
    wobble = np.random.default_rng(seed)
    params = {k: v * np.exp(0.03 * wobble.normal()) for k, v in PARAMS[name].items()}
    law = planted(name, rule, params)
    g = g if name in ("fine_grained", "joint_granular") else 1.0
    opt = ask(name, law, budget, e, g)
    along = loss_along(name, params, rule, budget, e, g)
    grid = np.linspace(np.log(1e3), np.log(1e16), 6001)
    best = grid[np.argmin(along(grid))]
    scipys = minimize_scalar(along, bracket=(best - 0.1, best, best + 0.1), method="brent", tol=1e-11)
    assert opt.loss <= scipys.fun * (1 + 1e-12)
    assert opt.loss == pytest.approx(scipys.fun, rel=1e-12)
    assert np.log(opt.n_active) == pytest.approx(scipys.x, abs=2e-5)
    # The optimum is interior: the loss is flat there, and what is reported is one and the same model.
    h = 1e-3
    assert abs(along(np.log(opt.n_active) + h) - along(np.log(opt.n_active) - h)) / (2 * h) < 1e-5
    assert opt.tokens * per_token(rule, opt.n_active, e, g) == pytest.approx(budget, rel=1e-10)
    assert along(np.log(opt.n_active)) == pytest.approx(opt.loss, rel=1e-12)
    assert opt.n_total == pytest.approx(total(name, opt.n_active, e), rel=1e-10)
    assert opt.flops == budget
    assert opt.tokens_per_parameter == pytest.approx(opt.tokens / opt.n_active)


@pytest.mark.parametrize("name", ["hoffmann2022", "besiroglu2024"])
def test_dense_optimum_is_hoffmanns_closed_form(name):
    law = lawlib.published(name)
    p, budgets = law.params, np.geomspace(1e17, 1e27, 11)
    ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    power = p["beta"] / (p["alpha"] + p["beta"])
    opt = compute_optimal(law, budgets)
    np.testing.assert_allclose(opt.n_active, ratio * (budgets / 6) ** power, rtol=1e-8)
    np.testing.assert_allclose(opt.tokens, (budgets / 6) ** (1 - power) / ratio, rtol=1e-8)
    assert np.isnan(opt.n_active_nonembedding).all(), "with embeddings, and the shape is unknown"
    assert np.isnan(opt.granularity).all()


class TestKrajewski:
    table = seeds.table("krajewski_table2")

    def test_printed_coefficients_reproduce_table_2(self):
        opt = compute_optimal(lawlib.published("krajewski2024-moe-e64"), self.table["flops"].to_numpy(), 64)
        np.testing.assert_array_equal(opt.granularity, self.table["granularity"])
        np.testing.assert_allclose(opt.n_active / self.table["n_active"], 1.0, atol=0.033)
        np.testing.assert_allclose(opt.tokens / self.table["tokens"], 1.0, atol=0.033)
        np.testing.assert_allclose(opt.loss, self.table["loss"], atol=0.025)
        np.testing.assert_allclose(opt.n_total, 43 * opt.n_active, rtol=1e-10)

    def test_coefficients_moved_inside_the_rounding_reproduce_it_closely(self):
        opt = compute_optimal(lawlib.published("krajewski2024-moe-e64-inrounding"), self.table["flops"].to_numpy(), 64)
        np.testing.assert_array_equal(opt.granularity, self.table["granularity"])
        np.testing.assert_allclose(opt.n_active / self.table["n_active"], 1.0, atol=0.006)
        np.testing.assert_allclose(opt.tokens / self.table["tokens"], 1.0, atol=0.006)
        np.testing.assert_allclose(opt.loss, self.table["loss"], atol=0.0007)

    def test_the_flops_rule_is_table_2s(self):
        rule = lawlib.published("krajewski2024-moe-e64").flops_rule
        flops = rule.flops(*(self.table[c] for c in ("n_active", "tokens", "expansion", "granularity")))
        np.testing.assert_allclose(flops / self.table["flops"], 1.0, atol=0.005)

    def test_the_best_granularity_is_the_best_of_all_asked_one_by_one(self):
        law, budgets = lawlib.published("krajewski2024-moe-e64"), np.geomspace(1e16, 1e27, 23)
        each = [compute_optimal(law, budgets, 64, g).loss for g in GRANULARITIES]
        best = compute_optimal(law, budgets, 64)
        np.testing.assert_allclose(best.loss, np.min(each, axis=0), rtol=1e-14)
        np.testing.assert_array_equal(best.granularity, np.array(GRANULARITIES)[np.argmin(each, axis=0)])
        np.testing.assert_allclose(best.n_experts, 64 * best.granularity)


class TestJoint:
    table = seeds.table("joint_table1")

    def test_table_1(self):
        law = lawlib.published("ludziejewski2025")
        opt = compute_optimal(law, self.table["flops"].to_numpy(), self.table["expansion"].to_numpy())
        np.testing.assert_allclose(opt.n_active / self.table["n_opt"], 1.0, atol=0.025)
        np.testing.assert_allclose(opt.tokens / self.table["d_opt"], 1.0, atol=0.025)

    def test_embeddings_are_taken_off(self):
        opt = compute_optimal(lawlib.published("ludziejewski2025"), 1e21, 8)
        bare, bare_total, total_with = without_embeddings(opt.n_active, 8)
        assert opt.count == "n_active_with_embeddings"
        assert opt.n_active_nonembedding == pytest.approx(bare)
        assert opt.n_total_nonembedding == pytest.approx(bare_total)
        assert opt.n_total == pytest.approx(total_with)
        assert bare < opt.n_active


def test_abnars_sparsity_pays_at_1e20():
    law = lawlib.published("abnar2025")
    # S = (E - K) / E; the law's own expansion is 1 / (1 - S).
    assert compute_optimal(law, 1e20, 1.0).loss == pytest.approx(2.589, abs=5e-4)
    sparse = compute_optimal(law, 1e20, 1 / (1 - 0.98))
    assert sparse.loss == pytest.approx(2.271, abs=5e-4)
    assert sparse.tokens == pytest.approx(1e20 / (6 * sparse.n_total * 0.02), rel=1e-9)


@pytest.mark.parametrize(
    "name", ["hoffmann2022", "krajewski2024-moe-e64", "krajewski2024-dense", "ludziejewski2025", "abnar2025"]
)
def test_more_compute_never_hurts(name):
    law = lawlib.published(name)
    has_e = {"Ehat", "A"} & set(law.law.variables)
    opt = compute_optimal(law, np.geomspace(1e16, 1e27, 45), 8 if has_e else None)
    for rising in (opt.n_active, opt.tokens, -np.asarray(opt.loss)):
        assert np.all(np.diff(rising) > 0) or "G" in law.law.variables
    assert np.all(np.diff(opt.loss) < 0)
    np.testing.assert_array_equal(
        best_loss(law, 1e21, 8 if has_e else None), compute_optimal(law, 1e21, 8 if has_e else None).loss
    )


@pytest.mark.parametrize("name", WITH_D)
@pytest.mark.parametrize("rule", RULES)
def test_an_ensemble_is_solved_as_its_samples_one_by_one(name, rule):
    rng = np.random.default_rng(9)
    single = [planted(name, rule, {k: v * np.exp(0.02 * rng.normal()) for k, v in PARAMS[name].items()}) for _ in range(4)]
    many = FittedLaw(
        **{**single[0].__dict__, "theta": np.stack([s.theta for s in single]), "shapes": np.stack([s.shapes for s in single])}
    )
    budgets = np.geomspace(1e18, 1e24, 5)[:, None]
    g = np.array([2.0, 8.0, 32.0]) if name in ("fine_grained", "joint_granular") else None
    e = np.array([4.0, 8.0, 32.0]) if name != "chinchilla" else None
    together = compute_optimal(many, budgets, e, g)
    for i, law in enumerate(single):
        alone = compute_optimal(law, budgets, e, g)
        for field in ("n_active", "n_total", "tokens", "loss"):
            shape = np.shape(getattr(alone, field))
            np.testing.assert_allclose(np.broadcast_to(getattr(together, field)[i], shape), getattr(alone, field), rtol=1e-8)
    scalar = compute_optimal(many, 1e21, None if e is None else 8.0)
    assert np.shape(scalar.loss) == np.shape(scalar.granularity) == (4,)
    assert scalar.loss[2] == pytest.approx(compute_optimal(single[2], 1e21, None if e is None else 8.0).loss, rel=1e-12)


def test_a_single_question_is_answered_in_floats():
    opt = compute_optimal(lawlib.published("krajewski2024-moe-e64"), 1.93e20, expansion=64)
    assert all(isinstance(getattr(opt, f), float) for f in ("n_active", "n_total", "tokens", "granularity", "flops", "loss"))


def test_a_dense_law_is_as_large_as_it_is_active_where_no_e_is_known():
    opt = compute_optimal(planted("chinchilla"), 1e21)
    assert opt.n_total == pytest.approx(opt.n_active, rel=1e-14)
    assert np.isnan(opt.expansion)


class TestErrors:
    def test_a_total_size_without_an_e(self):
        with pytest.raises(OptimumError, match=r"runs do not have one expansion rate .*: give expansion="):
            compute_optimal(planted("fine_grained"), 1e20)

    def test_another_e_than_the_laws(self):
        with pytest.raises(OptimumError, match=r"holds at E = 64 only; asked for E = 32.*Laws with E: joint"):
            compute_optimal(lawlib.published("krajewski2024-moe-e64"), 1e20, expansion=32)

    def test_a_law_without_tokens(self):
        with pytest.raises(OptimumError, match="clark2022-sbase law has no training tokens D, so it has no compute optimum"):
            compute_optimal(lawlib.published("clark2022-sbase"), 1e20, expansion=8)

    def test_a_missing_e(self):
        with pytest.raises(OptimumError, match="ludziejewski2025 law depends on the expansion rate: give expansion="):
            compute_optimal(lawlib.published("ludziejewski2025"), 1e20)

    def test_granularity_of_a_law_without_it(self):
        with pytest.raises(
            OptimumError, match="ludziejewski2025 law has no granularity; leave granularity out or choose fine_grained"
        ):
            compute_optimal(lawlib.published("ludziejewski2025"), 1e20, expansion=8, granularity=4)

    @pytest.mark.parametrize("budget", [-1e20, 0.0, np.nan, np.inf, [1e20, -1.0]])
    def test_budgets_that_are_not_positive(self, budget):
        with pytest.raises(OptimumError, match="budget must be positive training FLOPs"):
            compute_optimal(lawlib.published("hoffmann2022"), budget)

    @pytest.mark.parametrize("granularity", [0.0, -2.0, np.nan, [1.0, 0.0]])
    def test_granularities_that_are_not_positive(self, granularity):
        with pytest.raises(OptimumError, match="granularity must be positive"):
            compute_optimal(lawlib.published("krajewski2024-moe-e64"), 1e20, 64, granularity)

    @pytest.mark.parametrize("expansion", [0.5, np.nan])
    def test_fewer_than_one_expert(self, expansion):
        with pytest.raises(OptimumError, match=r"expansion rate is at least 1 \(dense\)"):
            compute_optimal(lawlib.published("ludziejewski2025"), 1e20, expansion)

    def test_a_law_that_has_no_optimum_size(self):
        law = planted("chinchilla", params=PARAMS["chinchilla"] | {"alpha": -0.1})
        with pytest.raises(OptimumError, match="no compute-optimal size between 1e1 and 1e30"):
            compute_optimal(law, 1e20)

    def test_total_size_that_nothing_relates_to_the_active_one(self):
        law = FittedLaw(**{**planted("fine_grained").__dict__, "total_rule": TotalRule("unknown")})
        with pytest.raises(OptimumError, match="takes the total size, FLOPs need the active one"):
            compute_optimal(law, 1e20, granularity=8)
