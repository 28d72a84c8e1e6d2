"""Times a workspace of 1,000,000 runs and 100,000,000 curve points: `python -m benchmarks.scale`.

The first call builds it through `Store.add`, as uploads are (minutes, about 3 GB in build/scale or where --folder says); later
calls measure it as it is. Three data sets of planted runs: `many` (1,000,000 runs, 30 points each), `medium` (4,000 runs,
10,000 points each) and `long` (500 runs, 60,000 points each). Everything is measured warm: the median of several calls after
one that does not count, with other runs each time. Then every page opens on `many` in a process of its own: the first time, again,
and with filters that it has not seen, with the highest memory of that process.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import lawlib
from lawlib.store import Store

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "runs", "overview", "fit", "isoflop", "granularity", "dense_vs_moe", "compare", "fine_grained", "serving", "planner", "upload",
)  # fmt: skip

SHAPES = {"long": (500, 60_000), "medium": (4_000, 10_000), "many": (1_000_000, 30)}
"""Data set -> (runs, points of each)."""
BATCH = 2_000_000
"""Points added in one transaction."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=Path("build/scale"), help="where the workspace is (build/scale by default)"
    )
    parser.add_argument("--shrink", type=int, default=1, help="divide the numbers of runs by this, to try it out")
    parser.add_argument("--page", choices=PAGES, help="measure this page alone, in this process")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    path = args.folder / f"workspace{'' if args.shrink == 1 else f'-{args.shrink}'}.duckdb"
    if args.page:
        os.environ["LAWLIB_WORKSPACE"] = str(path)
        measure_page(args.page)
        return
    with lawlib.open_store(workspace=path) as store:
        build(store, args.shrink)
        print(f"{path}: {path.stat().st_size / 1e9:.2f} GB")
        measure(store)
    print(f"highest memory of this process: {memory():.2f} GB", flush=True)
    for page in PAGES:
        subprocess.run([sys.executable, "-m", "benchmarks.scale", *sys.argv[1:], "--page", page], check=False)


def memory() -> float:
    """The most that this process has held so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def build(store: Store, shrink: int) -> None:
    """Adds what is missing, batch by batch; a build that was stopped goes on where it was."""
    for dataset, (n_runs, n_points) in SHAPES.items():
        n_runs = max(n_runs // shrink, 1)
        table = store.datasets().set_index("dataset")
        done = int(table["n_runs"].get(dataset, 0))
        step = max(BATCH // n_points, 1)
        for first in range(done, n_runs, step):
            start = time.perf_counter()
            numbers = np.arange(first, min(first + step, n_runs))
            runs = planted_runs(dataset, numbers)
            store.add(runs, dataset, kind="simulated", curves=planted_curves(runs, numbers, n_points))
            print(f"{dataset}: {numbers[-1] + 1:,} of {n_runs:,} runs, {time.perf_counter() - start:.1f} s", flush=True)


def planted_runs(dataset: str, numbers: np.ndarray) -> pd.DataFrame:
    """Runs of L = 1.8 + 400 N^-0.34 + 2000 D^-0.37 with 0.5 % noise; one in fifty crashed."""
    rng = np.random.default_rng([len(dataset), int(numbers[0])])
    n, c = 10 ** rng.uniform(7, 10, len(numbers)), 10 ** rng.uniform(18, 22, len(numbers))
    d = c / (6 * n)
    experts = rng.choice([1.0, 8.0, 64.0], len(numbers))
    return pd.DataFrame(
        {
            "run_id": [f"{dataset}-{i:07d}" for i in numbers],
            "name": [f"{dataset} {i}" for i in numbers],
            "arch": np.where(experts > 1, "moe", "dense"),
            "n_active": n,
            "n_total": n * experts,
            "n_experts": experts,
            "granularity": 1.0,
            "tokens": d,
            "flops": c,
            "loss": (1.8 + 400 * n**-0.34 + 2000 * d**-0.37) * np.exp(0.005 * rng.normal(size=len(numbers))),
            "loss_name": "train/loss",
            "seed": rng.integers(0, 4, len(numbers)).astype(float),
            "status": np.where(rng.random(len(numbers)) < 0.02, "crashed", "finished"),
        }
    )


def planted_curves(runs: pd.DataFrame, numbers: np.ndarray, n_points: int) -> pd.DataFrame:
    """Curves of these runs, the noise of a batch on each point, printed to five digits as logs do."""
    rng = np.random.default_rng([1, int(numbers[0])])
    share = np.arange(1, n_points + 1) / n_points
    n, d, c = (runs[x].to_numpy()[:, None] for x in ("n_active", "tokens", "flops"))
    loss = (1.8 + 400 * n**-0.34 + 2000 * (d * share) ** -0.37) * np.exp(0.01 * rng.normal(size=(len(runs), n_points)))
    return pd.DataFrame(
        {
            "run_id": np.repeat(runs["run_id"].to_numpy(), n_points),
            "step": np.tile(np.arange(1.0, n_points + 1) * 10, len(runs)),
            "tokens": (d * share).ravel(),
            "flops": (c * share).ravel(),
            "split": "train/loss",
            "loss": loss.ravel().round(5),
        }
    )


def warm(words: str, call: Callable[[int], object], repeats: int = 7) -> float:
    """Prints and returns the median milliseconds of `call(i)`, with another i each time; the first does not count."""
    call(0)
    times, used = [], []
    for i in range(1, repeats + 1):
        start, cpu = time.perf_counter(), time.process_time()
        call(i)
        times.append(1e3 * (time.perf_counter() - start))
        used.append(1e3 * (time.process_time() - cpu))
    spread = f"({min(times):.0f} to {max(times):.0f}; processor {statistics.median(used):.0f} ms)"
    print(f"{words:<58} {statistics.median(times):7.0f} ms  {spread}", flush=True)
    return statistics.median(times)


def measure(store: Store) -> None:
    """Curves of 1, 40 and 1,000 scattered runs of each data set, thinned as the Runs page thins them."""
    for dataset, (n_runs, n_points) in SHAPES.items():
        n_runs = min(n_runs, int(store.datasets().set_index("dataset")["n_runs"][dataset]))
        for n, max_points in ((1, 514), (40, 514), (1000, 66)):
            n = min(n, n_runs)

            def scattered(i: int, n: int = n, n_runs: int = n_runs, dataset: str = dataset) -> list[str]:
                return [f"{dataset}-{k:07d}" for k in np.random.default_rng(i).choice(n_runs, n, replace=False)]

            warm(
                f"{dataset} ({n_points:,} points a run): {n} runs, thinned to {max_points}",
                lambda i, d=dataset, s=scattered, m=max_points: store.curves(d, s(i), split="train/loss", max_points=m),
            )


def measure_page(page: str, repeats: int = 5) -> None:
    """A page on the data set `many`: opened, run again, and with other bounds on FLOPs each time."""
    logging.disable(logging.WARNING)
    original = PagesManager.__init__

    def init(self, *args, **kwargs) -> None:
        original(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False  # as a server has it after its first run

    PagesManager.__init__ = init
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=600)
    at.query_params["dataset"] = "many"
    if page != "overview":
        at._page_hash = calc_hash(page)

    def run(low: float | None = None) -> tuple[float, float]:
        if low is not None:
            at.session_state["chosen"].update(cmin=low, cmax=50 * low)
        start, cpu = time.perf_counter(), time.process_time()
        at.run()
        if at.exception:
            raise SystemExit(f"{page}: {at.exception[0].value}")
        return 1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - cpu)

    for words, calls in (
        ("first", [None]),
        ("again", [None] * repeats),
        ("another filter", np.geomspace(1e18, 1e20, repeats).tolist()),
    ):
        times = [run(low) for low in calls]
        wall, cpu = (statistics.median(t[i] for t in times) for i in (0, 1))
        print(f"{page + ', ' + words:<58} {wall:7.0f} ms  (processor {cpu:.0f} ms; memory {memory():.2f} GB)", flush=True)
    st.cache_resource.clear()  # closes the workspace


if __name__ == "__main__":
    main()
