"""Computes the memory that a served model takes: weights and KV cache, of a shape or of any array of sizes."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import Transformer
from ..numerics.arrays import Array
from .hardware import GPU, PRECISIONS

USABLE = 0.9
"""Share of a GPU's memory that weights and cache may fill; the rest is for activations and the runtime."""


@dataclass(frozen=True)
class Footprint:
    """The counts that serving cost follows from; floats, or arrays that broadcast.

    common: parameters every token passes, non-embedding: attention, dense blocks, shared experts, router.
    expert: parameters of one routed expert, all blocks together; a dense model has one. n_experts, top_k: a block's.
    head: the unembedding matrix. lookup: parameters that are kept but not multiplied (the input embedding).
    kv_values: values kept for each token of context, all blocks.
    attention_flops: FLOPs of one token against one token of its context, all blocks.
    stream: values that tensor parallelism adds up between GPUs for each token (two sums of d_model a block).
    """

    common: Array | float
    expert: Array | float
    n_experts: Array | float
    top_k: Array | float
    head: Array | float
    lookup: Array | float
    kv_values: Array | float
    attention_flops: Array | float
    stream: Array | float

    @property
    def ndim(self) -> int:
        """Axes of its arrays together."""
        return max(np.ndim(getattr(self, f.name)) for f in fields(self))

    @property
    def active(self) -> Array:
        """Parameters that one token is multiplied with, unembedding included."""
        return _array(self.common) + _array(self.top_k) * self.expert + self.head

    @property
    def total(self) -> Array:
        """All parameters, embeddings included."""
        return _array(self.common) + _array(self.n_experts) * self.expert + self.head + self.lookup

    def distinct_experts(self, tokens: ArrayLike) -> Array:
        """Returns the experts of a block that a batch of tokens uses: n (1 - (1 - k/n)^tokens), for even routing."""
        n, k = _array(self.n_experts), _array(self.top_k)
        with np.errstate(divide="ignore"):
            return -n * np.expm1(_array(tokens) * np.log1p(-np.minimum(k / n, 1.0)))

    def weights_touched(self, tokens: ArrayLike) -> Array:
        """Returns parameters read from memory for a batch of tokens: common ones, unembedding, distinct experts."""
        return _array(self.common) + self.head + self.distinct_experts(tokens) * self.expert


def footprint(shape: Transformer) -> Footprint:
    """Returns the footprint of a transformer."""
    attention, d = shape.attention, shape.d_model
    kv = 2 * d if attention is None else attention.cached_values
    flops = 4 * d if attention is None else attention.flops_per_context_token
    matrix = d * shape.vocabulary
    return Footprint(
        common=shape.n_common + shape.n_router,
        expert=shape.n_moe_layers * shape.expert_parameters,
        n_experts=shape.n_experts,
        top_k=shape.top_k,
        head=matrix,
        lookup=0 if shape.tied else matrix,
        kv_values=shape.n_layers * kv,
        attention_flops=shape.n_layers * flops,
        stream=2 * shape.n_layers * d,
    )


def weight_bytes(model: Footprint, precision: str = "bf16") -> Array:
    """Returns bytes of all weights, embeddings included."""
    return model.total * PRECISIONS[precision]


def kv_bytes(model: Footprint, context: ArrayLike, sequences: ArrayLike = 1, value_bytes: float = 2.0) -> Array:
    """Returns bytes of the KV cache of so many sequences of `context` tokens each; 2 bytes a value for a 16-bit cache."""
    return _array(sequences) * _array(context) * model.kv_values * value_bytes


def mean_context(prompt: ArrayLike, output: ArrayLike) -> Array:
    """Returns tokens in the cache of a sequence, averaged over its generation: prompt + output / 2 (Yun 2024's 2p + n, halved)."""
    return _array(prompt) + _array(output) / 2


def largest_batch(
    model: Footprint,
    gpu: GPU,
    n_gpus: ArrayLike,
    context: ArrayLike,
    precision: str = "bf16",
    value_bytes: float = 2.0,
    usable: float = USABLE,
) -> Array:
    """Returns how many sequences of `context` cached tokens fit beside the weights on `n_gpus`, a real number; 0 for none.

    b = (n_gpus M usable - weights) / (context kv_values value_bytes), Yun 2024 (arXiv:2404.02852), section 4.
    """
    free = _array(n_gpus) * gpu.memory_gb * 1e9 * usable - weight_bytes(model, precision)
    batch = free / kv_bytes(model, context, 1, value_bytes)
    return np.where(batch >= 1, batch, 0.0)


def _array(value: ArrayLike) -> Array:
    return np.asarray(value, dtype=float)
