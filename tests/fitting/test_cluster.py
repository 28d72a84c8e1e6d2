"""The long work of the library on a real cluster: two Dask workers, each a process of its own."""

import os

import joblib
import numpy as np
import pytest

import lawlib
from tests.support.planted import grid

RUNS = grid("chinchilla", sizes=np.geomspace(3e7, 3e9, 6), tokens=np.geomspace(1e9, 1e11, 6), noise=0.005, seed=4)


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_bootstrap_on_two_dask_workers_gives_the_same_replicates(cluster):
    fit = lawlib.fit(RUNS, "chinchilla")
    here = lawlib.bootstrap(fit, n_resamples=200, seed=3)
    with joblib.parallel_config(backend="dask"):
        there = lawlib.bootstrap(fit, n_resamples=200, seed=3)
    np.testing.assert_allclose(there.law.theta, here.law.theta, rtol=1e-6, atol=1e-8)
    assert len(cluster.scheduler_info()["workers"]) == 2


def test_the_work_is_done_by_the_workers(cluster):
    def work(seconds):
        import time

        time.sleep(seconds)
        return os.getpid()

    with joblib.parallel_config(backend="dask"):
        pids = set(joblib.Parallel(n_jobs=-1)(joblib.delayed(work)(0.05) for _ in range(12)))
    assert os.getpid() not in pids


def test_a_backtest_runs_there_too(cluster):
    here = lawlib.backtest(RUNS, ["chinchilla"], cut=1e20, n_resamples=60)
    with joblib.parallel_config(backend="dask"):
        there = lawlib.backtest(RUNS, ["chinchilla"], cut=1e20, n_resamples=60)
    np.testing.assert_allclose(there.summary["coverage"], here.summary["coverage"])
    np.testing.assert_allclose(there.points["low"], here.points["low"], rtol=1e-6)
