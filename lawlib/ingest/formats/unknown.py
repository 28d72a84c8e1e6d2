"""Names what a text looks like that no reader knows, so that a console log is never read as a table."""

from __future__ import annotations

import re

from lawlib.errors import ReadError

from ..core import shown

_LINES = 2000
_LOGGED = 3  # lines with a loss and its number make a log
_LOSS = re.compile(r"(?i)\b\w{0,20}(?:loss|nll|perplexity|ppl)\b['\"]?\s*[:=]?\s*['\"]?[-+]?\d")
_TRAINERS = (
    (re.compile(r"\bmmengine\b|\bxtuner\b"), "XTuner"),
    (re.compile(r"\bpaddlenlp\b|interval_runtime:"), "PaddleNLP"),
    (re.compile(r"\[deepspeed\]|\bDeepSpeed\b|\[Rank \d+\] step=\d+, skipped="), "DeepSpeed"),
    (re.compile(r"\bcolossalai\b", re.IGNORECASE), "Colossal-AI"),
    (re.compile(r"\baxolotl\b"), "Axolotl"),
    (re.compile(r"\bEpoch \d+/\d+\b.*\bETA\b|\d+/\d+ \[=+"), "Keras"),
    (re.compile(r"\bEpoch \d+: +\d+%\|"), "PyTorch Lightning's progress bar"),
    (re.compile(r"\bfairseq\b|\bmetaseq\b|\| epoch \d{3}\b[^\n]*\bwpb="), "fairseq or metaseq"),
    (re.compile(r"Train Epoch: \d+ \["), "open_lm or OpenCLIP"),
    (re.compile(r"(?m)^DLLL \{"), "NVIDIA's DLLogger"),
)


def refuse_log(text: str, name: str) -> None:
    """Raises ReadError where lines of a text hold a loss with its number, as those of a log do and rows of a table do not."""
    found = [(i, line) for i, line in enumerate(text.split("\n")[:_LINES], start=1) if _LOSS.search(line[:4000])]
    if len(found) < _LOGGED:
        return
    number, line = found[0]
    trainer = next((title for pattern, title in _TRAINERS if pattern.search(text[: 2**20])), "")
    what = f"a log of {trainer}" if trainer else "a training log of a kind that is not known here"
    raise ReadError(
        f'{name} looks like {what}, not like a table: line {number} is "{shown(line.strip(), 160)}". Save its steps and losses as CSV with '
        "the columns step, tokens and loss, or give what the trainer writes besides (TensorBoard events, W&B or MLflow exports, JSONL)."
    )
