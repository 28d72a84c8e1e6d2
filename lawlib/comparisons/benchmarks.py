"""Compares the benchmark results of two groups of runs, one by one and as a mean with a paired bootstrap interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..numerics.arrays import Array

N_RESAMPLES = 10_000
LEVEL = 0.95
COLUMNS = ("benchmark", "a", "b", "difference", "n_pairs")


@dataclass(frozen=True)
class BenchmarkComparison:
    """The comparison of two groups on all benchmarks.

    table: a row a benchmark with `COLUMNS`, values as uploaded, `difference` b - a. mean_a, mean_b, difference: their plain
    means over benchmarks; low, high: the paired bootstrap's interval of the mean difference, NaN with one benchmark.
    """

    table: pd.DataFrame
    metric: str
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    n_resamples: int

    @property
    def mixed_scales(self) -> bool:
        """Whether some benchmarks look like percentages and others like fractions, so that their mean has no meaning."""
        largest = self.table[["a", "b"]].abs().max(axis=1)
        return bool((largest <= 1).any() and (largest > 1.5).any())


def compare_benchmarks(
    evaluations: pd.DataFrame,
    pairs: pd.DataFrame,
    metric: str,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> BenchmarkComparison | None:
    """Returns both groups' results on the benchmarks that a pair shares, averaged over pairs; None where no pair shares any.

    Args:
        evaluations: columns run_id, benchmark, metric, value.
        pairs: columns a and b, run ids.
        metric: the one that is compared; other rows are left out.
    The interval is the percentile bootstrap of the mean of b - a over benchmarks, drawn with replacement: a benchmark keeps
    its two values together, so that hard and easy ones do not blur the difference.
    """
    chosen = evaluations[evaluations["metric"] == metric].dropna(subset=["value"])
    values = chosen.groupby(["run_id", "benchmark"], sort=False)["value"].mean().reset_index()
    both = pairs[["a", "b"]].reset_index(drop=True).assign(pair=np.arange(len(pairs)))
    left = both.merge(values, left_on="a", right_on="run_id")[["pair", "benchmark", "value"]]
    right = both.merge(values, left_on="b", right_on="run_id")[["pair", "benchmark", "value"]]
    joined = left.merge(right, on=["pair", "benchmark"], suffixes=("_a", "_b"))
    if joined.empty:
        return None
    table = joined.groupby("benchmark").agg(a=("value_a", "mean"), b=("value_b", "mean"), n_pairs=("pair", "size")).reset_index()
    table["difference"] = table["b"] - table["a"]
    difference = table["difference"].to_numpy(dtype=float)
    low, high = _interval(difference, n_resamples, seed, level)
    means = float(table["a"].mean()), float(table["b"].mean())
    return BenchmarkComparison(table[list(COLUMNS)], metric, *means, float(difference.mean()), low, high, n_resamples)


def _interval(difference: Array, n_resamples: int, seed: int, level: float) -> tuple[float, float]:
    if len(difference) < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(len(difference), size=(n_resamples, len(difference)))
    low, high = np.quantile(difference[drawn].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
