"""A finding: one reason not to trust a fit, with its remedy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """code: a stable name; severity: "warning" or "note"; sentence: what was found; remedy: what to do about it."""

    code: str
    severity: str
    sentence: str
    remedy: str
