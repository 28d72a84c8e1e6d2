"""Formats numbers for people: counts in K/M/B/T, FLOPs in powers of ten, losses to three decimals."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

_STEPS = ((1e15, "Q"), (1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


@lru_cache(maxsize=1 << 16)  # tables and hovers of a page that is drawn again have the same numbers
def count(value: float, digits: int = 3) -> str:
    """Returns parameters, tokens or experts as text: 7.31B, 128, "-" where there is none."""
    if not math.isfinite(value):
        return "–"
    for size, letter in _STEPS:
        if abs(value) >= size * (1 - 0.5 * 10**-digits):
            return f"{_significant(value / size, digits)}{letter}"
    return _significant(value, digits)


def counts(values: ArrayLike, digits: int = 3) -> list[str]:
    """Returns `count` of many values, in a quarter of the time."""
    values = np.ravel(np.asarray(values, dtype=float))
    sizes = np.array([1.0, *(size for size, _ in reversed(_STEPS))])
    step = np.searchsorted(sizes[1:] * (1 - 0.5 * 10**-digits), np.abs(values), side="right")
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = values / sizes[step]
        decimals = np.maximum(digits - 1 - np.floor(np.log10(np.abs(parts)) + 1e-12), 0)
    known = np.isfinite(values)
    decimals = np.where(known & (parts != 0), decimals, 0).astype(int)
    letters = ["", *(letter for _, letter in reversed(_STEPS))]
    texts = []
    for part, n, at, good in zip(parts.tolist(), decimals.tolist(), step.tolist(), known.tolist(), strict=True):
        text = f"{part:.{n}f}"
        texts.append((text.rstrip("0").rstrip(".") if n else text) + letters[at] if good else "–")
    return texts


@lru_cache(maxsize=1 << 16)
def flops(value: float, digits: int = 2) -> str:
    """Returns training FLOPs as text: 3.2e20."""
    if not math.isfinite(value) or value <= 0:
        return "–"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def loss(value: float) -> str:
    """Returns nats per token as text, with three decimals."""
    return f"{value:.3f}" if math.isfinite(value) else "–"


def times(value: float) -> str:
    """Returns a ratio as text: 21.3x, 120x, 1.22e6x, or "∞" where one side never gets there."""
    if math.isinf(value):
        return "∞"
    if value >= 99999.5:
        return f"{flops(value, 3)}x"
    return f"{_significant(value, 3)}x" if math.isfinite(value) else "–"


def money(value: float) -> str:
    """Returns US dollars as text, to three digits: USD 0.0312, USD 1.2M."""
    return f"USD {count(value)}" if math.isfinite(value) else "–"


@lru_cache(maxsize=1 << 16)
def plain(value: float, digits: int = 4) -> str:
    """Returns any other number as text, to `digits` significant digits."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def span(low: float, high: float, write: Callable[[float], str] = loss) -> str:
    """Returns an interval as text: [low, high]."""
    return f"[{write(low)}, {write(high)}]"


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value)) + 1e-12), 0)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


WRITE = {
    "count": count,
    "flops": lambda value: flops(value, 3),
    "loss": loss,
    "nats": lambda value: f"{value:.4f}" if math.isfinite(value) else "–",
    "times": times,
    "plain": plain,
    "whole": lambda value: f"{value:,.0f}" if math.isfinite(value) else "–",
}
"""Writers by name, for sentences that the page fills in again while a slider moves: ui/js/numbers.js has the same."""


def finite(value: object) -> object:
    """A nested value for JSON, which has neither NaN nor infinity: they become None."""
    if isinstance(value, dict):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
