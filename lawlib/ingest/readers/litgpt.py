"""Reads LitGPT's console log."""

from __future__ import annotations

import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"(?m)^[^\n|]{0,60}\bEpoch \d+ \| iter \d+ step \d+ \| loss train: ")
_STEP = re.compile(rf"\bEpoch (\d+) \| iter (\d+) step (\d+) \| loss train: ({NUMBER}), ?val: ({NUMBER}|n/a)")
_TIME = re.compile(rf"iter time: ({NUMBER}) ms")
_EVAL = re.compile(rf"\biter (\d+): val loss ({NUMBER})")
_SIZE = re.compile(r"(?:Total|Number of trainable) parameters: ([\d,]{1,20})")
_BATCH = re.compile(r"\bglobal_batch_size=(\d{1,9})\b.{0,400}?\bmax_seq_length=(\d{1,9})\b")


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged iteration. The last validation loss, which every line repeats, is kept where it is new."""
    steps = Steps(name, "iter")
    last, step = "", {}
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            row = {"epoch": match[1], "iter": match[2], "step": match[3], "train loss": plain(match[4])}
            step[match[2]] = match[3]
            if match[5] not in ("n/a", last):
                row["val loss"] = last = plain(match[5])
            if time := _TIME.search(line.text):
                row["iter time ms"] = plain(time[1])
            steps.add(line, row)
        elif (match := _EVAL.search(line.text)) and match[1] in step:
            last = f"{float(match[2]):.3f}" if re.fullmatch(r"[\d.]+", match[2]) else match[2]
            steps.add(line, {"iter": match[1], "step": step[match[1]], "val loss": plain(match[2])})
        elif match := _SIZE.search(line.text):
            steps.settings["parameters"] = match[1].replace(",", "")
        elif match := _BATCH.search(line.text):
            steps.settings |= {"global_batch_size": match[1], "max_seq_length": match[2]}
    return steps.read("iter")


def mapping(table: Table) -> Mapping:
    """Returns the mapping: optimizer steps (not micro-batches) are the step, D is known where the log names its batch."""
    rule = "D = step x global_batch_size x max_seq_length"
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source("step", times=("global_batch_size", "max_seq_length"), rule=rule)],
            "n_params": [Source("parameters", rule=WITH_EMBEDDINGS)],
        },
    )


READER = Reader("litgpt", "LitGPT log", lambda head: _SNIFF.search(head) is not None, read, mapping)
