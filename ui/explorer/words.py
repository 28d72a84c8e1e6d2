"""Phrases built from numbers, for the sentences of several pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

import lawlib
from lawlib import numbers
from lawlib.optimum import extrapolation

from ..session.point import Point
from .law_choice import Choice


def bracket(row: Mapping[Any, Any] | pd.Series, column: str, write: Callable[[float], str]) -> str:
    """Returns " [low, high]" of a table's column, "" where the table has no interval."""
    low, high = row.get(f"{column}_low", np.nan), row.get(f"{column}_high", np.nan)
    return f" {numbers.span(low, high, write)}" if np.isfinite(low) else ""


def meaning(choice: Choice) -> str:
    """Says what the brackets of a page mean."""
    samples = choice.samples
    if samples is None:
        return "No interval: this set is not printed anywhere." if choice.law.source else ""
    if samples.kind == "rounding":
        source = choice.law.source
        own = (
            "the paper's standard errors are far wider"
            if source and source.standard_errors
            else "the fit's own uncertainty is not published"
        )
        return f"Brackets: 95 % of the print rounding of the published coefficients only; {own}."
    failed = f", {samples.n_failed} failed" if samples.n_failed else ""
    return f"Brackets: 95 % of a {samples.label} ({len(samples)} refits{failed})."


def beyond(law: lawlib.FittedLaw, optimum: lawlib.Optimum) -> str:
    """Returns the extrapolation line of an answer, "" inside the data."""
    found = extrapolation.sentences(law, optimum)
    return f":orange[:material/warning: Extrapolated: {'; '.join(found)}.]" if found else ""


def active(optimum: lawlib.Optimum) -> str:
    """Returns "active parameters", with the other count where the law's includes embeddings; a part of a template (`live`)."""
    if not optimum.count.endswith("with_embeddings"):
        return "active parameters"
    known = np.isfinite(optimum.n_active_nonembedding)
    return (
        "active parameters, embeddings included ({n_active_bare:count} without)" if known else "parameters, embeddings included"
    )


def experts(optimum: lawlib.Optimum) -> str:
    """Returns the optimum's experts: ", with E = 64 and G = 16 (1,024 experts)"; a part of a template."""
    if not np.isfinite(optimum.expansion) or optimum.expansion <= 1:
        return ""
    g = "" if np.isnan(optimum.granularity) else " and G = **{granularity:plain}**"
    return f", with E = {{expansion:plain}}{g} ({{n_experts:whole}} experts)"


def finest_note(law: lawlib.FittedLaw, best: float) -> str:
    """Returns a note where the best granularity is the finest that the data have, "" elsewhere."""
    if not law.granularities or best < max(law.granularities):
        return ""
    free = "" if law.flops_rule.has_router else "; its FLOPs rule has no router, so finer experts cost nothing there"
    return f"G = {best:g} is the finest of the runs, and the law still falls there{free}. Finer ones are not searched."


def at_expansion(point: Point) -> str:
    """Returns " with E = 64", "" where the law has no E; a part of a template."""
    return " with E = {expansion:plain}" if point.expansion is not None else ""


def at_granularity(optimum: lawlib.Optimum) -> str:
    """Returns ", G = 16,", "" where the law has no G; a part of a template."""
    return ", G = {granularity:plain}," if np.isfinite(optimum.granularity) else ""
