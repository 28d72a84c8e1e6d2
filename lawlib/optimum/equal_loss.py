"""Finds the compute at which a law's best loss falls to a given value, for many values at once."""

from __future__ import annotations

import numpy as np

from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..numerics.roots import root
from .allocation import solve
from .balance import BRACKET, Balance, first_guess

STEPS = 40
TOLERANCE = 1e-7
"""Newton's method stops at a step below this; the error left is about its square."""
LONGEST = 10.0
"""Largest step, in ln C and in ln N."""


def log_budget_of(
    law: FittedLaw, log_loss: Array, e: Array, g: Array, low: Array, high: Array, start: Array | None = None
) -> Array:
    """Returns ln C between `low` and `high` at which the compute-optimal model has this ln L; shape of `log_loss`, samples first.

    Newton's method in ln C and ln N_active at once, from `start`; what it does not find is looked for in the bracket. `low` where the
    loss is reached there already, infinite where that at `high` is still above it, NaN where either is NaN.
    """
    shape = log_loss.shape
    low, high = (np.broadcast_to(np.asarray(end, dtype=float), shape) for end in (low, high))
    x = np.array(np.broadcast_to(0.5 * (low + high) if start is None else start, shape), dtype=float)
    batch = law.n_samples is not None
    found = _newton(Balance(law, e, g, len(shape) - batch), log_loss, x, high)
    with np.errstate(invalid="ignore"):
        found = np.where(found <= high, np.maximum(found, low), np.nan)
    missing = np.isnan(found) & ~np.isnan(log_loss)
    if not missing.any():
        return found
    least = solve(law, high, e, g, batch)[1]
    found = np.where(missing & (least > log_loss), np.inf, found)
    missing &= least <= log_loss
    if missing.any():
        most = solve(law, low, e, g, batch)[1]
        ends = most - log_loss, least - log_loss
        searched = root(lambda c: solve(law, c, e, g, batch)[1] - log_loss, low, high, ends)
        found = np.where(missing, np.where(most <= log_loss, low, searched), found)
    return found


def _newton(balance: Balance, log_loss: Array, x: Array, high: Array) -> Array:
    """Returns ln C at which the loss is as asked and the model optimal, by Newton's method in both; NaN where it does not converge."""
    u = first_guess(x)
    moved = np.full(x.shape, np.inf)
    with np.errstate(all="ignore"):
        for step in range(STEPS):
            s = balance.slopes(u, x)
            excess = s.log_loss - log_loss
            if step < 2:  # first to the optimum at the budget: far from it the loss says little about the budget
                du, dx = -s.log_balance / s.log_balance_u, np.zeros(x.shape)
            else:
                det = s.log_balance_u * s.loss_c - s.log_balance_c * s.loss_u
                dx = (s.log_balance * s.loss_u - s.log_balance_u * excess) / det
                du = (s.log_balance_c * excess - s.loss_c * s.log_balance) / det
            du, dx = (np.clip(d, -LONGEST, LONGEST) for d in (du, dx))
            u, x = np.clip(u + du, *BRACKET), x + dx
            moved = np.maximum(np.abs(du), np.abs(dx)) if step >= 2 else moved
            if not np.any((moved > TOLERANCE) & (x < high + LONGEST)):
                break
    return np.where((moved <= TOLERANCE) & (u > BRACKET[0]) & (u < BRACKET[1]), x, np.nan)
