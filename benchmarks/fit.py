"""Times the fits against the published procedure and scipy, on the same data and in the same run: `make bench`.

The published procedure (Hoffmann et al. 2022, Besiroglu et al. 2024): L-BFGS-B with numeric differences from each of
4,500 starts, Huber's penalty (delta = 1e-3) of ln L. Data: the 240 extracted Chinchilla points where LAWLIB_TEST_DATA
names the folder that has them, else 240 planted runs.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import huber

import lawlib
from lawlib.fitting import Objective, fit_model
from lawlib.laws import FAMILIES, FittedLaw, to_free

DELTA = 1e-3
N_REFITS = 4000
N_SCIPY_REFITS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=4500, help="starts of the published procedure (all 4500 by default)")
    args = parser.parse_args()
    runs, what = data()
    print(f"data: {what}; {os.cpu_count()} cores\n")
    ours = point_fit(runs, args.starts)
    refits(ours)
    optima()
    granular_fits()
    scaling()


def data() -> tuple[pd.DataFrame, str]:
    """(runs, what they are)."""
    folder = os.environ.get("LAWLIB_TEST_DATA")
    file = Path(folder) / "chinchilla_extracted.csv" if folder else None
    if file is not None and file.exists():
        table = pd.read_csv(file).sort_values("loss").iloc[:-5]
        runs = pd.DataFrame({"n_active": table["Model Size"], "flops": table["Training FLOP"], "loss": table["loss"]})
        runs["tokens"] = runs["flops"] / (6 * runs["n_active"])
        return runs.reset_index(drop=True), f"{len(runs)} points extracted from Hoffmann et al. 2022, figure 4"
    rng = np.random.default_rng(0)
    n, c = np.exp(rng.uniform(np.log(4e7), np.log(1.6e10), 240)), np.exp(rng.uniform(np.log(1e18), np.log(1e22), 240))
    d = c / (6 * n)
    loss = (1.82 + 480 / n**0.348 + 2090 / d**0.366) * np.exp(0.005 * rng.normal(size=240))
    runs = pd.DataFrame({"n_active": n, "tokens": d, "flops": c, "loss": loss})
    return runs, "240 planted runs (LAWLIB_TEST_DATA does not name the extracted points)"


def warm(call: Callable[[], object], repeats: int = 50) -> float:
    """Median seconds of a call, after three that do not count."""
    for _ in range(3):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def point_fit(runs: pd.DataFrame, n_starts: int) -> FittedLaw:
    """Our fit against the published procedure."""
    fit = lawlib.fit(runs, "chinchilla", objective="huber", delta=DELTA)
    seconds = warm(lambda: lawlib.fit(runs, "chinchilla", objective="huber", delta=DELTA))
    log_n, log_d, log_loss = (np.log(runs[c].to_numpy()) for c in ("n_active", "tokens", "loss"))

    def published(p: np.ndarray) -> float:
        a, b, e, alpha, beta = p
        # Written out: scipy's logsumexp costs several times more on arrays as short as these.
        terms = np.stack([a - alpha * log_n, b - beta * log_d, np.full_like(log_n, e)])
        top = terms.max(axis=0)
        return float(huber(DELTA, top + np.log(np.exp(terms - top).sum(axis=0)) - log_loss).sum())

    fives, halves = np.arange(0, 26, 5.0), np.arange(0, 2.1, 0.5)
    grid = list(itertools.product(fives, fives, np.arange(-1, 1.1, 0.5), halves, halves))
    assert len(grid) == 4500
    chosen = [grid[i] for i in np.random.default_rng(0).permutation(len(grid))[:n_starts]]
    start = time.perf_counter()
    with np.errstate(all="ignore"):
        best = min(minimize(published, np.array(p), method="L-BFGS-B", jac=None).fun for p in chosen)
    theirs = time.perf_counter() - start
    scaled = "" if len(chosen) == len(grid) else f", scaled up from {len(chosen)}"
    theirs *= len(grid) / len(chosen)
    print("point fit, Chinchilla law, Huber 1e-3")
    print(f"  lawlib.fit, warm median of 50     {seconds * 1e3:10.2f} ms   objective {fit.objective:.9e}   {fit.status}")
    print(f"  4,500 L-BFGS-B, numeric gradients {theirs:10.2f} s    objective {best:.9e}{scaled}")
    print(f"  ratio {theirs / seconds:,.0f}; our objective is {fit.objective / best - 1:+.1e} relative to theirs\n")
    return fit


def refits(fit: FittedLaw) -> None:
    """Bootstrap refits against BFGS from the same warm start, with exact and with numeric gradients."""
    assert fit.fit is not None
    lawlib.bootstrap(fit, 200, seed=1)
    start = time.perf_counter()
    boot = lawlib.bootstrap(fit, N_REFITS, seed=0)
    seconds = time.perf_counter() - start
    n = len(fit.fit.runs)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=N_REFITS)[:N_SCIPY_REFITS]
    model, goal = fit_model(fit), Objective("huber", DELTA)

    def objective(theta: np.ndarray, weights: np.ndarray) -> float:
        state = model.evaluate(theta[None, :])
        return float((goal.value(state.log_pred, model.log_loss) * weights).sum())

    def with_gradient(theta: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
        state = model.evaluate(theta[None, :])
        value, first, _ = goal.derivatives(state.log_pred, model.log_loss)
        share = state.share[0] / state.total[0]
        gradient = (share * (first[0] * weights)).ravel() @ model.plain
        return float((value * weights).sum()), gradient

    def scipys(function: Callable, exact: bool) -> tuple[float, np.ndarray]:
        begin = time.perf_counter()
        with np.errstate(all="ignore"):
            found = [minimize(function, fit.theta, (w.astype(float),), "BFGS", jac=exact).fun for w in counts]
        return (time.perf_counter() - begin) * N_REFITS / N_SCIPY_REFITS, np.array(found)

    exact_seconds, exact = scipys(with_gradient, True)
    numeric_seconds, numeric = scipys(objective, False)
    ours = np.array([objective((boot.refits or boot.law).theta[i], counts[i].astype(float)) for i in range(N_SCIPY_REFITS)])
    worst = np.max(ours / np.minimum(exact, numeric) - 1)
    print(f"{N_REFITS:,} bootstrap refits of it ({boot.n_failed} failed); scipy measured on {N_SCIPY_REFITS} of them and scaled")
    print(f"  lawlib.bootstrap                  {seconds:10.2f} s")
    print(f"  BFGS, exact gradients             {exact_seconds:10.2f} s    ratio {exact_seconds / seconds:.0f}")
    print(f"  BFGS, numeric gradients           {numeric_seconds:10.2f} s    ratio {numeric_seconds / seconds:.0f}")
    print(f"  largest excess of our objective over scipy's lower one, {N_SCIPY_REFITS} refits: {worst:+.1e} relative\n")


def optima() -> None:
    """60 budgets x 8 granularities x 200 samples."""
    law = lawlib.published("krajewski2024-moe-e64")
    samples = law.rounding(200, seed=0).law
    budgets, granularities = np.geomspace(1e17, 1e25, 60)[:, None], 2.0 ** np.arange(8)
    seconds = warm(lambda: lawlib.compute_optimal(samples, budgets, 64, granularities), 10)
    print("compute optimum, 60 budgets x 8 G x 200 samples of the fine-grained law, router in the FLOPs")
    print(f"  lawlib.compute_optimal            {seconds * 1e3:10.1f} ms   warm median of 10\n")


def granular_fits() -> None:
    """joint_granular on 300 planted runs, E_start and E_max held and fitted."""
    print("joint_granular on 300 planted runs with 0.5 % noise")
    for label, expansions in (("held", (1.0, 4.0, 8.0, 32.0)), ("fitted", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0))):
        runs = planted_granular(expansions)
        fit = lawlib.fit(runs, "joint_granular")
        seconds = warm(lambda runs=runs: lawlib.fit(runs, "joint_granular"), 7)
        print(
            f"  E_start and E_max {label:7}         {seconds * 1e3:10.1f} ms   {fit.status.split(':')[0]}, {fit.fit.iterations} steps"
        )


def scaling() -> None:
    """Point fits of 100 to 100,000 planted runs: the exponent of time against runs."""
    rng = np.random.default_rng(2)
    law = lawlib.published("besiroglu2024")
    sizes, seconds = [100, 1_000, 10_000, 100_000], []
    for n in sizes:
        runs = pd.DataFrame({"n_active": 10 ** rng.uniform(7, 10, n), "tokens": 10 ** rng.uniform(9, 11.5, n)})
        runs["loss"] = law.predict(runs) * np.exp(0.005 * rng.normal(size=n))
        seconds.append(warm(lambda runs=runs: lawlib.fit(runs, "chinchilla"), 5))
    print("\nchinchilla, cost against the number of runs")
    for n, s in zip(sizes, seconds, strict=True):
        print(f"  {n:>7,} runs                      {s * 1e3:10.1f} ms   {s / n * 1e6:8.1f} us a run")
    slope = np.log(seconds[-1] / seconds[1]) / np.log(sizes[-1] / sizes[1])
    print(f"  exponent from 1,000 to 100,000 runs: {slope:.2f} (1 is linear)")


def planted_granular(expansions: tuple[float, ...], n_runs: int = 300) -> pd.DataFrame:
    """Runs of random sizes that follow a known joint_granular law."""
    rng = np.random.default_rng(1)
    known = lawlib.published("ludziejewski2025").params | {"g": 4.0, "gamma_g": 0.6}
    law = FAMILIES["joint_granular"]
    planted = FittedLaw(law, law.theta(known), to_free(known["E_start"], known["E_max"]))
    runs = pd.DataFrame(
        {
            "n_active": np.exp(rng.uniform(np.log(5e7), np.log(2.7e9), n_runs)),
            "tokens": np.exp(rng.uniform(np.log(2e9), np.log(1.3e11), n_runs)),
            "granularity": 2.0 ** rng.integers(0, 6, n_runs),
            "expansion": rng.choice(expansions, n_runs),
        }
    )
    return runs.assign(loss=planted.predict(runs) * np.exp(0.005 * rng.normal(size=n_runs)))


if __name__ == "__main__":
    main()
