"""Runs, fits and intervals, each worked out once and shared between sessions."""

from .fits import N_RESAMPLES, ensemble, fit, health, progress
from .runs import datasets, passing, runs, selection, store, too_many

__all__ = [
    "N_RESAMPLES",
    "datasets",
    "ensemble",
    "fit",
    "health",
    "passing",
    "progress",
    "runs",
    "selection",
    "store",
    "too_many",
]
