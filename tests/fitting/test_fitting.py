"""Fits against published fits of real data, planted laws, and the best of many scipy starts."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import lawlib
from lawlib import FitError, seeds
from lawlib.architecture import krajewski_flops
from lawlib.fitting.objective import Objective
from lawlib.fitting.resampling import fit_model
from lawlib.laws import FAMILIES
from lawlib.numerics.threads import one_blas_thread
from tests.support.planted import PARAMS, ehat, grid

SHAPED = [name for name, law in FAMILIES.items() if law.has_shapes]


@one_blas_thread
def refit_with_scipy(fit, n_starts=20, seed=0):
    """The lowest objective that L-BFGS-B with exact gradients finds from random starts around and far from the fit.

    In the coordinates where the terms move evenly, or most of its steps go to waste in the long valleys of these laws.
    """
    model, goal = fit_model(fit), Objective(fit.fit.objective_name, fit.fit.delta)
    weights = fit.fit.weights
    point = np.concatenate([fit.theta, fit.shapes]) if fit.fit.fit_shapes else fit.theta

    def at(moved):
        state = model.evaluate((point + model.whiten @ moved)[None, :])
        value, first, second = goal.derivatives(state.log_pred, model.log_loss)
        gradient, _ = model.curvature(state, first * weights, second * weights)
        return 1e3 * float((value * weights).sum()), 1e3 * gradient[0] @ model.whiten

    rng, best = np.random.default_rng(seed), np.inf
    for i in range(n_starts):
        start = (0.01, 0.1, 1.0, 5.0)[i % 4] * rng.normal(size=len(point))
        with np.errstate(all="ignore"):  # its line search leaves the floating-point range now and then
            found = minimize(at, start, jac=True, method="L-BFGS-B", options={"maxfun": 400, "ftol": 1e-14, "gtol": 1e-11})
        best = min(best, found.fun * 1e-3) if np.isfinite(found.fun) else best
    return best


@pytest.fixture(scope="module")
def marin():
    return seeds.table("runs_marin").query("dataset == 'marin-moe-v16'").assign(expansion=np.nan, granularity=np.nan)


@pytest.fixture
def chinchilla_runs(test_data):
    table = pd.read_csv(test_data / "chinchilla_extracted.csv")
    runs = pd.DataFrame({"n_active": table["Model Size"], "flops": table["Training FLOP"], "loss": table["loss"]})
    runs["tokens"] = runs["flops"] / (6 * runs["n_active"])
    return runs.sort_values("loss").iloc[:-5].reset_index(drop=True)


class TestRealData:
    def test_besiroglus_refit_of_chinchilla(self, chinchilla_runs):
        fit = lawlib.fit(chinchilla_runs, "chinchilla", objective="huber", delta=1e-3)
        assert fit.objective == pytest.approx(1.018274018e-3, rel=1e-6)
        expected = {"L_inf": 1.8172, "A": 477.8, "B": 2143, "alpha": 0.3473, "beta": 0.3672}
        assert fit.params == pytest.approx(expected, rel=0.01)
        printed = lawlib.published("besiroglu2024")
        for letter, error in printed.source.standard_errors.items():
            assert abs(fit.params[letter] - printed.params[letter]) < error
        assert fit.status == "converged"
        assert fit.flops_rule.name == "6ND"
        assert len(fit.fit.runs) == 240

    @pytest.mark.parametrize(
        ("objective", "l_inf", "alpha", "beta"),
        [("huber", 1.976, 0.184, 0.346), ("squared_log", 2.009, 0.190, 0.357), ("squared", 2.089, 0.205, 0.367)],
    )
    def test_marins_moe_runs_under_three_objectives(self, marin, objective, l_inf, alpha, beta):
        fit = lawlib.fit(marin, "chinchilla", objective=objective, delta=1e-3)
        assert len(fit.fit.runs) == 47
        assert (fit.params["L_inf"], fit.params["alpha"], fit.params["beta"]) == pytest.approx((l_inf, alpha, beta), abs=6e-4)
        assert fit.flops_rule.name == "measured"

    def test_marins_residual(self, marin):
        fit = lawlib.fit(marin, "chinchilla", objective="squared")
        assert np.sqrt(np.mean((fit.predict(marin) - marin["loss"]) ** 2)) == pytest.approx(0.028, abs=5e-4)

    @pytest.mark.parametrize(
        ("router", "a", "b", "c", "d"),
        [
            ("S-Base", -0.084, -0.123, 0.0104, 1.122),
            ("RL-R", -0.084, -0.128, 0.0117, 1.114),
            ("Hash", -0.089, -0.146, 0.0134, 1.173),
        ],
    )
    def test_clarks_routed_law_per_router(self, test_data, router, a, b, c, d):
        curves = pd.read_csv(test_data / "clark2022_curves.csv.gz").dropna(subset="loss_validation")
        last = curves.sort_values("step").groupby("hyper_id").tail(1)
        chosen = last.query("k == 1 and flop_increase == 1 and routing_frequency == 0.5")
        chosen = chosen[chosen["router_type"].isin([router, "Dense"])]
        assert (chosen["router_type"] == router).sum() > 20
        runs = pd.DataFrame(
            {"n_active": chosen["dense_parameter_count"], "expansion": chosen["num_experts"], "loss": chosen["loss_validation"]}
        )
        fit = lawlib.fit(runs, "routed", objective="squared_log")
        found = fit.params
        assert found["a"] == pytest.approx(a, abs=6e-4)
        assert found["b"] == pytest.approx(b, abs=6e-4)
        assert found["c"] == pytest.approx(c, abs=6e-5)
        assert found["d"] == pytest.approx(d, abs=6e-4)
        assert fit.rmse / np.log(10) == pytest.approx(0.003, abs=6e-4)
        assert fit.held == {}
        printed = lawlib.published({"S-Base": "clark2022-sbase", "RL-R": "clark2022-rlr", "Hash": "clark2022-hash"}[router])
        assert np.max(np.abs(np.log(printed.predict(runs) / fit.predict(runs)))) < 0.04


def identified(law, params):
    """What noise-free runs fix: every parameter, but of Ehat only what it does to the exponents and amplitudes at each E."""
    if not FAMILIES[law].has_shapes:
        return params
    h = np.log(ehat(np.array([1.0, 4.0, 32.0]), params))
    p = dict(params)
    for main, cross in {"joint": (("alpha", "gamma"), ("beta", "zeta")), "routed": (("a", "c"),)}.get(
        law.removesuffix("_granular"), ()
    ):
        p[main] = p[main] + p.pop(cross) * h / (np.log(10) if law == "routed" else 1)
    if law.startswith("joint"):
        p["a"], p["b"] = (np.log(p[k]) + p.pop(power) * h for k, power in (("a", "delta"), ("b", "omega")))
    if law == "joint_granular":
        p["g"] = params["g"] / params["a"]
    if law == "routed":
        p["d"] = p["d"] + p.pop("b") * h / np.log(10)
    if law == "inference_optimal":
        p["B"], p["d"] = p["B"] * np.exp(-p.pop("beta") * h), p["d"] * h
    return {k: v for k, v in p.items() if k not in ("E_start", "E_max")}


def small_grid(law, **options):
    sizes, tokens = np.geomspace(3e6, 3e9, 5), np.geomspace(1e9, 1.3e11, 4)
    return grid(law, **({"sizes": sizes} | ({} if law == "routed" else {"tokens": tokens}) | options))


class TestPlantedLaws:
    @pytest.mark.parametrize("law", FAMILIES)
    def test_exact_runs_give_the_planted_parameters_back(self, law):
        fit = lawlib.fit(small_grid(law), law)
        expected, found = identified(law, PARAMS[law]), identified(law, fit.params)
        for letter, value in expected.items():
            np.testing.assert_allclose(found[letter], value, rtol=1e-4, atol=1e-7, err_msg=letter)
        assert fit.rmse < 1e-8
        assert fit.status == "converged"

    @pytest.mark.parametrize("law", SHAPED)
    def test_with_the_shapes_held_at_the_truth_every_letter_is_fixed(self, law):
        source = {"routed": "clark2022-sbase"}.get(law, "ludziejewski2025")
        truth = PARAMS[law] | {k: lawlib.published(source).params[k] for k in ("E_start", "E_max")}
        fit = lawlib.fit(small_grid(law, params=truth, expansions=(1.0, 2.0, 8.0, 32.0)), law)
        assert fit.params == pytest.approx(truth, rel=1e-4)
        assert set(fit.held) == {"E_start", "E_max"}
        assert "the runs have 4 different E, 6 are needed" in fit.held["E_max"]
        assert "held at" in fit.held["E_start"]
        assert lawlib.published(source).source.citation in fit.held["E_start"]

    @pytest.mark.parametrize(
        ("law", "objective", "seed"),
        [
            ("chinchilla", "huber", 0),
            ("fine_grained", "huber", 1),
            ("fine_grained", "squared", 2),
            ("sparsity", "squared_log", 3),
            ("routed", "huber", 4),
            ("inference_optimal", "squared_log", 5),
            ("joint", "huber", 6),
            ("joint", "squared_log", 7),
            ("joint_granular", "squared_log", 8),
        ],
    )
    def test_no_scipy_start_gets_lower(self, law, objective, seed):
        runs = small_grid(law, noise=0.004, seed=seed)
        runs = runs.sample(min(90, len(runs)), random_state=seed)
        fit = lawlib.fit(runs, law, objective=objective)
        assert fit.objective <= refit_with_scipy(fit, seed=seed) * (1 + 1e-6) + 1e-12

    def test_finer_grained_law_without_an_effect_of_g_is_the_joint_law(self):
        runs = small_grid("joint", granularities=(1.0, 4.0, 16.0), expansions=(1.0, 4.0, 32.0))
        fine, plain = lawlib.fit(runs, "joint_granular"), lawlib.fit(runs, "joint")
        np.testing.assert_allclose(fine.predict(runs), plain.predict(runs), rtol=1e-5)

    def test_a_wider_law_never_fits_worse(self):
        runs = small_grid("joint_granular", noise=0.01, seed=3, expansions=(1.0, 4.0, 32.0))
        wide, joint = (lawlib.fit(runs, law, objective="squared_log").objective for law in ("joint_granular", "joint"))
        assert wide < joint
        dense = lawlib.fit(runs, "chinchilla", objective="squared_log").objective
        assert joint < dense

    def test_one_e_and_one_g_are_the_smaller_laws_questions(self):
        with pytest.raises(FitError, match=r"one expansion \(8\), so delta, gamma, omega, zeta of the joint_granular law cannot"):
            lawlib.fit(small_grid("joint_granular", expansions=(8.0,)), "joint_granular")
        one_e = small_grid("joint_granular", expansions=(8.0,))
        fit = lawlib.fit(one_e, "fine_grained")
        np.testing.assert_allclose(fit.predict(one_e), one_e["loss"], rtol=1e-7)
        assert fit.expansion == 8
        one_g = small_grid("joint_granular", granularities=(4.0,))
        fit = lawlib.fit(one_g, "joint")
        np.testing.assert_allclose(fit.predict(one_g), one_g["loss"], rtol=1e-7)


NOISY = small_grid("chinchilla", noise=0.01, seed=1)


class TestRunsAndWeights:
    def test_weight_two_is_the_run_twice_and_weight_zero_is_no_run(self):
        weights = np.tile([0.0, 1.0, 2.0, 1.0], 5)
        weighted = lawlib.fit(NOISY.assign(w=weights), "chinchilla", weights="w")
        twice = pd.concat([NOISY[weights > 0], NOISY[weights == 2]])
        plain = lawlib.fit(twice, "chinchilla")
        assert weighted.objective == pytest.approx(plain.objective, rel=1e-9)
        assert weighted.params == pytest.approx(plain.params, rel=1e-5)
        assert weighted.rmse == pytest.approx(plain.rmse, rel=1e-6)
        assert lawlib.fit(NOISY, "chinchilla", weights=weights).params == pytest.approx(weighted.params, rel=1e-9)
        assert len(weighted.fit.runs) == 15

    @pytest.mark.parametrize("law", ["chinchilla", "fine_grained", "joint"])
    def test_order_of_rows_and_columns_does_not_matter(self, law):
        runs = grid(law, noise=0.01)
        mixed = runs.sample(frac=1, random_state=4)[list(runs.columns[::-1])]
        first, second = lawlib.fit(runs, law), lawlib.fit(mixed, law)
        assert second.objective == pytest.approx(first.objective, rel=1e-9)
        np.testing.assert_allclose(second.predict(runs), first.predict(runs), rtol=1e-6)

    def test_excluded_runs_are_left_out(self):
        spoiled = NOISY.assign(excluded=False)
        spoiled.loc[[3, 7], ["excluded", "loss"]] = [True, 99.0]
        fit = lawlib.fit(spoiled, "chinchilla")
        assert fit.params == pytest.approx(lawlib.fit(NOISY.drop(index=[3, 7]), "chinchilla").params, rel=1e-9)
        assert len(fit.fit.runs) == 18
        spoiled.loc[3, "loss"] = -1.0
        assert lawlib.fit(spoiled, "chinchilla").params == pytest.approx(fit.params, rel=1e-12)

    def test_incomplete_runs_are_left_out_and_counted(self):
        holed = NOISY.copy()
        holed.loc[[2, 5, 6], "tokens"] = np.nan
        fit = lawlib.fit(holed, "chinchilla")
        assert fit.fit.n_dropped == 3
        assert len(fit.fit.runs) == 17

    def test_the_callers_runs_stay_as_they_are(self):
        before = NOISY.copy()
        lawlib.fit(NOISY, "chinchilla")
        pd.testing.assert_frame_equal(NOISY, before)

    def test_only_the_laws_columns_and_the_loss_are_needed(self):
        fit = lawlib.fit(NOISY[["n_active", "tokens", "loss"]], "chinchilla")
        assert fit.params == pytest.approx(lawlib.fit(NOISY, "chinchilla").params, rel=1e-9)

    def test_what_the_result_says_of_itself(self):
        fit = lawlib.fit(NOISY, "chinchilla")
        residuals = np.log(fit.predict(NOISY) / NOISY["loss"])
        np.testing.assert_allclose(fit.fit.residuals, residuals, atol=1e-12)
        assert fit.rmse == pytest.approx(np.sqrt(np.mean(residuals**2)))
        assert fit.objective == pytest.approx(Objective().value(residuals.to_numpy(), np.zeros(20)).sum(), rel=1e-9)
        assert fit.ranges["tokens"] == (NOISY["tokens"].min(), NOISY["tokens"].max())
        assert fit.fit.n_agreeing >= 1
        assert fit.n_samples is None

    def test_the_flops_rule_is_the_runs_own_unless_one_is_asked_for(self):
        assert lawlib.fit(NOISY, "chinchilla").flops_rule.name == "6ND"
        assert lawlib.fit(NOISY, "chinchilla", flops_rule="krajewski").flops_rule.name == "krajewski"
        fine = small_grid("fine_grained")
        fine["flops"] = krajewski_flops(fine["n_active"], fine["tokens"], fine["expansion"], fine["granularity"])
        fit = lawlib.fit(fine, "fine_grained")
        assert fit.flops_rule.name == "krajewski"
        # The planted coefficients are Krajewski's, so the optimum is too.
        ours, paper = (lawlib.compute_optimal(law, 1e20, 64) for law in (fit, lawlib.published("krajewski2024-moe-e64")))
        assert (ours.n_active, ours.granularity) == (pytest.approx(paper.n_active, rel=1e-3), paper.granularity)

    def test_a_term_that_the_runs_do_not_show_is_told(self):
        flat = small_grid("fine_grained", params=PARAMS["fine_grained"] | {"g": 1e-12}, noise=1e-3)
        fit = lawlib.fit(flat, "fine_grained")
        plain = lawlib.fit(flat.assign(n_active=flat["n_total"]), "chinchilla")
        assert fit.objective <= plain.objective * (1 + 1e-6)


class TestErrors:
    @pytest.mark.parametrize(
        ("law", "options", "sentence"),
        [
            ("chinchilla", {"sizes": [1e8]}, r"All 6 runs have one size \(1e\+08\), so alpha of the chinchilla law cannot be"),
            (
                "chinchilla",
                {"tokens": [2e10]},
                r"one training tokens \(2e\+10\), so beta of the chinchilla law cannot be identified",
            ),
            (
                "fine_grained",
                {"granularities": [4.0]},
                r"one granularity \(4\), so gamma of the fine_grained law .* choose a law without it",
            ),
            ("joint", {"expansions": [8.0]}, r"one expansion \(8\), so delta, gamma, omega, zeta of the joint law"),
            (
                "chinchilla",
                {"sizes": [1e8, 1e9], "tokens": [1e9, 1e10]},
                r"has 5 parameters \(L_inf, A, B, alpha, beta\), but the 4 runs",
            ),
        ],
    )
    def test_runs_that_cannot_identify_the_law(self, law, options, sentence):
        with pytest.raises(FitError, match=sentence):
            lawlib.fit(grid(law, **options), law)

    def test_repeated_runs_do_not_count_twice(self):
        runs = pd.concat([grid("chinchilla", sizes=[1e8, 1e9], tokens=[1e9, 1e10])] * 5)
        with pytest.raises(FitError, match="20 runs have only 4 different combinations of size, training tokens: add runs"):
            lawlib.fit(runs, "chinchilla")

    @pytest.mark.parametrize("loss", [0.0, -2.5])
    def test_losses_that_are_not_positive(self, loss):
        bad = NOISY.copy()
        bad.loc[4, "loss"] = loss
        with pytest.raises(FitError, match=r"1 runs have loss at or below zero \(first: row 4\): fix or exclude them"):
            lawlib.fit(bad, "chinchilla")

    def test_sizes_that_are_not_positive(self):
        bad = NOISY.copy()
        bad.loc[[2, 9], "n_active"] = 0
        with pytest.raises(FitError, match=r"2 runs have n_active at or below zero \(first: row 2\)"):
            lawlib.fit(bad, "chinchilla")

    def test_an_empty_column(self):
        with pytest.raises(FitError, match="takes n_active, tokens and loss, but no run has a value for tokens"):
            lawlib.fit(NOISY.assign(tokens=np.nan), "chinchilla")
        scattered = NOISY.assign(
            tokens=NOISY["tokens"].where(NOISY.index % 2 == 0), loss=NOISY["loss"].where(NOISY.index % 2 == 1)
        )
        with pytest.raises(FitError, match="no run has all of its quantities"):
            lawlib.fit(scattered, "chinchilla")

    def test_no_runs_at_all(self):
        with pytest.raises(FitError, match="chinchilla law takes n_active, tokens and loss, but"):
            lawlib.fit(NOISY.iloc[:0], "chinchilla")
        with pytest.raises(FitError, match="chinchilla law takes n_active, tokens and loss, but"):
            lawlib.fit(NOISY.assign(excluded=True), "chinchilla")

    def test_missing_columns(self):
        with pytest.raises(ValueError, match="chinchilla law needs the columns n_active, tokens; missing: tokens"):
            lawlib.fit(NOISY.drop(columns="tokens"), "chinchilla")
        with pytest.raises(ValueError, match="Fitting needs a column loss"):
            lawlib.fit(NOISY.drop(columns="loss"), "chinchilla")

    @pytest.mark.parametrize("weights", [np.ones(3), np.full(20, -1.0), np.zeros(20), np.full(20, np.nan)])
    def test_weights_that_make_no_sense(self, weights):
        with pytest.raises(ValueError, match="weights must be 20 finite numbers at or above zero, not all zero"):
            lawlib.fit(NOISY, "chinchilla", weights=weights)

    def test_unknown_names(self):
        with pytest.raises(ValueError, match="no law 'kaplan'"):
            lawlib.fit(NOISY, "kaplan")
        with pytest.raises(ValueError, match="no objective 'l1'"):
            lawlib.fit(NOISY, "chinchilla", objective="l1")
        with pytest.raises(ValueError, match=r"no weight column 'w'; .*columns are .*name, n_active"):
            lawlib.fit(NOISY, "chinchilla", weights="w")
        with pytest.raises(ValueError, match="no FLOPs rule 'cubic'"):
            lawlib.compute_optimal(lawlib.fit(NOISY, "chinchilla", flops_rule="cubic"), 1e20)


def test_the_joint_law_recovers_table_4_of_ludziejewski_from_noise_free_points_of_its_grid():
    sizes, tokens, experts = np.geomspace(5e7, 2.7e9, 8), np.geomspace(2e9, 1.3e11, 6), (1, 2, 4, 8, 16, 32)
    rows = [(n, d, float(e)) for n in sizes for d in tokens for e in experts]
    runs = pd.DataFrame(rows, columns=["n_active", "tokens", "expansion"])
    runs["loss"] = lawlib.published("ludziejewski2025").predict(runs)
    fit = lawlib.fit(runs, "joint")
    p, table = fit.params, seeds.table("joint_table4")
    e = fit.log_ehat(table["expansion"].to_numpy())
    np.testing.assert_allclose(p["a"] * np.exp(p["delta"] * e), table["m"], rtol=3e-3)
    np.testing.assert_allclose(p["alpha"] + p["gamma"] * e, table["mu"], rtol=3e-3)
    np.testing.assert_allclose(p["b"] * np.exp(p["omega"] * e), table["n"], rtol=3e-3)
    np.testing.assert_allclose(p["beta"] + p["zeta"] * e, table["nu"], rtol=3e-3)
    assert p["c"] == pytest.approx(1.3637, rel=3e-3)


def test_shapes_that_run_off_to_a_step_are_held_and_it_is_said():
    """Experts help once and for all, however many: no Ehat that saturates slowly can say that, and a steeper one always says it better."""
    rng = np.random.default_rng(4)
    n, d, e = (rng.choice(v, 90) for v in ([1e8, 3e8, 1e9], [3e9, 1e10, 3e10], [1, 2, 4, 8, 16, 32]))
    loss = (1.8 + 400 * n**-0.35 + 400 * d**-0.3) * np.where(e == 1, 1.03, 1.0) * np.exp(0.001 * rng.normal(size=90))
    runs = pd.DataFrame({"n_active": n, "tokens": d, "expansion": e.astype(float), "loss": loss})
    fit = lawlib.fit(runs, "joint")
    assert "runs off" in fit.held["E_start"]
    assert fit.params["E_max"] == pytest.approx(290.4521)
    assert all(np.isfinite(v) and abs(v) < 1e9 for v in fit.params.values())
