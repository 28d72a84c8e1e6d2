"""Shapes of decoder-only transformers and their counts: the one place where N, router and FLOPs are defined.

Counts are non-embedding with the router left out, unless the name says otherwise. Attention is counted by its weight
matrices (4 d^2 a block unless a form of attention says otherwise); the T-dependent part of attention FLOPs is left out,
as in 6 N D. Norms and biases (below 0.1 %) are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .numerics.arrays import Array

KRAJEWSKI_ASPECT = 64
"""d_model = 64 n_blocks (Krajewski 2024, Ludziejewski 2025)."""
LUDZIEJEWSKI_VOCABULARY = 50257


@dataclass(frozen=True)
class GroupedAttention:
    """Attention whose `n_heads` query heads share `n_kv_heads` key and value heads, each `head_dim` wide."""

    n_heads: int
    n_kv_heads: int
    head_dim: int

    def parameters(self, d_model: float) -> float:
        """Query, key, value and output matrices of a block: 2 d_model head_dim (n_heads + n_kv_heads)."""
        return 2 * d_model * self.head_dim * (self.n_heads + self.n_kv_heads)

    @property
    def cached_values(self) -> int:
        """Values kept for each token of context in a block: keys and values, 2 n_kv_heads head_dim."""
        return 2 * self.n_kv_heads * self.head_dim

    @property
    def flops_per_context_token(self) -> int:
        """FLOPs of one query against one token of context in a block: scores and mixing, 2 · 2 n_heads head_dim."""
        return 4 * self.n_heads * self.head_dim


@dataclass(frozen=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): keys and values are kept as one latent vector.

    `q_rank` is the rank of the query's own compression, 0 for none; a head's query and key have `head_dim` components and
    `rope_dim` more that carry the position (one key for all heads), its value `head_dim`.
    """

    n_heads: int
    kv_rank: int
    rope_dim: int
    head_dim: int
    q_rank: int = 0

    def parameters(self, d_model: float) -> float:
        """Down and up projections of queries, keys and values, and the output matrix, of a block."""
        wide = self.n_heads * (self.head_dim + self.rope_dim)
        query = d_model * self.q_rank + self.q_rank * wide if self.q_rank else d_model * wide
        latent = d_model * (self.kv_rank + self.rope_dim) + self.kv_rank * self.n_heads * 2 * self.head_dim
        return query + latent + self.n_heads * self.head_dim * d_model

    @property
    def cached_values(self) -> int:
        """Values kept for each token of context in a block: the latent vector and the key's position, kv_rank + rope_dim."""
        return self.kv_rank + self.rope_dim

    @property
    def flops_per_context_token(self) -> int:
        """FLOPs of one query against one token of context, computed on the latent vectors: 2 n_heads (2 kv_rank + rope_dim)."""
        return 2 * self.n_heads * (2 * self.kv_rank + self.rope_dim)


@dataclass(frozen=True)
class Transformer:
    """The shape of a model. `d_ff` is the dense (or reference) feed-forward width; an expert is `d_ff / granularity` wide.

    Every field may be an array instead, real-valued ones too: the counts broadcast.

    attention: by default as many key and value heads as query heads, together d_model wide (4 d_model^2 a block). The first
    `n_dense_layers` blocks have one feed-forward of width `d_ff_dense` in place of experts; every other block has
    `n_shared` experts that all tokens pass, besides the `n_experts` routed ones. `tied`: one matrix for both embeddings.
    """

    d_model: int
    n_layers: int
    d_ff: int
    n_experts: int = 1
    top_k: int = 1
    granularity: float = 1.0
    ffn_matrices: int = 2
    vocabulary: int = 0
    attention: GroupedAttention | LatentAttention | None = None
    n_shared: int = 0
    n_dense_layers: int = 0
    d_ff_dense: int = 0
    tied: bool = False

    @property
    def n_moe_layers(self) -> int:
        """Blocks with experts (of a dense model, all blocks)."""
        return self.n_layers - self.n_dense_layers

    @property
    def n_common(self) -> float:
        """Parameters that every token passes: attention, dense blocks and shared experts."""
        attention = 4 * self.d_model**2 if self.attention is None else self.attention.parameters(self.d_model)
        dense = self.n_dense_layers * self.ffn_matrices * self.d_model * self.d_ff_dense
        return self.n_layers * attention + dense + self.n_moe_layers * self.n_shared * self.expert_parameters

    @property
    def expansion(self) -> float:
        """E = n_experts / granularity."""
        return self.n_experts / self.granularity

    @property
    def expert_parameters(self) -> float:
        """Parameters of one expert: ffn_matrices · d_model · d_ff / G."""
        return self.ffn_matrices * self.d_model * self.d_ff / self.granularity

    @property
    def n_active(self) -> float:
        """Parameters a token passes through: the common ones and top_k experts in each block."""
        return self.n_common + self.n_moe_layers * self.top_k * self.expert_parameters

    @property
    def n_total(self) -> float:
        """All parameters of attention, dense blocks and experts."""
        return self.n_common + self.n_moe_layers * self.n_experts * self.expert_parameters

    @property
    def n_router(self) -> float:
        """Router parameters, d_model · n_experts a block; none for a dense model."""
        return self.n_moe_layers * self.d_model * self.n_experts * (self.n_experts > 1)

    @property
    def n_embedding(self) -> float:
        """Embedding and unembedding, 2 · d_model · vocabulary; half of it where they are tied."""
        return (1.0 if self.tied else 2.0) * self.d_model * self.vocabulary

    def flops_per_token(self, router_cost: float = 14.0) -> float:
        """Training FLOPs a token, forward and backward: 6 N_active + c_r · router parameters.

        Krajewski 2024, section 5.2: c_r = 14 (between 6 and 20 by implementation). Embeddings are left out.
        """
        return 6 * self.n_active + router_cost * self.n_router


def weight_counts(
    d_model: float,
    n_layers: float,
    d_ff: float,
    attention: float,
    ffn_matrices: int = 2,
    n_experts: float = 1,
    top_k: float = 1,
    d_expert: float = 0,
    d_shared: float = 0,
    n_moe_layers: float = 0,
) -> tuple[float, float]:
    """Returns (N_active, N_total) of a released shape: attention and feed-forward weights of all blocks.

    Args:
        attention: weights of one attention layer, see `attention_weights`.
        d_ff: width of the dense feed-forward, which the blocks beside the `n_moe_layers` have.
        d_expert, d_shared: width of a routed expert, and of all shared experts together.
    """
    dense = (n_layers - n_moe_layers) * ffn_matrices * d_model * d_ff
    active, total = (n_moe_layers * ffn_matrices * d_model * (n * d_expert + d_shared) for n in (top_k, n_experts))
    return n_layers * attention + dense + active, n_layers * attention + dense + total


def attention_weights(d_model: float, n_heads: float, n_kv_heads: float | None = None, d_head: float | None = None) -> float:
    """Returns query, key, value and output weights of one layer, keys and values shared among groups of heads."""
    width = d_head if d_head is not None else d_model / n_heads
    return 2 * d_model * width * (n_heads + (n_kv_heads if n_kv_heads is not None else n_heads))


def krajewski_blocks(n_active: ArrayLike) -> Array:
    """Returns the blocks n of the shape with N_active = 12 d^2 n and d = 64 n (real-valued)."""
    return np.cbrt(np.asarray(n_active, dtype=float) / (12 * KRAJEWSKI_ASPECT**2))


def krajewski_flops(n_active: ArrayLike, tokens: ArrayLike, expansion: ArrayLike, granularity: ArrayLike) -> Array:
    """Returns training FLOPs (12 d^2 c_f + d E G c_r) D n_blocks with c_f = 6, c_r = 14, d = 64 n_blocks (Krajewski 2024)."""
    n = krajewski_blocks(n_active)
    router = 14 * KRAJEWSKI_ASPECT * n * np.asarray(expansion, dtype=float) * np.asarray(granularity, dtype=float)
    return (6 * 12 * (KRAJEWSKI_ASPECT * n) ** 2 + router) * np.asarray(tokens, dtype=float) * n


def without_embeddings(n_active_with_embeddings: ArrayLike, expansion: ArrayLike) -> tuple[Array, Array, Array]:
    """Returns (N_active, N_total, N_total with embeddings) of Ludziejewski's shape with this many active parameters.

    N_active with embeddings = 2 d V + 13 n d^2, N_total = 2 d V + (4 + 9 E) n d^2, V = 50257, d = 64 n (arXiv:2502.05172).
    The width solves a cubic with one real root, Vieta's hyperbolic form of it.
    """
    target = np.asarray(n_active_with_embeddings, dtype=float)
    linear, cubic = 2 * KRAJEWSKI_ASPECT * LUDZIEJEWSKI_VOCABULARY, 13 * KRAJEWSKI_ASPECT**2
    unit = 2 * np.sqrt(linear / cubic / 3)
    n = unit * np.sinh(np.arcsinh(target * 3 / (linear * unit)) / 3)
    active = cubic * n * n * n
    total = active * (4 + 9 * np.asarray(expansion, dtype=float)) / 13
    return active, total, total + linear * n


def with_embeddings(n_active: ArrayLike) -> Array:
    """Returns N_active with embeddings of Ludziejewski's shape, from N_active without: the inverse of `without_embeddings`."""
    n = np.cbrt(np.asarray(n_active, dtype=float) / (13 * KRAJEWSKI_ASPECT**2))
    return n_active + 2 * KRAJEWSKI_ASPECT * LUDZIEJEWSKI_VOCABULARY * n


def granularity_of(d_model: ArrayLike, d_expert: ArrayLike) -> Array:
    """Returns G = 4 d_model / d_expert, Krajewski's convention (Ling's is half of it)."""
    return 4 * np.asarray(d_model, dtype=float) / np.asarray(d_expert, dtype=float)
