"""From a table and its mapping to canonical runs, curves, derivations and suggestions."""

from .imports import Import, build
from .suggestions import Suggestion

__all__ = [
    "Import",
    "Suggestion",
    "build",
]
