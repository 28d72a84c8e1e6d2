"""The limits of a plan, and which share of each a model uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .. import numbers
from ..architecture import Transformer
from ..numerics.arrays import Array
from ..serving import Machine, Workload, decode_time, footprint, kv_bytes, weight_bytes
from .training import Cluster

BUDGET, TOKENS, SERVED = "training budget", "tokens available", "tokens to serve"
TRAINING, SERVING, LATENCY, LOSS = "memory at training", "memory at serving", "latency", "loss to reach"
ALLOWED = "allowed E and G"


@dataclass(frozen=True)
class Deployment:
    """How the model is to be served: GPUs of one copy, requests, how many sequences at once.

    max_step: seconds between two tokens of an answer, all `sequences` decoded together; infinite for no limit.
    """

    machine: Machine
    n_gpus: int = 8
    work: Workload = Workload()  # noqa: RUF009
    sequences: int = 1
    max_step: float = np.inf

    @property
    def context(self) -> float:
        """Tokens in the cache of a sequence at its longest: prompt and answer."""
        return self.work.tokens

    @property
    def room(self) -> float:
        """Bytes that weights and cache may fill, all GPUs of a copy together."""
        return self.n_gpus * self.machine.gpu.memory_gb * 1e9 * self.machine.usable

    def bytes(self, shape: Transformer) -> Array:
        """Returns weights and the cache of all sequences at their longest, in bytes."""
        model = footprint(shape)
        cache = kv_bytes(model, self.context, self.sequences, self.machine.value_bytes)
        return weight_bytes(model, self.machine.precision) + cache

    def step(self, shape: Transformer) -> Array:
        """Returns seconds between two tokens of an answer by the roofline, every sequence at its longest."""
        return decode_time(footprint(shape), self.machine, self.n_gpus, self.sequences, self.context)


@dataclass(frozen=True)
class Limits:
    """The limits of a plan; None or infinite means no limit.

    flops: training FLOPs, and those of serving too where `served` tokens are to be served (2 N_active FLOPs each, Sardana 2024).
    tokens: training tokens at most. cluster: GPUs whose memory training must fit. deployment: GPUs whose memory serving must
    fit, and its latency. loss: to be reached at least. expansions, granularities: allowed E and G; empty for a law without.
    """

    flops: float
    tokens: float = np.inf
    served: float = 0.0
    cluster: Cluster | None = None
    deployment: Deployment | None = None
    loss: float = np.inf
    expansions: tuple[float, ...] = ()
    granularities: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("flops", "tokens", "loss"):
            if not np.all(np.asarray(getattr(self, name)) > 0):
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}.")
        if not np.all(np.asarray(self.served) >= 0):
            raise ValueError(f"Tokens to serve must not be negative; got {self.served}.")

    def usages(self) -> dict[str, Callable[[Transformer], Array]]:
        """Name of each limit on the shape -> share of it that a shape uses; at most 1 is allowed. All rise with size."""
        found: dict[str, Callable[[Transformer], Array]] = {}
        if self.cluster is not None:
            cluster = self.cluster
            found[TRAINING] = lambda shape: cluster.bytes_per_gpu(shape) / cluster.room
        if self.deployment is not None:
            served = self.deployment
            found[SERVING] = lambda shape: served.bytes(shape) / served.room
            if np.isfinite(served.max_step):
                found[LATENCY] = lambda shape: served.step(shape) / served.max_step
        return found


def values(limits: Limits) -> dict[str, float]:
    """Returns the limits that can be moved, in their units: FLOPs, tokens, bytes, seconds."""
    out = {BUDGET: limits.flops}
    if np.isfinite(limits.tokens):
        out[TOKENS] = limits.tokens
    if limits.served:
        out[SERVED] = limits.served
    if limits.cluster is not None:
        out[TRAINING] = limits.cluster.room
    if limits.deployment is not None:
        out[SERVING] = limits.deployment.room
        if np.isfinite(limits.deployment.max_step):
            out[LATENCY] = limits.deployment.max_step
    return out


def described(limits: Limits, name: str, factor: float = 1.0) -> str:
    """Returns a limit with its value, or with `factor` times its value: "training budget (1e22 FLOPs)"."""
    value = values(limits)[name] * factor
    words = {
        BUDGET: f"{numbers.flops(value, 3)} FLOPs",
        TOKENS: numbers.count(value),
        SERVED: numbers.count(value),
        LATENCY: f"{numbers.plain(value * 1e3, 3)} ms a token",
    }.get(name)
    if words is None and factor != 1:
        words = f"{value / 1e9:,.0f} GB"
    if words is None:
        which = limits.cluster if name == TRAINING else limits.deployment
        gpu = limits.cluster.gpu if name == TRAINING and limits.cluster else limits.deployment.machine.gpu  # type: ignore[union-attr]
        words = f"{which.n_gpus} x {gpu.name}"  # type: ignore[union-attr]
    return f"{name} ({words})"
