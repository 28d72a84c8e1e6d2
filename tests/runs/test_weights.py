"""Weights by name and the noise of repeats, on planted repeats whose noise is known."""

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import WEIGHTS, run_weights, seed_noise
from lawlib.runs.weights import PRIOR_REPEATS
from tests.support.planted import grid

TRUTH = grid("chinchilla")


def repeats(sigma, n_seeds=6, seed=0):
    """Every configuration of the planted grid `n_seeds` times; `sigma` is one number or one for each configuration."""
    runs = TRUTH.loc[TRUTH.index.repeat(n_seeds)].reset_index(drop=True)
    spread = np.repeat(np.broadcast_to(sigma, len(TRUTH)), n_seeds)
    noise = spread * np.random.default_rng(seed).normal(size=len(runs))
    return runs.assign(loss=runs["loss"] * np.exp(noise), seed=np.tile(np.arange(n_seeds, dtype=float), len(TRUTH)))


class TestNames:
    def test_equal_weights_are_one(self):
        assert run_weights(TRUTH, "equal").tolist() == [1.0] * len(TRUTH)

    def test_compute_weights_are_proportional_to_the_flops_with_mean_one(self):
        weights = run_weights(TRUTH, "compute")
        assert weights.mean() == pytest.approx(1.0)
        np.testing.assert_allclose(weights / TRUTH["flops"], weights[0] / TRUTH["flops"][0], rtol=1e-12)

    def test_runs_without_flops_do_not_count_by_compute(self):
        runs = TRUTH.assign(flops=TRUTH["flops"].where(TRUTH.index != 3))
        weights = run_weights(runs, "compute")
        assert weights[3] == 0
        assert weights[4] / weights[5] == pytest.approx(runs["flops"][4] / runs["flops"][5])

    @pytest.mark.parametrize("runs", [TRUTH.drop(columns="flops"), TRUTH.assign(flops=np.nan)], ids=["no column", "empty column"])
    def test_compute_needs_flops(self, runs):
        with pytest.raises(ValueError, match=r"Weights by compute need the runs' flops, and these runs have none\."):
            run_weights(runs, "compute")

    def test_seed_variance_needs_repeats(self):
        with pytest.raises(ValueError, match=r"Weights by seed variance need repeats.*There are none\."):
            run_weights(TRUTH, "seed_variance")

    def test_repeats_that_agree_exactly_give_no_variance_to_weigh_by(self):
        with pytest.raises(ValueError, match="Weights by seed variance need repeats"):
            run_weights(repeats(0.0), "seed_variance")

    def test_an_unknown_name(self):
        with pytest.raises(ValueError, match=r"There are no weights 'best'; known are equal, compute, seed_variance"):
            run_weights(TRUTH, "best")


class TestSeedNoise:
    @pytest.mark.parametrize("sigma", [0.001, 0.02])
    def test_planted_noise_is_found(self, sigma):
        found = seed_noise(repeats(sigma))
        # 210 degrees of freedom: the standard error of sigma is 1/sqrt(420), 5 %.
        assert found.sigma == pytest.approx(sigma, rel=0.15)
        assert (found.configurations, found.repeats) == (len(TRUTH), 6 * len(TRUTH))

    def test_it_is_the_pooled_standard_deviation_of_ln_l(self):
        runs = repeats(np.geomspace(0.001, 0.1, len(TRUTH)), n_seeds=3)
        log_loss = np.log(runs["loss"].to_numpy()).reshape(-1, 3)
        found = seed_noise(runs)
        assert found.sigma == pytest.approx(np.sqrt(log_loss.var(axis=1, ddof=1).mean()), rel=1e-10)

    def test_runs_without_a_twin_do_not_count(self):
        runs = pd.concat([repeats(0.01, n_seeds=2).iloc[:10], TRUTH.iloc[20:]])
        found = seed_noise(runs)
        assert (found.configurations, found.repeats) == (5, 10)

    @pytest.mark.parametrize("column", ["granularity", "tokens", "n_active", "expansion"])
    def test_what_differs_in_more_than_its_seed_is_no_repeat(self, column):
        one = TRUTH.iloc[:1].assign(n_experts=8.0)
        other = one.assign(**{column: one[column] * 2, "loss": one["loss"] * 1.1})
        if column == "expansion":
            other["n_experts"] *= 2
        assert seed_noise(pd.concat([one, other])) is None
        assert seed_noise(pd.concat([one, one])).repeats == 2

    def test_losses_of_different_names_are_no_repeats(self):
        one = TRUTH.iloc[:1].assign(loss_name="train/loss")
        assert seed_noise(pd.concat([one, one.assign(loss_name="eval/loss")])) is None

    def test_missing_quantities_are_alike(self):
        one = TRUTH.iloc[:1].assign(granularity=np.nan)
        assert seed_noise(pd.concat([one, one.assign(loss=one["loss"] * 1.01)])).repeats == 2

    def test_runs_of_one_configuration_and_one_seed_differ_in_something_unknown_and_are_no_repeats(self):
        one = TRUTH.iloc[:1].assign(seed=42.0)
        assert seed_noise(pd.concat([one, one.assign(loss=one["loss"] * 1.1)])) is None
        three = pd.concat([one, one.assign(loss=one["loss"] * 1.1), one.assign(seed=1.0, loss=one["loss"] * 1.01)])
        assert seed_noise(three).repeats == 2

    def test_clark_s_routers_are_no_repeats_of_each_other(self, test_data):
        found = seed_noise(lawlib.read_runs(test_data / "clark2022_curves.csv.gz"))
        assert (found.configurations, found.repeats) == (1, 3)  # 132M dense, seeds 1, 2, 3
        assert found.sigma == pytest.approx(np.std(np.log([2.656794, 2.655477, 2.655958]), ddof=1), rel=1e-3)

    def test_no_repeats_no_noise(self):
        assert seed_noise(TRUTH) is None

    def test_its_sentence(self):
        found = seed_noise(repeats(0.01, n_seeds=2).iloc[:10])
        assert found.sentence == (
            f"Repeats of 5 configurations (10 runs) differ by {found.sigma:.2%} of the loss (standard deviation)."
        )


class TestSeedVariance:
    def test_a_noisy_configuration_counts_less(self):
        sigma = np.full(len(TRUTH), 0.001)
        sigma[7] = 0.1
        weights = run_weights(repeats(sigma), "seed_variance").reshape(len(TRUTH), 6)
        assert np.all(weights == weights[:, :1]), "all repeats of a configuration weigh alike"
        assert weights[7, 0] == weights.min()
        assert weights[7, 0] < 0.5 * np.median(weights)
        assert weights.mean() == pytest.approx(1.0)

    def test_it_is_the_inverse_variance_drawn_towards_the_pooled_one(self):
        runs = repeats(np.geomspace(0.001, 0.1, len(TRUTH)), n_seeds=3)
        variances = np.log(runs["loss"].to_numpy()).reshape(-1, 3).var(axis=1, ddof=1)
        expected = (2 + PRIOR_REPEATS) / (2 * variances + PRIOR_REPEATS * variances.mean())
        weights = run_weights(runs, "seed_variance").reshape(-1, 3)[:, 0]
        np.testing.assert_allclose(weights / weights[0], expected / expected[0], rtol=1e-10)

    def test_a_configuration_without_repeats_takes_the_pooled_variance(self):
        runs = pd.concat([repeats(0.02, n_seeds=4).iloc[:40], TRUTH.iloc[30:31]], ignore_index=True)
        weights = run_weights(runs, "seed_variance")
        variances = np.log(runs["loss"].to_numpy()[:40]).reshape(-1, 4).var(axis=1, ddof=1)
        drawn = (3 * variances[0] + PRIOR_REPEATS * variances.mean()) / (3 + PRIOR_REPEATS)
        assert weights[-1] / weights[0] == pytest.approx(drawn / variances.mean(), rel=1e-10)


class TestInAFit:
    def test_a_name_is_its_array(self):
        runs = grid("chinchilla", noise=0.01, seed=3)
        named = lawlib.fit(runs, "chinchilla", objective="squared_log", weights="compute")
        given = lawlib.fit(runs, "chinchilla", objective="squared_log", weights=run_weights(runs, "compute"))
        np.testing.assert_array_equal(named.theta, given.theta)
        assert named.objective == given.objective
        plain = lawlib.fit(runs, "chinchilla", objective="squared_log")
        assert abs(named.params["alpha"] - plain.params["alpha"]) > 1e-4

    def test_weights_by_compute_follow_the_large_runs(self):
        bent = TRUTH.assign(loss=TRUTH["loss"] * np.exp(0.01 * np.log10(TRUTH["flops"] / 1e20).abs()))
        large = bent["flops"] > bent["flops"].quantile(0.9)
        errors = {}
        for name in WEIGHTS.keys() - {"seed_variance"}:
            fitted = lawlib.fit(bent, "chinchilla", objective="squared_log", weights=name)
            errors[name] = np.abs(fitted.fit.residuals[large.to_numpy()]).mean()
        assert errors["compute"] < 0.7 * errors["equal"]

    def test_a_noisy_configuration_harms_less_with_weights_by_variance(self):
        sigma = np.full(len(TRUTH), 0.001)
        sigma[[0, 5, 36, 41]] = 0.1  # the corners, which pull most
        errors = {"equal": [], "seed_variance": []}
        for seed in range(3):
            runs = repeats(sigma, seed=seed)
            for name, found in errors.items():
                law = lawlib.fit(runs, "chinchilla", objective="squared_log", weights=name)
                found.append(np.sqrt(np.mean(np.log(law.predict(TRUTH) / TRUTH["loss"]) ** 2)))
        assert np.mean(errors["seed_variance"]) < 0.7 * np.mean(errors["equal"])

    @pytest.mark.parametrize("name", ["compute", "seed_variance"])
    def test_excluded_runs_have_no_part_in_the_weights(self, name):
        runs = repeats(0.01).assign(excluded=False)
        runs.loc[[1, 2, 40], "excluded"] = True
        runs.loc[[1, 2, 40], "loss"] *= 3
        runs.loc[[1, 2, 40], "flops"] *= 100
        alone = runs[~runs["excluded"]]
        marked, gone = (lawlib.fit(r, "chinchilla", objective="squared_log", weights=name) for r in (runs, alone))
        np.testing.assert_allclose(marked.fit.weights, gone.fit.weights, rtol=1e-12)
        assert marked.objective == pytest.approx(gone.objective, rel=1e-12)

    def test_excluded_repeats_are_no_noise(self):
        runs = repeats(0.01).assign(excluded=False)
        runs.loc[1, ["excluded", "loss"]] = [True, 9.0]
        assert seed_noise(runs) == seed_noise(runs.drop(index=1))

    def test_a_loss_that_is_not_positive_is_the_fits_error_not_a_warning(self):
        runs = repeats(0.01)
        runs.loc[4, "loss"] = 0.0
        with pytest.raises(lawlib.FitError, match="1 runs have loss at or below zero"):
            lawlib.fit(runs, "chinchilla", weights="seed_variance")
        assert seed_noise(runs).repeats == len(runs) - 1
