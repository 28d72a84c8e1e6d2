"""Reads nanoGPT's console log: `iter` lines of the batch, `step` lines of the evaluation, batch and model size at the head."""

from __future__ import annotations

import re

from ..core import Mapping, Source, Table
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"(?m)^[^\n|]{0,40}\b(?:iter \d+: loss [\d.n]|step \d+: train loss [\d.n]+, val loss )")
_ITER = re.compile(rf"\biter (\d+): loss ({NUMBER})(?:, time ({NUMBER})ms)?(?:, mfu ({NUMBER})%)?")
_EVAL = re.compile(rf"\bstep (\d+): train loss ({NUMBER}), val loss ({NUMBER})")
_TOKENS = re.compile(r"tokens per iteration will be: ([\d,]{1,20})")
_SIZE = re.compile(r"number of parameters: ([\d.]{1,20}[KMBT]?)")


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged iteration; evaluations have rows of their own."""
    steps = Steps(name, "iter")
    for line in console_lines(content, name, steps.notes):
        if match := _ITER.search(line.text):
            row = {"iter": match[1], "loss": plain(match[2]), "time ms": match[3] or "", "mfu %": match[4] or ""}
            steps.add(line, row)
        elif match := _EVAL.search(line.text):
            steps.add(line, {"iter": match[1], "train loss": plain(match[2]), "val loss": plain(match[3])})
        elif match := _TOKENS.search(line.text):
            steps.settings["tokens per iteration"] = match[1].replace(",", "")
        elif match := _SIZE.search(line.text):
            steps.settings["number of parameters"] = match[1]
    return steps.read("iter")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D = iter x tokens per iteration."""
    count = "nanoGPT leaves out position embeddings alone, the token embedding is in: taken as active"
    return log_mapping(
        table,
        {
            "step": [Source("iter")],
            "tokens": [Source("iter", times=("tokens per iteration",), rule="D = iter x tokens per iteration")],
            "n_params": [Source("number of parameters", rule=count)],
            "arch": [Source(value="dense", rule="nanoGPT trains dense models")],
        },
    )


READER = Reader("nanogpt", "nanoGPT log", lambda head: _SNIFF.search(head) is not None, read, mapping)
