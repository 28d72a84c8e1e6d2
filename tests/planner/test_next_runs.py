"""Next runs: the best subset of a small set, costs and sizes kept to, the linearisation against closed forms, what is refused."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib.fitting.identification import log_error, log_slope
from lawlib.planner import candidates, expected_error, isoflop_grid, suggest_runs
from tests.support import planted


def optimum(law):
    return lawlib.compute_optimal(law, 1e22).n_active


@pytest.fixture(scope="module")
def fit():
    runs = planted.grid("chinchilla", sizes=np.geomspace(3e7, 3e8, 4), tokens=np.geomspace(1e9, 1e10, 4), noise=0.005)
    return lawlib.fit(runs, "chinchilla", objective="squared_log")


def test_the_gradient_of_a_run_is_that_of_the_formula(fit):
    n, d, p = 1e8, 5e9, fit.params
    size, data = p["A"] / n ** p["alpha"], p["B"] / d ** p["beta"]
    slope = log_slope(fit, lambda law: law.loss(n, d))
    closed = {
        "L_inf": p["L_inf"],
        "A": size,
        "B": data,
        "alpha": -size * np.log(n),
        "beta": -data * np.log(d),
    }
    assert slope == pytest.approx([closed[name] / (p["L_inf"] + size + data) for name in fit.law.linear], rel=1e-5)


def test_without_new_runs_the_error_is_that_of_the_fit(fit):
    none = isoflop_grid(fit, 1e21).iloc[:0]
    assert expected_error(fit, none, optimum) == pytest.approx(log_error(fit, optimum), rel=1e-4)


def test_the_error_after_more_runs_is_that_of_a_fit_that_has_them(fit):
    runs = candidates(fit, 1e20).iloc[::40]
    both = fit.fit.runs[["n_active", "tokens", "expansion", "flops", "loss"]]
    exact = fit.predict(runs)
    # The same losses as before and new ones on the curve: the residual variance changes, the geometry is the same.
    again = lawlib.fit(pd.concat([both, runs[both.columns].assign(loss=exact)]), "chinchilla", objective="squared_log")
    n, m, p = len(both), len(runs), len(fit.theta)
    assert expected_error(fit, runs, optimum) == pytest.approx(
        log_error(again, optimum) * np.sqrt((fit.rmse**2 * n / (n - p)) / (again.rmse**2 * (n + m) / (n + m - p))), rel=1e-3
    )


def test_few_runs_of_few_are_the_best_of_all_subsets(fit):
    options = candidates(fit, 1e20).iloc[5::60].head(12).assign(flops=1e20).reset_index(drop=True)
    found = suggest_runs(fit, 3e20, optimum, max_flops=1e20, max_runs=3, options=options)
    best = min(expected_error(fit, options.iloc[list(pick)], optimum) for pick in combinations(range(len(options)), 3))
    assert found.error_then == pytest.approx(best, rel=1e-9)


def test_suggestions_keep_to_cost_size_and_number_and_beat_the_grid(fit):
    found = suggest_runs(fit, 2e21, optimum, max_runs=25)
    assert len(found.runs) <= 25
    assert 0.9 * 2e21 < found.flops <= 2e21 * (1 + 1e-9)
    assert found.grid["flops"].sum() == pytest.approx(2e21)
    assert found.runs["flops"].max() <= found.grid["flops"].max() * (1 + 1e-9)
    assert found.error_then < found.error_grid < found.error_now
    assert found.advantage > 2
    assert found.runs["flops"].to_numpy() == pytest.approx(6 * found.runs["n_active"] * found.runs["tokens"])
    assert (found.runs["error_without"] >= found.error_then).all()
    assert found.runs["error_without"].is_monotonic_decreasing


def test_a_law_with_e_and_g_chooses_among_those_of_the_runs_and_of_the_decision():
    sizes, tokens = np.geomspace(3e7, 3e9, 4), np.geomspace(2e9, 1e11, 4)
    runs = planted.grid("joint", sizes=sizes, tokens=tokens, expansions=(1.0, 4.0, 16.0), noise=0.005)
    fit = lawlib.fit(runs, "joint", objective="squared_log")

    def at_32(law):
        return lawlib.compute_optimal(law, 1e24, 32.0).n_active

    with pytest.raises(ValueError, match="give expansion=, that of the decision"):
        suggest_runs(fit, 1e23, at_32)
    found = suggest_runs(fit, 1e23, at_32, expansion=32.0, max_runs=15)
    assert set(found.runs["expansion"]) <= {1.0, 4.0, 16.0, 32.0}
    assert set(found.grid["expansion"]) == {32.0}
    assert found.error_then < found.error_grid


def test_a_law_of_one_e_needs_none():
    runs = planted.grid("fine_grained", sizes=np.geomspace(1e7, 1e9, 4), tokens=np.geomspace(2e9, 1e11, 4), noise=0.005)
    fit = lawlib.fit(runs, "fine_grained", objective="squared_log")
    found = suggest_runs(fit, 1e22, lambda law: lawlib.compute_optimal(law, 1e23).loss, max_runs=10)
    assert found.grid["granularity"].nunique() == 1
    assert set(found.runs["granularity"]) <= {1.0, 2.0, 4.0, 8.0, 16.0}
    assert found.runs["n_total"].to_numpy() == pytest.approx(found.runs["n_active"] * 43)


def test_a_published_law_has_no_next_runs():
    with pytest.raises(ValueError, match="is a published law without runs"):
        suggest_runs(lawlib.published("besiroglu2024"), 1e20, optimum)


def test_a_budget_below_the_smallest_run_is_refused(fit):
    options = candidates(fit, 1e20)
    with pytest.raises(ValueError, match=r"1e\+15 FLOPs buy none of the runs"):
        suggest_runs(fit, 1e15, optimum, options=options)


def test_a_run_without_a_loss_is_not_chosen_and_hides_no_other(fit):
    options = candidates(fit, 1e20)
    broken = pd.concat([options.iloc[:1].assign(tokens=np.nan, loss=np.nan), options], ignore_index=True)
    both = [suggest_runs(fit, 1e21, optimum, max_flops=1e20, max_runs=5, options=o) for o in (options, broken)]
    pd.testing.assert_frame_equal(both[0].runs, both[1].runs)


def test_as_many_runs_as_parameters_say_nothing_about_the_noise():
    runs = planted.grid("chinchilla", noise=0.005).iloc[[0, 5, 14, 27, 41]]
    fit = lawlib.fit(runs, "chinchilla", objective="squared_log")
    with pytest.raises(ValueError, match="more runs than parameters are needed"):
        suggest_runs(fit, 1e22, optimum)
