"""Reads nanotron's console log: lines of "iteration: 100 / 4000 | consumed_tokens: 13.1M | lm_loss: 10.7"."""

from __future__ import annotations

import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table
from .console import Steps, console_lines
from .fields import fields
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"\biteration: \d+ / \d+ \|[^\n]{0,1000}\b(?:lm_)?loss: ")
_STEP = re.compile(r"\b(Validation )?iteration: (\d+) / (\d+) \|(.*)")
_RANK = re.compile(r"\|DP=(\d{1,5})\|PP=(\d{1,5})\|TP=(\d{1,5})")
_SIZE = re.compile(r"(?:Total number of parameters|num_params|[Nn]umber of parameters): ([\d.,]{1,30}[KMGBT]?)\b")
_LENGTH = re.compile(r"\bsequence_length[=:] ?(\d{1,9})")


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged iteration. Its numbers have three digits, as nanotron prints them."""
    steps = Steps(name, "iteration")
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            found = fields(match[4])
            if match[1]:
                found = {f"validation {k}": v for k, v in found.items() if "loss" in k}
            rank = _RANK.search(line.text)
            steps.add(line._replace(rank=int(rank[1]) * 10**6 + int(rank[3])) if rank else line, {"iteration": match[2]} | found)
        elif match := _SIZE.search(line.text):
            steps.settings["parameters"] = match[1].replace(",", "")
        elif match := _LENGTH.search(line.text):
            steps.settings["sequence_length"] = match[1]
    return steps.read("iteration")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D is consumed_tokens, or iteration x batch x sequence length."""
    return log_mapping(
        table,
        {
            "step": [Source("iteration")],
            "tokens": [
                Source("consumed_tokens"),
                Source(
                    "iteration",
                    times=("global_batch_size", "sequence_length"),
                    rule="D = iteration x global_batch_size x sequence_length",
                ),
            ],
            "n_params": [Source("parameters", rule=WITH_EMBEDDINGS)],
        },
    )


READER = Reader("nanotron", "nanotron log", lambda head: _SNIFF.search(head) is not None, read, mapping)
