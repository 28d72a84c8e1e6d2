"""Suggests which runs to do next: those that make one decision most certain for a given amount of compute.

The runs to choose from, what they are compared with, and what comes out; how they are picked is `design`. What the promised
variance is worth in refits is measured by `python -m benchmarks.next_runs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..fitting import Fit
from ..numerics.arrays import Array
from ..optimum import compute_optimal, log_total
from .design import Design, Quantity, picked_runs

SIZES, SPREAD = 7, 6.0
"""The naive grid: sizes a slice, from 1/SPREAD to SPREAD times the slice's optimum. Suggested runs keep to the same sizes."""
SLICES = (1.0, 10**-0.5, 0.1)
"""Its slices, as shares of the largest."""
MAX_RUNS = 40
"""Runs suggested at most; more and cheaper ones would be surer still, and more work."""
MAX_CANDIDATES = 4000
"""Runs to choose from: sizes lie closer together where there are few E and G."""


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
    fit: Fit,
    flops: float,
    quantity: Quantity,
    expansion: float | None = None,
    granularity: float | None = None,
    max_flops: float | None = None,
    max_runs: int = MAX_RUNS,
    options: pd.DataFrame | None = None,
) -> NextRuns:
    """Returns the runs that reduce the variance of ln(quantity) most for `flops` training FLOPs in all.

    Args:
        quantity: a positive number computed from a law, such as `lambda law: compute_optimal(law, 1e23).n_active`; it is
            called with a whole ensemble.
        expansion, granularity: E and G of the decision, and so of the naive grid that is compared with. Needed where the law
            has E; without G the best one is taken.
        max_flops: of one run; by default the largest of the naive grid of this cost, so that neither sees further.
        options: the runs to choose from, as `candidates` gives them; those without a loss are left out.
    Raises ValueError for a published law, for fewer runs than parameters, and where no run can be afforded.
    """
    return Experiments(fit, flops, expansion, granularity, max_flops, options).chosen(quantity, max_runs)


class Experiments:
    """The runs that could be made for a given amount of compute, for any decision. Arguments and errors as of `suggest_runs`."""

    def __init__(
        self,
        fit: Fit,
        flops: float,
        expansion: float | None = None,
        granularity: float | None = None,
        max_flops: float | None = None,
        options: pd.DataFrame | None = None,
    ) -> None:
        self.design, self.flops = Design(fit), flops
        self.grid = isoflop_grid(fit, flops, expansion, granularity)
        largest = float(self.grid["flops"].max()) if max_flops is None else min(max_flops, flops)
        known = candidates(fit, largest, expansion, granularity) if options is None else options
        affordable = known[(known["flops"] <= min(largest, flops) * (1 + 1e-9)) & np.isfinite(known["loss"])]
        self.options = affordable.sort_values("flops", kind="stable", ignore_index=True)
        if affordable.empty:
            raise ValueError(
                f"{flops:.3g} FLOPs buy none of the runs that could be made: the smallest so far took "
                f"{fit.ranges.get('flops', (np.nan,))[0]:.3g}. Raise the budget for experiments."
            )
        self.rows, self.grid_rows = self.design.rows(self.options), self.design.rows(self.grid)

    def chosen(self, quantity: Quantity, max_runs: int = MAX_RUNS) -> NextRuns:
        """Returns the runs that make this quantity most certain."""
        aim, costs = self.design.aim(quantity), self.options["flops"].to_numpy(dtype=float)
        picked = picked_runs(aim, self.rows, costs, self.flops, max_runs)
        rows = self.rows[picked]
        without = [aim.variance(np.delete(rows, i, axis=0)) for i in range(len(picked))]
        runs = self.options.loc[picked].assign(error_without=np.sqrt(without))
        return NextRuns(
            runs=runs.sort_values("error_without", ascending=False, ignore_index=True),
            grid=self.grid,
            error_now=float(np.sqrt(aim.variance(rows[:0]))),
            error_then=float(np.sqrt(aim.variance(rows))),
            error_grid=float(np.sqrt(aim.variance(self.grid_rows))),
        )


def candidates(
    fit: Fit,
    max_flops: float,
    expansion: float | None = None,
    granularity: float | None = None,
    expansions: ArrayLike | None = None,
    granularities: ArrayLike | None = None,
) -> pd.DataFrame:
    """Returns runs that could be made, on a grid: FLOPs from the smallest run so far to `max_flops`, D/N as in the naive grid, E, G.

    E and G: those of the fitted runs, and the decision's own, unless given. Columns as in `NextRuns.runs`.
    """
    low = min(fit.ranges["flops"][0] if "flops" in fit.ranges else max_flops / 1e3, max_flops)
    n_budgets = max(int(np.ceil(np.log2(max_flops / low))) + 1, 2)
    budgets = np.geomspace(low, max_flops, n_budgets)
    e = _options(fit, "expansion", expansion, expansions)
    g = _options(fit, "granularity", granularity, granularities)
    n_sizes = int(np.clip(MAX_CANDIDATES / (n_budgets * len(e) * len(g)), 9, 65))
    c, e, g = (np.ravel(a) for a in np.meshgrid(budgets, e, g, indexing="ij"))
    return _on_budget(fit, np.geomspace(1 / SPREAD, SPREAD, n_sizes), c, e, g)


def isoflop_grid(
    fit: Fit, flops: float, expansion: float | None = None, granularity: float | None = None, spread: float = SPREAD
) -> pd.DataFrame:
    """Returns the usual grid at this total cost: three slices half a decade apart, seven sizes each from 1/6 to 6 of the optimum."""
    c = flops / (SIZES * sum(SLICES)) * np.array(SLICES)
    e = np.full(len(c), _decided(fit, "expansion", expansion))
    if granularity is None and "G" in fit.law.variables:
        granularity = float(np.asarray(compute_optimal(fit, c[0], e[0] if np.isfinite(e[0]) else None).granularity))
    g = np.full(len(c), _decided(fit, "granularity", granularity))
    return _on_budget(fit, np.geomspace(1 / spread, spread, SIZES), c, e, g)


def expected_error(fit: Fit, runs: pd.DataFrame, quantity: Quantity) -> float:
    """Returns the standard error of ln(quantity) after these runs too, by the linearised fit."""
    design = Design(fit)
    return float(np.sqrt(design.aim(quantity).variance(design.rows(runs))))


def _on_budget(fit: Fit, factors: Array, c: Array, e: Array, g: Array) -> pd.DataFrame:
    """Returns runs of each of these budgets, E and G, their sizes `factors` times the fit's optimum there."""
    asked_e = e if fit.law.has_expansion or np.isfinite(e).all() else None
    best = np.asarray(compute_optimal(fit, c, asked_e, g if "G" in fit.law.variables else None).n_active)
    n_active = np.ravel(best[:, None] * factors)
    c, e, g = (np.repeat(a, len(factors)) for a in (c, e, g))
    tokens = c / fit.flops_rule.flops(n_active, 1.0, np.where(np.isnan(e), 1.0, e), np.where(np.isnan(g), 1.0, g))
    runs = pd.DataFrame({"n_active": n_active, "n_total": np.exp(log_total(fit, np.log(n_active), e)), "tokens": tokens})
    runs = runs.assign(expansion=e, granularity=g, flops=c)
    return runs.assign(loss=fit.predict(runs))[np.isfinite(n_active)].reset_index(drop=True)


def _options(fit: Fit, column: str, decided: float | None, given: ArrayLike | None) -> Array:
    """Returns the E or G to choose from; one NaN where the law knows none."""
    known = fit.law.has_expansion if column == "expansion" else "G" in fit.law.variables
    if not known:
        return np.array([_decided(fit, column, decided)])
    if given is not None:
        return np.unique(np.asarray(given, dtype=float))
    values = fit.fit.runs[column].to_numpy(dtype=float)
    return np.unique(values if decided is None else np.append(values, decided))


def _decided(fit: Fit, column: str, value: float | None) -> float:
    """Returns the E or G of the decision; NaN where the law knows none and the runs have none."""
    if value is not None:
        return value
    if column == "expansion" and fit.law.has_expansion:
        raise ValueError(f"The {fit.law.name} law depends on the expansion rate: give expansion=, that of the decision.")
    return np.nan if column == "granularity" or fit.expansion is None else fit.expansion
