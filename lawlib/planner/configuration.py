"""Whole numbers round a real-valued optimum: widths, blocks, heads, experts, tokens and steps that can be trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..architecture import Transformer
from ..laws import FittedLaw
from ..laws.law import Array
from .limits import Limits
from .recipe import Recipe, law_active, law_size
from .training import ling_batch

WINDOWS = ((0.92, 1.08), (0.75, 1.15), (0.4, 1.3))
"""Sizes tried, as shares of the real-valued optimum's: the next ones where no configuration of the first keeps the limits."""
INDIFFERENT = 5e-4
"""Configurations within so many nats of the best are told apart by their aspect ratio and heads: the law does not see them."""
SMALLEST = (128, 2)
"""d_model and n_layers of the smallest configuration."""
SEQUENCES = 8
"""A batch is a multiple of so many sequences."""


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


def flops_per_token(law: FittedLaw, shape: Transformer) -> Array:
    """Training FLOPs a token by the law's rule: of the shape itself where the rule counts its router, else from N."""
    if law.flops_rule.name == "krajewski":
        return np.asarray(shape.flops_per_token())
    return law.flops_rule.flops(law_active(law, shape), 1.0)


def tokens_for(law: FittedLaw, limits: Limits, shape: Transformer) -> Array:
    """Tokens that the budget pays for after serving, at most those available; not positive where it pays for none."""
    left = limits.flops - 2 * law_active(law, shape) * limits.served
    return np.minimum(left / flops_per_token(law, shape), limits.tokens)


def predicted(law: FittedLaw, shape: Transformer, tokens: Array, expansion: float, granularity: float) -> Array:
    """Loss of shapes at so many tokens, the law's samples in front."""
    n, d = np.broadcast_arrays(law_size(law, shape), np.asarray(tokens, dtype=float))
    return law.loss(n, d, np.full(n.shape, granularity), np.full(n.shape, expansion))


def fits(limits: Limits, shape: Transformer) -> np.ndarray:
    """Which shapes keep every limit on the shape."""
    good = np.ones(np.shape(shape.n_active), dtype=bool)
    for usage in limits.usages().values():
        good = good & (usage(shape) <= 1)
    return good


def configure(
    law: FittedLaw, limits: Limits, recipe: Recipe, bare: float, expansion: float, granularity: float, sequence: int = 4096
) -> Configuration | None:
    """The best configuration of whole numbers near `bare` active parameters (without embeddings) that keeps the limits.

    None where there is none. Among those within `INDIFFERENT` nats of the best, the one whose d_model / n_layers and heads
    are nearest to the recipe's.
    """
    for window in WINDOWS:
        d, n = _grid(recipe, bare, expansion, granularity, window)
        shapes = recipe.whole(d, n, expansion, granularity)
        tokens = tokens_for(law, limits, shapes)
        good = fits(limits, shapes) & (tokens > sequence * SEQUENCES)
        if not good.any():
            continue
        heads: Any = shapes.attention
        uneven = np.abs(np.log(heads.n_heads / heads.n_kv_heads / recipe.queries_per_key))
        good = good & (uneven < 0.5) if (good & (uneven < 0.5)).any() else good
        loss = np.where(good, predicted(law, shapes, np.maximum(tokens, 1.0), expansion, granularity), np.inf)
        skew = np.abs(np.log(d / n / recipe.aspect)) + uneven
        pick = int(np.argmin(np.where(loss <= loss.min() + INDIFFERENT, skew, np.inf)))
        return exact(law, limits, recipe, int(d[pick]), int(n[pick]), expansion, granularity, sequence)
    return None


def exact(
    law: FittedLaw,
    limits: Limits,
    recipe: Recipe,
    d_model: int,
    n_layers: int,
    expansion: float,
    granularity: float,
    sequence: int,
) -> Configuration:
    """The configuration of this width and depth, trained for as many whole steps as the limits allow."""
    shape = recipe.whole(d_model, n_layers, expansion, granularity)
    tokens, per_token = float(tokens_for(law, limits, shape)), float(flops_per_token(law, shape))
    wanted = float(ling_batch(tokens * per_token)) / sequence
    batch = max(SEQUENCES, SEQUENCES * round(wanted / SEQUENCES))
    steps = max(int(tokens // (batch * sequence)), 1)
    seen = steps * batch * sequence
    loss = float(predicted(law, shape, np.asarray(float(seen)), expansion, granularity))
    return Configuration(shape, expansion, granularity, steps, batch, sequence, per_token * seen, loss)


def _grid(recipe: Recipe, bare: float, expansion: float, granularity: float, window: tuple[float, float]) -> tuple[Array, Array]:
    """Widths and depths whose size lies within `window` of the wanted one and whose aspect within a factor of 1.6."""
    centre = recipe.sized(bare, expansion, granularity)
    d0, n0 = float(centre.d_model), float(centre.n_layers)
    step = recipe.multiple if d0 >= 8 * recipe.multiple else 64
    low, high = max(step, step * int(0.75 * d0 / step)), step * (int(1.3 * d0 / step) + 1)
    widths = np.arange(low, high + 1, step)
    depths = np.arange(max(1, int(0.5 * n0)), int(1.6 * n0) + 3)
    d, n = (np.ravel(a) for a in np.meshgrid(widths, depths, indexing="ij"))
    size = recipe.whole(d, n, expansion, granularity).n_active / bare
    near = (size > window[0]) & (size < window[1])
    return (d[near], n[near]) if np.any(near) else (d, n)
