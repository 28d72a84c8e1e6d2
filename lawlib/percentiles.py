"""The interval of many samples, also where some of them are infinite or missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .laws.law import Array


def central(values: ArrayLike, level: float) -> tuple[Array, Array]:
    """(low, high) that hold the central `level` of the samples; values `(n_samples, ...)`, results without the first axis.

    NaN samples are left out, and the result is NaN where all are. An infinite sample (a gap that never closes) is the
    largest one: interpolation towards it is infinite.
    """
    values = np.asarray(values, dtype=float)
    ends = [(1 - level) / 2, (1 + level) / 2]
    empty = np.isnan(values).all(axis=0)
    known = np.where(empty, 0.0, values)
    quantile = np.nanquantile if np.isnan(known).any() else np.quantile  # ten times as quick
    with np.errstate(invalid="ignore"):
        found = quantile(known, ends, axis=0)
        if np.isnan(found).any():  # infinity minus infinity
            found = np.where(np.isnan(found), quantile(known, ends, axis=0, method="higher"), found)
    low, high = np.where(empty, np.nan, found)
    return low, high
