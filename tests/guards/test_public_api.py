"""The names, parameters and result keys that notebooks rely on."""

import importlib
import inspect

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib.laws import FAMILIES
from tests.support.planted import grid

PARAMS = {
    "chinchilla": "L_inf A B alpha beta",
    "fine_grained": "a alpha b beta g gamma c",
    "joint": "a alpha delta gamma b beta omega zeta c E_start E_max",
    "routed": "a b c d E_start E_max",
    "inference_optimal": "A B C F alpha beta gamma d E_start E_max",
    "sparsity": "a alpha b beta c lambda d delta gamma e",
    "joint_granular": "a alpha delta gamma b beta omega zeta c g gamma_g E_start E_max",
}
SIGNATURES = {
    "read_runs": ["path"],
    "open_store": ["shipped", "workspace"],
    "fit": ["runs", "law", "objective", "delta", "weights"],
    "bootstrap": ["fit", "n_resamples", "seed", "groups"],
    "published": ["name"],
    "compute_optimal": ["law", "budget", "expansion"],
    "efficiency_gap": ["moe_law", "dense_law", "budget", "expansion"],
    "granularity_frontier": ["law", "budgets", "expansion"],
    "isoflop": ["law", "budget"],
    "backtest": ["runs", "laws", "cut"],
}


@pytest.fixture(scope="module")
def runs():
    return grid("chinchilla", noise=0.01)


@pytest.fixture(scope="module")
def fit(runs):
    return lawlib.fit(runs, "chinchilla")


@pytest.mark.parametrize("name", SIGNATURES)
def test_functions_have_the_designs_parameters(name):
    function = getattr(lawlib, name)
    found = list(inspect.signature(function).parameters)
    expected = SIGNATURES[name]
    if name == "read_runs":
        assert found, "takes a file"
    else:
        assert [p for p in found if p in expected] == expected


def test_every_exported_name_exists_and_is_documented():
    assert list(lawlib.__all__) == sorted(lawlib.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    for name in lawlib.__all__:
        thing = getattr(lawlib, name)
        if inspect.isfunction(thing) or inspect.isclass(thing):
            assert thing.__doc__, name


def test_defaults_of_fit_and_bootstrap():
    fit, boot = (inspect.signature(getattr(lawlib, n)).parameters for n in ("fit", "bootstrap"))
    assert (fit["objective"].default, fit["delta"].default, fit["weights"].default) == ("huber", 1e-3, None)
    assert (boot["n_resamples"].default, boot["seed"].default, boot["groups"].default) == (1000, 0, None)


@pytest.mark.parametrize("law", PARAMS)
def test_params_of_a_fit_are_the_papers_letters(law):
    assert set(PARAMS) == set(lawlib.FAMILIES)
    fitted = lawlib.fit(grid(law, sizes=np.geomspace(3e6, 3e9, 4), noise=0.003), law, objective="squared_log")
    assert set(fitted.params) == set(PARAMS[law].split())
    assert all(isinstance(v, float) for v in fitted.params.values())
    assert list(fitted.params) == list(FAMILIES[law].parameters)


def test_a_fit_has_what_the_design_shows(runs, fit):
    assert isinstance(fit, lawlib.FittedLaw)
    assert isinstance(fit.objective, float)
    assert isinstance(fit.rmse, float)
    assert fit.status == "converged"
    assert isinstance(fit.health(), list)
    predicted = fit.predict(runs)
    assert isinstance(predicted, np.ndarray)
    assert predicted.shape == (len(runs),)


def test_a_bootstrap_has_what_the_design_shows(fit):
    boot = lawlib.bootstrap(fit, n_resamples=20, seed=0, groups=None)
    assert isinstance(boot, lawlib.Ensemble)
    assert isinstance(boot.params, pd.DataFrame)
    low, high = boot.interval("alpha", level=0.95)
    assert low < fit.params["alpha"] * 1.1
    assert low < high
    low, high = boot.interval(lambda law: lawlib.compute_optimal(law, budget=1e21).n_active)
    assert 0 < low < high


def test_a_published_law_is_a_fitted_law_without_data():
    law = lawlib.published("krajewski2024-moe-e64")
    assert isinstance(law, lawlib.FittedLaw)
    assert law.fit is None
    assert len(law.rounding(7, seed=1)) == 7
    opt = lawlib.compute_optimal(law, budget=1.93e20, expansion=64)
    for field in ("n_active", "n_total", "tokens", "granularity", "flops", "loss"):
        assert np.isfinite(getattr(opt, field))


def test_gap_frontier_isoflop_and_backtest_answer(runs):
    moe, dense = lawlib.published("krajewski2024-moe-e64"), lawlib.published("krajewski2024-dense")
    assert isinstance(lawlib.efficiency_gap(moe, dense, budget=1e20, expansion=64), float)
    assert lawlib.efficiency_gap(moe, dense, [1e20, 1e21], 64).shape == (2,)
    columns = {"flops", "granularity", "n_active", "n_total", "tokens", "loss", "best"}
    assert columns <= set(lawlib.granularity_frontier(moe, [1e20, 1e21], expansion=64).columns)
    assert {"n_active", "tokens", "loss"} <= set(lawlib.isoflop(moe, 1e20, 64).columns)
    assert isinstance(lawlib.backtest(runs, ["chinchilla"], cut=1e20, n_resamples=5), lawlib.Backtest)


def test_wrong_arguments_are_value_errors_and_the_rest_is_lawlibs_own():
    for error in (lawlib.FitError, lawlib.OptimumError, lawlib.ReadError, lawlib.StoreError):
        assert issubclass(error, lawlib.LawlibError)
    assert issubclass(lawlib.ReadError, ValueError)
    assert not issubclass(lawlib.FitError, ValueError)


def test_a_store_opens_from_the_top_level(tmp_path):
    store = importlib.import_module("lawlib.store")
    assert lawlib.open_store is store.open_store
    with lawlib.open_store(workspace=tmp_path / "workspace.duckdb") as opened:
        datasets = opened.datasets()
        assert {"dataset", "title", "kind", "n_runs"} <= set(datasets.columns)
        runs = opened.runs("marin-moe-v16")
    assert lawlib.fit(runs, "chinchilla").params["alpha"] == pytest.approx(0.184, abs=6e-4)


def test_a_file_reads_from_the_top_level(test_data):
    runs = lawlib.read_runs(test_data / "marin_moe_isoflop.csv")
    assert len(runs) == 62
    assert {"n_active", "tokens", "loss"} <= set(runs.columns)
    assert lawlib.read_runs(str(test_data / "marin_moe_isoflop.csv")).equals(runs)
