"""Offers about the units of FLOPs, tokens and parameters, where C/(6ND) or their size shows another."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from ..core import C_FROM_D, CLARK_C, D_FROM_C, N_FROM_C, UNITS, Mapping, Source, factor, shown
from .suggestion import Suggestion, count_of, positive
from .values import Values

FEW_TOKENS, FEW_PARAMS = 1e6, 1e5  # no training run has fewer
_SAMPLE = 5000  # rows that are looked at for overflow
_UNIT_OF_PLURAL = {"thousand": "thousands", "million": "millions", "billion": "billions", "trillion": "trillions"}


def overflow_offers(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests another source of FLOPs where they equal 6ND after an integer overflow."""
    source = mapping.sources.get("flops")
    if (
        source is None
        or not source.column
        or source.rule == CLARK_C
        or not {"flops", "n_active", "tokens"} <= values.numbers.keys()
    ):
        return []
    raw = values.numbers["flops"] / factor("flops", source.unit)
    rows = list(zip(values.numbers["n_active"].tolist(), values.numbers["tokens"].tolist(), raw.tolist(), strict=True))
    rows = [row for row in rows[:_SAMPLE] if all(map(np.isfinite, row)) and row[0] > 0 and row[1] > 0]
    wrapped = [(n, d, c) for n, d, c in rows if _is_wrapped(round(n), round(d), c)]
    negative = sum(c < 0 for _, _, c in rows)
    if not wrapped and not negative:
        return []
    n, d, c = wrapped[0] if wrapped else next(row for row in rows if row[2] < 0)
    same = f", and {len(wrapped):,} are what 6ND becomes in 64- or 32-bit integers" if wrapped else ""
    return [
        Suggestion(
            "overflow", "flops",
            f'"{shown(source.column)}" looks overflowed: {negative:,} of {len(rows):,} values are negative{same} '
            f"(first: {c:.6g}, where 6ND is {6 * n * d:.6g}). Compute {C_FROM_D} instead?",
            mapping.with_source("flops", Source(rule=C_FROM_D)),
        )
    ]  # fmt: skip


def _is_wrapped(n: int, d: int, c: float) -> bool:
    exact = 6 * n * d
    for bits in (64, 32):
        half, full = 2 ** (bits - 1), 2**bits
        if exact >= half and any(abs(c - w) <= 1e-9 * full for w in ((exact + half) % full - half, exact % full) if w != exact):
            return True
    return False


def flop_offers(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests another unit, or forward-only counts, where C/(6ND) shows it."""
    source, given = mapping.sources.get("flops"), positive(values, "flops", count_of(values), "tokens")
    if source is None or given is None or not source.column or source.rule == CLARK_C:
        return []
    derived = {s.rule for s in mapping.sources.values()} & {D_FROM_C, N_FROM_C}
    ratio = float(np.median(given[0] / (6 * given[1] * given[2])))
    if derived or 0.5 <= ratio <= 2:
        return []
    now = factor("flops", source.unit)
    for unit, scale in UNITS["flops"].items():
        forward = unit.startswith("forward-only")
        low, high = (0.7, 1.3) if forward else (0.5, 2)  # C/(6ND) of counts with embeddings and attention spans 0.7 to 1.5
        if unit == (source.unit or "FLOP") or not low <= ratio * scale / now <= high:
            continue
        only_forward = forward and unit == f"forward-only {source.unit or 'FLOP'}"
        return [
            Suggestion(
                "forward-only" if only_forward else "flop-unit", "flops",
                f'"{shown(source.column)}" looks like {unit}: the median of C/(6ND) is {ratio:.3g} as it is, and '
                f"{ratio * scale / now:.3g} with that unit. Use it?",
                mapping.with_source("flops", replace(source, unit=unit)),
            )
        ]  # fmt: skip
    return []


def count_offers(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Tokens or parameters in thousands, millions, billions, where all values are too small to be counts."""
    quantities = {"tokens": FEW_TOKENS} | dict.fromkeys(("n_params", "n_active", "n_total"), FEW_PARAMS)
    largest, options = {}, {}
    for quantity, few in quantities.items():
        source = mapping.sources.get(quantity)
        used = quantity if quantity != "n_params" else count_of(values)
        given = positive(values, used)
        if source is None or not source.column or source.unit or source.rule.startswith("D = ") or given is None:
            continue
        largest[quantity] = float(given[0].max())
        if largest[quantity] < few:
            options[quantity] = ("million", "billion", "trillion") if quantity == "tokens" else ("million", "billion")
    if not options:
        return []
    counted = next((q for q in ("n_params", "n_active", "n_total") if q in mapping.sources), "")
    n_unit, d_unit = _best_units(options.get(counted, ("1",)), options.get("tokens", ("1",)), values)
    units = {q: d_unit if q == "tokens" else n_unit for q in options}
    nouns = {"tokens": "tokens", "n_params": "parameters", "n_active": "parameters", "n_total": "parameters"}
    return [
        Suggestion(
            "token-unit" if quantity == "tokens" else "param-unit", quantity,
            f'"{shown(mapping.sources[quantity].column)}" looks like {_UNIT_OF_PLURAL[unit]} of {nouns[quantity]}: its largest '
            f"value is {largest[quantity]:.4g}, too few to train with. Multiply by {UNITS[quantity][unit]:.0e}?",
            mapping.with_source(quantity, replace(mapping.sources[quantity], unit=unit)),
        )
        for quantity, unit in units.items()
        if unit != "1"
    ]  # fmt: skip


def _best_units(n_units: tuple[str, ...], d_units: tuple[str, ...], values: Values) -> tuple[str, str]:
    """Returns the units that bring C/(6ND) closest to 1 where C is known, and D/N closest to 20 otherwise or in a tie."""
    given = positive(values, "flops", count_of(values), "tokens")
    ratio = None if given is None else float(np.median(given[0] / (6 * given[1] * given[2])))
    pair = positive(values, count_of(values), "tokens")
    if pair is None:
        n = positive(values, count_of(values))
        return ("million" if n is not None and np.median(n[0]) >= 20 else "billion"), "billion"
    tokens_per_param = float(np.median(pair[1] / pair[0]))

    def distance(units: tuple[str, str]) -> tuple[float, float]:
        n, d = UNITS["n_active"][units[0]], UNITS["tokens"][units[1]]
        off = 0.0 if ratio is None else round(abs(np.log10(ratio / (n * d))), 6)
        return off, abs(np.log10(tokens_per_param * d / n / 20))

    return min(itertools.product(n_units, d_units), key=distance)
