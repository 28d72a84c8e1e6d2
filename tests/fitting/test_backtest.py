"""Backtest: planted laws are predicted without bias, Marin's runs are not."""

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import backtest, seeds
from lawlib.fitting.held_out import information, verdicts
from tests.support.planted import PARAMS, grid

NOISE = 0.005
PLANTED = grid("chinchilla", sizes=np.geomspace(3e6, 3e9, 10), tokens=np.geomspace(1e9, 1.3e11, 10), noise=NOISE, seed=6)
CUT = 2e19


@pytest.fixture(scope="module")
def planted():
    return backtest(PLANTED, ["chinchilla", "fine_grained"], CUT, objective="squared_log")


def test_a_planted_law_is_predicted_without_bias_and_covered(planted):
    row = planted.summary.set_index("law").loc["chinchilla"]
    assert abs(row["bias_test"]) < NOISE
    assert row["rmse_test"] == pytest.approx(NOISE, rel=0.35)
    assert row["rmse_train"] == pytest.approx(NOISE, rel=0.35)
    assert row["n_train"] + row["n_test"] == len(PLANTED)
    assert row["n_test"] > 20
    assert row["error"] == ""


def test_coverage_is_near_ninety_percent_over_many_planted_sets():
    shares = []
    for seed in range(12):
        runs = grid("chinchilla", noise=NOISE, seed=50 + seed)
        shares.append(backtest(runs, ["chinchilla"], 1e20, n_resamples=60, objective="squared_log").summary["coverage"][0])
    assert 0.82 < np.mean(shares) < 0.97


def test_points_and_summary_say_the_same(planted):
    points = planted.points[planted.points["law"] == "chinchilla"]
    row = planted.summary.set_index("law").loc["chinchilla"]
    error = np.log(points["predicted"] / points["loss"])
    assert row["bias_test"] == pytest.approx(error.mean())
    assert row["rmse_test"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["bias_nats"] == pytest.approx((points["predicted"] - points["loss"]).mean())
    inside = points["loss"].between(points["low"], points["high"])
    np.testing.assert_array_equal(points["inside"], inside)
    assert row["coverage"] == inside.mean()
    assert (points["low"] < points["predicted"]).all()
    assert (points["predicted"] < points["high"]).all()
    assert (points["flops"] > CUT).all()


def test_the_law_was_fitted_below_the_cut_only(planted):
    below = PLANTED[PLANTED["flops"] <= CUT]
    expected = lawlib.fit(below, "chinchilla", objective="squared_log")
    assert planted.fits["chinchilla"].params == pytest.approx(expected.params, rel=1e-9)
    spoiled = PLANTED.assign(loss=np.where(PLANTED["flops"] > CUT, 9.0, PLANTED["loss"]))
    again = backtest(spoiled, ["chinchilla"], CUT, n_resamples=5, objective="squared_log")
    assert again.fits["chinchilla"].params == pytest.approx(expected.params, rel=1e-12)
    assert again.summary["coverage"][0] == 0


def test_a_law_that_cannot_be_fitted_is_a_row_with_its_sentence(planted):
    row = planted.summary.set_index("law").loc["fine_grained"]
    assert "one granularity (1), so gamma of the fine_grained law cannot be identified" in row["error"]
    assert np.isnan(row["rmse_test"])
    assert "fine_grained" not in planted.fits
    nothing = backtest(PLANTED, ["fine_grained"], CUT)
    assert nothing.points.empty
    assert nothing.fits == {}


def test_marins_loss_at_1e21_is_overestimated_from_below_3e19():
    marin = seeds.table("runs_marin").query("dataset == 'marin-moe-v16'")
    result = backtest(marin, ["chinchilla"], 3e19, n_resamples=50)
    assert result.summary["n_train"][0] == (marin["flops"] <= 3e19).sum()
    largest = result.points[result.points["flops"] == 1e21]
    assert len(largest) == 2
    assert (largest["predicted"] - largest["loss"]).mean() == pytest.approx(0.16, abs=0.02)
    assert result.summary["bias_test"][0] > 0


def test_the_cut_itself_is_below():
    marin = seeds.table("runs_marin").query("dataset == 'marin-moe-v16'")
    assert backtest(marin, ["chinchilla"], 3e20, n_resamples=5).points["flops"].unique().tolist() == [1e21]


def test_the_information_criteria_are_the_textbooks():
    fitted = lawlib.fit(PLANTED, "chinchilla", objective="squared_log")
    n, rss = len(PLANTED), np.sum(np.log(fitted.predict(PLANTED) / PLANTED["loss"]) ** 2)
    aic, bic = information(fitted)
    assert aic == pytest.approx(n * np.log(rss / n) + 2 * 6)
    assert bic == pytest.approx(n * np.log(rss / n) + 6 * np.log(n))


def test_excluded_runs_are_on_neither_side():
    spoiled = PLANTED.assign(excluded=PLANTED.index % 10 == 0)
    result = backtest(spoiled, ["chinchilla"], CUT, n_resamples=5)
    assert result.summary[["n_train", "n_test"]].sum(axis=1)[0] == 90


def test_it_is_reproducible():
    first, second = (backtest(PLANTED, ["chinchilla"], CUT, n_resamples=20, seed=3).points for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_progress_is_told():
    told = []
    backtest(PLANTED, ["chinchilla", "chinchilla"], CUT, n_resamples=5, progress=lambda done, n: told.append((done, n)))
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("cut", [1e15, 1e25])
def test_one_side_of_the_cut_is_empty(cut):
    with pytest.raises(ValueError, match=r"leaves one side empty: the runs span 1.8e\+16 to 2.34e\+21 FLOPs"):
        backtest(PLANTED, ["chinchilla"], cut)


def test_runs_without_flops():
    for runs in (PLANTED.drop(columns="flops"), PLANTED.assign(flops=np.nan)):
        with pytest.raises(ValueError, match="cuts by training FLOPs, and these runs have none"):
            backtest(runs, ["chinchilla"], 1e20)


def test_planted_parameters_are_what_the_backtest_fits():
    exact = grid("chinchilla")
    assert backtest(exact, ["chinchilla"], 1e20, n_resamples=3).fits["chinchilla"].params == pytest.approx(
        PARAMS["chinchilla"], rel=1e-4
    )


class TestVerdicts:
    def frame(self, errors):
        return pd.DataFrame([{"law": law, "n_parameters": n, "rmse_test": e, "error": ""} for law, n, e in errors])

    def test_a_larger_law_that_predicts_no_better_is_said_not_to_earn_its_parameters(self):
        (sentence,) = verdicts(self.frame([("chinchilla", 5, 0.010), ("fine_grained", 7, 0.0099)]))
        assert "fine_grained (7 parameters, adds G) does not earn its parameters" in sentence
        assert "0.99% against 1.00% of chinchilla (5)" in sentence

    def test_one_that_predicts_better_earns_them(self):
        (sentence,) = verdicts(self.frame([("chinchilla", 5, 0.010), ("joint", 9, 0.004)]))
        assert "joint (9 parameters, adds Ehat) earns its parameters" in sentence


def test_a_summary_without_any_fitted_law_has_all_its_columns():
    runs = grid("chinchilla", sizes=[1e8, 2e8], tokens=[1e9, 2e9, 4e9])
    test = backtest(runs, ["chinchilla"], runs["flops"].min())
    assert test.fits == {}
    assert "rmse_test" in test.summary
    assert test.summary["error"].str.len().gt(10).all()
    assert verdicts(test.summary) == []
