"""Rounds a real-valued optimum to whole numbers that can be trained: widths, blocks, heads, experts, tokens and steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import Transformer
from ..laws import FittedLaw
from ..numerics.arrays import Array
from .limits import Limits
from .recipe import Recipe, law_active, law_size
from .training import ling_batch

WINDOWS = ((0.92, 1.08), (0.75, 1.15), (0.4, 1.3))
"""Sizes tried, as shares of the real-valued optimum's: the next ones where no configuration of the first keeps the limits."""
INDIFFERENT = 5e-4
"""Configurations within so many nats of the best are told apart by their aspect ratio and heads: the law does not see them."""
MOST = 300
"""Widths and depths tried for a size, each: evenly thinned out where there are more, for models of some 1e12 active parameters on."""
SMALLEST = (128, 2)
"""d_model and n_layers of the smallest configuration."""
SEQUENCES = 8
"""A batch is a multiple of so many sequences."""
STEPS = 100
"""Steps that a large batch leaves at least: whole ones then cost no more than 1 % of the tokens."""


@dataclass(frozen=True)
class Configuration:
    """A model to train. tokens = steps · batch · sequence; flops are training FLOPs by the law's rule; loss as predicted.

    batch: sequences a step; sequence: tokens of one. expansion, granularity: as the law is asked.
    """

    shape: Transformer
    expansion: float
    granularity: float
    steps: int
    batch: int
    sequence: int
    flops: float
    loss: float

    @property
    def tokens(self) -> int:
        """Training tokens."""
        return self.steps * self.batch * self.sequence

    @property
    def d_expert(self) -> int:
        """Width of an expert, or of the feed-forward layer of a dense model."""
        return int(self.shape.d_ff / self.shape.granularity)

    @property
    def dense(self) -> bool:
        return self.shape.n_experts <= 1


def flops_per_token(law: FittedLaw, shape: Transformer, e: ArrayLike, g: ArrayLike) -> Array:
    """Returns training FLOPs a token at this E and G by the law's rule: Krajewski's from the shape itself, others from N, E, G."""
    if law.flops_rule.name == "krajewski":
        return np.asarray(shape.flops_per_token())
    return law.flops_rule.flops(law_active(law, shape), 1.0, e, np.where(np.isnan(g), 1.0, g))


def tokens_for(law: FittedLaw, limits: Limits, shape: Transformer, per_token: Array) -> Array:
    """Returns the tokens that the budget pays for after serving, at most those available; not positive where it pays for none."""
    left = limits.flops - 2 * law_active(law, shape) * limits.served
    return np.minimum(left / per_token, limits.tokens)


def predicted(law: FittedLaw, shape: Transformer, tokens: Array, expansion: ArrayLike, granularity: ArrayLike) -> Array:
    """Returns the loss of shapes at so many tokens, the law's samples in front."""
    quantities = (law_size(law, shape), tokens, granularity, expansion)
    return law.loss(*np.broadcast_arrays(*(np.asarray(q, dtype=float) for q in quantities)))


def fits(limits: Limits, shape: Transformer) -> np.ndarray:
    """Returns which shapes keep every limit on the shape."""
    good = np.ones(np.shape(shape.n_active), dtype=bool)
    for usage in limits.usages().values():
        good = good & (usage(shape) <= 1)
    return good


def configure(
    law: FittedLaw,
    limits: Limits,
    recipe: Recipe,
    bare: ArrayLike,
    expansion: ArrayLike,
    granularity: ArrayLike,
    sequence: int = 4096,
) -> list[Configuration | None]:
    """Returns for each size, E and G the best configuration of whole numbers near `bare` active parameters (without embeddings).

    None where none keeps the limits. Among those within `INDIFFERENT` nats of the best, the one whose d_model / n_layers and
    heads are nearest to the recipe's.
    """
    bare, e, g = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, dtype=float)) for a in (bare, expansion, granularity)))
    if not bare.size:
        return []
    which, d, n = _grids(recipe, bare, e, g)
    shapes = recipe.whole(d, n, e[which], g[which])
    per_token = flops_per_token(law, shapes, e[which], g[which])
    size, tokens = shapes.n_active / bare[which], tokens_for(law, limits, shapes, per_token)
    allowed = fits(limits, shapes) & (tokens > sequence * SEQUENCES)
    loss = predicted(law, shapes, np.maximum(tokens, 1.0), e[which], g[which])
    heads: Any = shapes.attention
    uneven = np.abs(np.log(heads.n_heads / heads.n_kv_heads / recipe.queries_per_key))
    skew = np.abs(np.log(d / n / recipe.aspect)) + uneven
    picks = [_pick(np.flatnonzero(which == i), size, allowed, loss, uneven, skew) for i in range(len(bare))]
    own = np.array([pick for pick in picks if pick is not None], dtype=int)
    made = iter(_exact(law, limits, recipe, d[own], n[own], e[which[own]], g[which[own]], sequence))
    return [None if pick is None else next(made) for pick in picks]


def _pick(own: Array, size: Array, allowed: np.ndarray, loss: Array, uneven: Array, skew: Array) -> int | None:
    """Returns which of the shapes `own` is built: the first window of sizes that has an allowed one decides."""
    for low, high in WINDOWS:
        near = own[(size[own] > low) & (size[own] < high)]
        near = near if len(near) else own
        good = near[allowed[near]]
        if not len(good):
            continue
        even = good[uneven[good] < 0.5]
        good = even if len(even) else good
        close = good[loss[good] <= loss[good].min() + INDIFFERENT]
        return int(close[np.argmin(skew[close])])
    return None


def _exact(
    law: FittedLaw, limits: Limits, recipe: Recipe, d_model: Array, n_layers: Array, e: Array, g: Array, sequence: int
) -> list[Configuration]:
    """Returns the configurations of these widths and depths, each trained for as many whole steps as the limits allow.

    The batch is Ling's, or the largest that leaves `STEPS` steps.
    """
    if not len(d_model):
        return []
    shapes = recipe.whole(d_model, n_layers, e, g)
    per_token = flops_per_token(law, shapes, e, g)
    tokens = tokens_for(law, limits, shapes, per_token)
    wanted = np.rint(ling_batch(tokens * per_token) / sequence / SEQUENCES)
    batch = SEQUENCES * np.maximum(np.minimum(wanted, tokens // (STEPS * SEQUENCES * sequence)), 1)
    steps = tokens // (batch * sequence)
    seen = steps * batch * sequence
    columns = (d_model, n_layers, e, g, steps, batch, per_token * seen, predicted(law, shapes, seen, e, g))
    return [
        Configuration(recipe.whole(int(d), int(n), a, b), a, b, int(s), int(size), sequence, flops, loss)
        for d, n, a, b, s, size, flops, loss in zip(*(c.tolist() for c in columns), strict=True)
    ]


def _grids(recipe: Recipe, bare: Array, e: Array, g: Array) -> tuple[Array, Array, Array]:
    """Returns widths and depths near each wanted size, aspect within a factor of 1.6: (index of the size, d_model, n_layers).

    Of a size that has any in the widest of `WINDOWS`, those alone.
    """
    centre = recipe.sized(bare, e, g)
    d0, n0 = np.asarray(centre.d_model), np.asarray(centre.n_layers)
    steps = np.where(d0 >= 8 * recipe.multiple, recipe.multiple, 64)
    low = np.maximum(steps, steps * (0.75 * d0 / steps).astype(int))
    high = steps * ((1.3 * d0 / steps).astype(int) + 1)
    first, last = np.maximum(1, (0.5 * n0).astype(int)), (1.6 * n0).astype(int) + 2
    which, d, n = [], [], []
    for i in range(len(bare)):
        widths, depths = np.arange(low[i], high[i] + 1, steps[i]), np.arange(first[i], last[i] + 1)
        widths, depths = (a[:: -(-len(a) // MOST)] for a in (widths, depths))
        d.append(np.repeat(widths, len(depths)))
        n.append(np.tile(depths, len(widths)))
        which.append(np.full(len(d[-1]), i))
    all_ = np.concatenate(which), np.concatenate(d), np.concatenate(n)
    size = recipe.whole(all_[1], all_[2], e[all_[0]], g[all_[0]]).n_active / bare[all_[0]]
    near = (size > WINDOWS[-1][0]) & (size < WINDOWS[-1][1])
    kept = near | ~np.isin(all_[0], all_[0][near])
    return all_[0][kept], all_[1][kept], all_[2][kept]
