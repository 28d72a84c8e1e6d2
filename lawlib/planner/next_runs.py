"""Which runs to do next: those that make one decision surest for a given amount of compute.

With M the Gauss-Newton matrix of ln L in the parameters as fitted, s² the residual variance, j the gradient of a run's ln L
and c that of the logarithm of the quantity to be decided, the quantity's variance after more runs is
c' (M + sum j j' / s²)^-1 c: a c-optimal design (Elfving 1952). Runs are picked greedily from a grid of affordable ones, then
exchanged one by one for better ones (Fedorov 1972) until none is. The variance is that of the linearised fit; what it is
worth in refits is measured by `python -m benchmarks.next_runs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..identification import information, log_slope, small_steps
from ..laws import FittedLaw, run_arrays
from ..laws.law import Array
from ..optimum import compute_optimal, log_total

Quantity = Callable[[FittedLaw], Array]
SIZES, SPREAD = 7, 6.0
"""The naive grid: sizes a slice, from 1/SPREAD to SPREAD times the slice's optimum. Suggested runs keep to the same sizes."""
SLICES = (1.0, 10**-0.5, 0.1)
"""Its slices, as shares of the largest."""
MAX_RUNS = 40
"""Runs suggested at most; more and cheaper ones would be surer still, and more work."""
MAX_CANDIDATES = 4000
"""Runs to choose from: sizes lie closer together where there are few E and G."""
SHARES = 3.0
"""Even shares of what is left of the budget that one greedily picked run may take. Other starts of the exchanges (one share, all of it,
most gain for its cost) gave at most 2 % less variance, and none on the problems of `benchmarks.next_runs`."""
MAX_PASSES = 30
"""Rounds of exchanges; a handful is usual."""


@dataclass(frozen=True)
class NextRuns:
    """Suggested runs, most valuable first.

    runs: a row a run: n_active, n_total, tokens, expansion, granularity, flops, loss (predicted) and error_without, the
    quantity's standard error if this run alone were left out. error_now, error_then: standard error of the quantity's
    logarithm today and after the runs; error_grid: after the naive isoFLOP grid of the same cost, `grid`.
    """

    runs: pd.DataFrame
    grid: pd.DataFrame
    error_now: float
    error_then: float
    error_grid: float

    @property
    def flops(self) -> float:
        """What all of them cost together, training FLOPs."""
        return float(self.runs["flops"].sum())

    @property
    def advantage(self) -> float:
        """Variance after the naive grid over variance after these runs."""
        return (self.error_grid / self.error_then) ** 2


def suggest_runs(
    fit: FittedLaw,
    flops: float,
    quantity: Quantity,
    expansion: float | None = None,
    granularity: float | None = None,
    max_flops: float | None = None,
    max_runs: int = MAX_RUNS,
    options: pd.DataFrame | None = None,
) -> NextRuns:
    """The runs that reduce the variance of ln(quantity) most for `flops` training FLOPs in all.

    Args:
        quantity: a positive number computed from a law, such as `lambda law: compute_optimal(law, 1e23).n_active`; it is
            called with a whole ensemble.
        expansion, granularity: E and G of the decision, and so of the naive grid that is compared with. Needed where the law
            has E; without G the best one is taken.
        max_flops: of one run; by default the largest of the naive grid of this cost, so that neither sees further.
        options: the runs to choose from, as `candidates` gives them.
    Raises ValueError for a published law, for fewer runs than parameters, and where no run can be afforded.
    """
    design = _Design(fit, quantity)
    grid = isoflop_grid(fit, flops, expansion, granularity)
    largest = float(grid["flops"].max()) if max_flops is None else min(max_flops, flops)
    known = candidates(fit, largest, expansion, granularity) if options is None else options
    known = known[known["flops"] <= min(largest, flops) * (1 + 1e-9)].sort_values("flops", kind="stable", ignore_index=True)
    if known.empty:
        raise ValueError(
            f"{flops:.3g} FLOPs buy none of the runs that could be made: the smallest so far took "
            f"{fit.ranges.get('flops', (np.nan,))[0]:.3g}. Raise the budget for experiments."
        )
    rows, costs = design.rows(known), known["flops"].to_numpy(dtype=float)
    picked = _exchange(design, rows, costs, flops, max_runs, _greedy(design, rows, costs, flops, max_runs))
    without = [design.variance(np.delete(rows[picked], i, axis=0)) for i in range(len(picked))]
    runs = known.loc[picked].assign(error_without=np.sqrt(without))
    runs = runs.sort_values("error_without", ascending=False, ignore_index=True)
    return NextRuns(
        runs=runs,
        grid=grid,
        error_now=float(np.sqrt(design.variance(rows[:0]))),
        error_then=float(np.sqrt(design.variance(rows[picked]))),
        error_grid=float(np.sqrt(design.variance(design.rows(grid)))),
    )


def candidates(
    fit: FittedLaw,
    max_flops: float,
    expansion: float | None = None,
    granularity: float | None = None,
    expansions: ArrayLike | None = None,
    granularities: ArrayLike | None = None,
) -> pd.DataFrame:
    """Runs that could be made, on a grid: FLOPs from the smallest run so far to `max_flops`, D/N as in the naive grid, E, G.

    E and G: those of the fitted runs, and the decision's own, unless given. Columns as in `NextRuns.runs`.
    """
    assert fit.fit is not None
    low = min(fit.ranges["flops"][0] if "flops" in fit.ranges else max_flops / 1e3, max_flops)
    n_budgets = max(int(np.ceil(np.log2(max_flops / low))) + 1, 2)
    budgets = np.geomspace(low, max_flops, n_budgets)
    e = _options(fit, "expansion", expansion, expansions)
    g = _options(fit, "granularity", granularity, granularities)
    n_sizes = int(np.clip(MAX_CANDIDATES / (n_budgets * len(e) * len(g)), 9, 65))
    c, e, g = (np.ravel(a) for a in np.meshgrid(budgets, e, g, indexing="ij"))
    return _on_budget(fit, np.geomspace(1 / SPREAD, SPREAD, n_sizes), c, e, g)


def isoflop_grid(
    fit: FittedLaw, flops: float, expansion: float | None = None, granularity: float | None = None, spread: float = SPREAD
) -> pd.DataFrame:
    """The usual grid at this cost in all: three slices half a decade apart, seven sizes each from 1/6 to 6 of the optimum."""
    c = flops / (SIZES * sum(SLICES)) * np.array(SLICES)
    e = np.full(len(c), _decided(fit, "expansion", expansion))
    if granularity is None and "G" in fit.law.variables:
        granularity = float(np.asarray(compute_optimal(fit, c[0], e[0] if np.isfinite(e[0]) else None).granularity))
    g = np.full(len(c), _decided(fit, "granularity", granularity))
    return _on_budget(fit, np.geomspace(1 / spread, spread, SIZES), c, e, g)


def expected_error(fit: FittedLaw, runs: pd.DataFrame, quantity: Quantity) -> float:
    """Standard error of ln(quantity) after these runs too, by the linearised fit."""
    design = _Design(fit, quantity)
    return float(np.sqrt(design.variance(design.rows(runs))))


def _on_budget(fit: FittedLaw, factors: Array, c: Array, e: Array, g: Array) -> pd.DataFrame:
    """Runs of each of these budgets, E and G, their sizes `factors` times the fit's optimum there."""
    asked_e = e if fit.law.has_expansion or np.isfinite(e).all() else None
    best = np.asarray(compute_optimal(fit, c, asked_e, g if "G" in fit.law.variables else None).n_active)
    n_active = np.ravel(best[:, None] * factors)
    c, e, g = (np.repeat(a, len(factors)) for a in (c, e, g))
    tokens = c / fit.flops_rule.flops(n_active, 1.0, np.where(np.isnan(e), 1.0, e), np.where(np.isnan(g), 1.0, g))
    runs = pd.DataFrame({"n_active": n_active, "n_total": np.exp(log_total(fit, np.log(n_active), e)), "tokens": tokens})
    runs = runs.assign(expansion=e, granularity=g, flops=c)
    return runs.assign(loss=fit.predict(runs))[np.isfinite(n_active)].reset_index(drop=True)


def _options(fit: FittedLaw, column: str, decided: float | None, given: ArrayLike | None) -> Array:
    """The E or G to choose from; one NaN where the law knows none."""
    assert fit.fit is not None
    known = fit.law.has_expansion if column == "expansion" else "G" in fit.law.variables
    if not known:
        return np.array([_decided(fit, column, decided)])
    if given is not None:
        return np.unique(np.asarray(given, dtype=float))
    values = fit.fit.runs[column].to_numpy(dtype=float)
    return np.unique(values if decided is None else np.append(values, decided))


def _decided(fit: FittedLaw, column: str, value: float | None) -> float:
    """The E or G of the decision; NaN where the law knows none and the runs have none."""
    if value is not None:
        return value
    if column == "expansion" and fit.law.has_expansion:
        raise ValueError(f"The {fit.law.name} law depends on the expansion rate: give expansion=, that of the decision.")
    return np.nan if column == "granularity" or fit.expansion is None else fit.expansion


class _Design:
    """The linearised fit and the decision's gradient, in coordinates where the parameters have unit information."""

    def __init__(self, fit: FittedLaw, quantity: Quantity):
        if fit.fit is None:
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
        self.slope = log_slope(fit, quantity, self.steps) / self.scale
        if not np.isfinite(self.slope).all():
            raise ValueError(f"The {fit.law.name} fit gives no value for the quantity to be decided near its parameters.")

    def rows(self, runs: pd.DataFrame) -> Array:
        """Gradients of ln L of runs over the noise, shape `(n_runs, p)`."""
        arrays = run_arrays(self.fit.law, runs)
        return (log_slope(self.fit, lambda law: law.loss(*arrays), self.steps) / self.scale[:, None]).T / self.noise

    def inverse(self, rows: Array) -> Array:
        return np.linalg.inv(self.matrix + rows.T @ rows)

    def variance(self, rows: Array) -> float:
        """Of ln(quantity) with these rows added."""
        return float(self.slope @ self.inverse(rows) @ self.slope)

    def gains(self, inverse: Array, rows: Array) -> Array:
        """How much each row alone would lower the variance (Sherman and Morrison)."""
        return (rows @ (inverse @ self.slope)) ** 2 / (1 + np.einsum("ij,ij->i", rows @ inverse, rows))


def _best(design: _Design, rows: Array, costs: Array, picked: list[int], limit: float) -> int | None:
    """The run of most gain beside the picked ones that costs at most `limit`; costs rise. None where there is none."""
    n = int(np.searchsorted(costs, limit * (1 + 1e-9), "right"))
    gains = design.gains(design.inverse(rows[picked]), rows[:n])
    gains[[i for i in picked if i < n]] = -1.0
    best = int(np.argmax(gains)) if n else 0
    return best if n and gains[best] >= 0 else None


def _greedy(design: _Design, rows: Array, costs: Array, flops: float, max_runs: int) -> list[int]:
    """Runs picked one after the other."""
    picked: list[int] = []
    left = flops
    while len(picked) < max_runs:
        best = _best(design, rows, costs, picked, min(left, SHARES * left / (max_runs - len(picked))))
        if best is None:
            break
        picked.append(best)
        left -= costs[best]
    return picked


def _exchange(design: _Design, rows: Array, costs: Array, flops: float, max_runs: int, picked: list[int]) -> list[int]:
    """Swaps one run at a time for the best affordable one, and adds what still fits, until nothing improves."""
    picked = list(picked)
    for _ in range(MAX_PASSES):
        before = design.variance(rows[picked])
        for i in range(len(picked)):
            rest = picked[:i] + picked[i + 1 :]
            best = _best(design, rows, costs, rest, flops - costs[rest].sum())
            picked[i] = picked[i] if best is None else best
        while len(picked) < max_runs:
            more = _best(design, rows, costs, picked, flops - costs[picked].sum())
            if more is None:
                break
            picked.append(more)
        if design.variance(rows[picked]) >= before * (1 - 1e-6):
            break
    return picked
