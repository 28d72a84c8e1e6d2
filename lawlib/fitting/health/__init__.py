"""Diagnostics of a fit: each check returns findings, with a threshold and a remedy."""

from __future__ import annotations

from .parameters import FAR, MAX_CONDITION, MAX_LOSS_ERROR, UNMOVED, flat_directions, held, status, unmoved, weak
from .residuals import LARGEST, MAX_MISS, MAX_PULL, TREND, missed, pull, trends
from .runs import MAX_DISAGREEMENT, MIN_DECADES, MIN_RAY_SPREAD, MIN_VALUES, coverage, isoflops, largest_budget, pooled

__all__ = [
    "CHECKS",
    "FAR",
    "LARGEST",
    "MAX_CONDITION",
    "MAX_DISAGREEMENT",
    "MAX_LOSS_ERROR",
    "MAX_MISS",
    "MAX_PULL",
    "MIN_DECADES",
    "MIN_RAY_SPREAD",
    "MIN_VALUES",
    "TREND",
    "UNMOVED",
    "largest_budget",
    "missed",
]
CHECKS = (status, missed, unmoved, weak, flat_directions, coverage, pooled, trends, pull, isoflops, held)
