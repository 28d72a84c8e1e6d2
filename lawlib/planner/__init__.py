"""From a law and constraints to what to train: next runs, the constrained optimum, a configuration of integers, its export."""

from .next_runs import NextRuns, candidates, expected_error, isoflop_grid, suggest_runs

__all__ = ["NextRuns", "candidates", "expected_error", "isoflop_grid", "suggest_runs"]
