"""Finds the column of a quantity by what its header says: its name, without its path, without the unit that it ends in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from ..core import Source, count_unit, flop_unit
from .evidence import Evidence

_TEXTS = frozenset({"name", "arch", "status", "excluded", "exclude_reason"})
_READ_AS = {"flops": ("flops",), "counts": ("n_active", "n_total", "n_params", "tokens")}


def keys(header: str) -> list[str]:
    """Returns the names that a header may be matched by, most specific first: as a whole, then without its path."""
    whole = re.sub(r"\.value$", "", header.strip())
    leaf = re.split(r"[/.](?=[^/.]*[^\W\d])", whole)[-1]
    return list(dict.fromkeys([key(whole), key(leaf)]))


def key(text: str) -> str:
    """Returns a name's letters and digits in lower case."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


class _Reading(NamedTuple):
    """One way to read a header: a name it may be matched by, the unit it ends in, and of which quantities ("" is of all)."""

    of: str
    level: int  # 1 without its unit, else 0
    depth: int  # 1 without its path, else 0
    key: str
    unit: str


class Headers:
    """The columns of a table by the names they may be matched by; a column that is `taken` is found no more."""

    def __init__(self, rows: Evidence) -> None:
        self.rows = rows
        self.taken: set[str] = set()
        self._found: dict[str, list[tuple[int, str, _Reading]]] = {}
        for i, column in enumerate(rows.columns):
            for reading in _readings(column):
                self._found.setdefault(reading.key, []).append((i, column, reading))

    def has(self, aliases: tuple[str, ...]) -> bool:
        """Whether a column may be matched by one of the names."""
        return any(alias in self._found for alias in aliases)

    @property
    def letters(self) -> dict[str, str]:
        """The columns that are called by one letter, by that letter."""
        return {key(c): c for c in self.rows.columns if len(key(c)) == 1}

    def find(self, quantity: str, aliases: tuple[str, ...]) -> Source | None:
        """Returns the first alias that a free column has, whole names before names without their path, plain ones before units."""
        options: list[tuple[int, int, int, int, Source]] = []
        for rank, alias in enumerate(aliases):
            for i, column, (of, level, depth, _, unit) in self._found.get(alias, ()):
                if column in self.taken or quantity not in _READ_AS.get(of, (quantity,)):
                    continue
                if depth and quantity == "tokens" and re.match(r"(val|eval|test)", column.lower()):
                    continue
                options.append((depth + level, rank, i, level, Source(column, unit)))
        options.sort(key=lambda option: option[:4])
        return next((o[4] for o in options if quantity in _TEXTS or self.rows.is_numeric(o[4].column)), None)


@lru_cache(2**16)
def _readings(column: str) -> tuple[_Reading, ...]:
    """The header as it is, and without the unit that it ends in; nothing for rates."""
    if re.search(
        r"per[_\s]?(step|token|sec|second|s\b|device|gpu|batch|iter)|/s(ec)?\b|(?<![a-z])max_", column.lower()
    ) and not re.search(r"experts?[_\s]?per[_\s]?tok", column.lower()):
        return ()
    readings = [("", column, "")]
    header, unit = flop_unit(column)
    # A bare "tflops" is a speed in most logs.
    if header and not re.fullmatch(r"(.*/)?([gt]|giga|tera)flops?", column.lower()):
        readings.append(("flops", header, unit))
    header, unit = count_unit(column)
    if header:
        readings.append(("counts", header, unit))
    return tuple(
        _Reading(of, int(of != ""), depth, name, unit) for of, header, unit in readings for depth, name in enumerate(keys(header))
    )
