"""The best real-valued model of every (E, G) under limits: convex in ln N, all of them and all samples of a law at once.

Along the budget the loss is convex in u = ln N_active, and so it is where the tokens end first; every limit on the shape is
one on u from above. So the optimum is that of the budget, or where budget and tokens meet, or the largest u allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..laws import FittedLaw
from ..laws.law import Array
from ..optimum import check_law, log_loss_at, log_tokens_of_budget, solve
from .limits import BUDGET, TOKENS, Limits
from .recipe import Recipe, log_count

LOWEST, HIGHEST = np.log(1e4), np.log(1e18)
"""ln N_active searched."""
STEP = 1e-3
"""Of the central difference in ln N whose sign the search follows: its error moves the optimum by about 1e-6."""
BISECTIONS = 45


@dataclass(frozen=True)
class Sized:
    """The best model of every (E, G); arrays of their shape, the law's samples in front. NaN where none is allowed.

    u = ln N_active in the law's count, v = ln D, log_loss = ln L. bound: for every limit, whether it holds the model back.
    """

    u: Array
    v: Array
    log_loss: Array
    bound: dict[str, np.ndarray]


def largest_allowed(law: FittedLaw, limits: Limits, recipe: Recipe, e: Array, g: Array) -> dict[str, Array]:
    """For each limit on the shape the largest u that keeps it, in the shape of (E, G): -infinity where none, infinity where all."""
    shape = np.broadcast_shapes(e.shape, g.shape)
    found = {}
    for name, usage in limits.usages().items():

        def fits(u: Array, usage: Callable = usage) -> np.ndarray:
            return usage(recipe.sized(np.exp(u), e, g)) <= 1

        low, high = np.full(shape, LOWEST), np.full(shape, HIGHEST)
        none, all_ = ~fits(low), fits(high)
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            good = fits(middle)
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        found[name] = np.where(none, -np.inf, np.where(all_, np.inf, log_count(law, np.exp(low))))
    return found


def best_sizes(
    law: FittedLaw,
    limits: Limits,
    recipe: Recipe,
    expansion: ArrayLike,
    granularity: ArrayLike,
    largest: dict[str, Array] | None = None,
) -> Sized:
    """The model of lowest loss for every (E, G) under the limits; `largest` as `largest_allowed` gives it, if it is known.

    Raises OptimumError for a law without D.
    """
    check_law(law, None)
    e, g = np.broadcast_arrays(np.asarray(expansion, dtype=float), np.asarray(granularity, dtype=float))
    if largest is None:
        largest = largest_allowed(law, limits, recipe, e, g)
    top = np.minimum.reduce([np.full(e.shape, np.inf), *largest.values()])
    lead = law.theta.shape[:-1]
    full = lead + e.shape

    def tokens_of_budget(u: Array) -> Array:
        """ln D that training may see: the budget less 2 N FLOPs for each token served."""
        left = limits.flops - 2 * np.exp(np.minimum(u, 700.0)) * limits.served
        with np.errstate(divide="ignore"):
            return log_tokens_of_budget(law, u, np.log(np.maximum(left, 0.0)), e, g)

    ends = np.full(full, HIGHEST)
    if limits.served:
        ends = np.minimum(ends, np.log(limits.flops / 2 / limits.served) - 1e-9)
        by_budget = _lowest(lambda u: log_loss_at(law, u, tokens_of_budget(u), e, g), full, ends - 2 * STEP)
    else:
        by_budget, _ = solve(law, np.log(limits.flops), e, g)
    u = by_budget
    limited = np.zeros(full, dtype=bool)
    if np.isfinite(limits.tokens):
        most = np.log(limits.tokens)
        meet = _crossing(lambda x: tokens_of_budget(x) - most, full, ends)
        alone = _lowest(lambda x: log_loss_at(law, x, np.full(x.shape, most), e, g), full, np.full(full, HIGHEST))
        limited = by_budget < meet
        u = np.where(limited, np.minimum(meet, alone), by_budget)
    u = np.where(np.isneginf(top) | (np.asarray(ends) <= LOWEST), np.nan, np.minimum(u, top))
    with np.errstate(invalid="ignore"):
        v = np.minimum(tokens_of_budget(u), np.log(limits.tokens))
        spent = v >= tokens_of_budget(u) - 1e-9
        bound = {name: np.broadcast_to(np.abs(u - limit) < 1e-9, full) for name, limit in largest.items()}
    bound[TOKENS] = v >= np.log(limits.tokens) - 1e-9
    bound[BUDGET] = spent
    return Sized(u, v, log_loss_at(law, u, v, e, g), bound)


def _lowest(value: Callable[[Array], Array], shape: tuple[int, ...], ends: Array) -> Array:
    """Where a convex function of u is lowest, up to `ends`: bisection on the sign of its slope."""
    low, high = np.full(shape, LOWEST), np.array(np.broadcast_to(ends, shape))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        rising = value(middle + STEP) > value(middle - STEP)
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return 0.5 * (low + high)


def _crossing(value: Callable[[Array], Array], shape: tuple[int, ...], ends: Array) -> Array:
    """Where a falling function of u meets zero."""
    low, high = np.full(shape, LOWEST), np.array(np.broadcast_to(ends, shape))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        above = value(middle) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return 0.5 * (low + high)
