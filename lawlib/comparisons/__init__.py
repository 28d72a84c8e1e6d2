"""Comparisons of runs in pairs: which run belongs to which, how much sooner one reaches a loss, and their benchmarks."""

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
