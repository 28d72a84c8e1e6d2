"""Yun 2024's own formulas (arXiv:2404.02852, section 4), for those who have measured latencies: b, T and C."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..numerics.arrays import Array


def batch_that_fits(
    n_gpus: ArrayLike, memory: float, model_bytes: ArrayLike, width: ArrayLike, prompt: float, output: float, value_bytes: float
) -> Array:
    """b = (n_gpu M0 - N_m) / ((2p + n) h l), memory and model in bytes, `width` = h l (hidden size times layers)."""
    return (np.asarray(n_gpus, dtype=float) * memory - np.asarray(model_bytes, dtype=float)) / (
        (2 * prompt + output) * np.asarray(width) * value_bytes
    )


def throughput(batch: ArrayLike, prefill_seconds: ArrayLike, decode_seconds: ArrayLike) -> Array:
    """T = b / (L_prefill(b / n) + L_decode(b)), answer tokens a second."""
    return np.asarray(batch, dtype=float) / (np.asarray(prefill_seconds) + np.asarray(decode_seconds))


def cost_per_token(n_gpus: ArrayLike, price_per_second: float, tokens_per_second: ArrayLike) -> Array:
    """C = n_gpu C0 / T, the price of an answer token; the paper minimises it over n_gpu."""
    return np.asarray(n_gpus, dtype=float) * price_per_second / np.asarray(tokens_per_second, dtype=float)


def width(n_parameters: ArrayLike, mu: float) -> Array:
    """h l ~ mu N^(2/3): hidden size times layers of a dense twin of N parameters."""
    return mu * np.asarray(n_parameters, dtype=float) ** (2 / 3)
