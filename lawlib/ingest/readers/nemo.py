"""Reads the console log of NeMo 2: lines of "Training epoch 0, iteration 0/149 | consumed_samples: 64 | reduced_train_loss: 11"."""

from __future__ import annotations

import re

from ..core import Mapping, Source, Table
from .console import Steps, console_lines
from .fields import fields
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"\bTraining epoch \d+, iteration \d+/\d+ \|[^\n]{0,2000}\breduced_train_loss: ")
_STEP = re.compile(r"\b(Training|Validation) epoch (\d+), iteration (\d+)/(\d+) \|(.*)")
_LENGTH = re.compile(r"\bseq(?:uence)?_length[\"']?[=:] ?(\d{1,9})")


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged iteration; the step is global_step, counted from 1, or the iteration where it is not logged."""
    steps = Steps(name)
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            found = fields(match[5])
            if match[1] == "Validation" and not any("loss" in key for key in found):
                continue
            step = int(float(found.get("global_step", match[3]))) + 1
            steps.add(line, {"step": str(step), "epoch": match[2]} | found)
        elif match := _LENGTH.search(line.text):
            steps.settings["seq_length"] = match[1]
    return steps.read("step")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D = consumed_samples x sequence length, where the log gives the length."""
    samples = Source("consumed_samples", times=("seq_length",), rule="D = consumed_samples x seq_length")
    return log_mapping(table, {"step": [Source("step")], "tokens": [Source("consumed_tokens"), samples]})


READER = Reader("nemo", "NeMo log", lambda head: _SNIFF.search(head) is not None, read, mapping)
