"""Turns the N, E and G of a law into footprints, by choosing the widths, heads and experts' size that serving needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import KRAJEWSKI_ASPECT, LUDZIEJEWSKI_VOCABULARY, krajewski_blocks, without_embeddings
from ..errors import OptimumError
from ..laws import FittedLaw
from ..numerics.arrays import Array
from .memory import Footprint

QUERIES_PER_KEY = 4.0
"""Query heads that share a key and value head, as in Mixtral 8x7B; the papers' own shapes have 1."""


def law_footprint(
    law: FittedLaw,
    n_active: ArrayLike,
    expansion: ArrayLike,
    granularity: ArrayLike = np.nan,
    queries_per_key: float = QUERIES_PER_KEY,
    vocabulary: int = LUDZIEJEWSKI_VOCABULARY,
) -> Footprint:
    """Returns the footprint of models of these sizes, arrays that broadcast. `n_active` is counted as the law counts it.

    Shapes are those of the papers: d_model = 64 n_blocks, every block with experts, a token routed to G of E·G (one of E for
    a law without G). The expert part of a model is the law's own: N_total = N_active (1 - s + s E).
    Raises OptimumError for laws that do not say how N_total depends on E.
    """
    n, e = np.asarray(n_active, dtype=float), np.asarray(expansion, dtype=float)
    g = np.asarray(granularity, dtype=float)
    g = np.where(np.isnan(g), 1.0, g)
    if law.count == "n_active_with_embeddings":
        bare, _, _ = without_embeddings(n, e)
        share = 9 / 13
        blocks = np.cbrt(bare / (13 * KRAJEWSKI_ASPECT**2))
    elif law.total_rule.kind == "share" and not law.count.endswith("with_embeddings"):
        bare, share = n, law.total_rule.value
        blocks = krajewski_blocks(n)
    else:
        raise OptimumError(
            f"The {law.name} law does not say how many of its parameters are experts, so its memory is not known: "
            "add n_total and expansion to the runs, or choose a law with E."
        )
    return _footprint(bare, share, blocks, e, g, queries_per_key, vocabulary)


def _footprint(
    bare: Array, share: float, blocks: Array, e: Array, g: Array, queries_per_key: float, vocabulary: int
) -> Footprint:
    router = np.where(e > 1, blocks * (KRAJEWSKI_ASPECT * blocks) * e * g, 0.0)
    shape = at_widths(blocks, queries_per_key, vocabulary)
    return replace(shape, common=bare * (1 - share) + router, expert=bare * share / g, n_experts=e * g, top_k=g)


def at_widths(blocks: ArrayLike, queries_per_key: float, vocabulary: int = LUDZIEJEWSKI_VOCABULARY) -> Footprint:
    """Returns attention, embeddings and sums of models of d_model = 64 n_blocks; their blocks' parameters are left at zero."""
    blocks = np.asarray(blocks, dtype=float)
    d = KRAJEWSKI_ASPECT * blocks
    return Footprint(
        common=0.0,
        expert=0.0,
        n_experts=1.0,
        top_k=1.0,
        head=d * vocabulary,
        lookup=d * vocabulary,
        kv_values=2 * blocks * d / queries_per_key,
        attention_flops=4 * blocks * d,
        stream=2 * blocks * d,
    )
