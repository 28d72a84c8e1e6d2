"""Turns a table and its mapping into canonical runs, their curves, and a record of how every value was derived (`build`)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lawlib.errors import ReadError
from lawlib.runs import COLUMNS, CURVE_COLUMNS, NUMBERS, as_runs

from ..core import G_DECLARED, PARAMS_AS_ACTIVE, Mapping, RowProblem, Scrubbed, Source, Table, counted, shown, told
from ..readers import READERS
from .curves import Curves, read_curves
from .derivations import derivations
from .extras import extra
from .loss_offers import auxiliary_columns, is_multiple, other_losses
from .lossless import without_loss
from .mixture_flops import without_all_experts
from .suggestion import Suggestion
from .suggestions import suggest
from .values import Values, check_positive, evaluate, is_true, words

_FEW = 8  # columns


@dataclass(frozen=True, eq=False)
class Import:
    """What was read from a file: `runs` are canonical and without problems; nothing of `suggestions` has been applied."""

    runs: pd.DataFrame
    curves: pd.DataFrame  # run_id, step, tokens, flops, split, loss; empty where each row is a run
    derivations: pd.DataFrame  # run_id, quantity, column, factor, rule
    problems: list[RowProblem] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    other_losses: list[Suggestion] = field(default_factory=list)  # the file's other losses with their last values
    n_duplicates: int = 0  # rows of the file that are identical to an earlier one; they are read once
    groups: dict[str, list[str]] = field(default_factory=dict)  # title: run_ids, where a file holds several data sets
    scrubbed: list[Scrubbed] = field(default_factory=list)  # what the table was rid of before


def build(table: Table, mapping: Mapping) -> Import:
    """Returns runs, curves and how they were derived, by the mapping. A row with a problem appears in `problems` and nowhere else.

    Raises:
        ReadError: no column is mapped to the loss, or the mapping does not fit the table.
    """
    reader = READERS.get(table.format)
    if reader is not None and reader.elsewhere:
        raise ReadError(f"{table.name} {reader.elsewhere}")
    if "loss" not in mapping.sources or not mapping.loss:
        raise without_loss(table)
    values = evaluate(table, mapping)
    notes = [*table.notes, *without_all_experts(mapping, values)]
    suggestions = suggest(table, mapping, values)
    if table.dropped:
        notes.append(told(table.dropped))
    n_duplicates = _identical(table, mapping, notes)
    curves = read_curves(table, mapping, values) if mapping.step else None
    rows = np.arange(len(table.frame)) if curves is None else curves.rows
    state = values if curves is None else curves.values
    _required(values, state, rows, mapping)
    kept = np.array([row not in values.faults for row in rows.tolist()], dtype=bool)
    frame, derived = _frame(state, kept, mapping)
    frame["extra"] = extra(table, mapping, values, rows, kept, curves, notes)
    runs = as_runs(frame)
    _tell_apart(runs)
    factors = {q: f[rows][kept] for q, f in values.factors.items()}
    story = derivations(runs, frame, derived, factors)
    number = np.flatnonzero(kept)
    again = runs.duplicated(list(COLUMNS)).to_numpy()
    if again.any():
        if curves is None:
            n_duplicates = max(n_duplicates, int(again.sum()))
        lines = ", ".join(str(line) for line in table.lines[rows[number[again]]][:5])
        notes.append(f"{counted(int(again.sum()), 'run')} equal to an earlier one, read once (first lines: {lines}).")
        runs, number = runs[~again].reset_index(drop=True), number[~again]
        story = story.drop_duplicates(ignore_index=True)
    points = _points(curves, runs, number)
    notes += curves.notes if curves is not None else []
    notes += _notes(table, mapping, values, runs, curves)
    problems = sorted([*table.ragged, *values.problems(table)], key=lambda p: (p.file, p.line))
    groups = _groups(table, mapping, runs, rows[number])
    return Import(
        runs, points, story, problems, suggestions, notes, other_losses(table, mapping), n_duplicates, groups, table.dropped
    )


def _identical(table: Table, mapping: Mapping, notes: list[str]) -> int:
    """How many rows of the file are equal to an earlier one in every column."""
    again = np.ones(len(table.frame), dtype=bool)
    for columns in (slice(_FEW), slice(None)):  # few columns tell almost all rows apart
        if again.any():
            frame = table.frame.iloc[:, columns].loc[again].astype("str")
            again[again] = frame.duplicated(keep=False if columns.stop else "first").to_numpy()
    if again.any() and mapping.step:
        lines = ", ".join(map(str, table.lines[again][:5]))
        notes.append(f"{counted(int(again.sum()), 'row')} identical to an earlier one, read once (first lines: {lines}).")
    return int(again.sum())


def _required(values: Values, state: Values, rows: np.ndarray, mapping: Mapping) -> None:
    """Adds faults where a run lacks what fits need: its loss, N or tokens, as far as they are mapped."""
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
        said = quantity if quantity in mapping.sources else "n_params"
        how = f"cannot be computed by {source.rule}" if not mapping.sources.get(quantity, source).column else "is missing"
        values.fault(rows[missing], quantity, columns, f"{words(said)} {how}.")
    for quantity in ("tokens", "flops"):
        if quantity in state.numbers:
            check_positive(values, quantity, state.sources[quantity].column.split(", ")[0], state.numbers[quantity], rows)


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
    if "arch" not in frame:
        frame["arch"] = pd.Series("", index=frame.index, dtype="str")
    if "n_experts" in frame:
        unknown = (frame["arch"] == "") & frame["n_experts"].notna()
        frame.loc[unknown, "arch"] = np.where(frame.loc[unknown, "n_experts"] > 1, "moe", "dense")
        column = state.sources["n_experts"].column
        derived.append(("arch", Source(column, rule="moe where n_experts > 1, dense where it is 1"), unknown.to_numpy()))
    frame["loss_name"] = pd.Series(mapping.loss, index=frame.index, dtype="str")
    return frame, derived


def _tell_apart(runs: pd.DataFrame) -> None:
    """Gives runs that differ only in columns outside the content hash ids of their own."""
    same = runs.duplicated("run_id", keep=False).to_numpy() & ~runs.duplicated(list(COLUMNS), keep=False).to_numpy()
    for row in np.flatnonzero(same):
        content = "\x1f".join(str(runs.at[row, c]) for c in COLUMNS)
        runs.at[row, "run_id"] = hashlib.sha256(content.encode(errors="replace")).hexdigest()[:16]


def _points(curves: Curves | None, runs: pd.DataFrame, number: np.ndarray) -> pd.DataFrame:
    if curves is None:
        return pd.DataFrame({c: pd.Series(dtype="str" if c in ("run_id", "split") else "float64") for c in CURVE_COLUMNS})
    ids = dict(zip(number.tolist(), runs["run_id"], strict=True))
    points = curves.points[curves.points["run"].isin(ids)]
    points = points.assign(run_id=points["run"].map(ids).astype("str"), split=points["split"].astype("str"))
    return points.reindex(columns=list(CURVE_COLUMNS)).reset_index(drop=True)


def _groups(table: Table, mapping: Mapping, runs: pd.DataFrame, rows: np.ndarray) -> dict[str, list[str]]:
    if mapping.reader != "isoflop-pool" or "experiment" not in table.frame:
        return {}
    titles = table.frame["experiment"].astype("str").fillna("").iloc[rows].reset_index(drop=True)
    return {str(title): ids.tolist() for title, ids in runs["run_id"].groupby(titles, sort=False)}


def _notes(table: Table, mapping: Mapping, values: Values, runs: pd.DataFrame, curves: Curves | None) -> list[str]:
    notes = []
    n_moe = int((runs["arch"] == "moe").sum())
    if curves is not None:
        by = f"told apart by {shown(', '.join(mapping.run_columns), 200)}" if mapping.run_columns else "all rows are one run"
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
    width = mapping.sources.get("granularity")
    if width is not None and width.rule == G_DECLARED:
        notes.append(
            f'The log gives the experts\' width ("{shown(width.per)}") and no dense feed-forward width: G is {width.factor:g} d_model over it. '
            "Another reference can be set under Correct the mapping."
        )
    elif n_moe and not {"granularity", "expansion"} & values.numbers.keys():
        notes.append(
            "No column gives the experts' width or granularity G, which laws of fine-grained mixtures need: map one, if the log has it."
        )
    if "top_k" in values.numbers and "n_experts" not in values.numbers:
        notes.append(
            f'"{shown(mapping.sources["top_k"].column)}" is a choice of experts, and no column gives their number: map it, if the log has it.'
        )
    if "tokens" not in values.numbers:
        notes.append("No column is mapped to the training tokens: fits need them.")
    losses = values.numbers["loss"]
    if (
        curves is not None
        and not mapping.sources["loss"].unit
        and (given := losses[np.isfinite(losses)]).size
        and is_multiple(given)
    ):
        notes.append(
            f'"{shown(mapping.loss)}" is too large for nats per token and falls too little for a perplexity: a multiple of the loss may '
            "have been logged, such as its sum over gradient accumulation steps. Divide it by their number before fitting."
        )
    aux = auxiliary_columns(table)
    if aux and not re.search(r"(?<![a-z])(val|eval|lm|ce|nll)|cross.?entropy", mapping.loss.lower()):
        notes.append(f'"{shown(mapping.loss)}" may include the auxiliary loss of "{shown(aux[0])}": check what was logged.')
    source = values.sources.get("n_active")
    if n_moe and source is not None and source.rule == PARAMS_AS_ACTIVE:
        notes.append(
            f'"{shown(source.column)}" does not say whether it counts active or all parameters; '
            f"for {counted(n_moe, 'MoE run')} it is taken as active."
        )
    if mapping.reader == "clark2022" and {"k", "flop_increase"} <= set(table.frame.columns):
        others = [json.loads(text or "{}") for text in runs["extra"]]
        more = (runs["top_k"] > 1).to_numpy() | np.array([float(e.get("flop_increase", 1)) > 1 for e in others], dtype=bool)
        if more.any():
            notes.append(
                f"{counted(int(more.sum()), 'run')} with k > 1 or flop_increase > 1 use more parameters per token than "
                "dense_parameter_count says, which is what n_active holds."
            )
    return notes
