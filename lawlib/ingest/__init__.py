"""Reading of run logs: any supported file to canonical runs."""

from .read import ReadWarning, read_runs

__all__ = ["ReadWarning", "read_runs"]
