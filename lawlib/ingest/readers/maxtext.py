"""Reads MaxText's console log; its `total_weights` are the tokens of a step."""

from __future__ import annotations

import math
import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table, cell_number
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

SUM = "tokens so far"
_SNIFF = re.compile(rb"completed step: \d+, [^\n]{0,400}\bloss: ")
_STEP = re.compile(r"\bcompleted step: (\d+), (.*)")
_METRIC = re.compile(rf"([A-Za-z][\w/ ]{{0,40}}): ({NUMBER})(?:,|\s*$)")
_EVAL = re.compile(rf"\beval metrics after step: (\d+), loss=({NUMBER})")
_SIZE = re.compile(r"number parameters: ([\d.]{1,20}) billion")


def read(content: bytes, name: str) -> Read:
    """Returns one row a completed step, with the tokens summed up to it."""
    steps = Steps(name)
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            steps.add(line, {"step": match[1]} | {k.strip(): plain(v) for k, v in _METRIC.findall(match[2])})
        elif match := _EVAL.search(line.text):
            steps.add(line, {"step": match[1], "eval loss": plain(match[2])})
        elif match := _SIZE.search(line.text):
            steps.settings["number parameters (billion)"] = match[1]
    found = steps.read("step")
    if "total_weights" in found.columns:
        found.columns[SUM] = _sums(found.columns["step"], found.columns["total_weights"], found.notes)
    return found


def _sums(steps: list[str], weights: list[str], notes: list[str]) -> list[str]:
    """Returns tokens trained when a step is completed: total_weights of each logged step, times the steps it stands for, summed."""
    at = [cell_number(cell) for cell in steps]
    logged = {step: w for step, w in zip(at, map(cell_number, weights), strict=True) if step == step and w == w}
    first = min(logged, default=0.0)
    if first > 0:
        notes.append(f"The log begins at step {first:.0f}: the steps before are taken to be as large as its first.")
    total: dict[float, float] = {}
    before, sum_ = -1.0, 0.0
    for step in sorted(logged):
        sum_ += (step - before) * logged[step]
        total[step], before = sum_, step
    return ["" if (t := total.get(step, math.nan)) != t else f"{t:.0f}" for step in at]


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D is the running sum of total_weights."""
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source(SUM, rule="D = sum of total_weights, the tokens of each step")],
            "n_params": [Source("number parameters (billion)", "billion", WITH_EMBEDDINGS)],
        },
    )


READER = Reader("maxtext", "MaxText log", lambda head: _SNIFF.search(head) is not None, read, mapping)
