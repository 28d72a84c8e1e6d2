"""MaxText's console log; its `total_weights` are the tokens of a step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..mapping import WITH_EMBEDDINGS, Mapping, Source
from ..units import numbers
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

if TYPE_CHECKING:
    from ..table import Table

SUM = "tokens so far"
_SNIFF = re.compile(rb"completed step: \d+, [^\n]{0,400}\bloss: ")
_STEP = re.compile(r"\bcompleted step: (\d+), (.*)")
_METRIC = re.compile(rf"([A-Za-z][\w/ ]{{0,40}}): ({NUMBER})(?:,|\s*$)")
_EVAL = re.compile(rf"\beval metrics after step: (\d+), loss=({NUMBER})")
_SIZE = re.compile(r"number parameters: ([\d.]{1,20}) billion")


def read(content: bytes, name: str) -> Read:
    """One row a completed step, with the tokens summed up to it."""
    steps = Steps(name)
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            steps.add(line, {"step": match[1]} | {k.strip(): plain(v) for k, v in _METRIC.findall(match[2])})
        elif match := _EVAL.search(line.text):
            steps.add(line, {"step": match[1], "eval loss": plain(match[2])})
        elif match := _SIZE.search(line.text):
            steps.settings["number parameters (billion)"] = match[1]
    found = steps.read("step")
    if "total_weights" in found.frame:
        found.frame[SUM] = _sums(found.frame, found.notes)
    return found


def _sums(frame: pd.DataFrame, notes: list[str]) -> pd.Series:
    """Tokens trained when a step is completed: total_weights of each logged step, times the steps it stands for, summed."""
    step, weights = numbers(frame["step"]).values, numbers(frame["total_weights"]).values
    logged = pd.DataFrame({"step": step, "weights": weights}).dropna().drop_duplicates("step", keep="last").sort_values("step")
    if logged.empty:
        return pd.Series("", index=frame.index, dtype="str")
    gaps = np.diff(logged["step"].to_numpy(), prepend=-1.0)
    if gaps[0] > 1:
        notes.append(
            f"The log begins at step {logged['step'].iloc[0]:.0f}: the steps before are taken to be as large as its first."
        )
    total = pd.Series(np.cumsum(gaps * logged["weights"].to_numpy()), index=logged["step"].to_numpy())
    return pd.Series(step).map(total).map(lambda t: "" if pd.isna(t) else f"{t:.0f}").astype("str")


def mapping(table: Table) -> Mapping:
    """D is the running sum of total_weights."""
    return log_mapping(
        table,
        ["eval loss", "loss"],
        {
            "step": [Source("step")],
            "tokens": [Source(SUM, rule="D = sum of total_weights, the tokens of each step")],
            "n_params": [Source("number parameters (billion)", "billion", WITH_EMBEDDINGS)],
        },
    )


READER = Reader("maxtext", "MaxText log", lambda head: _SNIFF.search(head) is not None, read, mapping)
