"""Scaling laws of dense and mixture-of-experts language models: runs, fits, optima and their pictures.

    runs = lawlib.read_runs("curves.csv.gz")            # or: with lawlib.open_store() as store: store.runs("marin-moe-v16")
    fit = lawlib.fit(runs, "chinchilla")                # a FittedLaw; lawlib.published("krajewski2024-moe-e64") is one too
    lawlib.compute_optimal(fit, budget=1e21)            # the model to train
    lawlib.bootstrap(fit).interval("alpha")             # how sure

The data flow is one way: `ingest` reads logs into canonical `runs`, `store` keeps them, `fitting` makes a `FittedLaw`,
`optimum`, `frontier` and `gap` say what it implies, `figures` draw it. Units and counts: `runs.NUMBERS`.
"""

from .approaches import IsoflopOptima, envelope_optima, isoflop_optima
from .backtest import Backtest, backtest
from .convergence import Speedups, finished_curves, mean_ratio, speedups
from .ensemble import bootstrap
from .errors import FitError, LawlibError, OptimumError, ReadError, StoreError
from .fitting import fit, why_not
from .flops import FlopsRule
from .frontier import (
    allocation_exponents,
    granularity_frontier,
    granularity_gain,
    isoflop,
    isoflop_losses,
    router_share,
    switching_budgets,
)
from .gap import efficiency_gap, measured_gap
from .influence import leave_one_size_out, pulls
from .ingest import read_runs
from .laws import FAMILIES, Ensemble, Finding, FittedLaw, FormulaLaw, Law, published, published_names
from .optimum import Optimum, best_loss, compute_optimal
from .pairing import pair_runs
from .portable import portable
from .selection import select
from .store import open_store
from .weights import WEIGHTS, SeedNoise, run_weights, seed_noise

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
    "backtest",
    "best_loss",
    "bootstrap",
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
    "speedups",
    "switching_budgets",
    "why_not",
]
