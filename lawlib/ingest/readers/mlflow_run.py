"""The columns that an MLflow run gives besides its metrics, the same from its database and from its server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LONGEST = 500
"""Characters of a setting that are kept."""
_PASSED_OVER = frozenset({"mlflow.runName", "mlflow.log-model.history", "mlflow.loggedArtifacts", "mlflow.loggedImages"})
"""Tags that repeat the run's name or list its files."""


def run_settings(
    status: object, experiment: str, params: Iterable[tuple[str, Any]], tags: Iterable[tuple[str, Any]]
) -> dict[str, str]:
    """Returns the columns of a run that do not change along it: status in lower case, experiment, `params.x`, `tags.x`."""
    found = {"status": str(status or "").lower(), "experiment": experiment}
    found |= {f"params.{key}": str(value)[:LONGEST] for key, value in params if value is not None}
    kept = ((key, value) for key, value in tags if value is not None and key not in _PASSED_OVER)
    return found | {f"tags.{key}": str(value)[:LONGEST] for key, value in kept}


def label(name: str, taken: set[str]) -> str:
    """Returns the run's name, numbered where another run has it, as runs of one name must not be joined."""
    found, n = name, 1
    while found in taken:
        n += 1
        found = f"{name} ({n})"
    return found
