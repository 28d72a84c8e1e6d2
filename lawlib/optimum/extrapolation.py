"""Says where a law is evaluated beyond its data: as a mask for charts and as sentences for pages."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .. import numbers
from ..laws import FittedLaw
from ..numerics.arrays import Array
from .allocation import Optimum


def _ratio(value: float) -> str:
    return numbers.plain(value) if value < 9999.5 else numbers.count(value)


_WORDS = {
    "flops": ("training FLOPs", numbers.flops),
    "n_active": ("active parameters", numbers.count),
    "n_total": ("total parameters", numbers.count),
    "tokens": ("training tokens", numbers.count),
    "granularity": ("granularity", numbers.plain),
    "expansion": ("expansion rate E", numbers.plain),
    "tokens_per_parameter": ("tokens per parameter", _ratio),
}
SLACK = 1.05
"""A quantity counts as outside from 5 % beyond the data on: budgets are nominal."""


def checked(law: FittedLaw) -> list[str]:
    """Returns the quantities whose range is checked for this law: FLOPs where the data have them, else N and D; G, E and D/N besides."""
    sizes = ["flops"] if "flops" in law.ranges else ["n_active", "n_total", "tokens"]
    if not any(q in law.ranges for q in sizes):
        return []
    return [q for q in (*sizes, "granularity", "expansion", "tokens_per_parameter") if q in law.ranges]


def within(law: FittedLaw, **quantities: ArrayLike) -> np.ndarray:
    """Whether all these quantities (by their column, arrays that broadcast) lie within the law's data."""
    good = np.asarray(bool(checked(law)))
    for name, values in quantities.items():
        if name in law.ranges:
            low, high = law.ranges[name]
            value = np.asarray(values, dtype=float)
            good = good & (np.isnan(value) | ((value >= low / SLACK) & (value <= high * SLACK)))
    return good


def beyond(values: ArrayLike, low: float, high: float) -> Array:
    """Returns how many times values (above 0) lie above `high` or below `low`; at most 1 inside the range."""
    values = np.asarray(values, dtype=float)
    return np.maximum(values / high, low / values)


def inside(law: FittedLaw, optimum: Optimum) -> np.ndarray:
    """Returns which optima lie within the law's data, in the shape of the optimum; none for a law without a recorded range."""
    good = within(law, **{quantity: getattr(optimum, quantity) for quantity in checked(law)})
    return np.broadcast_to(good, np.shape(optimum.loss)).copy()


def sentences(law: FittedLaw, optimum: Optimum) -> list[str]:
    """Returns sentences on what of one optimum (floats) lies beyond the law's data, and by how much."""
    out = [] if checked(law) else ["the range of this law's data is not on record here"]
    for quantity in checked(law):
        low, high = law.ranges[quantity]
        value = float(getattr(optimum, quantity))
        if np.isnan(value) or low / SLACK <= value <= high * SLACK:
            continue
        words, write = _WORDS[quantity]
        factor = float(beyond(value, low, high))
        side = "above" if value > high else "below"
        out.append(f"{write(value)} {words} is {numbers.times(factor)} {side} the data ({write(low)} to {write(high)})")
    return out
