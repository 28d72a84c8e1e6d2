"""Leaves out FLOPs of mixtures that count every expert, as 6 N_total D and a Hugging Face Trainer's total_flos do."""

from __future__ import annotations

import numpy as np

from ..core import Mapping, counted, shown
from .values import Values

_CLOSE = 0.02  # of C / (6 N_total D) around 1
_MORE = 1.2  # N_total / N_active from which the two can be told apart
_MOST = 0.9  # of the rows


def without_all_experts(mapping: Mapping, values: Values) -> list[str]:
    """Takes the FLOPs of mixtures that count every expert out of the values, and returns what was done.

    A mixture runs top_k of its n_experts on each token, so its training takes about 6 N_active D.
    """
    source, flops = mapping.sources.get("flops"), values.numbers.get("flops")
    if source is None or flops is None or not source.column:
        return []
    given = np.isfinite(flops) & (flops > 0)
    total, active, tokens = (values.numbers.get(q, np.full(len(flops), np.nan)) for q in ("n_total", "n_active", "tokens"))
    mixture = given & ((values.numbers.get("n_experts", np.ones(len(flops))) > 1) | (total > _MORE * active))
    if not mixture.any():
        return []
    if source.column.rpartition(".")[2] == "total_flos":
        said = f'"{shown(source.column)}" counts all experts of a mixture, not the active ones'
    else:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            told = mixture & (total > _MORE * active) & (tokens > 0)
            like_total = told & (np.abs(flops / (6 * total * tokens) - 1) < _CLOSE)
        if not told.any() or like_total.sum() < _MOST * told.sum():
            return []
        said = f'"{shown(source.column)}" is 6 N_total D for mixtures, which counts all experts and not the active ones'
    values.numbers["flops"] = np.where(mixture, np.nan, flops)
    if not np.isfinite(values.numbers["flops"]).any():
        del values.numbers["flops"]
    return [f"{said}: it is not taken as their training FLOPs ({counted(int(mixture.sum()), 'row')})."]
