"""Records where every number of every run comes from: column, factor and rule, in words for the user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lawlib.runs import NUMBERS

from ..core import AS_LOGGED, CLARK_C, CLARK_D, PARAMS_AS_ACTIVE, PERPLEXITY, Source, factor

DERIVATION_COLUMNS = ("run_id", "quantity", "column", "factor", "rule")
_Part = tuple[np.ndarray, str, str, Any, Any]
"""Which runs, and of each its quantity, column, factor and rule: one for all, or one a run."""


def derivations(
    runs: pd.DataFrame, frame: pd.DataFrame, derived: list[tuple[str, Source, np.ndarray]], factors: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Returns where every number of every run comes from, including what `as_runs` filled in.

    `factors` are what sources multiply their column with besides the unit, by quantity, shape `(n_runs,)`.
    """
    parts: list[_Part] = []
    for quantity, source, rows in derived:
        rule, scale = source.rule, {CLARK_C: 3.0, CLARK_D: 256.0 * 2048}.get(source.rule)
        if scale is None:
            scale = factor(quantity if quantity != "arch" else "name", source.unit, source.bytes_per_token)
        if quantity in factors:
            scale = (scale * factors[quantity])[rows]
        if source.unit and rule in (AS_LOGGED, PARAMS_AS_ACTIVE):
            unit = "logarithm of the perplexity" if source.unit == PERPLEXITY else f"logged in {source.unit}"
            rule = unit if rule == AS_LOGGED else f"{unit}; {rule}"
        if quantity == "n_active" and source.rule == PARAMS_AS_ACTIVE:
            rule = np.where(runs.loc[rows, "arch"] == "dense", rule.replace(PARAMS_AS_ACTIVE, "dense: all are active"), rule)
        if source.per:
            rule = f"{rule} ({source.formula})"
        parts.append((rows, quantity, source.column, scale, rule))
    active = next((s.column for q, s, _ in derived if q == "n_active"), "")
    given = {q for q, _, _ in derived}
    rules = {"n_total": ("dense: n_total = n_active", active), "n_active": ("dense: n_active = n_total", "")}
    for quantity in NUMBERS:
        before = frame[quantity].notna().to_numpy() if quantity in given else np.zeros(len(runs), dtype=bool)
        filled = runs[quantity].notna().to_numpy() & ~before
        rule, column = rules.get(quantity, ("1 for dense runs", ""))
        if quantity == "expansion":
            dense = (runs["arch"] == "dense").to_numpy()
            parts.append((filled & ~dense, quantity, "", 1.0, "n_experts / granularity"))
            filled = filled & dense
        parts.append((filled, quantity, column, 1.0, rule))
    return _joined(runs["run_id"].to_numpy(dtype=object), parts)


def _joined(ids: np.ndarray, parts: list[_Part]) -> pd.DataFrame:
    """Joins all parts into one frame, column by column, as one frame a part took a third of the time of a small file."""
    columns = []
    for rows, quantity, column, scale, rule in parts:
        n = int(rows.sum())
        texts = [np.broadcast_to(np.asarray(text, dtype=object), n) for text in (quantity, column, rule)]
        columns.append((ids[rows], *texts[:2], np.broadcast_to(np.asarray(scale, dtype=float), n), texts[2]))
    whole = dict(zip(DERIVATION_COLUMNS, map(np.concatenate, zip(*columns, strict=True)), strict=True))
    return pd.DataFrame({c: pd.Series(v, dtype="float64" if c == "factor" else "str") for c, v in whole.items()})
