"""The forms against the papers' formulas in plain numpy, and the published laws against the papers' own tables."""

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import seeds
from lawlib.laws import FAMILIES, FittedLaw, FormulaLaw, family, shared_experts_optimum
from lawlib.laws.law import Law
from lawlib.laws.saturation import derivatives, from_free, log_ehat, to_free
from tests.support.planted import PAPER, PARAMS, ehat

RNG = np.random.default_rng(11)
N, D = np.exp(RNG.uniform(15, 25, 60)), np.exp(RNG.uniform(20, 28, 60))
G, E = 2.0 ** RNG.integers(0, 7, 60), 2.0 ** RNG.integers(0, 7, 60)
LOSS_LAWS = [n for n in lawlib.published_names() if isinstance(lawlib.published(n), FittedLaw)]


def planted(name, params=None):
    law, params = FAMILIES[name], PARAMS[name] if params is None else params
    shapes = to_free(params["E_start"], params["E_max"]) if law.has_shapes else np.empty(0)
    return FittedLaw(law, law.theta(params), shapes)


def wobbled(name, n_samples):
    """Samples of the parameters a few percent around the planted ones."""
    return [{k: v * np.exp(RNG.normal(0, 0.03)) for k, v in PARAMS[name].items()} for _ in range(n_samples)]


@pytest.mark.parametrize("name", FAMILIES)
def test_value_is_the_papers_formula(name):
    np.testing.assert_allclose(planted(name).loss(N, D, G, E), PAPER[name](PARAMS[name], N, D, G, E), rtol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_ensemble_is_its_samples_one_by_one(name):
    params = wobbled(name, 5)
    single = [planted(name, p) for p in params]
    many = FittedLaw(FAMILIES[name], np.stack([s.theta for s in single]), np.stack([s.shapes for s in single]))
    expected = [PAPER[name](p, N, D, G, E) for p in params]
    np.testing.assert_allclose(many.loss(N, D, G, E), expected, rtol=1e-12)
    # Arguments of different shapes broadcast, with the samples in front of them all.
    block = many.loss(N[:4, None], D[None, :3], G[:3], E[:4, None])
    np.testing.assert_allclose(block[2], PAPER[name](params[2], N[:4, None], D[None, :3], G[:3], E[:4, None]) + 0 * block[2])
    np.testing.assert_allclose(many.at(3).loss(N, D, G, E), expected[3], rtol=1e-12)
    assert many.n_samples == 5
    assert many.at(3).n_samples is None
    for letter in FAMILIES[name].parameters:
        np.testing.assert_allclose(many.params[letter], [p[letter] for p in params], rtol=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_params_are_the_papers_letters_and_come_back_unchanged(name):
    assert planted(name).params == pytest.approx(PARAMS[name], rel=1e-10)


@pytest.mark.parametrize("name", FAMILIES)
def test_predict_takes_the_column_that_the_law_counts_in(name):
    law = planted(name)
    runs = pd.DataFrame({"n_active": N, "n_total": 3 * N, "tokens": D, "granularity": G, "expansion": E})
    expected = PAPER[name](PARAMS[name], runs[law.law.count].to_numpy(), D, G, E)
    np.testing.assert_allclose(law.predict(runs), expected, rtol=1e-12)
    with pytest.raises(ValueError, match=f"{name} law needs the columns .*missing: {law.law.count}"):
        law.predict(runs.drop(columns=law.law.count))


def test_the_active_share_comes_from_top_k_where_it_is_given():
    law = planted("sparsity")
    runs = pd.DataFrame({"n_total": N, "tokens": D, "top_k": 4.0, "n_experts": 64.0})
    np.testing.assert_allclose(law.predict(runs), PAPER["sparsity"](PARAMS["sparsity"], N, D, G, 16.0), rtol=1e-12)


def test_laws_that_depend_on_less_are_flat_in_the_rest():
    assert planted("chinchilla").loss(1e9, 1e10) == pytest.approx(1.8 + 480 * 1e9**-0.35 + 2000 * 1e10**-0.366)
    assert planted("joint").loss(1e9, 2e10, np.nan, 1.0) == pytest.approx(2.5776, abs=1e-4)


def test_joint_granular_is_fine_grained_at_one_e_and_joint_at_one_g():
    p = PARAMS["joint_granular"]
    e = ehat(8.0, p)
    lift = e ** p["delta"]
    fine = {"c": p["c"], "a": p["a"] * lift, "g": p["g"] * lift, "gamma": p["gamma_g"]}
    fine |= {"alpha": -(p["alpha"] + p["gamma"] * np.log(e)), "beta": -(p["beta"] + p["zeta"] * np.log(e))}
    fine |= {"b": p["b"] * e ** p["omega"]}
    ours = planted("joint_granular")
    np.testing.assert_allclose(ours.loss(N, D, G, 8.0), planted("fine_grained", fine).loss(N, D, G), rtol=1e-12)
    at_one_g = {k: p[k] for k in PARAMS["joint"]} | {"a": p["a"] + p["g"] / 4 ** p["gamma_g"]}
    np.testing.assert_allclose(ours.loss(N, D, 4.0, E), planted("joint", at_one_g).loss(N, D, 4.0, E), rtol=1e-12)


def test_a_law_says_what_it_takes():
    assert FAMILIES["fine_grained"].columns == ("n_total", "tokens", "granularity")
    assert FAMILIES["joint"].columns == ("n_active", "tokens", "expansion")
    assert FAMILIES["routed"].columns == ("n_active", "expansion")
    counts = {name: law.count for name, law in FAMILIES.items()}
    assert [n for n, c in counts.items() if c == "n_total"] == ["fine_grained", "sparsity"]


def test_wrong_declarations_and_names_are_refused():
    with pytest.raises(ValueError, match="no law 'kaplan'; known are chinchilla, fine_grained"):
        family("kaplan")
    with pytest.raises(ValueError, match=r"odd: unknown variable \['Q'\]"):
        _ = Law("odd", "", "", "", "n_active", ("a",), ({"a": "Q"},)).entries
    with pytest.raises(ValueError, match="must be positive"):
        FAMILIES["chinchilla"].theta(PARAMS["chinchilla"] | {"A": -1.0})


class TestSaturation:
    def test_one_expert_gives_e_start_and_many_give_e_max(self):
        assert np.exp(log_ehat(1.0, to_free(2.0732, 290.4521))) == pytest.approx(2.0732, rel=1e-12)
        assert np.exp(log_ehat(1e15, to_free(2.0732, 290.4521))) == pytest.approx(290.4521, rel=1e-9)

    def test_value_is_clarks_formula(self):
        p = PARAMS["routed"]
        np.testing.assert_allclose(np.exp(log_ehat(E, to_free(p["E_start"], p["E_max"]))), ehat(E, p), rtol=1e-12)

    def test_free_parameters_go_there_and_back(self):
        assert from_free(to_free(2.0732, 290.4521)) == (pytest.approx(2.0732), pytest.approx(290.4521))
        with pytest.raises(ValueError, match="E_start must be below E_max"):
            to_free(300.0, 290.0)

    def test_derivatives_are_those_of_the_value(self):
        free, h = np.array([[0.7, 5.7], [1.4, 4.0]]), 1e-4
        value, gradient, hessian = derivatives(E, free)
        np.testing.assert_allclose(value, log_ehat(E, free), rtol=1e-12)
        for i in range(2):
            step = h * np.eye(2)[i]
            (up, g_up, _), (down, g_down, _) = derivatives(E, free + step), derivatives(E, free - step)
            np.testing.assert_allclose(gradient[:, i], (up - down) / (2 * h), rtol=1e-6, atol=1e-10)
            np.testing.assert_allclose(hessian[:, i], (g_up - g_down) / (2 * h), rtol=1e-6, atol=1e-10)


class TestPublished:
    @pytest.mark.parametrize("name", LOSS_LAWS)
    def test_every_law_is_its_seeds_in_the_papers_formula(self, name):
        law = lawlib.published(name)
        rows = seeds.table("published_laws").query("law == @name")
        printed = {p: float(v) for p, v in zip(rows["parameter"], rows["value"], strict=True)}
        assert law.params == pytest.approx(printed, rel=1e-10)
        np.testing.assert_allclose(law.loss(N, D, G, E), PAPER[law.law.name](printed, N, D, G, E), rtol=1e-10)
        assert law.status == "published"
        assert law.health() == []

    def test_the_designs_names_are_there(self):
        names = """hoffmann2022 besiroglu2024 krajewski2024-moe-e64 krajewski2024-moe-e64-heldout
            krajewski2024-moe-e64-inrounding krajewski2024-moe-e16 krajewski2024-dense clark2022-sbase clark2022-rlr
            clark2022-hash ludziejewski2025 abnar2025 ling2025 zhao2025"""
        assert set(lawlib.published_names()) == set(names.split())

    def test_unknown_names_are_refused_with_the_known_ones(self):
        with pytest.raises(ValueError, match="no published law 'kaplan2020'; known are hoffmann2022, besiroglu2024"):
            lawlib.published("kaplan2020")

    @pytest.mark.parametrize(
        ("expansion", "loss"), [(1, 2.5776), (2, 2.5587), (4, 2.5352), (8, 2.5088), (16, 2.4814), (32, 2.4546)]
    )
    def test_joint_law_losses(self, expansion, loss):
        law = lawlib.published("ludziejewski2025")
        assert law.loss(1e9, 2e10, expansion=expansion) == pytest.approx(loss, abs=1e-4)

    def test_joint_law_gives_the_per_e_forms_of_table_4(self):
        law, table = lawlib.published("ludziejewski2025"), seeds.table("joint_table4")
        p, log_e = law.params, law.log_ehat(table["expansion"].to_numpy())
        ours = {
            "m": p["a"] * np.exp(p["delta"] * log_e),
            "mu": p["alpha"] + p["gamma"] * log_e,
            "n": p["b"] * np.exp(p["omega"] * log_e),
            "nu": p["beta"] + p["zeta"] * log_e,
        }
        for letter, values in ours.items():
            np.testing.assert_allclose(values / table[letter], 1.0, atol=0.003, err_msg=letter)

    def test_which_n_each_law_counts(self):
        counts = {n: lawlib.published(n).count for n in LOSS_LAWS}
        assert counts["ludziejewski2025"] == "n_active_with_embeddings"
        assert counts["hoffmann2022"] == "n_total_with_embeddings"
        assert counts["krajewski2024-moe-e64"] == counts["abnar2025"] == "n_total"
        assert counts["krajewski2024-dense"] == counts["clark2022-rlr"] == "n_active"

    def test_krajewskis_law_holds_at_its_e_only(self):
        assert lawlib.published("krajewski2024-moe-e64").expansion == 64
        assert lawlib.published("krajewski2024-moe-e16").expansion == 16
        assert lawlib.published("ludziejewski2025").expansion is None

    @pytest.mark.parametrize("n_experts", [1, 8, 128, 512])
    def test_clarks_law_from_the_formula(self, n_experts):
        p = {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478}
        n, e = np.log10(1.3e9), np.log10(ehat(n_experts, p))
        expected = 10 ** (-0.082 * n - 0.108 * e + 0.009 * n * e + 1.104)
        assert lawlib.published("clark2022-sbase").loss(1.3e9, expansion=n_experts) == pytest.approx(expected, rel=1e-12)

    def test_lings_efficiency_leverage(self):
        law = lawlib.published("ling2025")
        assert isinstance(law, FormulaLaw)
        assert law(0.031, 12, 1e22) == pytest.approx(7.24, abs=0.005)
        runs = pd.DataFrame({"active_share": [0.031, 1.0], "granularity": [12.0, 2.0], "flops": [1e22, 1e20]})
        np.testing.assert_allclose(law.predict(runs)[0], law(0.031, 12, 1e22))
        with pytest.raises(ValueError, match="ling2025 needs the columns active_share, granularity, flops; missing: flops"):
            law.predict(runs.drop(columns="flops"))

    def test_zhaos_formula_and_its_optimum(self):
        law = lawlib.published("zhao2025")
        g_opt, s_opt = shared_experts_optimum(law.params)
        assert g_opt == pytest.approx(6.78, abs=0.005)
        assert s_opt == pytest.approx(0.315, abs=0.0005)
        n, na, d, g, s = 1e10, 2e9, 1e11, 8.0, 0.25
        size = n**-0.2383 + 0.0013 * na**-0.2383 + 0.0450 * na / n
        shape = 0.1577 * g + 7.2446 / g + 5.1395 * s**2 - 3.2363 * s
        rest = 38.051 * n**-0.2383 + 27129.05 * d**-0.4694 + 31.096 * na**-0.2383 + 1.8182
        assert law(n, na, d, g, s) == pytest.approx(shape * size + rest, rel=1e-12)
        around = law(n, na, d, g_opt * np.array([0.98, 1, 1.02])[:, None], s_opt * np.array([0.98, 1, 1.02]))
        assert np.unravel_index(around.argmin(), (3, 3)) == (1, 1)
