"""`build`: a table and its mapping become canonical runs, their curves, and a record of how every value came about."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from lawlib.errors import ReadError
from lawlib.runs import COLUMNS, CURVE_COLUMNS, NUMBERS, as_runs

from .curves import Curves, read_curves
from .mapping import AS_LOGGED, CLARK_C, CLARK_D, PARAMS_AS_ACTIVE, Mapping, Source
from .problem import RowProblem, counted, shown
from .suggest import Suggestion, auxiliary_columns, suggest
from .table import Table
from .units import PERPLEXITY, factor, numbers
from .values import Values, check_positive, evaluate, is_true, words

DERIVATION_COLUMNS = ("run_id", "quantity", "column", "factor", "rule")
_JSON_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"


@dataclass(frozen=True, eq=False)
class Import:
    """What a file holds: `runs` are canonical and without problems; nothing of `suggestions` has been applied."""

    runs: pd.DataFrame
    curves: pd.DataFrame  # run_id, step, tokens, flops, split, loss; empty where each row is a run
    derivations: pd.DataFrame  # run_id, quantity, column, factor, rule
    problems: list[RowProblem] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_duplicates: int = 0  # rows of the file that are identical to an earlier one; they are read once
    groups: dict[str, list[str]] = field(default_factory=dict)  # title: run_ids, where a file holds several data sets


def build(table: Table, mapping: Mapping) -> Import:
    """Runs, curves and their story by the mapping. A row with a problem is in `problems` and in nothing else.

    Raises:
        ReadError: no column is mapped to the loss, or the mapping does not fit the table.
    """
    if "loss" not in mapping.sources or not mapping.loss:
        raise ReadError(
            f"{table.name}: no column holds the loss, as far as their names and contents tell. Map one of "
            f"{shown(', '.join(table.frame.columns))} to the loss."
        )
    values = evaluate(table, mapping)
    suggestions = suggest(table, mapping, values)
    notes = list(table.notes)
    n_duplicates = _identical(table, mapping, notes)
    curves = read_curves(table, mapping, values) if mapping.step else None
    rows = np.arange(len(table.frame)) if curves is None else curves.rows
    state = values if curves is None else curves.values
    _required(values, state, rows, mapping)
    kept = np.array([row not in values.faults for row in rows.tolist()], dtype=bool)
    frame, derived = _frame(state, kept, mapping)
    frame["extra"] = _extra(table, mapping, values, rows, kept, curves, notes)
    runs = as_runs(frame)
    _tell_apart(runs)
    derivations = _derivations(runs, frame, derived)
    number = np.flatnonzero(kept)
    again = runs.duplicated(list(COLUMNS)).to_numpy()
    if again.any():
        if curves is None:
            n_duplicates = max(n_duplicates, int(again.sum()))
        lines = ", ".join(str(line) for line in table.lines[rows[number[again]]][:5])
        notes.append(f"{counted(int(again.sum()), 'run')} equal to an earlier one, read once (first lines: {lines}).")
        runs, number = runs[~again].reset_index(drop=True), number[~again]
        derivations = derivations.drop_duplicates(ignore_index=True)
    points = _points(curves, runs, number)
    notes += curves.notes if curves is not None else []
    notes += _notes(table, mapping, values, runs, curves)
    problems = sorted([*table.ragged, *values.problems(table)], key=lambda p: p.line)
    groups = _groups(table, mapping, runs, rows[number])
    return Import(runs, points, derivations, problems, suggestions, notes, n_duplicates, groups)


def _identical(table: Table, mapping: Mapping, notes: list[str]) -> int:
    """How many rows of the file are equal to an earlier one in every column."""
    again = table.frame.astype("str").duplicated().to_numpy() if len(table.frame) > 1 else np.zeros(1, dtype=bool)
    if again.any() and mapping.step:
        lines = ", ".join(map(str, table.lines[again][:5]))
        notes.append(f"{counted(int(again.sum()), 'row')} identical to an earlier one, read once (first lines: {lines}).")
    return int(again.sum())


def _required(values: Values, state: Values, rows: np.ndarray, mapping: Mapping) -> None:
    """Faults where a run lacks what fits need: its loss, N or tokens, as far as they are mapped."""
    dense = np.zeros(len(rows), dtype=bool)
    if "arch" in state.texts:
        dense = state.texts["arch"] == "dense"
    if "n_experts" in state.numbers:
        dense |= state.numbers["n_experts"] == 1
    for quantity in ("loss", "tokens", "n_active", "n_total"):
        if quantity not in state.numbers:
            continue
        missing = np.isnan(state.numbers[quantity])
        if quantity == "n_active" and "n_total" in state.numbers:
            missing &= ~dense | np.isnan(state.numbers["n_total"])
        if quantity == "n_total" and "n_active" in state.numbers:
            continue  # its absence only matters to laws of total parameters
        source = state.sources[quantity]
        columns = source.column.split(", ")[0]
        how = f"cannot be computed by {source.rule}" if not mapping.sources.get(quantity, source).column else "is missing"
        values.fault(rows[missing], quantity, columns, f"{words(quantity)} {how}.")
    if mapping.step:
        for quantity in ("tokens", "flops"):
            if quantity in state.numbers:
                column = state.sources[quantity].column
                bad = np.zeros(len(values.numbers["step"]))
                bad[rows] = np.where(np.isnan(state.numbers[quantity]), 1.0, state.numbers[quantity])
                only = np.isin(np.arange(len(bad)), rows)
                check_positive(values, quantity, column, bad, only)


def _frame(state: Values, kept: np.ndarray, mapping: Mapping) -> tuple[pd.DataFrame, list[tuple[str, Source, np.ndarray]]]:
    """The canonical columns that the file gives, and (quantity, source, which runs) of each."""
    frame = pd.DataFrame({q: v[kept] for q, v in state.numbers.items() if q in NUMBERS})
    derived = [(q, state.sources[q], frame[q].notna().to_numpy()) for q in frame.columns]
    for quantity in ("name", "arch", "status", "exclude_reason"):
        if quantity in state.texts:
            frame[quantity] = pd.Series(state.texts[quantity][kept], dtype="str")
            if quantity == "arch":
                derived.append(("arch", state.sources["arch"], (frame["arch"] != "").to_numpy()))
    if "excluded" in state.texts:
        frame["excluded"] = is_true(state.texts["excluded"][kept])
        if "exclude_reason" in frame:
            frame["exclude_reason"] = frame["exclude_reason"].where(frame["excluded"], "")
    if "arch" not in frame:
        frame["arch"] = pd.Series("", index=frame.index, dtype="str")
    if "n_experts" in frame:
        unknown = (frame["arch"] == "") & frame["n_experts"].notna()
        frame.loc[unknown, "arch"] = np.where(frame.loc[unknown, "n_experts"] > 1, "moe", "dense")
        column = state.sources["n_experts"].column
        derived.append(("arch", Source(column, rule="moe where n_experts > 1, dense where it is 1"), unknown.to_numpy()))
    frame["loss_name"] = pd.Series(mapping.loss, index=frame.index, dtype="str")
    return frame, derived


def _extra(
    table: Table, mapping: Mapping, values: Values, rows: np.ndarray, kept: np.ndarray, curves: Curves | None, notes: list[str]
) -> pd.Series:
    """What the file says beyond the canonical columns, as JSON: for curves, what is constant along the run, and its step."""
    used = {s.column for s in values.sources.values()} | {
        s.column for s in mapping.sources.values() if s.rule != PARAMS_AS_ACTIVE
    }
    if curves is not None:
        used |= set(mapping.loss_columns)
    if "arch" in values.texts and (values.texts["arch"] == "").any():
        used.discard(values.sources["arch"].column)  # a word for the architecture that is neither dense nor moe
    for source in (mapping.sources.get("n_params"),):
        if source is not None and source.column not in {s.column for s in values.sources.values()}:
            used.discard(source.column)
    columns = [c for c in table.frame.columns if c not in used]
    records: list[dict[str, Any]] = [{} for _ in range(int(kept.sum()))]
    changing = []
    for column in columns:
        cells = _cells(table.frame[column])
        if curves is not None:
            groups = cells[curves.run_of_row >= 0].groupby(curves.run_of_row[curves.run_of_row >= 0])
            constant = groups.nunique() <= 1
            cells = groups.first().where(constant).reindex(range(len(rows)))
            if not constant.all():
                changing.append(column)
            given = cells.to_numpy(dtype=object)[kept]
        else:
            given = cells.to_numpy(dtype=object)[rows[kept]]
        whole = all(v != v or v == int(v) for v in given) if cells.attrs.get("integers") else False
        for record, value in zip(records, given, strict=True):
            if value is not None and value == value and value is not pd.NA:
                record[column] = int(value) if whole else _plain(value)
    if curves is not None:
        for record, step in zip(records, curves.values.numbers["step"][kept].tolist(), strict=True):
            record.setdefault("step", int(step) if step == int(step) else step)
    if changing:
        notes.append(f"Not kept, as they change along the curves: {shown(', '.join(changing))}.")
    if set(columns) - set(changing):
        notes.append(f"Kept with each run as extra: {shown(', '.join(c for c in columns if c not in changing))}.")
    return pd.Series([json.dumps(r) if r else "" for r in records], dtype="str")


def _cells(column: pd.Series) -> pd.Series:
    """The cells of an unmapped column: numbers where all are plain ones ("007" is none), else as they are; blank is NaN."""
    if not isinstance(column.dtype, pd.StringDtype):
        return column
    column = column.where(column.str.strip() != "")
    filled = column.dropna()
    if not len(filled) or not filled.str.fullmatch(_JSON_NUMBER).all():
        return column
    cells = numbers(column).values
    if not np.isfinite(cells[~np.isnan(cells)]).all():
        return column
    result = pd.Series(cells, index=column.index)
    result.attrs["integers"] = bool((np.abs(cells[~np.isnan(cells)]) < 2**53).all() and filled.str.fullmatch(r"-?\d+").all())
    return result


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value in (np.inf, -np.inf):
        return str(value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)


def _tell_apart(runs: pd.DataFrame) -> None:
    """Runs that differ only in columns outside of the content hash get ids of their own."""
    same = runs.duplicated("run_id", keep=False).to_numpy() & ~runs.duplicated(list(COLUMNS), keep=False).to_numpy()
    for row in np.flatnonzero(same):
        content = "\x1f".join(str(runs.at[row, c]) for c in COLUMNS)
        runs.at[row, "run_id"] = hashlib.sha256(content.encode(errors="replace")).hexdigest()[:16]


def _derivations(runs: pd.DataFrame, frame: pd.DataFrame, derived: list[tuple[str, Source, np.ndarray]]) -> pd.DataFrame:
    """Where every number of every run comes from; what `as_runs` filled in is told as well."""
    parts = []
    for quantity, source, rows in derived:
        rule, scale = source.rule, {CLARK_C: 3.0, CLARK_D: 256.0 * 2048}.get(source.rule)
        if scale is None:
            scale = factor(quantity if quantity != "arch" else "name", source.unit, source.bytes_per_token)
        if source.unit and rule in (AS_LOGGED, PARAMS_AS_ACTIVE):
            unit = "logarithm of the perplexity" if source.unit == PERPLEXITY else f"logged in {source.unit}"
            rule = unit if rule == AS_LOGGED else f"{unit}; {rule}"
        if quantity == "n_active" and source.rule == PARAMS_AS_ACTIVE:
            rule = np.where(runs.loc[rows, "arch"] == "dense", rule.replace(PARAMS_AS_ACTIVE, "dense: all are active"), rule)
        parts.append(_part(runs, rows, quantity, source.column, scale, rule))
    active = next((s.column for q, s, _ in derived if q == "n_active"), "")
    given = {q for q, _, _ in derived}
    rules = {"n_total": ("dense: n_total = n_active", active), "n_active": ("dense: n_active = n_total", "")}
    for quantity in NUMBERS:
        before = frame[quantity].notna().to_numpy() if quantity in given else np.zeros(len(runs), dtype=bool)
        filled = runs[quantity].notna().to_numpy() & ~before
        rule, column = rules.get(quantity, ("1 for dense runs", ""))
        if quantity == "expansion":
            dense = (runs["arch"] == "dense").to_numpy()
            parts.append(_part(runs, filled & ~dense, quantity, "", 1.0, "n_experts / granularity"))
            filled &= dense
        parts.append(_part(runs, filled, quantity, column, 1.0, rule))
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def _part(runs: pd.DataFrame, rows: np.ndarray, quantity: str, column: str, scale: float, rule: Any) -> pd.DataFrame:
    found = pd.DataFrame({"run_id": runs.loc[rows, "run_id"]})
    return found.assign(quantity=quantity, column=column, factor=scale, rule=rule)[list(DERIVATION_COLUMNS)]


def _points(curves: Curves | None, runs: pd.DataFrame, number: np.ndarray) -> pd.DataFrame:
    if curves is None:
        return pd.DataFrame({c: pd.Series(dtype="str" if c in ("run_id", "split") else "float64") for c in CURVE_COLUMNS})
    ids = dict(zip(number.tolist(), runs["run_id"], strict=True))
    points = curves.points[curves.points["run"].isin(ids)]
    points = points.assign(run_id=points["run"].map(ids).astype("str"), split=points["split"].astype("str"))
    return points[list(CURVE_COLUMNS)].reset_index(drop=True)


def _groups(table: Table, mapping: Mapping, runs: pd.DataFrame, rows: np.ndarray) -> dict[str, list[str]]:
    if mapping.reader != "isoflop-pool" or "experiment" not in table.frame:
        return {}
    titles = table.frame["experiment"].astype("str").fillna("").iloc[rows].reset_index(drop=True)
    return {str(title): ids.tolist() for title, ids in runs["run_id"].groupby(titles, sort=False)}


def _notes(table: Table, mapping: Mapping, values: Values, runs: pd.DataFrame, curves: Curves | None) -> list[str]:
    notes = []
    if curves is not None:
        by = f"told apart by {shown(', '.join(mapping.run_columns))}" if mapping.run_columns else "all rows are one run"
        notes.append(f"Read as learning curves of {counted(len(curves.rows), 'run')}, {by}.")
    if len(runs) == 1:
        notes.append("The file holds one run only: a fit needs more.")
    names = runs.loc[(runs["name"] != "") & runs["name"].duplicated(), "name"].unique()
    if len(names):
        notes.append(f'{counted(len(names), "name")} used by more than one run (first: "{shown(names[0])}").')
    if "n_active" not in values.numbers and "n_total" not in values.numbers:
        notes.append("No column is mapped to the number of parameters: fits need it.")
    elif len(runs) > 1 and runs["n_active"].nunique() == 1:
        notes.append(f"All runs have N = {runs['n_active'].iloc[0]:.4g}: the exponent of N cannot be fitted from them.")
    if "tokens" not in values.numbers:
        notes.append("No column is mapped to the training tokens: fits need them.")
    aux = auxiliary_columns(table)
    if aux and not re.search(r"(?<![a-z])(val|eval|lm|ce|nll)|cross.?entropy", mapping.loss.lower()):
        notes.append(f'"{shown(mapping.loss)}" may include the auxiliary loss of "{shown(aux[0])}": check what was logged.')
    n_moe = int((runs["arch"] == "moe").sum())
    source = values.sources.get("n_active")
    if n_moe and source is not None and source.rule == PARAMS_AS_ACTIVE:
        notes.append(
            f'"{shown(source.column)}" does not say whether it counts active or all parameters; '
            f"for {counted(n_moe, 'MoE run')} it is taken as active."
        )
    if mapping.reader == "clark2022" and {"k", "flop_increase"} <= set(table.frame.columns):
        extra = [json.loads(text or "{}") for text in runs["extra"]]
        more = (runs["top_k"] > 1).to_numpy() | np.array([float(e.get("flop_increase", 1)) > 1 for e in extra], dtype=bool)
        if more.any():
            notes.append(
                f"{counted(int(more.sum()), 'run')} with k > 1 or flop_increase > 1 use more parameters per token than "
                "dense_parameter_count says, which is what n_active holds."
            )
    return notes
