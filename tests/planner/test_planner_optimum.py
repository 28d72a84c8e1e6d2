"""The optimum under limits: against a geometric program, published tables, and what each limit must do."""

from dataclasses import replace

import numpy as np
import pytest

import lawlib
from lawlib import serving
from lawlib.architecture import with_embeddings, without_embeddings
from lawlib.laws.flops import KRAJEWSKI_TOTAL, FlopsRule
from lawlib.planner.continuous import best_sizes
from lawlib.planner.limits import BUDGET, SERVING, TOKENS, Deployment, Limits
from lawlib.planner.recipe import Recipe, recipe_of
from lawlib.planner.training import Cluster
from tests.support import planted

H100 = serving.gpu("H100 SXM")


def law_of(family):
    """A law whose N has no embeddings, with the planted parameters."""
    source = {"chinchilla": "besiroglu2024", "fine_grained": "krajewski2024-moe-e64", "joint": "ludziejewski2025"}[family]
    law = lawlib.published(source)
    rule = FlopsRule("krajewski" if family == "fine_grained" else "6ND")
    return replace(law, source=None, flops_rule=rule, total_rule=KRAJEWSKI_TOTAL)


def terms(family, p, E, G):
    """(coefficient, power of N_active, power of D) of each term of the loss, in the papers' letters."""
    if family == "chinchilla":
        return [(p["L_inf"], 0, 0), (p["A"], -p["alpha"], 0), (p["B"], 0, -p["beta"])]
    if family == "fine_grained":
        total = (8 * E + 4) / 12
        size = (p["g"] / G ** p["gamma"] + p["a"]) * total ** -p["alpha"]
        return [(p["c"], 0, 0), (size, -p["alpha"], 0), (p["b"], 0, -p["beta"])]
    e = planted.ehat(E, p)
    return [
        (p["c"], 0, 0),
        (p["a"] * e ** p["delta"], p["alpha"] + p["gamma"] * np.log(e), 0),
        (p["b"] * e ** p["omega"], 0, p["beta"] + p["zeta"] * np.log(e)),
    ]


def program(family, p, E, G, C, tokens, n_train, n_serve, sequences, recipe):
    """The same problem as a geometric program: (ln N, ln D) by an interior-point method."""
    cp = pytest.importorskip("cvxpy", reason="cvxpy (requirements-dev.txt) is the independent solver")
    N, D = cp.Variable(pos=True), cp.Variable(pos=True)  # in units of 1e9 and 1e10
    n, d = 1e9 * N, 1e10 * D
    k, experts = (G, E * G) if E > 1 else (1, 1)
    ratio = recipe.ffn_ratio / k
    attention = 2 * (1 + 1 / recipe.queries_per_key)
    per_block = attention + 3 * ratio * k  # active parameters of a block over d_model²
    width = (recipe.aspect * n / per_block) ** (1 / 3)
    blocks = width / recipe.aspect
    router = blocks * width * experts if E > 1 else 0
    total = n * ((attention + 3 * ratio * experts) / per_block) + router + 2 * width * recipe.vocabulary
    loss = sum(a * n**x * d**y if x or y else a for a, x, y in terms(family, p, E, G))
    per_token = 6 * n
    if family == "fine_grained" and E > 1:
        per_token += 14 * 64 * E * G * (n / (12 * 64**2)) ** (2 / 3)
    activations = 4096 * (2 * (blocks * width + (17 + k) * width + 3 * k * ratio * width) + 4 * recipe.vocabulary)
    cache = sequences * 1280 * 2 * blocks * width / recipe.queries_per_key * 2
    limits = [
        per_token * d / C <= 1,
        d / tokens <= 1,
        (18 * total / n_train + activations) / 72e9 <= 1,
        (2 * total + cache) / (n_serve * 72e9) <= 1,
    ]
    problem = cp.Problem(cp.Minimize(loss), limits)
    problem.solve(gp=True, solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return np.log(n.value), np.log(d.value), problem.value


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # asked for 1e-11, it may stop at 1e-10: compared to 1e-4
@pytest.mark.parametrize("family", ["chinchilla", "fine_grained", "joint"])
def test_the_optimum_is_that_of_a_geometric_program_on_random_limits(family):
    law = law_of(family)
    rng, seen = np.random.default_rng(len(family)), set()
    for _ in range(34):
        C, tokens = 10 ** rng.uniform(19, 24), 10 ** rng.uniform(9.5, 12.5)
        n_train, n_serve = int(2 ** rng.integers(2, 9)), int(2 ** rng.integers(0, 5))
        sequences = int(2 ** rng.integers(0, 6))
        E = {"chinchilla": 1.0, "fine_grained": 64.0, "joint": float(2 ** rng.integers(0, 6))}[family]
        G = float(2 ** rng.integers(0, 6)) if family == "fine_grained" else 1.0
        recipe = recipe_of(law, ffn_ratio=8 / 3)
        limits = Limits(
            C, tokens, cluster=Cluster(H100, n_train), deployment=Deployment(serving.Machine(H100), n_serve, sequences=sequences)
        )
        found = best_sizes(law, limits, recipe, E, G if family == "fine_grained" else np.nan)
        u, v, loss = program(family, law.params, E, G, C, tokens, n_train, n_serve, sequences, recipe)
        seen |= {name for name, holds in found.bound.items() if holds}
        assert float(found.log_loss) == pytest.approx(np.log(loss), abs=1e-6)
        assert float(found.u) == pytest.approx(u, abs=1e-4)
        assert float(found.v) == pytest.approx(v, abs=1e-4)
    assert len(seen) == 4, seen  # every limit was the binding one somewhere


def test_without_limits_it_is_the_compute_optimum_and_table_1_of_the_joint_paper():
    law = lawlib.published("ludziejewski2025")
    e = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    found = best_sizes(law, Limits(1e22), recipe_of(law), e, np.nan)
    printed_n = [18.8e9, 17.4e9, 15.8e9, 14.4e9, 13.2e9, 12.2e9]
    printed_d = [88.6e9, 96e9, 105.4e9, 115.8e9, 126.5e9, 136.9e9]
    assert np.exp(found.u) == pytest.approx(printed_n, rel=0.025)
    assert np.exp(found.v) == pytest.approx(printed_d, rel=0.025)
    assert np.exp(found.u) == pytest.approx(lawlib.compute_optimal(law, 1e22, e).n_active, rel=1e-8)
    assert found.bound[BUDGET].all()
    assert not found.bound[TOKENS].any()


def test_tokens_to_serve_come_out_of_the_budget_as_in_a_dense_search():
    law, budget, served = law_of("joint"), 1e22, 3e12
    found = best_sizes(law, Limits(budget, served=served), recipe_of(law), 8.0, np.nan)
    n = np.exp(np.linspace(np.log(1e8), np.log(budget / 2 / served) - 1e-6, 400_001))
    d = (budget - 2 * n * served) / (6 * n)
    loss = law.loss(n, d, np.nan, 8.0)
    assert np.exp(float(found.log_loss)) == pytest.approx(loss.min(), rel=1e-9)
    assert float(found.u) == pytest.approx(np.log(n[np.argmin(loss)]), abs=1e-3)
    assert float(found.u) < np.log(lawlib.compute_optimal(law, budget, 8.0).n_active)


def test_a_sample_of_an_ensemble_is_solved_as_it_would_be_alone():
    law = lawlib.published("ludziejewski2025")
    many, e = law.rounding(5).law, np.array([1.0, 8.0, 32.0])
    limits = Limits(3e21, 5e10, served=1e11, deployment=Deployment(serving.Machine(H100), 1))
    together = best_sizes(many, limits, recipe_of(law), e, np.nan)
    for i in range(5):
        alone = best_sizes(many.at(i), limits, recipe_of(law), e, np.nan)
        assert together.u[i] == pytest.approx(alone.u, abs=1e-9)
        assert together.log_loss[i] == pytest.approx(alone.log_loss, abs=1e-12)


def test_what_holds_a_model_back_is_named_and_used_up():
    law, served = law_of("joint"), Deployment(serving.Machine(H100), 1, sequences=4)
    limits = Limits(1e23, 1e12, deployment=served)
    recipe = recipe_of(law)
    found = best_sizes(law, limits, recipe, np.array([1.0, 16.0]), np.nan)
    assert found.bound[SERVING].all()
    shapes = recipe.sized(np.exp(found.u), np.array([1.0, 16.0]), np.nan)
    assert served.bytes(shapes) / served.room == pytest.approx(1.0, abs=1e-9)


def test_more_tokens_to_serve_than_the_budget_pays_for_leaves_no_model():
    law = law_of("joint")
    assert np.isnan(best_sizes(law, Limits(1e18, served=1e15), recipe_of(law), 8.0, np.nan).u)


def test_counts_with_embeddings_go_there_and_back():
    n = np.geomspace(1e6, 1e12, 7)
    assert without_embeddings(with_embeddings(n), 4.0)[0] == pytest.approx(n, rel=1e-10)


def test_a_real_valued_shape_has_the_size_it_was_asked_for():
    recipe = Recipe(n_shared=1)
    shape = recipe.sized(np.array([1e8, 1e10]), np.array([1.0, 16.0]), np.array([1.0, 4.0]))
    assert shape.n_active == pytest.approx([1e8, 1e10], rel=1e-12)
    assert list(shape.n_experts) == [1, 64]
    assert list(shape.expansion) == [1, 16]
    assert shape.n_router == pytest.approx([0, float(shape.n_layers[1] * shape.d_model[1] * 64)])
