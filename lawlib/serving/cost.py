"""Computes what a million tokens cost: throughput of a steady stream of requests, at the number of GPUs where it is cheapest."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from ..numerics.arrays import Array
from ..numerics.roots import root
from .memory import Footprint, largest_batch, mean_context
from .roofline import Machine, decode_time, prefill_time

COUNTS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of GPUs that hold one copy of the model. Beyond one node the links within a node are assumed: optimistic."""


@dataclass(frozen=True)
class Workload:
    """The requests: mean tokens of the prompt and of the answer, and the longest step allowed.

    max_batch: sequences decoded together at most, whatever fits. max_step: seconds between two tokens of an answer at most.
    """

    prompt: float = 1024.0
    output: float = 256.0
    max_batch: float = np.inf
    max_step: float = np.inf

    @property
    def tokens(self) -> float:
        """Tokens of a request, prompt and answer."""
        return self.prompt + self.output


@dataclass(frozen=True)
class Service:
    """How a model is served; arrays of one shape, NaN or infinite where it does not fit.

    n_gpus: for one copy of the model. batch: sequences decoded together, a real number. step: seconds between two tokens of
    an answer. first_token: seconds of prefill of one prompt. output_rate: answer tokens a second, of one copy.
    gpu_hours: GPU-hours a million tokens, prompt and answer tokens counted together; infinite where nothing fits.
    """

    n_gpus: Array
    batch: Array
    step: Array
    first_token: Array
    output_rate: Array
    gpu_hours: Array

    def cost(self, price: float) -> Array:
        """Returns the price of a million tokens, prompt and answer together, at a price per GPU-hour."""
        return self.gpu_hours * price


def step_time(model: Footprint, machine: Machine, work: Workload, n_gpus: ArrayLike, batch: ArrayLike) -> Array:
    """Returns seconds of one step of a steady stream: a token for every sequence, and the prefill of those that join.

    L_decode(b) + L_prefill(b / output) of Yun 2024 (arXiv:2404.02852). Where fewer than one prompt joins a step, its prefill
    is shared by the steps until the next.
    """
    batch = np.asarray(batch, dtype=float)
    joining = batch / work.output
    reading = prefill_time(model, machine, n_gpus, np.maximum(joining, 1.0), work.prompt) * np.minimum(joining, 1.0)
    return decode_time(model, machine, n_gpus, batch, mean_context(work.prompt, work.output)) + reading


def serve(model: Footprint, machine: Machine, work: Workload, n_gpus: ArrayLike, batch: ArrayLike | None = None) -> Service:
    """Returns the service on `n_gpus` at a batch, by default the largest that fits and is quick enough: cost falls with the batch.

    A given batch is not checked against the memory. Arguments and the model's arrays broadcast.
    """
    batch, step, rate, hours = _stream(model, machine, work, n_gpus, batch)
    first = prefill_time(model, machine, n_gpus, 1.0, work.prompt)
    columns = (n_gpus, batch, step, first, rate, hours)
    return Service(*(np.asarray(a, dtype=float) for a in np.broadcast_arrays(*columns)))


def _stream(
    model: Footprint, machine: Machine, work: Workload, n_gpus: ArrayLike, batch: ArrayLike | None = None
) -> tuple[Array, Array, Array, Array]:
    """Returns (batch, step, output_rate, gpu_hours) of `serve`."""
    if batch is None:
        context = mean_context(work.prompt, work.output)
        fits = largest_batch(model, machine.gpu, n_gpus, context, machine.precision, machine.value_bytes, machine.usable)
        batch = _quick_enough(model, machine, work, n_gpus, np.minimum(fits, work.max_batch))
    batch = np.asarray(batch, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(batch > 0, step_time(model, machine, work, n_gpus, batch), np.nan)
        rate = np.where(batch > 0, batch / step, 0.0)
        served = rate * work.tokens / work.output
        return batch, step, rate, np.asarray(n_gpus, dtype=float) / 3600 * 1e6 / served


def cheapest(model: Footprint, machine: Machine, work: Workload, counts: tuple[int, ...] = COUNTS) -> Service:
    """Returns the service at the number of GPUs where a token is cheapest: C(m) = min over n of n C0 / T(m, n), Yun 2024.

    Shape: that of the model's arrays.
    """
    options = serve(model, machine, work, _in_front(model, counts))
    best = np.argmin(options.gpu_hours, axis=0)[None]
    return Service(*(np.take_along_axis(getattr(options, f.name), best, axis=0)[0] for f in fields(Service)))


def least_gpu_hours(model: Footprint, machine: Machine, work: Workload, counts: tuple[int, ...] = COUNTS) -> Array:
    """Returns `cheapest(...).gpu_hours` alone, which is faster."""
    return _stream(model, machine, work, _in_front(model, counts))[3].min(axis=0)


def _in_front(model: Footprint, counts: tuple[int, ...]) -> Array:
    """Numbers of GPUs along an axis before the model's: its long ones stay last, which takes half the time."""
    return np.reshape(np.array(counts, dtype=float), (-1,) + (1,) * model.ndim)


def _quick_enough(model: Footprint, machine: Machine, work: Workload, n_gpus: ArrayLike, batch: Array) -> Array:
    """Returns the largest batch up to `batch` whose step takes at most `work.max_step`; 0 where one sequence takes longer."""
    if not np.isfinite(work.max_step):
        return batch

    def excess(log_batch: Array) -> Array:
        return step_time(model, machine, work, n_gpus, np.exp(log_batch)) / work.max_step - 1

    high = np.log(np.maximum(batch, 1.0))
    low = np.zeros(np.shape(excess(high)))
    never, always = excess(low) > 0, excess(high) <= 0
    found = np.where(always, batch, np.exp(root(excess, low, np.broadcast_to(high, low.shape))))
    return np.where(never | (batch == 0), 0.0, found)
