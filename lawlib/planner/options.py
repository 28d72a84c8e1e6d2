"""Lists the E and G that a plan may choose from, and the losses they reach when a limit is moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..optimum import granularities_of
from .continuous import best_sizes, largest_allowed
from .limits import BUDGET, SERVED, TOKENS, Limits
from .recipe import Recipe

EXPANSIONS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""E that are tried where none are asked for, for a law that has E."""
FACTORS = np.geomspace(1.0, 1000.0, 25)[1:]
"""How far a limit is moved in search of another decision."""


def allowed(law: FittedLaw, limits: Limits) -> tuple[Array, Array]:
    """Returns every allowed (E, G) as two arrays `(n_options,)`; NaN for what the law does not know. Dense models come once."""
    e = np.array(limits.expansions or EXPANSIONS) if law.law.has_expansion else np.array([_single(law.expansion)])
    g = np.array(limits.granularities) if limits.granularities else granularities_of(law)
    g = g if "G" in law.law.variables else np.array([np.nan])
    e, g = (np.ravel(a) for a in np.meshgrid(e, g, indexing="ij"))
    keep = ~((e <= 1) & (g > np.nanmin(g))) if "G" in law.law.variables and len(g) > 1 else np.ones(len(e), dtype=bool)
    return e[keep], g[keep]


def moved(
    law: FittedLaw, limits: Limits, recipe: Recipe, e: Array, g: Array, largest: dict[str, Array], name: str, factors: Array
) -> Array:
    """Returns ln L of every (E, G) with one limit moved by each factor, infinite where none is allowed; shape `(n_factors, n_options)`."""
    column = factors[:, None]
    field = {BUDGET: "flops", TOKENS: "tokens", SERVED: "served"}.get(name)
    if field is None:
        room = largest | {name: largest_allowed(law, limits, recipe, e, g, {name: column})[name]}
        losses = best_sizes(law, limits, recipe, np.broadcast_to(e, (len(factors), len(e))), g, room).log_loss
    else:
        losses = best_sizes(law, replace(limits, **{field: getattr(limits, field) * column}), recipe, e, g, largest).log_loss
    return np.where(np.isnan(losses), np.inf, losses)


def same(values: ArrayLike, value: float) -> np.ndarray:
    """Returns which of them are this E or G, NaN where there is none."""
    return np.equal(values, value) | (np.isnan(values) & np.isnan(value))


def _single(expansion: float | None) -> float:
    return np.nan if expansion is None else expansion
