"""Estimates what training needs: a GPU's memory by a stated rule, a cluster's FLOPs and days, and the papers' starting points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import Transformer
from ..numerics.arrays import Array
from ..serving import GPU

STATE_BYTES = 18.0
"""Bytes a parameter: weights in bf16 2, gradients in fp32 4, master weights 4, Adam's two moments 8 (Megatron-LM's mixed precision)."""
RESERVED = 0.1
"""Share of a GPU's memory left to the runtime, buffers and fragmentation."""
DAY = 86400.0


@dataclass(frozen=True)
class Cluster:
    """GPUs that train together, everything sharded evenly over them (optimizer, gradients and weights).

    mfu: share of the dense bf16 peak that the model's FLOPs reach. micro_tokens: tokens in one GPU's forward pass.
    recompute: activations are recomputed in the backward pass, only each block's input is kept.
    """

    gpu: GPU
    n_gpus: int
    mfu: float = 0.4
    micro_tokens: float = 4096.0
    recompute: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.mfu <= 1:
            raise ValueError(f"The utilisation (MFU) is a share between 0 and 1; got {self.mfu:g}.")
        if self.n_gpus < 1:
            raise ValueError(f"A cluster needs at least one GPU; got {self.n_gpus}.")

    @property
    def rate(self) -> float:
        """Returns model FLOPs a second."""
        return self.n_gpus * self.gpu.flops("bf16") * self.mfu

    def flops(self, days: float) -> float:
        """Returns the training FLOPs of so many days."""
        return self.rate * days * DAY

    def days(self, flops: ArrayLike) -> Array:
        """Returns the days that so many training FLOPs take."""
        return np.asarray(flops, dtype=float) / self.rate / DAY

    @property
    def room(self) -> float:
        """Bytes of one GPU that training may fill."""
        return self.gpu.memory_gb * 1e9 * (1 - RESERVED)

    def bytes_per_gpu(self, shape: Transformer) -> Array:
        """Returns bytes on each GPU: the state of all parameters over all GPUs, and the activations of its own tokens.

        State: 18 bytes a parameter, embeddings and router included. Activations of a token in bf16, in values a block: 17
        d_model for attention and norms (Korthikanti et al. 2022, arXiv:2205.05198, flash attention), and for each of its experts
        an input of d_model and three inner vectors of d_expert. With recomputation the input of every block is kept and one
        block is unfolded at a time. The logits come on top, in fp32.
        """
        d, blocks = np.asarray(shape.d_model, dtype=float), np.asarray(shape.n_layers, dtype=float)
        d_expert = np.asarray(shape.d_ff, dtype=float) / shape.granularity
        unfolded = 17 * d + (shape.top_k + shape.n_shared) * (d + 3 * d_expert)
        kept = blocks * d + unfolded if self.recompute else blocks * unfolded
        parameters = shape.n_total + shape.n_router + shape.n_embedding
        return STATE_BYTES * parameters / self.n_gpus + self.micro_tokens * (2 * kept + 4 * shape.vocabulary)


JOINT_RATE = "Ludziejewski et al. 2025, arXiv:2502.05172: exp(8.39 - 0.81 ln N - 0.25 ln E), N active without embeddings"
LING_RATE = "Ling team 2025, arXiv:2507.17702, Eq. 3: 1.1576 C^-0.1529, AdamW, warm-up-stable-decay, from 3e17 to 3e20 FLOPs"
LING_RANGE = (3e17, 3e20)
"""Training FLOPs of Ling's runs."""
JOINT_RANGE = (5e7, 2.7e9)
"""Active parameters of the joint paper's runs, which it counts with embeddings."""
LING_BATCH = "Ling team 2025, arXiv:2507.17702, Eq. 3: 0.0694 C^0.3644 tokens, the same runs"


def joint_rate(n_active: ArrayLike, expansion: ArrayLike) -> Array:
    """Returns the joint paper's peak learning rate: exp(8.39 - 0.81 ln N - 0.25 ln E), N active, non-embedding (arXiv:2502.05172)."""
    return np.exp(8.39 - 0.81 * np.log(n_active) - 0.25 * np.log(expansion))


def ling_rate(flops: ArrayLike) -> Array:
    """Returns the peak learning rate 1.1576 C^-0.1529 (arXiv:2507.17702, Eq. 3), C total training FLOPs."""
    return 1.1576 * np.asarray(flops, dtype=float) ** -0.1529


def ling_batch(flops: ArrayLike) -> Array:
    """Returns the batch in tokens, 0.0694 C^0.3644 (arXiv:2507.17702, Eq. 3), C total training FLOPs.

    The paper searched 2^18 to 2^21 and its runs have 4,096 tokens a sequence: the unit is tokens.
    """
    return 0.0694 * np.asarray(flops, dtype=float) ** 0.3644
