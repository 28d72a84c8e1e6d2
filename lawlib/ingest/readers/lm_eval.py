"""Reads the results of lm-evaluation-harness: benchmarks of one model, which belong to a run that is stored already."""

from __future__ import annotations

import json
import re
from typing import Any

from lawlib.errors import ReadError

from ..core import Mapping, Table
from .reader import Read, Reader

ELSEWHERE = (
    "holds benchmark results of lm-evaluation-harness and no training run. Store the run first, then add these results on the page "
    "Fine-grained, under its benchmarks."
)
_PASSED = re.compile(r"stderr|^alias$|^sample_len$|^name$")


def looks(head: bytes) -> bool:
    """Whether a JSON document has the harness's results, told by the keys beside them."""
    return b'"results"' in head and re.search(rb'"(n-shot|lm_eval_version|task_hashes|versions)"\s*:', head) is not None and (
        re.search(rb'"(acc|acc_norm|word_perplexity|exact_match|perplexity)(,[\w-]+)?"\s*:|"model_args"\s*:|"configs"\s*:', head) is not None
    )  # fmt: skip


def read(content: bytes, name: str) -> Read:
    """Returns one row a task and metric, standard errors and settings apart; "acc,none" is the metric acc."""
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{name} is a damaged file of lm-evaluation-harness: copy it again.") from error
    results = whole.get("results") if isinstance(whole, dict) else None
    if not isinstance(results, dict):
        raise ReadError(f'{name} has no "results" by task: needed is a results file of lm-evaluation-harness.')
    run = _model(whole)
    columns: dict[str, list[str]] = {"run": [], "benchmark": [], "metric": [], "value": []}
    for task, given in results.items():
        for key, value in given.items() if isinstance(given, dict) else ():
            metric, _, how = str(key).partition(",")
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not _PASSED.search(metric):
                label = metric if how in ("", "none") else f"{metric},{how}"
                for column, cell in zip(columns, (run, str(task), label, repr(value)), strict=True):
                    columns[column].append(cell)
    if not columns["run"]:
        raise ReadError(f"{name} holds no result of any task.")
    return Read(
        columns, list(range(1, len(columns["run"]) + 1)), ["Results of lm-evaluation-harness; standard errors are passed over."]
    )


def _model(whole: dict[str, Any]) -> str:
    """Returns the model's name, of a path its last part."""
    config = whole.get("config") if isinstance(whole.get("config"), dict) else {}
    arguments = config.get("model_args", "") if config else ""
    if isinstance(arguments, dict):
        given = arguments.get("pretrained", "")
    else:
        match = re.search(r"(?:pretrained|model|path)=([^,]{1,300})", str(arguments))
        given = match[1] if match else ""
    name = str(whole.get("model_name") or given or "")
    return name.rstrip("/").rpartition("/")[2] if name.startswith((".", "/", "~")) else name


def mapping(table: Table) -> Mapping:
    """Returns a mapping without a loss: benchmark results are no runs."""
    return Mapping(table.format)


READER = Reader("lm-eval", "results of lm-evaluation-harness", looks, read, mapping, ELSEWHERE)
