"""Pairs of runs compared: how runs are paired, convergence speed, benchmarks."""

from .benchmarks import BenchmarkComparison
from .convergence import Ratio, Speedups, finished_curves, mean_ratio, speedups
from .pairing import HELD, group_ids, group_label, group_values, pair_runs

__all__ = [
    "HELD",
    "BenchmarkComparison",
    "Ratio",
    "Speedups",
    "finished_curves",
    "group_ids",
    "group_label",
    "group_values",
    "mean_ratio",
    "pair_runs",
    "speedups",
]
