"""Reads uploads in a subprocess with limits of memory and time."""

from .process import LIMITS, Passing, Progress, open_files, read_evaluations

__all__ = ["LIMITS", "Passing", "Progress", "open_files", "read_evaluations"]
