"""Finds the best real-valued model of every (E, G) under limits; convex in ln N, for all of them and all samples of a law at once.

Along the budget the loss is convex in u = ln N_active, and so it is where the tokens end first; every limit on the shape is
one on u from above. So the optimum is that of the budget, or where budget and tokens meet, or the largest u allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..optimum import check_law, log_loss_at, log_ratio_of, log_tokens_of_budget, solve
from .limits import BUDGET, TOKENS, Limits
from .recipe import Recipe, law_active

LOWEST, HIGHEST = np.log(1e4), np.log(1e18)
"""ln N_active searched."""
STEP = 1e-3
"""Step of the central difference in ln N whose sign the search follows; its error moves the optimum by about 1e-6."""
BISECTIONS = 36


@dataclass(frozen=True)
class BestSizes:
    """The best model of every (E, G); arrays of their shape, the law's samples in front. NaN where none is allowed.

    u = ln N_active in the law's count, v = ln D, log_loss = ln L. bound: for every limit, whether it holds the model back.
    """

    u: Array
    v: Array
    log_loss: Array
    bound: dict[str, np.ndarray]


def largest_allowed(
    law: FittedLaw, limits: Limits, recipe: Recipe, e: Array, g: Array, shares: dict[str, Array] | None = None
) -> dict[str, Array]:
    """Returns for each limit on the shape the largest u that keeps it, by (E, G): -infinity where none, infinity where all.

    shares: limits moved by these factors, arrays that broadcast with (E, G).
    """
    found = {}
    for name, usage in limits.usages().items():
        share = np.asarray((shares or {}).get(name, 1.0))
        shape = np.broadcast_shapes(e.shape, g.shape, share.shape)

        def fits(u: Array, usage: Callable = usage, share: Array = share) -> np.ndarray:
            return usage(recipe.sized(np.exp(u), e, g)) <= share

        low, high = np.full(shape, LOWEST), np.full(shape, HIGHEST)
        none, all_ = ~fits(low), fits(high)
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            good = fits(middle)
            low, high = np.where(good, middle, low), np.where(good, high, middle)
        found[name] = np.where(none, -np.inf, np.where(all_, np.inf, np.log(law_active(law, recipe.sized(np.exp(low), e, g)))))
    return found


def best_sizes(
    law: FittedLaw,
    limits: Limits,
    recipe: Recipe,
    expansion: ArrayLike,
    granularity: ArrayLike,
    largest: dict[str, Array] | None = None,
) -> BestSizes:
    """Returns the model of lowest loss for every (E, G) under the limits; `largest` as from `largest_allowed`, if it is known.

    Raises OptimumError for a law without D.
    """
    check_law(law, None)
    quantities = (expansion, granularity, limits.flops, limits.tokens, limits.served)
    e, g, flops, most, served = np.broadcast_arrays(*(np.asarray(q, dtype=float) for q in quantities))
    if largest is None:
        largest = largest_allowed(law, limits, recipe, e, g)
    top = np.minimum.reduce(np.broadcast_arrays(np.full(e.shape, np.inf), *largest.values()))
    lead = law.theta.shape[:-1]
    full = lead + np.broadcast_shapes(e.shape, top.shape)

    def tokens_of_budget(u: Array) -> Array:
        """ln D that training may see: the budget less 2 N FLOPs for each token served."""
        left = flops - 2 * np.exp(np.minimum(u, 700.0)) * served
        with np.errstate(divide="ignore"):
            return log_tokens_of_budget(law, u, np.log(np.maximum(left, 0.0)), e, g)

    def loss_at(u: Array, v: Array) -> Array:
        return log_loss_at(law, u, v, e, g)

    ends = np.full(full, HIGHEST)
    if served.any():
        with np.errstate(divide="ignore"):
            ends = np.minimum(ends, np.log(flops / 2 / served) - 1e-9)
        u = _lowest(lambda x: loss_at(x, tokens_of_budget(x)), full, ends - 2 * STEP)
    else:
        u, _ = solve(law, np.log(flops), e, g)
        u = np.broadcast_to(u, full)
    available = np.log(most)
    if np.isfinite(most).any():
        meet = _meeting(law, e, g, np.log(flops), np.where(np.isfinite(available), available, 0.0), served)
        meet = np.broadcast_to(np.where(np.isfinite(available), meet, -np.inf), full)
        capped = np.broadcast_to(np.where(np.isfinite(available), available, 0.0), full)
        with np.errstate(invalid="ignore"):
            larger_is_worse = (u < meet) & (loss_at(meet + STEP, capped) > loss_at(meet - STEP, capped))
            if larger_is_worse.any():
                alone = _lowest(lambda x: loss_at(x, capped), full, np.full(full, HIGHEST))
                meet = np.where(larger_is_worse, np.minimum(meet, alone), meet)
            u = np.maximum(u, meet)
    u = np.where(np.isneginf(top) | (ends <= LOWEST), np.nan, np.minimum(u, top))
    with np.errstate(invalid="ignore"):
        v = np.minimum(tokens_of_budget(u), available)
        bound = {name: np.broadcast_to(np.abs(u - limit) < 1e-9, full) for name, limit in largest.items()}
        bound[TOKENS] = v >= available - 1e-9
        bound[BUDGET] = v >= tokens_of_budget(u) - 1e-9
    return BestSizes(u, v, loss_at(u, v), bound)


def _lowest(value: Callable[[Array], Array], shape: tuple[int, ...], ends: Array) -> Array:
    """Returns where a convex function of u is lowest, up to `ends`, by bisection on the sign of its slope."""
    low, high = np.full(shape, LOWEST), np.array(np.broadcast_to(ends, shape))
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        rising = value(middle + STEP) > value(middle - STEP)
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return 0.5 * (low + high)


def _meeting(law: FittedLaw, e: Array, g: Array, log_c: Array, v: Array, served: Array) -> Array:
    """Returns u where budget and tokens meet, FLOPs(N) D + 2 N D_served = C, by Newton's method from above (convex in u)."""
    log_ratio = log_ratio_of(law, e, g)
    u = np.full(v.shape, HIGHEST)
    with np.errstate(divide="ignore"):
        log_served = np.log(2 * served)
    for _ in range(80):
        log_f, slope, _ = law.flops_rule.log_per_token(u, log_ratio)
        train, serve = log_f + v, log_served + u
        total = np.logaddexp(train, serve)
        share = np.exp(train - total)
        step = (total - log_c) / (share * slope + 1 - share)
        u = u - step
        if np.all(np.abs(step) < 1e-11):
            break
    return u
