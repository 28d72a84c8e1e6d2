"""Builds canonical runs, curves, derivations and suggestions from a table and its mapping."""

from .imports import Import, build
from .suggestion import Suggestion

__all__ = [
    "Import",
    "Suggestion",
    "build",
]
