"""Reads the CSV of a W&B chart: a step column and one column a run and metric, "<run> - train/loss", with its minimum and maximum."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core import counted
from .reader import RUN

AXES = ("Step", "Relative Time (Process)", "Relative Time (Wall)", "Wall Time", "global_step", "_step", "trainer/global_step")
_BOUND = re.compile(r"__(MIN|MAX)$")


def fits(columns: Sequence[str]) -> bool:
    """Whether all columns but the first are "<run> - <metric>", as a chart's are."""
    rest = columns[1:]
    return len(rest) > 0 and all(" - " in c for c in rest) and (columns[0] in AXES or any(_BOUND.search(c) for c in rest))


def unpivot(frame: pd.DataFrame, lines: np.ndarray) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Returns a row a run and step with a column a metric; the envelopes __MIN and __MAX of smoothed charts are dropped."""
    axis, *rest = frame.columns
    kept = [c for c in rest if not _BOUND.search(c)]
    parts: dict[str, dict[str, pd.Series]] = {}
    for column in kept:
        run, _, metric = column.rpartition(" - ")
        parts.setdefault(run.removeprefix("Group: "), {})[metric] = frame[column]
    step = "step" if axis in ("Step", "global_step", "_step", "trainer/global_step") else axis
    notes = [f"A chart of {counted(len(parts), 'run')}: its columns are taken apart by run. W&B samples the points of charts."]
    if len(kept) < len(rest):
        notes.append(f"{counted(len(rest) - len(kept), 'column')} __MIN and __MAX (the chart's envelope) passed over.")
    if any(c.startswith("Group: ") for c in kept):
        notes.append("The chart groups runs: each curve is the mean of a group and not one run.")
    if step == axis:
        notes.append(f'The chart\'s axis is "{axis}" and not the step: it takes the place of the step.')
    long = []
    for run, metrics in parts.items():
        part = pd.DataFrame({RUN: run, step: frame[axis], **metrics, "line": lines})
        blank = np.logical_and.reduce([part[m].astype("str").str.strip().isin(["", "nan"]).to_numpy() for m in metrics])
        long.append(part[~blank])
    found = pd.concat(long, ignore_index=True)
    metrics = list(dict.fromkeys(m for given in parts.values() for m in given))
    found = found[[RUN, step, *metrics, "line"]]
    if isinstance(frame[axis].dtype, pd.StringDtype):
        found[metrics] = found[metrics].astype("str").fillna("")
    return found.drop(columns="line"), found["line"].to_numpy(dtype=np.int64), notes
