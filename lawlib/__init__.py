"""Scaling laws of dense and mixture-of-experts language models: runs, fits, optima and their pictures.

    runs = lawlib.read_runs("curves.csv.gz")            # or: with lawlib.open_store() as store: store.runs("marin-moe-v16")
    fit = lawlib.fit(runs, "chinchilla")                # a FittedLaw; lawlib.published("krajewski2024-moe-e64") is one too
    lawlib.compute_optimal(fit, budget=1e21)            # the model to train
    lawlib.bootstrap(fit).interval("alpha")             # how sure

The data flow is one way: `ingest` reads logs into canonical `runs`, `store` keeps them, `fitting` makes a `FittedLaw`,
`optimum` computes what it implies, `figures` draw that. Units and counts: `runs.NUMBERS`.
"""

from . import compat as compat
from .comparisons import Speedups, finished_curves, mean_ratio, pair_runs, speedups
from .errors import FitError, LawlibError, OptimumError, ReadError, StoreError
from .fitting import Backtest, backtest, bootstrap, fit, leave_one_size_out, pulls, why_not
from .ingest import read_runs
from .laws import FAMILIES, Ensemble, Finding, FittedLaw, FlopsRule, FormulaLaw, Law, published, published_names
from .optimum import (
    IsoflopOptima,
    Optimum,
    allocation_exponents,
    best_loss,
    compute_optimal,
    efficiency_gap,
    envelope_optima,
    granularity_frontier,
    granularity_gain,
    isoflop,
    isoflop_losses,
    isoflop_optima,
    measured_gap,
    portable,
    router_share,
    shared_rounding,
    slice_labels,
    switching_budgets,
    tables,
)
from .runs import WEIGHTS, SeedNoise, as_runs, at_point, run_weights, seed_noise, select
from .store import open_store

__all__ = [
    "FAMILIES",
    "WEIGHTS",
    "Backtest",
    "Ensemble",
    "Finding",
    "FitError",
    "FittedLaw",
    "FlopsRule",
    "FormulaLaw",
    "IsoflopOptima",
    "Law",
    "LawlibError",
    "Optimum",
    "OptimumError",
    "ReadError",
    "SeedNoise",
    "Speedups",
    "StoreError",
    "allocation_exponents",
    "as_runs",
    "at_point",
    "backtest",
    "best_loss",
    "bootstrap",
    "compat",
    "compute_optimal",
    "efficiency_gap",
    "envelope_optima",
    "finished_curves",
    "fit",
    "granularity_frontier",
    "granularity_gain",
    "isoflop",
    "isoflop_losses",
    "isoflop_optima",
    "leave_one_size_out",
    "mean_ratio",
    "measured_gap",
    "open_store",
    "pair_runs",
    "portable",
    "published",
    "published_names",
    "pulls",
    "read_runs",
    "router_share",
    "run_weights",
    "seed_noise",
    "select",
    "shared_rounding",
    "slice_labels",
    "speedups",
    "switching_budgets",
    "tables",
    "why_not",
]
