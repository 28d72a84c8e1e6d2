"""Evaluates a table's quantities row by row, in canonical units and float64, and collects faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lawlib.errors import ReadError
from lawlib.runs import POSITIVE

from ..core import (
    C_FROM_D,
    CLARK_C,
    CLARK_D,
    D_FROM_C,
    EXPERTS_FROM_E,
    N_FROM_C,
    N_FROM_NAME,
    Mapping,
    Numbers,
    RowProblem,
    Source,
    Table,
    convert,
    numbers,
    shown,
)

TEXTS = ("name", "arch", "status", "excluded", "exclude_reason")
_LOGGED_NAN = ("n_active", "n_total", "tokens", "flops", "loss")  # where "NaN" is a fault and not a blank
_TRUE = frozenset({"true", "yes", "y", "1", "1.0", "x"})
_WORDS = {
    "n_params": "N", "n_active": "N (active)", "n_total": "N (total)", "tokens": "The token count",
    "flops": "The FLOP count", "loss": "The loss", "split": "The loss",
    "seed": "The seed", "step": "The step",
}  # fmt: skip
_ARCH = {"dense": "dense", "moe": "moe", "mixtureofexperts": "moe", "sparse": "moe", "routed": "moe", "switch": "moe"}

# Quantity, what the rule needs, and how it computes; in the order in which they are applied.
_FORMULAS: dict[str, tuple[str, tuple[str, ...], Callable[..., np.ndarray]]] = {
    EXPERTS_FROM_E: ("n_experts", ("expansion", "granularity"), lambda e, g: e * g),
    N_FROM_C: ("n_active", ("flops", "tokens"), lambda c, d: c / (6 * d)),
    D_FROM_C: ("tokens", ("flops", "n_active"), lambda c, n: c / (6 * n)),
    C_FROM_D: ("flops", ("n_active", "tokens"), lambda n, d: 6 * n * d),
}


@dataclass
class Values:
    """Arrays of shape `(n_rows,)` by quantity, and the faults found on the way, by row."""

    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    texts: dict[str, np.ndarray] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)  # as used: `n_params` has become `n_active`
    faults: dict[int, list[tuple[str, str, str]]] = field(default_factory=dict)  # row: quantity, column, reason
    factors: dict[str, np.ndarray] = field(default_factory=dict)  # what a quantity's column was multiplied with, besides the unit

    def fault(self, rows: np.ndarray, quantity: str, column: str, reason: str) -> None:
        """Records a fault of a quantity in rows (indices or mask); of several for one quantity and row the first stays."""
        for row in np.flatnonzero(rows).tolist() if rows.dtype == bool else rows.tolist():
            found = self.faults.setdefault(row, [])
            if all(q != quantity for q, _, _ in found):
                found.append((quantity, column, reason))

    def problems(self, table: Table) -> list[RowProblem]:
        """Returns the faults with the line and the cell of the file that they were found in."""
        found = []
        for row, faults in sorted(self.faults.items()):
            for _, column, reason in faults:
                cell = table.frame[column].iloc[row] if column in table.frame else ""
                file = "" if table.origins is None else str(table.origins[row])
                found.append(RowProblem(int(table.lines[row]), column, "" if pd.isna(cell) else shown(cell), reason, file))
        return found


def evaluate(table: Table, mapping: Mapping) -> Values:
    """Returns every mapped quantity of every row; text in a number column and impossible values become faults.

    Blank cells are NaN and no fault here: which of them matter depends on whether rows are runs or points of curves.

    Raises:
        ReadError: a mapped column is not in the file, a unit or rule does not exist, or a rule lacks what it needs.
    """
    values = Values()
    for quantity, source in mapping.sources.items():
        absent = [c for c in source.columns if c not in table.frame]
        if absent:
            raise ReadError(
                f'{table.name} has no column "{shown(absent[0])}", which the mapping takes {quantity} from. '
                f"Its columns are: {shown(', '.join(table.frame.columns), 400)}."
            )
        if quantity in TEXTS:
            values.texts[quantity] = _texts(table, source)
            values.sources[quantity] = source
        elif source.rule not in (*_FORMULAS, CLARK_C, CLARK_D):
            _numbers(table, quantity, source, values)
    if "arch" in values.texts:
        keys = [_ARCH.get("".join(filter(str.isalpha, text.lower())), "") for text in values.texts["arch"]]
        values.texts["arch"] = np.array(keys, dtype=object)
    if "n_params" in values.numbers:
        quantity = "n_total" if "n_active" in values.numbers else "n_active"
        if quantity not in values.numbers:
            values.numbers[quantity] = values.numbers["n_params"]
            values.sources[quantity] = values.sources["n_params"]
        del values.numbers["n_params"], values.sources["n_params"]
    _experts(values)
    _apply_rules(table, mapping, values)
    return values


def _texts(table: Table, source: Source) -> np.ndarray:
    if not source.column:
        return np.full(len(table.frame), source.value, dtype=object)
    return table.frame[source.column].astype("str").fillna("").str.strip().to_numpy(dtype=object)


def is_true(texts: np.ndarray) -> np.ndarray:
    """Whether each of the texts means yes."""
    return np.array([text.lower() in _TRUE for text in texts], dtype=bool)


def _numbers(table: Table, quantity: str, source: Source, values: Values) -> None:
    column = pd.Series(source.value, index=table.frame.index, dtype="str") if not source.column else table.frame[source.column]
    found = numbers_in_names(column) if source.rule == N_FROM_NAME else numbers(column, table.decimal)
    canonical = "n_active" if quantity == "n_params" else quantity
    values.fault(found.text, canonical, source.column, f"{words(quantity)} must be a number, this is text.")
    if canonical in _LOGGED_NAN and quantity != "loss":
        values.fault(found.nan, canonical, source.column, f"{words(quantity)} is logged as NaN.")
    if canonical in POSITIVE and quantity not in ("tokens", "flops", "n_experts", "top_k", "granularity", "expansion"):
        check_positive(values, quantity, source.column, found.values)
    given = found.values
    if source.times or source.per or source.factor != 1:
        values.factors[canonical] = _factors(table, quantity, source, values)
        with np.errstate(over="ignore"):
            given = given * values.factors[canonical]
    result = convert(given, quantity, source.unit, source.bytes_per_token)
    if quantity == "loss":
        check_positive(values, quantity, source.column, np.where(found.values > 0, result, np.nan))
    values.numbers[quantity] = result
    values.sources[quantity] = source


def numbers_in_names(names: pd.Series) -> Numbers:
    """Returns the one number with M or B in each name ("moe-350M-e8" is 3.5e8); text where a name has none, or two."""
    names = names.astype("str").fillna("")
    size = r"(?<![A-Za-z0-9.])(\d{1,6}(?:\.\d{1,6})?)([mMbB])(?![A-Za-z0-9])"
    found = names.str.extract(size)
    scale = found[1].str.lower().map({"m": 1e6, "b": 1e9})
    values = (pd.to_numeric(found[0]) * scale).where(names.str.count(size) == 1).to_numpy(dtype=float, copy=True)
    return Numbers(values, np.isnan(values), np.zeros(len(names), dtype=bool))


def _factors(table: Table, quantity: str, source: Source, values: Values) -> np.ndarray:
    """Returns the factor of the column in each row: `times` and `factor` over `per`; NaN where one of them is missing."""
    product = np.full(len(table.frame), float(source.factor))
    for column in (*source.times, source.per):
        if not column:
            continue
        found = numbers(table.frame[column], table.decimal)
        values.fault(found.text, quantity, column, f"{words(quantity)} needs a number here, this is text.")
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            product = np.where(
                found.values > 0, product / found.values if column == source.per else product * found.values, np.nan
            )
    return product


def check_positive(values: Values, quantity: str, column: str, found: np.ndarray, rows: np.ndarray | None = None) -> None:
    """Adds a fault wherever a given value is zero, negative, infinite or beyond 1e300.

    `rows` are the table's rows that `found` belongs to; without it there is a value a row.
    """
    bad = np.flatnonzero(~np.isnan(found) & ~((found > 0) & (found < 1e300)))
    canonical = "n_active" if quantity == "n_params" else quantity
    values.fault(bad if rows is None else rows[bad], canonical, column, f"{words(quantity)} must be a positive finite number.")


def words(quantity: str) -> str:
    return _WORDS.get(quantity.partition(" ")[0], quantity)


def _experts(values: Values) -> None:
    """Reads zero experts, as dense models are often logged, as one; a top-k or granularity of zero is then ignored."""
    if "n_experts" not in values.numbers:
        return
    experts = values.numbers["n_experts"]
    values.numbers["n_experts"] = experts = np.where(experts == 0, 1.0, experts)
    for quantity in {"top_k", "granularity", "expansion"} & values.numbers.keys():
        given = values.numbers[quantity]
        values.numbers[quantity] = np.where((experts == 1) & (given == 0), np.nan, given)


def _apply_rules(table: Table, mapping: Mapping, values: Values) -> None:
    for quantity, rule in (("tokens", CLARK_D), ("flops", CLARK_C)):
        source = mapping.sources.get(quantity)
        if source is not None and source.rule == rule:
            if not mapping.step:
                raise ReadError(f"{quantity} cannot be computed by {rule}: no column is mapped to the step.")
            step = numbers(table.frame[mapping.step], table.decimal).values
            each = numbers(table.frame[source.column], table.decimal).values if rule == CLARK_C else 256.0 * 2048
            with np.errstate(over="ignore"):
                values.numbers[quantity] = (3 * each if rule == CLARK_C else each) * step
            values.sources[quantity] = source
    for rule, (quantity, needed, compute) in _FORMULAS.items():
        source = mapping.sources.get(quantity)
        if source is None or source.rule != rule:
            continue
        missing = [q for q in needed if q not in values.numbers]
        if missing:
            raise ReadError(f"{quantity} cannot be computed by {rule}: {' and '.join(missing)} must come from a column.")
        given = [values.numbers[q] for q in needed]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            result = compute(*given)
        possible = np.logical_and.reduce([np.isfinite(g) & (g > 0) for g in given])
        values.numbers[quantity] = np.where(possible, result, np.nan)
        columns = [values.sources[q].column for q in needed]
        values.sources[quantity] = Source(", ".join(c for c in columns if c), "", rule)
        check_positive(values, quantity, "", values.numbers[quantity])
    for quantity in ("n_experts", "top_k", "granularity", "expansion"):
        if quantity in values.numbers:
            check_positive(values, quantity, values.sources[quantity].column, values.numbers[quantity])
