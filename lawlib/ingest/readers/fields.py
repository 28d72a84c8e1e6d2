"""Reads console lines that are lists of "key: value" or "key=value": nanotron, GPT-NeoX, NeMo 2, fairseq and their like."""

from __future__ import annotations

import re

from .console import NUMBER, plain

_FIELD = re.compile(rf"([A-Za-z][\w./() -]{{0,60}}?)\s*[:=]\s*({NUMBER})([KMBT]?)(?=[\s,|;\]}})]|$)", re.IGNORECASE)


def fields(text: str, parted: str = "|") -> dict[str, str]:
    """Returns the numbers of a line by their keys, from parts such as "lm_loss: 10.7" between the signs `parted`."""
    found: dict[str, str] = {}
    for part in text.split(parted):
        match = _FIELD.fullmatch(part.strip().rstrip(","))
        if match:
            found[match[1].strip()] = plain(match[2]) + match[3]
    return found
