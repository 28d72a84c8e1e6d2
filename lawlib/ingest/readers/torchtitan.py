"""Reads torchtitan's console log: one line a step from every rank, the configuration as JSON at the head."""

from __future__ import annotations

import json
import re
from typing import Any

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table, counted
from .console import NUMBER, Line, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(rb"\bstep: {1,8}\d+ {1,8}loss: {1,4}-?[\d.ni]")
_STEP = re.compile(rf"(validate )?\bstep: +(\d+) +loss: +({NUMBER})(.*)")
_METRIC = re.compile(r"(\w{1,40}): +(\S{1,40})")
_CONFIG = re.compile(r"Running with (?:configs|args): (\{.*)")
_SIZE = re.compile(r"\bsize: ([\d,]{1,30}) total parameters")
_BATCH = re.compile(r"(?:global batch size|global_batch_size)[:=]? ?([\d,]{1,20})")
_LENGTH = re.compile(r"sequence length[:=]? ?([\d,]{1,20})")
_CONFIG_LINES = 3000
_KEPT = ("seq_len", "global_batch_size", "local_batch_size", "steps", "seed", "flavor", "lr", "name")


def read(content: bytes, name: str) -> Read:
    """Returns one row a step; lines of other ranks that repeat it are passed over."""
    steps = Steps(name)
    open_config: list[str] = []
    n_without = 0
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            if match[3].startswith("-"):  # a rank of an earlier stage of the pipeline has no loss and logs -1
                n_without += 1
                continue
            label = "validation loss" if match[1] else "loss"
            others = {} if match[1] else {k: plain(v) for k, v in _METRIC.findall(match[4])}
            steps.add(line, {"step": match[2], label: plain(match[3])} | others)
            open_config = []
        elif match := _CONFIG.search(line.text):
            open_config = [match[1]]
            _configure(steps, open_config)
        elif open_config and len(open_config) < _CONFIG_LINES:
            open_config.append(line.text)
            if line.text.lstrip().startswith("}"):
                _configure(steps, open_config)
        _say(steps, line)
    if n_without:
        steps.notes.append(
            f"{counted(n_without, 'line')} with a loss of -1 passed over: of ranks before the pipeline's last stage."
        )
    return steps.read("step")


def _say(steps: Steps, line: Line) -> None:
    if match := _SIZE.search(line.text):
        steps.settings["total parameters"] = match[1].replace(",", "")
    elif match := _BATCH.search(line.text):
        steps.settings["global_batch_size"] = match[1].replace(",", "")
        if length := _LENGTH.search(line.text):
            steps.settings["training.seq_len"] = length[1].replace(",", "")


def _configure(steps: Steps, lines: list[str]) -> None:
    """Takes what is needed from the configuration once its last line has come."""
    try:
        found = json.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return
    lines.clear()
    for section in ("model", "model_spec", "training", "optimizer"):
        part: Any = found.get(section)
        if isinstance(part, dict):
            for key in _KEPT:
                if isinstance(part.get(key), (int, float, str)) and str(part[key]) not in ("-1", ""):
                    steps.settings.setdefault(f"{section}.{key}", str(part[key])[:200])
    batch = steps.settings.pop("training.global_batch_size", "")
    if batch:
        steps.settings["global_batch_size"] = batch


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D = step x global batch x sequence length, where the log has its configuration."""
    rule = "D = step x global_batch_size x seq_len"
    return log_mapping(
        table,
        {
            "step": [Source("step")],
            "tokens": [Source("step", times=("global_batch_size", "training.seq_len"), rule=rule)],
            "n_params": [Source("total parameters", rule=WITH_EMBEDDINGS)],
            "seed": [Source("training.seed")],
        },
    )


READER = Reader("torchtitan", "torchtitan log", lambda head: _SNIFF.search(head) is not None, read, mapping)
