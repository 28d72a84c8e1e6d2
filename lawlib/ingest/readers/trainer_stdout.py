"""Reads what a Hugging Face Trainer prints: dictionaries in Python's notation among progress bars (TRL and LLaMA-Factory print the same)."""

from __future__ import annotations

import ast
import re

from ..core import Mapping, Source, Table
from .console import Steps, console_lines
from .reader import OF_ALL, Read, Reader, log_mapping

_SNIFF = re.compile(rb"\{'(?:train_|eval_)?loss': '?[-\d.naif]|\{'[\w]{1,40}': [^{}\n]{0,400}'(?:eval_)?loss': '?[-\d.naif]")
_ENTRY = re.compile(r"\{'[^{}]{1,4000}\}")
_BAR = re.compile(r"\|\s{0,4}(\d{1,10})/(\d{1,10}) \[")
_SETTINGS = (
    (re.compile(r"Total optimization steps = ([\d,]{1,20})"), "max_steps"),
    (re.compile(r"Total train batch size \([^)]{0,80}\) = ([\d,]{1,20})"), "total train batch size"),
    (re.compile(r"Number of trainable parameters = ([\d,]{1,20})"), "trainable parameters"),
    (re.compile(r"Gradient Accumulation steps = ([\d,]{1,20})"), "gradient accumulation steps"),
)


def read(content: bytes, name: str) -> Read:
    """Returns one row a printed dictionary. Its step is that of the progress bar on its line, else of the last one before it.

    Where there is no bar the epoch takes its place.
    """
    steps, found, at = Steps(name), [], ""
    for line in console_lines(content, name, steps.notes):
        bars = _BAR.findall(line.text)
        entry = _ENTRY.search(line.text)
        if bars:
            at = bars[-1][0]
        if entry:
            row = _entry(entry[0])
            if row and "train_runtime" not in row:
                found.append((line, row, at))
            continue
        for pattern, key in _SETTINGS:
            if match := pattern.search(line.text):
                steps.settings[key] = match[1].replace(",", "")
    distinct = len({step for _, _, step in found})
    by_epoch = bool(found) and (not all(step for _, _, step in found) or distinct < max(len(found) // 2, 1))
    for line, row, step in found:
        key = row.get("epoch", "") if by_epoch else step
        if key:
            steps.add(line, {"step": key} | row)
    if by_epoch:
        steps.notes.append(
            "The log has no progress bars with steps, so the epoch takes the step's place: trainer_state.json of the same run has the steps."
        )
    return steps.read("step")


def _entry(text: str) -> dict[str, str]:
    """Returns the numbers of a printed dictionary by their keys."""
    try:
        found = ast.literal_eval(re.sub(r"\b(nan|inf|-inf)\b", r"'\1'", text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(k): "NaN" if str(v) == "nan" else str(v)
        for k, v in found.items()
        if isinstance(v, (int, float, str)) and len(str(v)) < 40
    }


def mapping(table: Table) -> Mapping:
    """Returns the mapping: D is num_tokens or num_input_tokens_seen where they are printed."""
    sources = {"step": [Source("step")], "tokens": [Source("num_input_tokens_seen"), Source("num_tokens")]}
    return log_mapping(table, sources, OF_ALL)


READER = Reader("hf-stdout", "what a Hugging Face Trainer prints", lambda head: _SNIFF.search(head) is not None, read, mapping)
