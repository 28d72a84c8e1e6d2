"""Suggestions: what looks wrong or missing, with the numbers that show it and the mapping that would mend it."""

from __future__ import annotations

from dataclasses import dataclass

from .mapping import Mapping
from .table import Table
from .values import Values


@dataclass(frozen=True)
class Suggestion:
    """A correction on offer: `fix` is the whole mapping with it applied."""

    code: str
    quantity: str
    sentence: str
    fix: Mapping


def suggest(table: Table, mapping: Mapping, values: Values) -> list[Suggestion]:
    """What the values look like beyond the mapping; nothing is applied."""
    return []
