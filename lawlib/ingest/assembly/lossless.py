"""Says why a table without a loss is no table of runs, and what to do."""

from __future__ import annotations

import numpy as np

from lawlib.errors import ReadError

from ..core import Table, numbers, shown

_ROWS = 200


def without_loss(table: Table) -> ReadError:
    """Returns the error for a table in which no column is mapped to the loss."""
    columns = list(table.frame.columns)
    if {"model_type", "hidden_size"} <= set(columns) or {"model_type", "n_embd"} <= set(columns):
        return ReadError(
            f"{table.name} is the configuration of a model and holds no run: give it together with the log of its run, both at once or in one zip."
        )
    first = table.frame.head(_ROWS)
    if not any(np.isfinite(numbers(first[c], table.decimal).values).any() for c in columns):
        return ReadError(
            f'{table.name} holds no column of numbers, so it is a text and no table of runs (its first line: "{shown(", ".join(columns), 200)}"). '
            "Give the log of a training, or the runs as CSV."
        )
    return ReadError(
        f"{table.name}: no column holds the loss, as far as their names and contents tell. Map one of {shown(', '.join(columns), 400)} to the loss."
    )
