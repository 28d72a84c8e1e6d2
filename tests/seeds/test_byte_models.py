"""The runs that this repository trained: complete, counted correctly, and with the documented noise."""

import json

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib.architecture import Transformer
from lawlib.runs.canonical import CURVE_COLUMNS
from lawlib.seeds import byte_models as trained


@pytest.fixture(scope="module")
def runs():
    with lawlib.open_store(workspace=":memory:") as store:
        return store.runs(trained.DATASET)


def test_the_sweep_is_the_one_that_was_designed(runs):
    """Two decades of compute, dense and E at G, and repeats: what the page and docs/byte_models.md say of it."""
    dense, moe = runs[runs["arch"] == "dense"], runs[runs["arch"] == "moe"]
    assert len(runs) >= 200
    assert runs["name"].is_unique
    assert dense["n_active"].nunique() >= 5
    assert set(moe["expansion"]) == {2, 4, 8, 16, 32}
    assert set(moe["granularity"]) == {1, 2, 4, 8}
    assert runs["flops"].max() / runs["flops"].min() == pytest.approx(100, rel=0.01)
    assert (runs["loss"] < np.log(256)).all()


def test_the_full_slices_bracket_their_optimum(runs):
    """At most budgets, for dense and for two kinds of experts, the best of the measured sizes is neither the smallest nor the largest."""
    for e, g in ((1, 1), (8, 1), (8, 4)):
        kind = runs[(runs["expansion"] == e) & (runs["granularity"].fillna(1) == g)]
        mean = kind.groupby([np.log10(kind["flops"]).round(1), "n_active"])["loss"].mean()
        inside = 0
        for budget in mean.index.get_level_values(0).unique():
            losses = mean[budget].to_numpy()
            assert len(losses) >= 5, (e, g, budget)
            inside += 0 < int(np.argmin(losses)) < len(losses) - 1
        assert inside >= 3, (e, g)


def test_seeds_differ_by_little(runs):
    repeated = trained.repeats(runs)
    assert (repeated["seeds"] >= 5).sum() >= 3
    assert trained.pooled_sd(repeated) <= 0.02


def test_every_run_has_a_curve_of_twenty_points_that_ends_where_the_run_does(runs):
    with lawlib.open_store(workspace=":memory:") as store:
        curves = store.curves(trained.DATASET)
    assert tuple(curves.columns) == CURVE_COLUMNS
    last = curves.groupby("run_id").last()
    assert (curves.groupby("run_id").size() >= 20).all()
    assert set(last.index) == set(runs["run_id"])
    ends = runs.set_index("run_id").loc[last.index]
    assert last["tokens"].to_numpy() == pytest.approx(ends["tokens"].to_numpy())
    assert last["flops"].to_numpy() == pytest.approx(ends["flops"].to_numpy())


def test_counts_are_those_of_the_shape_written_out_by_hand(runs):
    d, layers = runs["d_model"], runs["n_layers"]
    e, g = runs["expansion"], runs["granularity"]
    assert (runs["n_active"] == 12 * d**2 * layers).all()
    assert (runs["n_total"] == (4 + 8 * e) * d**2 * layers).all()
    router = np.where(e > 1, 14 * d * e * g * layers, 0)
    assert runs["flops"].to_numpy() == pytest.approx((72 * d**2 * layers + router) * runs["tokens"])
    assert (runs["top_k"] == g).all()


def test_counts_are_those_of_the_architecture(runs):
    for row in runs.sample(20, random_state=0).itertuples():
        shape = Transformer(
            int(row.d_model), int(row.n_layers), int(4 * row.d_model), n_experts=int(row.n_experts), top_k=int(row.top_k),
            granularity=row.granularity,
        )  # fmt: skip
        assert (shape.n_active, shape.n_total) == (row.n_active, row.n_total)
        assert json.loads(row.extra)["n_router"] == shape.n_router


def test_the_pooled_deviation_is_that_of_numpy():
    losses = {1.0: [2.0, 2.1, 2.4], 2.0: [1.0, 1.2]}
    frame = pd.DataFrame(
        [
            {"n_active": n, "loss": v, "seed": s, "flops": 1e12, "arch": "dense"}
            for n, c in losses.items()
            for s, v in enumerate(c)
        ]
    )
    found = trained.repeats(lawlib.runs.as_runs(frame))
    assert found["sd"].tolist() == pytest.approx([np.std(v, ddof=1) for v in losses.values()])
    expected = np.sqrt((2 * np.var(losses[1.0], ddof=1) + np.var(losses[2.0], ddof=1)) / 3)
    assert trained.pooled_sd(found) == pytest.approx(expected)


def test_a_diverged_run_is_kept_without_a_loss_and_says_why(monkeypatch):
    first, *rest = trained.records()[:3]
    monkeypatch.setattr(trained, "records", lambda: ({**first, "status": "diverged", "loss": None}, *rest))
    runs = trained.runs()
    assert runs["excluded"].tolist() == [True, False, False]
    assert np.isnan(runs["loss"].iloc[0])
    assert runs["exclude_reason"].iloc[0] == "diverged"


@pytest.mark.parametrize(
    ("law", "of", "status"),
    [
        ("chinchilla", "arch == 'dense'", "at a bound: L_inf fell to zero"),
        ("fine_grained", "expansion == 8", "converged"),
        ("joint_granular", "loss > 0", "converged"),
    ],
)
def test_the_laws_of_every_page_are_fitted_to_them_as_the_readme_says(runs, law, of, status):
    """The dense runs alone show no floor: their loss falls faster at the two largest budgets than a law with one allows."""
    fit = lawlib.fit(runs.query(of), law)
    assert fit.status.startswith(status)
    assert fit.rmse < 0.04
