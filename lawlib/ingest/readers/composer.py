"""Reads the console log of Composer and llm-foundry: a line that names the batch, indented metrics below it."""

from __future__ import annotations

import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"\[(?:epoch|token|batch)=\d+[^\n]{0,60}\]:?\s*\n(?:[^\n]{0,200}\n){0,40}?\s+Train [\w/-]*loss/train/")
_STEP = re.compile(r"\[batch=(\d+)(?:/(\d+))?\]")
_METRIC = re.compile(rf"^\s*(?:Train|Eval) ([\w/.-]{{1,120}}): ({NUMBER})\s*$")
_SIZE = re.compile(r"\bn_params:? (\d{1,20})|\bn_active_params:? (\d{1,20})")


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged batch, with the metrics under it."""
    steps = Steps(name)
    head, row = None, {}
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            head, row = line, {"step": match[1]}
        elif head is not None and (match := _METRIC.match(line.text)):
            if len(row) == 1:
                steps.add(head, row)
            row[match[1]] = plain(match[2])
        elif match := _SIZE.search(line.text):
            steps.settings["n_params" if match[1] else "n_active_params"] = match[1] or match[2]
    return steps.read("step")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D is time/token, N the log's own counts."""
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source("time/token")],
            "n_active": [Source("n_active_params", rule=WITH_EMBEDDINGS)],
            "n_params": [Source("n_params", rule=WITH_EMBEDDINGS)],
        },
    )


READER = Reader("composer", "Composer log", lambda head: _SNIFF.search(head) is not None, read, mapping)
