"""Measures how much each run, and each model size, matters to a fit, by refits without it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..laws import Ensemble
from ..numerics.arrays import Array
from ..optimum import compute_optimal
from .resampling import LEFT_OUT, refit
from .result import Fit

MAX_WORK = 400_000
"""Runs times refits that leave-one-out may take: beyond, only the runs with the largest residuals are left out."""
MAX_GROUPS = 12
"""Sizes are merged to at most this many groups for leave-one-size-out."""


def without(fit: Fit, left_out: Array) -> Ensemble:
    """Returns refits that leave runs out, started from the fit; `left_out` is boolean, shape `(n_refits, n_runs)`."""
    return refit(fit, (~np.asarray(left_out, dtype=bool)).astype(float), LEFT_OUT)


def pulls(fit: Fit, budget: float, expansion: float | None = None) -> pd.DataFrame:
    """Returns how far the optimum at a budget moves when one run is left out, largest first: a row a run.

    Columns: run_id, name, residual (ln L_pred - ln L), n_pull and loss_pull: change of ln N_opt and ln loss without the run.
    In large data only the runs with the largest residuals are tried. Raises as `compute_optimal`.
    """
    residuals = np.abs(fit.fit.residuals)
    chosen = np.sort(np.argsort(-residuals)[: max(MAX_WORK // len(residuals), 10)])
    left_out = np.zeros((len(chosen), len(residuals)), dtype=bool)
    left_out[np.arange(len(chosen)), chosen] = True
    many = without(fit, left_out)
    runs = fit.fit.runs.iloc[chosen]
    table = pd.DataFrame({c: runs[c].to_numpy() for c in ("run_id", "name") if c in runs})
    table["residual"] = fit.fit.residuals[chosen]
    point, moved = compute_optimal(fit, budget, expansion), compute_optimal(many.law, budget, expansion)
    table["n_pull"] = np.log(np.asarray(moved.n_active) / point.n_active)
    table["loss_pull"] = np.log(np.asarray(moved.loss) / point.loss)
    return table.sort_values("n_pull", key=np.abs, ascending=False, ignore_index=True)


def leave_one_size_out(fit: Fit) -> float:
    """Returns the root mean square error of ln L at sizes the law was not fitted to; NaN for fewer than three sizes.

    Each size (at most twelve groups of neighbouring ones) is left out, the law refitted and judged on it.
    """
    sizes = fit.fit.runs[fit.law.count].to_numpy(dtype=float)
    distinct = np.unique(sizes)
    if len(distinct) < 3:
        return np.nan
    groups = np.minimum(np.searchsorted(distinct, sizes) * min(MAX_GROUPS, len(distinct)) // len(distinct), MAX_GROUPS - 1)
    labels = np.unique(groups)
    left_out = groups[None, :] == labels[:, None]
    predicted = without(fit, left_out).law.predict(fit.fit.runs)
    errors = np.log(predicted) - np.log(fit.fit.runs["loss"].to_numpy(dtype=float))
    return float(np.sqrt(np.nanmean(errors[left_out] ** 2)))
