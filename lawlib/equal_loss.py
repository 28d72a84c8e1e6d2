"""The compute at which a model's best loss has come down to a given one, for many models at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .laws.law import Array

STEPS = 60
_SLOPE = -0.05
"""d ln L / d ln C to begin with."""


def log_budget_of(log_loss: Callable[[Array], Array], target: Array, start: Array, low: Array, high: Array) -> Array:
    """ln C between `low` and `high` at which `log_loss`, which falls with ln C, is `target`, to 1e-11; from `start`, all of one shape.

    Secant steps, halving where one leaves the bracket. Infinite where the loss at `high` is still above the target, NaN where
    either is NaN.
    """
    lo, hi, x = (np.array(np.broadcast_to(a, target.shape), dtype=float) for a in (low, high, start))
    floor = log_loss(hi)
    never = ~(floor <= target)
    slope = np.full(target.shape, _SLOPE)
    previous_x, previous_f = None, None
    for _ in range(STEPS):
        f = log_loss(x) - target
        above = f > 0
        lo, hi = np.where(above, x, lo), np.where(above, hi, x)
        if previous_x is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = (f - previous_f) / (x - previous_x)
            slope = np.where(np.isfinite(secant) & (secant < 0), secant, slope)
        previous_x, previous_f = x, f
        step = x - f / slope
        x = np.where((step >= lo) & (step <= hi), step, 0.5 * (lo + hi))
        if np.all(never | (np.abs(x - previous_x) < 1e-11)):
            break
    found = np.where(never, np.inf, x)
    return np.where(np.isnan(target) | np.isnan(floor), np.nan, found)
