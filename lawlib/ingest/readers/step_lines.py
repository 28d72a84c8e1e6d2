"""Reads logs that no trainer known here wrote: lines that name a step and, after it, a loss and other numbers by their keys."""

from __future__ import annotations

import re

from .console import NUMBER, Steps, console_lines, plain
from .reader import Read, Reader

_STEP = r"\b(?:global[_ ]?)?(?:steps?|iters?|iterations?|updates?)\b(?:\(\w{1,12}\))?[\s:=#\[(]{0,8}(\d[\d,]{0,12})(?:\s?/\s?\d+)?(?!\d|%|[.:]\d)"
_LOSS = r"(?:loss|nll|ppl|perplexity)\b['\"]?\s{0,3}[:=]?\s{0,3}-?(?:[\d.]|nan|inf)"
_SNIFF = re.compile(rf"(?im)^(?![{{\",;]|[^\n|]{{0,40}}[,;]\d)[^\n{{\"]{{0,160}}{_STEP}[^\n{{]{{0,600}}?{_LOSS}".encode())
_AT = re.compile(_STEP, re.IGNORECASE)
_PAIR = re.compile(
    rf"([A-Za-z][\w/.-]{{0,40}}(?: [A-Za-z][\w/.-]{{0,30}}){{0,3}})(?:\s*\([\w%/ ]{{1,12}}\))?\s{{0,4}}[:=]\s{{0,8}}({NUMBER})([KMBT]?)(?=[\s,;|%)\]]|[a-z%]{{1,3}}\b|$)",
    re.IGNORECASE,
)
_BARE = re.compile(
    rf"((?:[A-Za-z_]{{1,20}}[ _]){{0,2}}(?:loss|nll|ppl|perplexity))\s{{1,4}}({NUMBER})(?=[\s,;|)\]]|$)", re.IGNORECASE
)
_VALIDATION = re.compile(r"(?<![a-z])(val|valid|validation|validate|eval|evaluation|test)(?![a-z])", re.IGNORECASE)
_SIZE = re.compile(
    r"(?:number of|num|n|total|model)[ _](?:trainable |model )?param(?:eter)?s?(?: count)?\s{0,4}[:=]\s{0,4}(\d[\d,.]{0,20}\s?[KMBT]?)\b",
    re.IGNORECASE,
)
_LINES = 3


def looks(head: bytes) -> bool:
    """Whether lines enough name a step and a loss after it."""
    found = _SNIFF.finditer(head[: 2**18])
    return sum(1 for _, _match in zip(range(_LINES), found, strict=False)) == _LINES


def read(content: bytes, name: str) -> Read:
    """Returns one row a line with a step and a loss; a loss on a line that speaks of validation is one of validation."""
    steps = Steps(name)
    steps.notes.append(
        'The log is of no trainer known here: its lines of "step ... loss ..." are taken as they stand. Check what was understood.'
    )
    for line in console_lines(content, name, steps.notes):
        at = _AT.search(line.text)
        row = _numbers(line.text[at.end() :]) if at else {}
        if at and any(re.search(r"loss|nll|ppl|perplexity", key, re.IGNORECASE) for key in row):
            of_validation = _VALIDATION.search(line.text) is not None
            steps.add(line, {"step": plain(at[1])} | {_named(k, of_validation): v for k, v in row.items() if k.lower() != "step"})
        elif match := _SIZE.search(line.text):
            steps.settings["n_params"] = match[1].replace(",", "")
    return steps.read("step")


def _numbers(text: str) -> dict[str, str]:
    """Returns the numbers of a line by their keys: "loss: 3.2", "lr=1e-4", "val loss 3.3"."""
    found = {match[1]: plain(match[2]) for match in _BARE.finditer(text)}
    return found | {match[1].strip(): plain(match[2]) + match[3].upper() for match in _PAIR.finditer(text)}


def _named(key: str, of_validation: bool) -> str:
    own = re.search(r"train|val|eval|test", key, re.IGNORECASE)
    return f"validation {key}" if of_validation and not own and re.search(r"loss|nll|ppl|perplexity", key, re.IGNORECASE) else key


READER = Reader("step-lines", "log of steps", looks, read)
