"""Reads the console logs of OLMo and OLMo-core: a line that names the step, indented metrics below it."""

from __future__ import annotations

import re

from ..core import PARAMS_AS_ACTIVE, Mapping, Source, Table
from .console import Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"\[step=[\d,]+(?:/[\d,]+)?[^\]\n]{0,80}\][^\n]{0,40}\n(?:[^\n]{0,200}[ \t])?[ \t]{2,}[^\n=]{1,120}=")
_STEP = re.compile(r"\[step=([\d,]{1,20})(?:/([\d,]{1,20}))?[^\]]{0,80}\]\s*$")
_METRIC = re.compile(r"\s{2,}(\S[^=]{0,120}?)=(\S{1,40})\s*$")
_SIZES = (
    (re.compile(r"[Nn]umber of non-embedding parameters: ([\d,]{1,20})"), "non-embedding parameters"),
    (re.compile(r"[Nn]umber of active parameters: ([\d,]{1,20})"), "active parameters"),
    (re.compile(r"[Tt]otal number of parameters: ([\d,]{1,20})"), "total parameters"),
)


def read(content: bytes, name: str) -> Read:
    """Returns one row a step line, with the metrics under it."""
    steps = Steps(name)
    head, row = None, {}
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            head, row = line, {"step": match[1].replace(",", "")}
        elif head is not None and (match := _METRIC.fullmatch(line.text)):
            if len(row) == 1:
                steps.add(head, row)
            row[match[1]] = plain(match[2])
        else:
            head = None
            for pattern, label in _SIZES:
                if match := pattern.search(line.text):
                    steps.settings[label] = match[1].replace(",", "")
    return steps.read("step")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D is the sum of all tokens."""
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source("throughput/total tokens"), Source("throughput/total_tokens")],
            "n_params": [Source("non-embedding parameters", rule=PARAMS_AS_ACTIVE)],
        },
    )


READER = Reader("olmo", "OLMo console log", lambda head: _SNIFF.search(head) is not None, read, mapping)
