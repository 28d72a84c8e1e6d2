"""Suggests corrections where values look wrong or missing, each with its evidence and the mapping that would correct it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace

import numpy as np

from ..core import (
    AS_LOGGED,
    BITS_PER_BYTE,
    C_FROM_D,
    CLARK_C,
    D_FROM_C,
    E_AS_EXPANSION,
    G_DECLARED,
    N_FROM_C,
    N_FROM_NAME,
    PERPLEXITY,
    UNITS,
    Mapping,
    Source,
    Table,
    factor,
    loss_unit,
    numbers,
    shown,
)
from ..detection import WITH_AUX
from ..readers import D_EXPERT
from .values import Values, numbers_in_names

PERPLEXITY_FROM = 12.0  # nats: above the logarithm of any vocabulary, so above an untrained model's loss
FEW_TOKENS, FEW_PARAMS = 1e6, 1e5  # no training run has fewer
_SAMPLE = 5000  # rows that are looked at for overflow
_UNIT_OF_PLURAL = {"thousand": "thousands", "million": "millions", "billion": "billions", "trillion": "trillions"}


@dataclass(frozen=True)
class Suggestion:
    """An offered correction; `fix` is the whole mapping with it applied."""

    code: str
    quantity: str
    sentence: str
    fix: Mapping


@np.errstate(over="ignore", divide="ignore", invalid="ignore")
def suggest(table: Table, mapping: Mapping, values: Values) -> list[Suggestion]:
    """Returns the corrections that the values suggest beyond the mapping; nothing is applied.

    A fix changes one thing: after applying one, build again for what is left.
    """
    counts = _counts(mapping, values)
    return [
        *_loss(mapping, values),
        *_auxiliary(table, mapping),
        *_overflow(mapping, values),
        *_flops(mapping, values),
        *counts,
        *([] if counts else _missing(mapping, values)),  # what follows from counts waits for their units
        *_named(table, mapping, values),
        *_reference_width(table, mapping, values),
        *_dense(mapping, values),
        *_experts(mapping, values),
    ]


def _positive(values: Values, *quantities: str) -> list[np.ndarray] | None:
    """The values of the rows (after step 0) in which all of the quantities are positive; None where there are none."""
    arrays = [values.numbers.get(q) for q in quantities]
    if any(a is None for a in arrays):
        return None
    good = np.logical_and.reduce([np.isfinite(a) & (a > 0) for a in arrays if a is not None])
    if "step" in values.numbers:
        good &= values.numbers["step"] > 0
    return [a[good] for a in arrays if a is not None] if good.any() else None


def _n(values: Values) -> str:
    return "n_active" if "n_active" in values.numbers else "n_total"


def _loss(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests perplexity or bits as the unit, from the column's name or from values that no loss in nats has."""
    source, given = mapping.sources["loss"], _positive(values, "loss")
    if given is None or source.unit:
        return []
    name, losses = shown(source.column), given[0]
    unit = loss_unit(source.column)
    if unit == PERPLEXITY or (not unit and np.median(losses) > PERPLEXITY_FROM):
        why = f'by the name of "{name}"' if unit else f"as an untrained model has at most about {PERPLEXITY_FROM:g} nats"
        return [
            Suggestion(
                "perplexity", "loss",
                f'"{name}" looks like perplexity, {why}: its median is {np.median(losses):.4g}. Take the logarithm, '
                f"{np.log(np.median(losses)):.4g} nats for that one?",
                mapping.with_source("loss", replace(source, unit=PERPLEXITY)),
            )
        ]  # fmt: skip
    if unit == BITS_PER_BYTE:
        return [
            Suggestion(
                "bits-per-byte", "loss",
                f'"{name}" is in bits per byte by its name (median {np.median(losses):.4g}). With the tokenizer\'s bytes per '
                "token it becomes nats per token: give that number?",
                mapping.with_source("loss", replace(source, unit=BITS_PER_BYTE)),
            )
        ]  # fmt: skip
    if unit:
        return [
            Suggestion(
                "bits-per-token", "loss",
                f'"{name}" is in bits by its name (median {np.median(losses):.4g}). Multiply with ln 2, which gives '
                f"{np.median(losses) * np.log(2):.4g} nats per token?",
                mapping.with_source("loss", replace(source, unit=unit)),
            )
        ]  # fmt: skip
    return []


def _auxiliary(table: Table, mapping: Mapping) -> list[Suggestion]:
    """A total loss, where the file also has the language model's own."""
    others = [c for c in mapping.loss_columns if c != mapping.loss and not WITH_AUX.search(c.lower())]
    if not WITH_AUX.search(mapping.loss.lower()) or not others:
        return []
    total, own = (numbers(table.frame[c], table.decimal).values for c in (mapping.loss, others[0]))
    both = np.isfinite(total) & np.isfinite(own)
    more = f", and the median difference is {np.median(total[both] - own[both]):.3g}" if both.any() else ""
    return [
        Suggestion(
            "auxiliary-loss", "loss",
            f'"{shown(mapping.loss)}" may include an auxiliary loss (load balancing, router z), by its name. '
            f'There is also "{shown(others[0])}"{more}: take that instead?',
            mapping.with_source("loss", Source(others[0])),
        )
    ]  # fmt: skip


def _overflow(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests another source of FLOPs where they equal 6ND after an integer overflow."""
    source = mapping.sources.get("flops")
    if source is None or not source.column or source.rule == CLARK_C or not {"n_active", "tokens"} <= values.numbers.keys():
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


def _flops(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests another unit, or forward-only counts, where C/(6ND) shows it."""
    source, given = mapping.sources.get("flops"), _positive(values, "flops", _n(values), "tokens")
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


def _counts(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Tokens or parameters in thousands, millions, billions, where all values are too small to be counts."""
    quantities = {"tokens": FEW_TOKENS} | dict.fromkeys(("n_params", "n_active", "n_total"), FEW_PARAMS)
    largest, options = {}, {}
    for quantity, few in quantities.items():
        source = mapping.sources.get(quantity)
        used = quantity if quantity != "n_params" else _n(values)
        given = _positive(values, used)
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
    given = _positive(values, "flops", _n(values), "tokens")
    ratio = None if given is None else float(np.median(given[0] / (6 * given[1] * given[2])))
    pair = _positive(values, _n(values), "tokens")
    if pair is None:
        n = _positive(values, _n(values))
        return ("million" if n is not None and np.median(n[0]) >= 20 else "billion"), "billion"
    tokens_per_param = float(np.median(pair[1] / pair[0]))

    def distance(units: tuple[str, str]) -> tuple[float, float]:
        n, d = UNITS["n_active"][units[0]], UNITS["tokens"][units[1]]
        off = 0.0 if ratio is None else round(abs(np.log10(ratio / (n * d))), 6)
        return off, abs(np.log10(tokens_per_param * d / n / 20))

    return min(itertools.product(n_units, d_units), key=distance)


def _missing(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests computing N, D or C from the other two."""
    if "tokens" not in mapping.sources and (given := _positive(values, "flops", "n_active")):
        return [_derive("derive-tokens", "tokens", "training tokens", D_FROM_C, given[0] / (6 * given[1]), mapping)]
    if "flops" not in mapping.sources and (given := _positive(values, "n_active", "tokens")):
        return [_derive("derive-flops", "flops", "training FLOPs", C_FROM_D, 6 * given[0] * given[1], mapping)]
    if _n(values) not in values.numbers and (given := _positive(values, "flops", "tokens")):
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
    if source is None or not source.column or _n(values) in values.numbers:
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


def _reference_width(table: Table, mapping: Mapping, values: Values) -> list[Suggestion]:
    """Granularity of models whose config has an expert width and no dense one: it needs a declared reference."""
    given = _positive(values, "d_model")
    width = mapping.sources.get("d_model", Source()).column
    if D_EXPERT not in table.frame or "granularity" in mapping.sources or given is None or not width:
        return []
    experts = numbers(table.frame[D_EXPERT], table.decimal).values
    ratios = 4 * numbers(table.frame[width], table.decimal).values / experts
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return []
    return [
        Suggestion(
            "reference-width", "granularity",
            f'The config gives the experts\' width (first: {np.nanmin(experts):g}) and no dense feed-forward width, so G = d_ff / '
            f"d_expert needs a declared d_ff. With d_ff = 4 d_model, G is {ratios.min():.3g} to {ratios.max():.3g}: declare "
            "that? Another multiple of d_model can be set under Correct the mapping.",
            mapping.with_source("granularity", Source(width, per=D_EXPERT, factor=4.0, rule=G_DECLARED)),
        )
    ]  # fmt: skip


def _dense(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests all parameters as active ones for dense runs that give no active ones."""
    source, given = mapping.sources.get("n_total"), _positive(values, "n_total")
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
    given = _positive(values, "expansion", "granularity")
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


def auxiliary_columns(table: Table) -> list[str]:
    """Returns the columns whose names say that they hold an auxiliary loss."""
    return [c for c in table.frame.columns if re.search(r"(aux|balanc|z.?loss|router.*loss)", c.lower())]
