"""Suggests corrections where values look wrong or missing, each with its evidence and the mapping that would correct it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import AS_LOGGED, C_FROM_D, D_FROM_C, E_AS_EXPANSION, N_FROM_C, N_FROM_NAME, Mapping, Source, Table, shown
from ..detection import other_reading
from .loss_offers import loss_unit_offers, total_offers
from .suggestion import Suggestion, count_of, positive
from .unit_offers import count_offers, flop_offers, overflow_offers
from .values import Values, numbers_in_names

_SAMPLE = 5000  # rows whose names are looked at


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def suggest(table: Table, mapping: Mapping, values: Values) -> list[Suggestion]:
    """Returns the corrections that the values suggest beyond the mapping; nothing is applied.

    A fix changes one thing: after applying one, build again for what is left.
    """
    counts = count_offers(mapping, values)
    return [
        *_rows(table, mapping),
        *loss_unit_offers(mapping, values),
        *total_offers(table, mapping),
        *overflow_offers(mapping, values),
        *flop_offers(mapping, values),
        *counts,
        *([] if counts else _missing(mapping, values)),  # what follows from counts waits for their units
        *_named(table, mapping, values),
        *_dense(mapping, values),
        *_experts(mapping, values),
    ]


def _rows(table: Table, mapping: Mapping) -> list[Suggestion]:
    """Offers the other reading of the rows, as runs or as points of curves, where something speaks for it."""
    found = other_reading(table, mapping)
    return [] if found is None else [Suggestion("rows-or-runs", "step", *found)]


def _missing(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests computing N, D or C from the other two."""
    if "tokens" not in mapping.sources and (given := positive(values, "flops", "n_active")):
        return [_derive("derive-tokens", "tokens", "training tokens", D_FROM_C, given[0] / (6 * given[1]), mapping)]
    if "flops" not in values.numbers and (given := positive(values, "n_active", "tokens")):
        return [_derive("derive-flops", "flops", "training FLOPs", C_FROM_D, 6 * given[0] * given[1], mapping)]
    if count_of(values) not in values.numbers and (given := positive(values, "flops", "tokens")):
        return [_derive("derive-params", "n_active", "parameters", N_FROM_C, given[0] / (6 * given[1]), mapping)]
    return []


def _derive(code: str, quantity: str, noun: str, rule: str, result: np.ndarray, mapping: Mapping) -> Suggestion:
    return Suggestion(
        code, quantity,
        f"No column gives the {noun}: derive {rule}, which leaves out attention and embeddings? That gives "
        f"{result.min():.3g} to {result.max():.3g}.",
        mapping.with_source(quantity, Source(rule=rule)),
    )  # fmt: skip


def _named(table: Table, mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests N from the runs' names, where nothing else gives it."""
    source = mapping.sources.get("name")
    if source is None or not source.column or count_of(values) in values.numbers:
        return []
    found = numbers_in_names(table.frame[source.column].head(_SAMPLE)).values
    if np.isnan(found).any():
        return []
    return [
        Suggestion(
            "params-in-names", "n_params",
            f'No column gives the parameters, but every name in "{shown(source.column)}" has one size in it, '
            f"{found.min():.3g} to {found.max():.3g} (first: {shown(table.frame[source.column].iloc[0])}): take it as N?",
            mapping.with_source("n_params", Source(source.column, rule=N_FROM_NAME)),
        )
    ]  # fmt: skip


def _dense(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests all parameters as active ones for dense runs that give no active ones."""
    source, given = mapping.sources.get("n_total"), positive(values, "n_total")
    experts = values.numbers.get("n_experts", np.ones(1))
    if source is None or given is None or "n_active" in values.numbers or (experts > 1).any() or "arch" in mapping.sources:
        return []
    return [
        Suggestion(
            "dense-params", "n_params",
            f'"{shown(source.column)}" counts all parameters ({given[0].min():.3g} to {given[0].max():.3g}), and no column '
            "counts the active ones. If the runs are dense they are the same: take it for both?",
            mapping.with_source("n_total", None)
            .with_source("n_params", replace(source, rule=AS_LOGGED))
            .with_source("arch", Source(value="dense", rule="said by the user")),
        )
    ]  # fmt: skip


def _experts(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests reading E, taken as the expansion, as the number of experts."""
    source = mapping.sources.get("expansion")
    given = positive(values, "expansion", "granularity")
    if source is None or source.rule != E_AS_EXPANSION or given is None or (given[1] == 1).all():
        return []
    if mapping.sources.get("n_experts", Source()).column:
        return []
    product = given[0] * given[1]
    fix = mapping.with_source("expansion", None).with_source("n_experts", Source(source.column))
    return [
        Suggestion(
            "experts-or-expansion", "n_experts",
            f'"{shown(source.column)}" is read as the expansion, so there are E x G = {product.min():g} to {product.max():g} '
            f"experts. Or is it the number of experts itself, {given[0].min():g} to {given[0].max():g}?",
            fix,
        )
    ]  # fmt: skip
