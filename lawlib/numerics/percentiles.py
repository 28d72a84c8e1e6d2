"""Percentile intervals of many samples, some of which may be infinite or missing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from .arrays import Array


def central(values: ArrayLike, level: float) -> tuple[Array, Array]:
    """Returns (low, high) that hold the central `level` of the samples; values `(n_samples, ...)`, results without the first axis.

    NaN samples are left out, and the result is NaN where all are. An infinite sample (a gap that never closes) is the
    largest one: interpolation towards it is infinite.
    """
    ordered = np.sort(np.asarray(values, dtype=float), axis=0)  # NaN last
    last = np.maximum(np.count_nonzero(~np.isnan(ordered), axis=0) - 1, 0)
    low, high = (_quantile(ordered, last, end) for end in ((1 - level) / 2, (1 + level) / 2))
    return low, high


def intervals(values: Mapping[str, Array], level: float) -> dict[str, Array]:
    """Returns `central` of several quantities of one shape, computed together, as columns `name_low` and `name_high` of each."""
    low, high = central(np.stack(list(values.values()), axis=1), level)
    return {f"{name}_{end}": bound[i] for i, name in enumerate(values) for end, bound in (("low", low), ("high", high))}


def _quantile(ordered: Array, last: Array, share: float) -> Array:
    """Returns the quantile of samples 0 to `last` by linear interpolation, for every column; nanquantile is ten times as slow."""
    place = share * last
    below = np.floor(place).astype(int)
    lower, upper = (np.take_along_axis(ordered, i[None], axis=0)[0] for i in (below, np.minimum(below + 1, last)))
    part = place - below
    upper = np.where(part > 0, upper, lower)
    with np.errstate(invalid="ignore"):
        step = upper - lower
        found = np.where(part < 0.5, lower + step * part, upper - step * (1 - part))  # as numpy does, exact at both ends
    return np.where(np.isnan(found), np.where(np.isneginf(lower), lower, upper), found)
