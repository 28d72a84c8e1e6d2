"""Bootstrap and print rounding: reproducible, as good as scipy's refits, and the same answer batched or one by one."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import lawlib
from lawlib import bootstrap, compute_optimal, efficiency_gap
from lawlib.fitting.objective import Objective
from lawlib.fitting.resampling import CHUNK, HUBER_FACTOR, fit_model, refit
from tests.support.planted import PARAMS, grid

RUNS = grid("chinchilla", noise=0.01, seed=3).assign(size=lambda f: np.round(np.log(f["n_active"]), 6))
FIT = lawlib.fit(RUNS, "chinchilla")
BOOT = bootstrap(FIT, 150, seed=1)


class TestBootstrap:
    def test_the_same_seed_gives_the_same_replicates(self):
        again = bootstrap(FIT, 150, seed=1)
        np.testing.assert_array_equal(again.law.theta, BOOT.law.theta)
        assert not np.allclose(bootstrap(FIT, 150, seed=2).law.theta, BOOT.law.theta)

    def test_its_shape_and_words(self):
        assert len(BOOT) == 150
        assert BOOT.n_failed == 0
        assert BOOT.label == "bootstrap of runs"
        assert list(BOOT.params.columns) == list(FIT.params)
        assert BOOT.params.shape == (150, 5)
        assert BOOT.point is FIT
        assert BOOT.refits.at(7).params == pytest.approx(dict(BOOT.params.iloc[7]))

    @pytest.mark.parametrize(
        ("law", "objective"),
        [("chinchilla", "huber"), ("chinchilla", "squared"), ("fine_grained", "huber"), ("joint", "squared_log")],
    )
    def test_no_replicate_is_worse_than_scipys_from_the_same_start(self, law, objective):
        runs = RUNS if law == "chinchilla" else grid(law, sizes=np.geomspace(3e6, 3e9, 4), noise=0.01).sample(120, random_state=1)
        fit = lawlib.fit(runs, law, objective=objective)
        counts = np.random.default_rng(5).multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=12)
        boot = refit(fit, counts.astype(float), "bootstrap")
        model, goal = fit_model(fit), Objective(objective)
        start, shaped = (np.concatenate([fit.theta, fit.shapes]), True) if fit.fit.fit_shapes else (fit.theta, False)
        for i in range(12):

            def at(moved, weights=counts[i]):
                state = model.evaluate((start + model.whiten @ moved)[None, :])
                value, first, second = goal.derivatives(state.log_pred, model.log_loss)
                gradient, _ = model.curvature(state, first * weights, second * weights)
                return 1e3 * float((value * weights).sum()), 1e3 * gradient[0] @ model.whiten

            ours = np.concatenate([boot.law.theta[i], boot.law.shapes[i]]) if shaped else boot.law.theta[i]
            reached = at(np.linalg.solve(model.whiten, ours - start))[0]
            scipys = minimize(at, np.zeros(len(start)), jac=True, method="BFGS", options={"gtol": 1e-9}).fun
            assert reached <= scipys * (1 + 1e-6)

    @pytest.mark.parametrize(
        ("objective", "factor"), [("huber", HUBER_FACTOR), ("squared_log", np.sqrt(len(RUNS) / (len(RUNS) - 5)))]
    )
    def test_squared_objectives_are_widened_for_the_parameters_that_the_fit_took(self, objective, factor):
        fit = lawlib.fit(RUNS, "chinchilla", objective=objective)
        counts = np.random.default_rng(9).multinomial(len(RUNS), np.full(len(RUNS), 1 / len(RUNS)), size=30)
        plain = refit(fit, counts.astype(float), "bootstrap")
        wide = bootstrap(fit, 30, seed=9)
        np.testing.assert_allclose(wide.law.theta - fit.theta, factor * (plain.law.theta - fit.theta), rtol=1e-6, atol=1e-8)

    def test_its_intervals_cover_a_planted_truth(self):
        inside = 0
        for seed in range(20):
            fit = lawlib.fit(grid("chinchilla", noise=0.01, seed=100 + seed), "chinchilla", objective="squared_log")
            low, high = bootstrap(fit, 100, seed=seed).interval("alpha", level=0.9)
            inside += low < PARAMS["chinchilla"]["alpha"] < high
        assert 14 <= inside <= 20

    def test_whole_groups_are_drawn(self):
        by_name, by_array = bootstrap(FIT, 40, groups="size"), bootstrap(FIT, 40, groups=RUNS["size"].to_numpy())
        np.testing.assert_array_equal(by_name.law.theta, by_array.law.theta)
        assert by_name.params["alpha"].std() != pytest.approx(BOOT.params["alpha"].std(), rel=0.02)
        # A replicate drawn by hand: groups counted with the documented generator.
        draws = np.random.default_rng(0).multinomial(7, np.full(7, 1 / 7), size=40)[0]
        weights = draws[pd.factorize(RUNS["size"])[0]].astype(float)
        by_hand = lawlib.fit(RUNS.assign(w=weights), "chinchilla", weights="w")
        assert dict(by_name.params.iloc[0]) == pytest.approx(by_hand.params, rel=1e-3)

    def test_a_weighted_fit_is_resampled_with_its_weights(self):
        weights = np.where(RUNS["tokens"] > 1e10, 1.0, 1e-3)
        boot = bootstrap(lawlib.fit(RUNS, "chinchilla", weights=weights), 3, seed=8)
        counts = np.random.default_rng(8).multinomial(42, np.full(42, 1 / 42), size=3)[0]
        by_hand = lawlib.fit(RUNS, "chinchilla", weights=counts * weights)
        assert dict(boot.params.iloc[0]) == pytest.approx(by_hand.params, rel=1e-3)

    def test_progress_is_told_and_can_cancel(self):
        told = []
        bootstrap(FIT, 3 * CHUNK - 5, progress=lambda done, total: told.append((done, total)))
        assert told == [(CHUNK, 3 * CHUNK - 5), (2 * CHUNK, 3 * CHUNK - 5), (3 * CHUNK - 5, 3 * CHUNK - 5)]

        class Cancelled(Exception):
            pass

        def cancel(done, total):
            raise Cancelled

        with pytest.raises(Cancelled):
            bootstrap(FIT, 10 * CHUNK, progress=cancel)
        np.testing.assert_array_equal(bootstrap(FIT, 5, seed=1).law.theta, bootstrap(FIT, 5, seed=1).law.theta)

    def test_what_cannot_be_resampled(self):
        with pytest.raises(ValueError, match=r"besiroglu2024 is a published law without runs; use its rounding\(\)"):
            bootstrap(lawlib.published("besiroglu2024"))
        with pytest.raises(ValueError, match="groups must have one value for each of the 42 fitted runs; got 3"):
            bootstrap(FIT, 5, groups=[1, 2, 3])
        with pytest.raises(ValueError, match="needs at least two groups"):
            bootstrap(FIT, 5, groups=np.zeros(42))


class TestIntervals:
    def test_a_parameters_interval_is_its_percentiles(self):
        low, high = BOOT.interval("alpha", level=0.9)
        spread = FIT.params["alpha"] + HUBER_FACTOR * (BOOT.params["alpha"] - FIT.params["alpha"])  # alpha is fitted as it is
        assert (low, high) == pytest.approx(tuple(np.quantile(spread, [0.05, 0.95])))
        assert isinstance(low, float)

    @pytest.mark.parametrize(
        "what",
        [
            lambda law: compute_optimal(law, 1e21).n_active,
            lambda law: compute_optimal(law, np.geomspace(1e18, 1e24, 4)).loss,
            lambda law: law.params["alpha"] / law.params["beta"],
            lambda law: efficiency_gap(law, FIT, 1e21),
            lambda law: law.loss(1e9, np.array([1e10, 1e11])),
        ],
        ids=["optimum", "optima", "letters", "gap", "losses"],
    )
    def test_batched_is_the_same_as_one_law_after_the_other(self, what):
        one_by_one = np.array([what(law) for law in BOOT])
        np.testing.assert_allclose(BOOT.values(what), one_by_one, rtol=1e-8)
        low, high = BOOT.interval(what, 0.8)
        np.testing.assert_allclose([low, high], np.quantile(one_by_one, [0.1, 0.9], axis=0), rtol=1e-8)

    def test_a_function_of_plain_floats_is_called_law_by_law(self):
        values = BOOT.values(lambda law: float(law.params["alpha"]) ** 2)
        np.testing.assert_allclose(values, BOOT.law.params["alpha"] ** 2)

    def test_as_many_budgets_as_samples_are_not_taken_for_the_samples(self):
        budgets = np.geomspace(1e18, 1e24, 150)
        assert BOOT.values(lambda law: compute_optimal(law, budgets).loss).shape == (150, 150)

    def test_samples_without_an_answer_are_left_out(self):
        def some(law):
            return np.where(law.params["alpha"] > FIT.params["alpha"], law.params["alpha"], np.nan)

        low, _ = BOOT.interval(some)
        assert low > FIT.params["alpha"]

    def test_wrong_questions_are_refused(self):
        with pytest.raises(ValueError, match="no parameter 'gamma'; the chinchilla law has L_inf, A, B, alpha, beta"):
            BOOT.interval("gamma")
        with pytest.raises(ValueError, match="level must lie between 0 and 1; got 95"):
            BOOT.interval("alpha", level=95)


class TestRounding:
    @pytest.mark.parametrize("name", ["krajewski2024-moe-e64", "ludziejewski2025", "clark2022-rlr", "hoffmann2022"])
    def test_every_coefficient_stays_within_half_of_its_last_digit(self, name):
        law = lawlib.published(name)
        samples = law.rounding(500, seed=4)
        assert samples.label == "print rounding"
        assert len(samples) == 500
        for letter, printed in law.params.items():
            away = np.abs(samples.params[letter] - printed)
            half = law.source.half_units[letter]
            assert away.max() <= half * (1 + 1e-9)
            assert away.max() > 0.95 * half, "and uses all of it"

    def test_rounding_is_reproducible(self):
        law = lawlib.published("krajewski2024-moe-e64")
        np.testing.assert_array_equal(law.rounding(9, seed=3).law.theta, law.rounding(9, seed=3).law.theta)
        assert not np.allclose(law.rounding(9, seed=3).law.theta, law.rounding(9, seed=4).law.theta)

    def test_the_shapes_of_ehat_move_too(self):
        samples = lawlib.published("ludziejewski2025").rounding(50)
        assert samples.law.shapes.shape == (50, 2)
        assert samples.params["E_max"].std() > 0

    @pytest.mark.parametrize("law", [FIT, lawlib.published("krajewski2024-moe-e64-inrounding")], ids=["a fit", "inrounding"])
    def test_what_is_not_printed_has_no_rounding(self, law):
        with pytest.raises(ValueError, match="has no printed coefficients, so it has no print rounding"):
            law.rounding(10)

    def test_a_sample_without_an_optimum_is_nan_also_one_by_one(self):
        samples = lawlib.published("hoffmann2022").rounding(6)
        theta = samples.law.theta.copy()
        theta[2, list(samples.law.law.linear).index("alpha")] = -0.2
        broken = lawlib.Ensemble(type(samples.law)(**{**samples.law.__dict__, "theta": theta}), samples.point, "rounding")
        together = broken.values(lambda law: compute_optimal(law, 1e21).n_active)
        one_by_one = broken.values(lambda law: float(compute_optimal(law, 1e21).n_active))
        assert np.flatnonzero(np.isnan(together)).tolist() == [2]
        np.testing.assert_allclose(one_by_one, together, rtol=1e-8)
