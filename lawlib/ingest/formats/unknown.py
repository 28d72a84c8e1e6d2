"""Names what a text looks like that no reader knows, so that no log, program or document is read as a table."""

from __future__ import annotations

import re
from itertools import islice

from lawlib.errors import ReadError

from ..core import shown

_LINES = 200
LOOKED = 2**17  # bytes of a text
_LOGGED = 3  # lines with a loss and its number make a log
_LOSS = re.compile(r"(?i)\b\w{0,20}(?:loss|nll|perplexity|ppl)\b['\"]?[ \t]*[:=]?[ \t]*['\"]?[-+]?\d")
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
_AS_TABLE = "Save the table as CSV, with a line a run and a header that names the columns."
_LOG = "It has no line with a step and its loss: give the log that has them, or the runs as CSV."
_BEGINNINGS = (  # of the first line that is not blank
    (re.compile(r"\|.*\|\s*$"), "a table in Markdown", _AS_TABLE),
    (re.compile(r"\\(begin|documentclass|toprule|hline)\b"), "a table or document in LaTeX", _AS_TABLE),
    (re.compile(r"@\w+\{"), "a list of references in BibTeX", _AS_TABLE),
    (
        re.compile(r"(import|from) \w|def \w+\(|class \w+[(:]|#!"),
        "a program",
        "Give what it writes: its log, or the runs as CSV.",
    ),
    (re.compile(r"Traceback \(most recent call last\)"), "the message of a program that failed", _LOG),
    (re.compile(r"-{5,} arguments -{5,}"), "the arguments of Megatron-LM", _LOG),
    (re.compile(r"(srun|sbatch|slurmstepd|torchrun|NCCL)\b|W?\d{4} .*torch/distributed"), "the output of a launcher", _LOG),
    (re.compile(r"\[?\d{4}[-/]\d\d[-/]\d\d[ T,]\d\d:\d\d:\d\d\S* .*[A-Za-z]{3}"), "a log", _LOG),
    (re.compile(r"\[?(INFO|WARNING|DEBUG|ERROR)\b"), "a log", _LOG),
    (
        re.compile(r"[A-Za-z_]\w*:(\s|$)(?!.*,)"),
        "settings in YAML",
        "Give the log of the run, with its configuration beside it in one zip.",
    ),
)
_ALIGNED = re.compile(r"\w+([ ]+\S+)+")


def refuse_text(text: str, name: str) -> None:
    """Raises ReadError where a text begins as a document, a program or a log does, and not as a table.

    It is also refused where lines hold a loss with its number, as those of a log do and rows of a table do not.
    """
    refuse_log(text, name)
    begun = text.lstrip()
    line = begun[:2000].partition("\n")[0].strip()
    for pattern, what, advice in _BEGINNINGS:
        if pattern.match(line):
            number = text[: len(text) - len(begun)].count("\n") + 1
            raise ReadError(f'{name} looks like {what}: line {number} is "{shown(line, 160)}". {advice}')


def not_a_table(text: str, name: str) -> ReadError:
    """Returns the error for a text whose lines no comma, tab or semicolon parts."""
    lines = [line for line in text.split("\n")[:_LINES] if line.strip()]
    widths = {len(line.split()) for line in lines[:20]}
    if len(lines) > 2 and len(widths) == 1 and widths != {1} and _ALIGNED.match(lines[0].strip()):
        what = f"but it looks like a table of {widths.pop()} columns parted by blanks"
    else:
        what = "so it is not the header of a table, and nothing in it is the log of a trainer known here"
    return ReadError(
        f'{name}: the first line ("{shown(lines[0])}") has no comma, tab or semicolon, {what}. Save the runs as CSV.'
    )


def refuse_log(text: str, name: str) -> None:
    """Raises ReadError where lines of a text hold a loss with its number, as those of a log do and rows of a table do not."""
    starts = {text.rfind("\n", 0, match.start()) + 1 for match in islice(_LOSS.finditer(text), _LINES)}
    if len(starts) < _LOGGED:
        return
    number, line = text.count("\n", 0, min(starts)) + 1, text[min(starts) :].partition("\n")[0]
    trainer = next((title for pattern, title in _TRAINERS if pattern.search(text[: 2**20])), "")
    what = f"a log of {trainer}" if trainer else "a training log of a kind that is not known here"
    raise ReadError(
        f'{name} looks like {what}, not like a table: line {number} is "{shown(line.strip(), 160)}". Save its steps and losses as CSV with '
        "the columns step, tokens and loss, or give what the trainer writes besides (TensorBoard events, W&B or MLflow exports, JSONL)."
    )
