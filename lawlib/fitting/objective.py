"""Objectives of a fit: the sum over runs of a penalty on the predicted log loss.

* "huber" (default): Huber's penalty of r = ln L_pred - ln L with a given delta: r²/2 inside, delta (|r| - delta/2) outside
  (Hoffmann 2022 with delta = 1e-3).
* "squared_log": r².
* "squared": (L_pred - L)².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..numerics.arrays import Array

OBJECTIVES = ("huber", "squared_log", "squared")


@dataclass(frozen=True)
class Objective:
    """A penalty with its first and second derivative in the predicted log loss. Raises ValueError for an unknown name."""

    name: str = "huber"
    delta: float = 1e-3

    def __post_init__(self) -> None:
        if self.name not in OBJECTIVES:
            raise ValueError(f"There is no objective {self.name!r}; known are {', '.join(OBJECTIVES)}.")
        if not self.delta > 0:
            raise ValueError(f"Huber's delta must be positive; got {self.delta}.")

    def value(self, log_pred: Array, log_loss: Array, delta: Array | float | None = None) -> Array:
        """Returns the penalty of every run; shapes broadcast."""
        if self.name == "squared":
            return (np.exp(log_pred) - np.exp(log_loss)) ** 2
        r = log_pred - log_loss
        if self.name == "squared_log":
            return r * r
        d = self.delta if delta is None else delta
        clipped = np.clip(r, -d, d)
        return clipped * (r - 0.5 * clipped)

    def derivatives(self, log_pred: Array, log_loss: Array, delta: Array | float | None = None) -> tuple[Array, Array, Array]:
        """Returns (value, first, second derivative) of the penalty in log_pred, for every run."""
        if self.name == "squared":
            pred = np.exp(log_pred)
            r = pred - np.exp(log_loss)
            return r * r, 2 * r * pred, 2 * pred * (pred + r)
        r = log_pred - log_loss
        if self.name == "squared_log":
            return r * r, 2 * r, np.full_like(r, 2.0)
        d = self.delta if delta is None else delta
        clipped = np.clip(r, -d, d)
        return clipped * (r - 0.5 * clipped), clipped, (clipped == r).astype(float)
