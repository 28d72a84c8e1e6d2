"""Reads nanochat's console log: step lines with the smoothed loss, validation lines in bits per byte."""

from __future__ import annotations

import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table
from .console import NUMBER, Steps, console_lines, plain
from .fields import fields
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"\bstep \d{3,}/\d+ \([\d.]+%\) \| (?:train )?loss: |\bStep \d{3,} \| Validation bpb: ")
_STEP = re.compile(r"\bstep (\d+)(?:/(\d+))? \([\d.]+%\) \|(.*)")
_EVAL = re.compile(rf"\bStep (\d+) \| (Validation (?:bpb|loss)): ({NUMBER})")
_SETTINGS = (
    (re.compile(r"Number of parameters: ([\d,]{1,20})"), "number of parameters"),
    (re.compile(r"Total batch size ([\d,]{1,20})"), "total batch size"),
    (re.compile(r"Tokens / micro-batch: ([\d,]{1,20})"), "tokens per micro-batch"),
)


def read(content: bytes, name: str) -> Read:
    """Returns one row a step line; validations have rows of their own."""
    steps = Steps(name)
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            steps.add(line, {"step": str(int(match[1]))} | fields(match[3]))
        elif match := _EVAL.search(line.text):
            steps.add(line, {"step": str(int(match[1])), match[2]: plain(match[3])})
        else:
            for pattern, key in _SETTINGS:
                if match := pattern.search(line.text):
                    steps.settings[key] = match[1].replace(",", "")
    return steps.read("step")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D = step x the total batch size in tokens."""
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source("step", times=("total batch size",), rule="D = step x total batch size in tokens")],
            "n_params": [Source("number of parameters", rule=WITH_EMBEDDINGS)],
            "arch": [Source(value="dense", rule="nanochat trains dense models")],
        },
    )


READER = Reader("nanochat", "nanochat log", lambda head: _SNIFF.search(head) is not None, read, mapping)
