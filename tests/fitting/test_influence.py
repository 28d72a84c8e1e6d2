"""Leaving runs and sizes out, batched, against an explicit loop of refits from scratch."""

import numpy as np
import pytest

import lawlib
from lawlib import OptimumError, compute_optimal, leave_one_size_out, pulls
from lawlib.fitting.influence import MAX_GROUPS, without
from tests.support.planted import grid

RUNS = grid("chinchilla", sizes=np.geomspace(3e7, 3e9, 5), tokens=np.geomspace(1e9, 1e11, 4), noise=0.01, seed=4)
RUNS.insert(0, "run_id", [f"id{i}" for i in range(len(RUNS))])


def fit(runs, law="chinchilla"):
    return lawlib.fit(runs, law, objective="squared_log")


FIT = fit(RUNS)


def test_pulls_are_those_of_refits_one_by_one():
    table = pulls(FIT, 1e21)
    point = compute_optimal(FIT, 1e21)
    assert sorted(table["run_id"]) == sorted(RUNS["run_id"])
    for row in table.itertuples():
        place = int(row.run_id.removeprefix("id"))
        assert row.name == f"run {place}"
        assert row.residual == FIT.fit.residuals[place]
        moved = compute_optimal(fit(RUNS.drop(index=place)), 1e21)
        assert row.n_pull == pytest.approx(np.log(moved.n_active / point.n_active), abs=2e-4)
        assert row.loss_pull == pytest.approx(np.log(moved.loss / point.loss), abs=1e-5)


def test_the_strongest_pull_comes_first():
    strength = pulls(FIT, 1e21)["n_pull"].abs().to_numpy()
    assert np.all(np.diff(strength) <= 0)
    assert strength[0] > strength[-1]


@pytest.mark.parametrize("corner", [0, 3, 16, 19])
def test_without_the_run_that_is_off_the_optimum_is_the_true_one(corner):
    exact = grid("chinchilla", sizes=np.geomspace(3e7, 3e9, 5), tokens=np.geomspace(1e9, 1e11, 4))
    off = exact.assign(loss=exact["loss"].where(exact.index != corner, exact["loss"] * 1.05))
    table = pulls(fit(off), 1e21).set_index("name")
    truth = compute_optimal(fit(exact), 1e21)
    found = compute_optimal(fit(off), 1e21)
    # Without it the others are exact again.
    assert table["n_pull"][f"run {corner}"] == pytest.approx(np.log(truth.n_active / found.n_active), abs=1e-4)
    assert table["residual"].abs().idxmax() == f"run {corner}"
    assert abs(table["n_pull"][f"run {corner}"]) > 0.02


def test_columns_that_the_runs_lack_are_left_out():
    assert list(pulls(fit(RUNS.drop(columns=["run_id", "name"])), 1e21)) == ["residual", "n_pull", "loss_pull"]


def test_a_law_with_experts_is_asked_at_an_e():
    moe = fit(grid("joint", sizes=np.geomspace(1e8, 1e9, 3), tokens=np.geomspace(1e9, 1e11, 3), noise=0.002), "joint")
    with pytest.raises(OptimumError, match="give expansion="):
        pulls(moe, 1e21)
    table = pulls(moe, 1e21, expansion=8)
    assert len(table) == len(moe.fit.runs)
    assert np.isfinite(table["n_pull"]).all()


def test_a_law_without_optimum_has_no_pulls():
    with pytest.raises(OptimumError, match="no compute optimum"):
        pulls(fit(grid("routed", noise=0.002), "routed"), 1e21)


@pytest.mark.parametrize(("work", "tried"), [(20 * 15, 15), (20 * 15 + 19, 15), (1, 10), (10**9, 20)])
def test_of_many_runs_the_worst_fitted_are_tried(monkeypatch, work, tried):
    monkeypatch.setattr("lawlib.fitting.influence.MAX_WORK", work)
    table = pulls(FIT, 1e21)
    worst = np.argsort(-np.abs(FIT.fit.residuals))[:tried]
    assert sorted(table["run_id"]) == sorted(f"id{i}" for i in worst)


def test_a_refit_without_runs_is_a_fit_to_the_others():
    left_out = np.zeros((2, len(RUNS)), dtype=bool)
    left_out[0, [1, 5]] = left_out[1, 7] = True
    many = without(FIT, left_out)
    for law, gone in zip(many, ([1, 5], [7]), strict=True):
        assert law.params == pytest.approx(fit(RUNS.drop(index=gone)).params, rel=2e-3)
    assert many.kind == "left out"


def test_error_at_unseen_sizes_is_that_of_an_explicit_loop():
    squares = []
    for size in RUNS["n_active"].unique():
        unseen = RUNS["n_active"] == size
        law = fit(RUNS[~unseen])
        squares += list(np.log(law.predict(RUNS[unseen]) / RUNS.loc[unseen, "loss"]) ** 2)
    found = leave_one_size_out(FIT)
    assert found == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-3)
    assert found > FIT.rmse, "unseen sizes are harder than seen ones"


def test_many_sizes_are_left_out_in_twelve_groups_of_neighbours(monkeypatch):
    runs = grid("chinchilla", sizes=np.geomspace(3e7, 3e9, 30), tokens=np.geomspace(1e9, 1e11, 4), noise=0.01, seed=4)
    asked = []
    monkeypatch.setattr("lawlib.fitting.influence.without", lambda f, out: asked.append(out) or without(f, out))
    error = leave_one_size_out(fit(runs))
    (left_out,) = asked
    assert left_out.shape == (MAX_GROUPS, len(runs))
    assert (left_out.sum(axis=0) == 1).all(), "every run is left out once"
    for row in left_out:
        sizes = np.unique(runs.loc[row, "n_active"])
        between = runs["n_active"].between(sizes[0], sizes[-1])
        assert 2 <= len(sizes) <= 3
        assert (between.to_numpy() == row).all(), "neighbours, and all their runs"
    assert 0.005 < error < 0.03


def test_two_sizes_are_too_few():
    two = grid("fine_grained", sizes=[1e8, 1e9], noise=0.002)
    assert np.isnan(leave_one_size_out(fit(two, "fine_grained")))


def test_a_law_of_total_size_leaves_out_total_sizes(monkeypatch):
    fitted = fit(grid("fine_grained", sizes=np.geomspace(1e8, 1e9, 3), noise=0.002), "fine_grained")
    asked = []
    monkeypatch.setattr("lawlib.fitting.influence.without", lambda f, out: asked.append(out) or without(f, out))
    leave_one_size_out(fitted)
    assert len(asked[0]) == fitted.fit.runs["n_total"].nunique() == 3
