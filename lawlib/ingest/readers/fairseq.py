"""Reads the console logs of fairseq and metaseq, simple and JSON; their losses are in bits per token (base 2)."""

from __future__ import annotations

import json
import re

from ..core import WITH_EMBEDDINGS, Mapping, Source, Table
from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(
    rb"epoch \d{3}:? +(?:\d+ / \d+ )?[^\n]{0,60}\bloss=[\d.]+[^\n]{0,300}\bnum_updates=\d|\| (?:train_inner|valid|train) \| \{\"epoch\": \d"
    rb"|\| valid on '[^'\n]{1,40}' subset \|[^\n]{0,300}num_updates \d"
)
_INNER = re.compile(r"\bepoch (\d+):? .*\bloss=")
_EQUAL = re.compile(rf"\b([a-z_]{{2,30}})=({NUMBER})(?=[,\s]|$)")
_VALID = re.compile(r"\bvalid on '([^']{1,40})' subset \|(.*)")
_BAR = re.compile(rf"\b([a-z_]{{2,30}}) ({NUMBER})\s*$")
_JSON = re.compile(r"\| (train_inner|valid|train) \| (\{.*\})\s*$")
_SIZE = re.compile(r"num\. (?:shared )?model params: ([\d,]{1,20})")


def read(content: bytes, name: str) -> Read:
    """Returns one row a logged update; validation losses in columns of their own. The sums at the end of an epoch are passed over."""
    steps = Steps(name, "num_updates")
    for line in console_lines(content, name, steps.notes):
        row: dict[str, str] = {}
        if match := _JSON.search(line.text):
            row = {} if match[1] == "train" else _of_json(match[2])
        elif match := _VALID.search(line.text):
            parts = [found for part in match[2].split("|") if (found := _BAR.search(part.strip()))]
            row = {
                k if k == "num_updates" else f"valid_{k.removeprefix('valid_')}": plain(v) for k, v in (p.groups() for p in parts)
            }
        elif _INNER.search(line.text):
            row = {k: plain(v.rstrip(",")) for k, v in _EQUAL.findall(line.text)}
        elif match := _SIZE.search(line.text):
            steps.settings["model params"] = match[1].replace(",", "")
        if row.get("num_updates"):
            steps.add(line, {f"{k} (bits)" if k.endswith("loss") else k: v for k, v in row.items()})
    return steps.read("num_updates")


def _of_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    flat = {str(k).removeprefix("train_"): str(v) for k, v in found.items() if isinstance(v, (str, int, float))}
    if "valid_num_updates" in flat:
        flat["num_updates"] = flat["valid_num_updates"]
    return flat


def mapping(table: Table) -> Mapping:
    """Returns the mapping: the cross entropy (nll_loss) before the loss, which may be smoothed; D = updates x words a batch."""
    found = log_mapping(
        table,
        {
            "step": [Source("num_updates")],
            "tokens": [Source("num_updates", times=("wpb",), rule="D = num_updates x wpb, the words (tokens) of a batch")],
            "n_params": [Source("model params", rule=WITH_EMBEDDINGS)],
        },
    )
    return found.with_source("loss", Source(found.loss, "bits per token", "fairseq logs in base 2")) if found.loss else found


READER = Reader("fairseq", "fairseq log", lambda head: _SNIFF.search(head) is not None, read, mapping)
