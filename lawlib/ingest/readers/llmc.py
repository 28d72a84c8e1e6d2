"""Reads the logs of llm.c and modded-nanogpt: console lines, and the short ones of main.log (s:250 trl:6.1, s:250 tel:5.9)."""

from __future__ import annotations

import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(
    rb"(?m)^ ?step[ :]+\d+/\d+ (?:\([\d.]+%\) )?\| (?:train )?loss [\d.]|^ ?step:\d+/\d+ (?:val|train)_loss:|^s:\d+ (?:trl|tel|eval):[\d.]"
)
_STEP = re.compile(rf"^ ?step[ :]+(\d+)/(\d+) (?:\([\d.]+%\) )?\| (?:train )?loss ({NUMBER})")
_VALIDATION = re.compile(rf"^ ?val loss:? ({NUMBER})")
_MODDED = re.compile(rf"^ ?step:(\d+)/(\d+)((?: (?:val|train)_loss:(?:{NUMBER}))+)")
_SHORT = re.compile(r"^s:(\d+) (.*)")
_PAIR = re.compile(rf"\b(val_loss|train_loss|trl|tel|loss):({NUMBER})")
_NAMES = {"trl": "train loss", "tel": "val loss", "val_loss": "val loss", "train_loss": "train loss", "loss": "train loss"}
_SETTINGS = (
    (re.compile(r"num_parameters: (\d{1,20})|\| num_parameters +\| (\d{1,20})"), "num_parameters"),
    (re.compile(r"total batch size[^|:\d]{0,20}[|:] *(\d{1,20})|total_batch_size[ |:=]+(\d{1,20})"), "total batch size"),
)


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged step. llm.c prints a validation loss without a step: it is that of the step before."""
    steps, last = Steps(name), "0"
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            last = match[1]
            steps.add(line, {"step": last, "train loss": plain(match[3])})
        elif match := _MODDED.search(line.text):
            steps.add(line, {"step": match[1]} | {_NAMES[k]: plain(v) for k, v in _PAIR.findall(match[3])})
        elif (match := _SHORT.search(line.text)) and (found := _PAIR.findall(match[2])):
            steps.add(line, {"step": match[1]} | {_NAMES[k]: plain(v) for k, v in found})
        elif match := _VALIDATION.search(line.text):
            steps.add(line, {"step": last, "val loss": plain(match[1])})
        else:
            for pattern, key in _SETTINGS:
                if match := pattern.search(line.text):
                    steps.settings[key] = match[1] or match[2]
    return steps.read("step")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D = step x total batch size in tokens, where the log names it."""
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source("step", times=("total batch size",), rule="D = step x total batch size in tokens")],
            "n_params": [Source("num_parameters", rule=WITH_EMBEDDINGS)],
            "arch": [Source(value="dense", rule="llm.c and modded-nanogpt train dense models")],
        },
    )


READER = Reader("llmc", "llm.c or modded-nanogpt log", lambda head: _SNIFF.search(head) is not None, read, mapping)
