"""Finds the roots of many one-dimensional problems at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import Array

STEPS = 60


def root(f: Callable[[Array], Array], low: Array, high: Array, ends: tuple[Array, Array] | None = None) -> Array:
    """Returns where f changes its sign between low and high, to 1e-10, by inverse quadratic steps where they are safe, else halving.

    Chandrupatla 1997 (Advances in Engineering Software 28, 145). f need not be smooth, and may be infinite at an end; where it
    has one sign at both ends the result is some x between. ends: f at low and at high, where they are known.
    """
    b, a = np.array(low, dtype=float), np.array(high, dtype=float)
    f_b, f_a = (f(b), f(a)) if ends is None else ends
    looking = np.sign(f_a) != np.sign(f_b)
    c, f_c, t = a, f_a, np.full(b.shape, 0.5)
    found = 0.5 * (a + b)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(STEPS):
            x = a + t * (b - a)
            at = f(x)
            same = np.sign(at) == np.sign(f_a)
            c, f_c = np.where(same, a, b), np.where(same, f_a, f_b)
            b, f_b = np.where(same, b, a), np.where(same, f_b, f_a)
            a, f_a = x, at
            best = np.where(np.abs(f_a) < np.abs(f_b), a, b)
            found = np.where(looking, best, found)
            tolerance = 1e-10 + 1e-14 * np.abs(best)
            least = tolerance / np.abs(b - c)
            looking &= (least <= 0.5) & (f_a != 0)  # what is found stays, as further steps would only lead away
            if not looking.any():
                break
            xi, phi = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
            quick = f_a / (f_b - f_a) * f_c / (f_b - f_c) + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
            safe = (phi * phi < xi) & ((1 - phi) ** 2 < 1 - xi) & np.isfinite(quick)
            t = np.clip(np.where(safe, quick, 0.5), least, 1 - least)
    return found
