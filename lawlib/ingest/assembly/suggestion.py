"""The type of an offered correction, and the values that offers look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import Mapping
from .values import Values


@dataclass(frozen=True)
class Suggestion:
    """An offered correction; `fix` is the whole mapping with it applied."""

    code: str
    quantity: str
    sentence: str
    fix: Mapping


def positive(values: Values, *quantities: str) -> list[np.ndarray] | None:
    """The values of the rows (after step 0) in which all of the quantities are positive; None where there are none."""
    arrays = [values.numbers.get(q) for q in quantities]
    if any(a is None for a in arrays):
        return None
    good = np.logical_and.reduce([np.isfinite(a) & (a > 0) for a in arrays if a is not None])
    if "step" in values.numbers:
        good &= values.numbers["step"] > 0
    return [a[good] for a in arrays if a is not None] if good.any() else None


def count_of(values: Values) -> str:
    """Returns the count of parameters that there is: the active ones, else all of them."""
    return "n_active" if "n_active" in values.numbers else "n_total"
