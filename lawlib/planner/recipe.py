"""Chooses widths, heads and experts for a model of which a law knows N, E and G only; from the law, or from its runs."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import GroupedAttention, Transformer, with_embeddings
from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..serving import QUERIES_PER_KEY

GATED = 3
"""Matrices of a gated feed-forward layer (SwiGLU): what today's models have."""
NARROW, WIDE_HEAD, NARROW_HEAD = 1024, 128, 64
"""Below this d_model heads are 64 wide, from it on 128."""


@dataclass(frozen=True)
class Recipe:
    """The choices about a model's shape that a law leaves open.

    ffn_ratio: d_ff / d_model of the reference feed-forward layer, three matrices; an expert is d_ff / G wide. aspect:
    d_model / n_layers aimed at. multiple: d_model is a multiple of it. queries_per_key: query heads a key and value head.
    vocabulary: rows of each of the two embedding matrices. n_shared: experts that every token passes.
    experts: (n_experts, top_k, d_expert / d_model) of the runs of a law that has no E of its own; None lets E and G say it.
    """

    ffn_ratio: float = 8 / 3
    aspect: float = 64.0
    multiple: int = 128
    queries_per_key: float = QUERIES_PER_KEY
    vocabulary: int = 50304
    n_shared: int = 0
    experts: tuple[int, int, float] | None = None
    source: str = "gated feed-forward of 8/3 d_model, as many parameters as two matrices of 4 d_model"

    def routing(self, expansion: ArrayLike, granularity: ArrayLike) -> tuple[Array, Array, Array]:
        """Returns (experts of a block, those of a token, d_expert / d_model) at E and G; a dense model (E = 1) has one expert."""
        if self.experts is not None:
            shape = np.broadcast_shapes(np.shape(expansion), np.shape(granularity))
            return tuple(np.full(shape, float(v)) for v in self.experts)  # type: ignore[return-value]
        e, g = np.broadcast_arrays(np.asarray(expansion, dtype=float), np.asarray(granularity, dtype=float))
        e = np.where(np.isnan(e), 1.0, e)
        g = np.where(np.isnan(g) | (e <= 1), 1.0, g)
        return e * g, g, self.ffn_ratio / g

    def sized(self, n_active: ArrayLike, expansion: ArrayLike, granularity: ArrayLike) -> Transformer:
        """Returns real-valued shapes of models of these sizes (active, non-embedding, no router), d_model = aspect · n_layers."""
        n = np.asarray(n_active, dtype=float)
        n_experts, top_k, ratio = self.routing(expansion, granularity)
        attention, expert = 2 * (1 + 1 / self.queries_per_key), GATED * ratio
        d = np.cbrt(self.aspect * n / (attention + expert * (top_k + self.n_shared)))
        heads = d / WIDE_HEAD
        return self._transformer(
            d, d / self.aspect, n_experts, top_k, ratio * d, (heads, heads / self.queries_per_key, WIDE_HEAD)
        )

    def whole(self, d_model: Any, n_layers: Any, expansion: ArrayLike, granularity: ArrayLike) -> Transformer:
        """Returns the shape of whole numbers, or of arrays of them: heads that divide d_model, an expert's width a multiple of 64.

        Heads are 128 wide from d_model 1024 on where that divides it, else 64; experts below 128 a multiple of 16.
        """
        n_experts, top_k, ratio = self.routing(expansion, granularity)
        d = np.asarray(d_model)
        head = np.where((d >= NARROW) & (d % WIDE_HEAD == 0), WIDE_HEAD, NARROW_HEAD)
        heads = d // head
        kinds, which = np.unique(heads, return_inverse=True)
        shared = np.array([_divisor(int(h), h / self.queries_per_key) for h in kinds])[which].reshape(heads.shape)
        step = np.where(ratio * d >= 128, 64, 16)
        d_expert = np.maximum(step, step * np.rint(ratio * d / step).astype(int))
        blocks, n_experts, top_k = (np.rint(v).astype(int) for v in (n_layers, n_experts, top_k))
        numbers: Any = (d, blocks, n_experts, top_k, d_expert, heads, shared, head)
        d, blocks, n_experts, top_k, d_expert, heads, shared, head = numbers if d.ndim else (int(v) for v in numbers)
        return self._transformer(d, blocks, n_experts, top_k, d_expert, (heads, shared, head))

    def _transformer(
        self, d: Any, blocks: Any, n_experts: Any, top_k: Any, d_expert: Any, heads: tuple[Any, Any, Any]
    ) -> Transformer:
        """A token passes top_k experts, together as wide as d_ff: G = top_k, unless the experts are those of runs."""
        g = top_k if self.experts is None else 1
        return Transformer(
            d_model=d,
            n_layers=blocks,
            d_ff=d_expert * g,
            n_experts=n_experts,
            top_k=top_k,
            granularity=g,
            ffn_matrices=GATED,
            vocabulary=self.vocabulary,
            attention=GroupedAttention(*heads),
            n_shared=self.n_shared,
        )


def recipe_of(law: FittedLaw, **choices: Any) -> Recipe:
    """Returns the recipe that goes with a law; `choices` replace what it leaves open.

    Feed-forward and attention share the parameters of a block as the law's own relation of N_total to E says; where the
    law takes N_total, as many key as query heads keep that relation. A law without E that was fitted to runs of one expert
    count takes the experts of those runs.
    """
    rule = law.total_rule
    if law.law.count == "n_total":
        choices = {"queries_per_key": 1.0, **choices}
    if rule.kind == "ludziejewski":
        return Recipe(**{"ffn_ratio": 3.0, "source": "gated feed-forward of 3 d_model, as in the joint paper", **choices})
    if law.fit is not None and not law.law.has_expansion and law.expansion is None:
        found = _experts_of_runs(law)
        if found is not None:
            return Recipe(**{**found, **choices})
    if rule.kind == "share" and 0 < rule.value < 1:
        ratio = 4 / 3 * rule.value / (1 - rule.value)
        words = f"gated feed-forward of {ratio:.3g} d_model: {rule.value:.0%} of a block with attention of 4 d_model², as in the law's runs"
        return Recipe(**{"ffn_ratio": ratio, "source": words, **choices})
    return Recipe(**choices)


def law_size(law: FittedLaw, shape: Transformer) -> Array:
    """Returns N of a shape as the law counts it; embeddings, where it counts them, by the paper's own vocabulary."""
    if law.count == "n_active_with_embeddings":
        return with_embeddings(shape.n_active)
    if law.count == "n_total_with_embeddings":
        return np.asarray(shape.n_total + shape.n_embedding)
    return np.asarray(shape.n_total if law.law.count == "n_total" else shape.n_active)


def law_active(law: FittedLaw, shape: Transformer) -> Array:
    """Returns N_active of a shape in the law's count, which its FLOPs rule and its optimum use."""
    return np.asarray(shape.n_active) if law.law.count == "n_total" else law_size(law, shape)


def _experts_of_runs(law: FittedLaw) -> dict | None:
    """Returns the experts of the runs, medians over them; None where they do not give any."""
    assert law.fit is not None
    runs = law.fit.runs
    columns = ["n_active", "n_total", "d_model", "n_layers", "n_experts", "top_k"]
    if not set(columns) <= set(runs):
        return None
    known = runs[columns].dropna()
    if known.empty or known["n_experts"].nunique() > 1 or known["top_k"].nunique() > 1 or known["n_experts"].iloc[0] <= 1:
        return None
    n_experts, top_k = int(known["n_experts"].iloc[0]), int(known["top_k"].iloc[0])
    block = known["n_layers"] * known["d_model"] ** 2
    expert = float(((known["n_total"] - known["n_active"]) / (n_experts - top_k) / block).median())
    common = float((known["n_active"] / block).median()) - top_k * expert
    n_shared = max(int((common - 4) // (expert * 0.99)), 0)
    words = f"experts of the runs: {n_experts}, {top_k} a token, {n_shared} shared, {expert / GATED:.3g} d_model wide"
    return {
        "experts": (n_experts, top_k, expert / GATED),
        "n_shared": n_shared,
        "aspect": float((known["d_model"] / known["n_layers"]).median()),
        "source": words,
    }


def _divisor(number: int, wanted: float) -> int:
    """Returns the divisor of `number` nearest to `wanted`, by ratio."""
    small = [k for k in range(1, isqrt(number) + 1) if number % k == 0]
    return min(sorted({*small, *(number // k for k in small)}), key=lambda k: abs(np.log(k / max(wanted, 1e-9))))
