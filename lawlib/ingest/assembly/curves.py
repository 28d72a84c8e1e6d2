"""Reads files with several rows a run: the learning curves, and each run's state at its last step with a loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import BITS_PER_BYTE, Mapping, Table, convert, counted, loss_unit, numbers, shown
from .values import Values, check_positive

_ALONG = ("step", "tokens", "flops", "loss")  # everything else belongs to the run and not to the step


class Curves(NamedTuple):
    """The points of all curves in long form with the run's number in `run`, and one state a run: `rows` of the table, `values` there."""

    points: pd.DataFrame  # run, step, tokens, flops, split, loss
    rows: np.ndarray  # shape (n_runs,): the table's row that the state was taken from
    run_of_row: np.ndarray  # shape (n_rows,): number of the run, -1 for rows with faults
    values: Values  # arrays of shape (n_runs,)
    notes: list[str]


def read_curves(table: Table, mapping: Mapping, values: Values) -> Curves:
    """Returns curves and last states. Rows with faults are left out of both; a run without a usable state is a fault itself.

    Raises:
        ReadError: a column that tells runs apart is not in the file.
    """
    absent = [c for c in mapping.run_columns if c not in table.frame]
    if absent:
        raise ReadError(f'{table.name} has no column "{shown(absent[0])}" to tell its runs apart: correct the mapping.')
    notes: list[str] = []
    step = values.numbers["step"]
    values.fault(np.isnan(step), "step", mapping.step, "The step is missing.")
    values.fault((step < 0) | (step > 1e300), "step", mapping.step, "The step must be 0 or a positive finite number.")
    for quantity in ("tokens", "flops"):
        if quantity in values.numbers:
            found = values.numbers[quantity]
            trained = np.where((step > 0) | (found < 0), found, np.nan)  # 0 is right at step 0
            check_positive(values, quantity, values.sources[quantity].column, trained)
    losses = _losses(table, mapping, values, notes)
    good = np.ones(len(table.frame), dtype=bool)
    good[list(values.faults)] = False
    run = np.full(len(table.frame), -1)
    kept = table.frame.loc[good]
    if mapping.run_columns:
        run[good] = kept.groupby(list(mapping.run_columns), dropna=False, sort=False).ngroup().to_numpy()
    else:
        run[good] = 0
    long = pd.DataFrame({"run": run, "step": step, "row": np.arange(len(run))} | losses)
    for quantity in ("tokens", "flops"):
        long[quantity] = values.numbers.get(quantity, np.full(len(run), np.nan))
    long = _one_row_a_step(long.loc[good], list(losses), notes)
    _between(long, [q for q in ("tokens", "flops") if q in values.numbers], mapping.loss, notes)
    states, without = _states(long, mapping.loss)
    for row in without:
        values.fault(np.array([row]), "loss", mapping.loss, "The run has no loss at a step after 0.")
    state_values = _at(values, states, long, run, mapping, notes)
    _totals(long, values, notes)
    kept = long[long["run"].isin(states["run"])]
    points = _points(kept, list(losses), _logged_nan(table, list(losses), run, step) if table.sparse else None, notes)
    order = {number: i for i, number in enumerate(states["run"])}
    points["run"] = points["run"].map(order).astype(int)
    run_of_row = np.array([order.get(r, -1) for r in run.tolist()])
    return Curves(points, states["row"].to_numpy(), run_of_row, state_values, notes)


def _losses(table: Table, mapping: Mapping, values: Values, notes: list[str]) -> dict[str, np.ndarray]:
    """Returns every loss column, in nats where its unit is known: the chosen one by the mapping, others by their names."""
    source = mapping.sources["loss"]
    losses = {mapping.loss: values.numbers["loss"]}
    for column in mapping.loss_columns:
        if column == mapping.loss or column not in table.frame:
            continue
        unit = loss_unit(column)
        if unit == BITS_PER_BYTE and source.bytes_per_token is None:
            notes.append(f'The curve of "{shown(column)}" is left out: bits per byte need the bytes per token.')
            continue
        found = numbers(table.frame[column], table.decimal)
        values.fault(found.text, f"split {column}", column, "The loss must be a number, this is text.")
        losses[column] = convert(found.values, "loss", unit, source.bytes_per_token)
        check_positive(values, f"split {column}", column, losses[column])
        if unit:
            notes.append(f'The curve of "{shown(column)}" is converted from {unit}, as its name says.')
    return losses


def _one_row_a_step(long: pd.DataFrame, losses: list[str], notes: list[str]) -> pd.DataFrame:
    """Returns the rows in order of step; several rows of one step become one, with the last value of each column."""
    long = long.sort_values(["run", "step", "row"], kind="stable").reset_index(drop=True)
    again = long.duplicated(["run", "step"], keep=False)
    if not again.any():
        return long
    groups = long[again].groupby(["run", "step"])
    n_values = groups[losses].nunique()
    n_conflicts = int((n_values > 1).any(axis=1).sum())
    if n_conflicts:
        notes.append(
            f"{counted(n_conflicts, 'step')} of a run with two or more different losses in the file: the last one is taken. "
            "If these are different runs, name the columns that tell them apart."
        )
    return long.groupby(["run", "step"], as_index=False).last()


def _between(long: pd.DataFrame, quantities: list[str], loss: str, notes: list[str]) -> None:
    """Fills tokens and FLOPs at steps that log a loss without them: interpolated between steps, in proportion beyond the last.

    Trainers write validation losses on lines and steps of their own.
    """
    for quantity in quantities:
        gaps = (long[quantity].isna() & long[loss].notna() & (long["step"] > 0)).to_numpy()
        known = long[quantity].notna() & (long["step"] > 0)
        some = known.groupby(long["run"]).transform("sum") > 1  # a single value is the whole run's, and nothing to draw a line by
        rows = np.flatnonzero(gaps & some.to_numpy())
        if not len(rows):
            continue
        filled = long[quantity].to_numpy(copy=True)
        of_run, step, there = long["run"].to_numpy(), long["step"].to_numpy(), np.flatnonzero(known)
        for run in np.unique(of_run[rows]):  # rows are in the order of runs
            here = there[slice(*np.searchsorted(of_run[there], [run, run + 1]))]
            steps, given = step[here], filled[here]
            if given[0] == given[-1]:
                continue
            mine = rows[slice(*np.searchsorted(of_run[rows], [run, run + 1]))]
            at = step[mine]
            x, y = np.append(0.0, steps), np.append(0.0, given)
            filled[mine] = np.where(at > x[-1], y[-1] * at / x[-1], np.interp(at, x, y))
        n = int((~np.isnan(filled) & long[quantity].isna().to_numpy()).sum())
        long[quantity] = filled
        if n:
            notes.append(f"{counted(n, 'step')} with a loss but no {quantity}: taken in proportion to the steps around.")


def _states(long: pd.DataFrame, loss: str) -> tuple[pd.DataFrame, list[int]]:
    """Returns the last row after step 0 of each run that has the chosen loss, and the last rows of the runs that have none."""
    usable = long[(long["step"] > 0) & long[loss].notna()]
    states = usable.groupby("run").tail(1).sort_values("run", ignore_index=True)
    last = long.groupby("run").tail(1)
    return states, last.loc[~last["run"].isin(states["run"]), "row"].tolist()


def _at(values: Values, states: pd.DataFrame, long: pd.DataFrame, run: np.ndarray, mapping: Mapping, notes: list[str]) -> Values:
    """The quantities of the runs: tokens, FLOPs and loss at the state's step, the rest the run's last given value."""
    ends = long.groupby("run")["step"].max().reindex(states["run"]).to_numpy()
    n_early = int((ends > states["step"].to_numpy()).sum())
    if n_early:
        notes.append(
            f'{counted(n_early, "run")} without a value of "{shown(mapping.loss)}" at the last step: '
            "loss, tokens and FLOPs are those of the last step that has one."
        )
    found = Values(sources=values.sources)
    found.numbers = {"step": states["step"].to_numpy(), "loss": states[mapping.loss].to_numpy()}
    for quantity in ("tokens", "flops"):
        if quantity in values.numbers:
            found.numbers[quantity] = states[quantity].to_numpy()
    for quantity, given in values.numbers.items():
        if quantity not in _ALONG:
            groups = pd.Series(np.where(run < 0, np.nan, given)).groupby(run)
            found.numbers[quantity] = groups.last().reindex(states["run"]).to_numpy()
            _note_changes(quantity, groups.nunique().reindex(states["run"]), notes)
    for quantity, texts in values.texts.items():
        groups = pd.Series(texts, dtype="str").replace("", np.nan).groupby(run)
        found.texts[quantity] = groups.last().reindex(states["run"]).fillna("").to_numpy(dtype=object)
        _note_changes(quantity, groups.nunique().reindex(states["run"]), notes)
    return found


def _note_changes(quantity: str, n_values: pd.Series, notes: list[str]) -> None:
    n_changing = int((n_values > 1).sum())
    if n_changing and quantity != "status":
        notes.append(f"{quantity} changes along {counted(n_changing, 'run')}: the last value is taken.")


def _totals(long: pd.DataFrame, values: Values, notes: list[str]) -> None:
    """Removes tokens or FLOPs that stay constant along the steps from the points: they are totals of the whole run."""
    after = long[long["step"] > 0]
    many = after.groupby("run")["step"].transform("nunique") > 1
    for quantity in ("tokens", "flops"):
        given = after.loc[many, quantity]
        if quantity in values.numbers and given.notna().any():
            n_values = given.groupby(after.loc[many, "run"]).nunique()
            if (n_values <= 1).all():
                long[quantity] = np.nan
                column = values.sources[quantity].column or values.sources[quantity].rule
                notes.append(f'"{shown(column)}" is the same at every step of a run: taken as the {quantity} of the whole run.')


def _logged_nan(table: Table, losses: list[str], run: np.ndarray, step: np.ndarray) -> dict[str, pd.MultiIndex]:
    """The (run, step) at which a loss is logged as not-a-number, by loss."""
    masks = {c: numbers(table.frame[c], table.decimal).nan for c in losses}
    return {c: pd.MultiIndex.from_arrays([run[mask], step[mask]]) for c, mask in masks.items() if mask.any()}


def _points(long: pd.DataFrame, losses: list[str], nans: dict[str, pd.MultiIndex] | None, notes: list[str]) -> pd.DataFrame:
    """Returns one row a point and split. Blanks are points without a value, except for losses logged at fewer than half the steps.

    Where a blank says that nothing was logged (`nans` is given), only points logged as not-a-number have no value.
    """
    parts = []
    for split in losses:
        part = long[["run", "step", "tokens", "flops"]].assign(split=split, loss=long[split])
        if nans is not None:
            there = part["loss"].notna().to_numpy()
            if split in nans:
                there = there | pd.MultiIndex.from_arrays([part["run"], part["step"]]).isin(nans[split])
            part = part[there]
        n_missing, n_points = int(part["loss"].isna().sum()), len(part)
        if n_missing * 2 > n_points and nans is None:
            part = part[part["loss"].notna()]
        elif n_missing:
            notes.append(f'{n_missing:,} of {n_points:,} points of "{shown(split)}" have no value; they stay empty.')
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
