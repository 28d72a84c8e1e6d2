"""Chooses runs that make one quantity of a fit as certain as possible: a c-optimal design.

With M the Gauss-Newton matrix of ln L in the parameters as fitted, s² the residual variance, j the gradient of a run's ln L
and c that of the logarithm of the quantity to be decided, the quantity's variance after more runs is
c' (M + sum j j' / s²)^-1 c: a c-optimal design (Elfving 1952). Runs are picked greedily from those that can be afforded, then
exchanged one by one for better ones (Fedorov 1972) until none is. The variance is that of the linearised fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..fitting import Fit, information, log_slope, small_steps
from ..laws import FittedLaw, run_arrays
from ..numerics.arrays import Array

Quantity = Callable[[FittedLaw], Array]
SHARES = 3.0
"""Even shares of what is left of the budget that one greedily picked run may take. Other starts of the exchanges (one share, all of it,
most gain for its cost) gave at most 2 % less variance, and none on the problems of `benchmarks.next_runs`."""
MAX_PASSES = 30
"""Rounds of exchanges; a handful is usual."""


class Design:
    """The linearised fit, in coordinates where the parameters have unit information."""

    def __init__(self, fit: Fit) -> None:
        if not isinstance(fit, Fit):
            raise ValueError(f"{fit.name} is a published law without runs: next runs need a fit to runs of your own.")
        self.fit = fit
        matrix, self.noise = information(fit)
        if not np.isfinite(self.noise):
            raise ValueError(
                f"The {fit.law.name} law has {len(matrix)} parameters and the fit {len(fit.fit.residuals)} runs: more runs than "
                "parameters are needed to know their noise."
            )
        self.scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
        self.matrix = matrix / np.outer(self.scale, self.scale) + 1e-13 * np.eye(len(matrix))
        self.steps = small_steps(fit)

    def rows(self, runs: pd.DataFrame) -> Array:
        """Returns gradients of ln L of runs over the noise, shape `(n_runs, p)`."""
        arrays = run_arrays(self.fit.law, runs)
        return (log_slope(self.fit, lambda law: law.loss(*arrays), self.steps) / self.scale[:, None]).T / self.noise

    def aim(self, quantity: Quantity) -> Aim:
        """Returns the `Aim` for the quantity to be decided."""
        slope = log_slope(self.fit, quantity, self.steps) / self.scale
        if not np.isfinite(slope).all():
            raise ValueError(f"The {self.fit.law.name} fit gives no value for the quantity to be decided near its parameters.")
        return Aim(self.matrix, slope)


@dataclass(frozen=True)
class Aim:
    """The information on the parameters, and the gradient of the logarithm of the quantity to be decided."""

    matrix: Array
    slope: Array

    def inverse(self, rows: Array) -> Array:
        return np.linalg.inv(self.matrix + rows.T @ rows)

    def variance(self, rows: Array) -> float:
        """Returns the variance of ln(quantity) with these rows added."""
        return float(self.slope @ self.inverse(rows) @ self.slope)

    def gains(self, inverse: Array, rows: Array) -> Array:
        """Returns how much each row alone would lower the variance (Sherman and Morrison)."""
        return (rows @ (inverse @ self.slope)) ** 2 / (1 + np.einsum("ij,ij->i", rows @ inverse, rows))


def picked_runs(aim: Aim, rows: Array, costs: Array, flops: float, max_runs: int) -> list[int]:
    """Returns indices of at most `max_runs` runs of together at most `flops` FLOPs. rows: `Design.rows`; costs: theirs, rising."""
    return _exchange(aim, rows, costs, flops, max_runs, _greedy(aim, rows, costs, flops, max_runs))


def _best(aim: Aim, rows: Array, costs: Array, picked: list[int], limit: float) -> int | None:
    """Returns the run of most gain beside the picked ones that costs at most `limit`; costs rise. None where there is none."""
    n = int(np.searchsorted(costs, limit * (1 + 1e-9), "right"))
    gains = aim.gains(aim.inverse(rows[picked]), rows[:n])
    gains[[i for i in picked if i < n]] = -1.0
    best = int(np.argmax(gains)) if n else 0
    return best if n and gains[best] >= 0 else None


def _greedy(aim: Aim, rows: Array, costs: Array, flops: float, max_runs: int) -> list[int]:
    """Picks runs one after the other."""
    picked: list[int] = []
    left = flops
    while len(picked) < max_runs:
        best = _best(aim, rows, costs, picked, min(left, SHARES * left / (max_runs - len(picked))))
        if best is None:
            break
        picked.append(best)
        left -= costs[best]
    return picked


def _exchange(aim: Aim, rows: Array, costs: Array, flops: float, max_runs: int, picked: list[int]) -> list[int]:
    """Swaps one run at a time for the best affordable one, and adds what still fits, until nothing improves."""
    picked = list(picked)
    for _ in range(MAX_PASSES):
        before = aim.variance(rows[picked])
        for i in range(len(picked)):
            rest = picked[:i] + picked[i + 1 :]
            best = _best(aim, rows, costs, rest, flops - costs[rest].sum())
            picked[i] = picked[i] if best is None else best
        while len(picked) < max_runs:
            more = _best(aim, rows, costs, picked, flops - costs[picked].sum())
            if more is None:
                break
            picked.append(more)
        if aim.variance(rows[picked]) >= before * (1 - 1e-6):
            break
    return picked
