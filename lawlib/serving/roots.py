"""One root finder for many problems at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..architecture import Array

STEPS = 60


def root(f: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where f changes its sign between low and high, to 1e-12 of x: false position (Illinois), halved where it is slow.

    f need not be smooth, and may be infinite at an end; where it has one sign at both ends the result is some x between.
    """
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    f_low, f_high = f(low), f(high)
    wanted = np.sign(f_low) != np.sign(f_high)
    x, side = 0.5 * (low + high), np.zeros(low.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        for step in range(STEPS):
            at = f(x)
            below = np.sign(at) == np.sign(f_low)
            f_high = np.where(below, np.where(side > 0, f_high / 2, f_high), at)
            f_low = np.where(below, at, np.where(side < 0, f_low / 2, f_low))
            low, high = np.where(below, x, low), np.where(below, high, x)
            side = np.where(below, 1.0, -1.0)
            secant = high - f_high * (high - low) / (f_high - f_low)
            inside = (secant > low) & (secant < high) & (step % 4 != 3)
            new = np.where(inside, secant, 0.5 * (low + high))
            moved = np.abs(new - x)
            x = new
            if not np.any(wanted & (moved > 1e-12 * np.abs(x) + 1e-14)):
                break
    return x
