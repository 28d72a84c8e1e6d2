"""Estimates the time of a forward pass: the longer of computing and of reading memory, plus the sums between GPUs.

Prefill and decode at the rates of a data sheet times the shares of them that are reached (1 is the roofline itself, a lower
bound of the time; `calibration` finds one's own).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..numerics.arrays import Array
from .hardware import GPU, PRECISIONS
from .memory import USABLE, Footprint, kv_bytes

STREAM_BYTES = 2.0
"""Activations are summed between GPUs in 16 bits."""


@dataclass(frozen=True)
class Machine:
    """A GPU with the number format and the shares of its peak rates that are reached.

    precision: of weights and matrix products. value_bytes: of a value in the KV cache. usable: share of the memory for
    weights and cache. compute, bandwidth: shares of the data sheet's rates that are reached.
    """

    gpu: GPU
    precision: str = "bf16"
    value_bytes: float = 2.0
    usable: float = USABLE
    compute: float = 1.0
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        self.gpu.flops(self.precision)
        for name in ("usable", "compute", "bandwidth"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1; got {getattr(self, name):g}.")

    @property
    def weight_bytes(self) -> float:
        """Bytes of a weight."""
        return PRECISIONS[self.precision]


def decode_work(model: Footprint, machine: Machine, batch: ArrayLike, context: ArrayLike) -> tuple[Array, Array]:
    """Returns (FLOPs, bytes read) of one decode step: a token for each of `batch` sequences with `context` cached tokens each.

    FLOPs: 2 N_active and the attention of one token to its context. Bytes: the weights touched, once, and the whole cache.
    """
    batch = np.asarray(batch, dtype=float)
    flops = batch * (2 * model.active + np.asarray(model.attention_flops) * context)
    read = machine.weight_bytes * model.weights_touched(batch) + kv_bytes(model, context, batch, machine.value_bytes)
    return flops, read


def prefill_work(model: Footprint, machine: Machine, sequences: ArrayLike, prompt: ArrayLike) -> tuple[Array, Array]:
    """Returns (FLOPs, bytes moved) of reading `sequences` prompts of `prompt` tokens together.

    Attention is causal (half of the square); the unembedding is needed for the last token only.
    """
    sequences = np.asarray(sequences, dtype=float)
    tokens = sequences * prompt
    through = model.active - model.head
    flops = tokens * (2 * through + np.asarray(model.attention_flops) * prompt / 2) + 2 * sequences * model.head
    moved = machine.weight_bytes * model.weights_touched(tokens) + kv_bytes(model, prompt, sequences, machine.value_bytes)
    return flops, moved


def decode_time(model: Footprint, machine: Machine, n_gpus: ArrayLike, batch: ArrayLike, context: ArrayLike) -> Array:
    """Returns seconds of one decode step; arguments broadcast."""
    work = decode_work(model, machine, batch, context)
    return _seconds(machine, n_gpus, *work) + exchange_time(model, machine, n_gpus, batch)


def prefill_time(model: Footprint, machine: Machine, n_gpus: ArrayLike, sequences: ArrayLike, prompt: ArrayLike) -> Array:
    """Returns seconds until the first token of `sequences` prompts that are read together; arguments broadcast."""
    work = prefill_work(model, machine, sequences, prompt)
    tokens = np.asarray(sequences, dtype=float) * prompt
    return _seconds(machine, n_gpus, *work) + exchange_time(model, machine, n_gpus, tokens)


def exchange_time(model: Footprint, machine: Machine, n_gpus: ArrayLike, tokens: ArrayLike) -> Array:
    """Returns seconds of tensor parallelism's two sums a block: each GPU sends 2 (n - 1) / n of them, at half the two-way rate.

    Latencies of single messages are left out. Zero where the data sheet gives no rate between GPUs.
    """
    n = np.asarray(n_gpus, dtype=float)
    rate = machine.gpu.interconnect_gb_s * 1e9 / 2 * machine.bandwidth
    if not np.isfinite(rate):
        return np.zeros(np.broadcast_shapes(np.shape(n), np.shape(tokens), np.shape(model.stream)))
    return 2 * (n - 1) / n * np.asarray(tokens, dtype=float) * model.stream * STREAM_BYTES / rate


def _seconds(machine: Machine, n_gpus: ArrayLike, flops: Array, moved: Array) -> Array:
    n = np.asarray(n_gpus, dtype=float)
    computing = flops / (n * machine.gpu.flops(machine.precision) * machine.compute)
    reading = moved / (n * machine.gpu.bandwidth_gb_s * 1e9 * machine.bandwidth)
    return np.maximum(computing, reading)
