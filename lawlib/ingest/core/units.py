"""Parses numbers in cells and converts units to the canonical ones (counts, FLOP, nats per token)."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError
from lawlib.runs import parse_number

_COUNT = {"1": 1.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_FLOP = {"FLOP": 1.0, "GFLOP": 1e9, "TFLOP": 1e12, "PFLOP": 1e15, "EFLOP": 1e18, "PF-days": 8.64e19}
PERPLEXITY, BITS_PER_BYTE, FORWARD = "perplexity", "bits per byte", "forward-only "

# A forward-only count is a third of a training count: the backward pass costs two forward passes.
UNITS: dict[str, dict[str, float]] = {
    "flops": _FLOP | {FORWARD + label: 3 * factor for label, factor in _FLOP.items()},
    "n_active": _COUNT,
    "n_total": _COUNT,
    "n_params": _COUNT,
    "tokens": _COUNT,
    # Perplexity is no factor (its logarithm is taken); bits per byte also need the bytes per token.
    "loss": {"nats per token": 1.0, "bits per token": math.log(2), PERPLEXITY: 1.0, BITS_PER_BYTE: math.log(2)},
}
_WORDS = {
    "k": "thousand", "thousand": "thousand", "thousands": "thousand", "m": "million", "mn": "million",
    "million": "million", "millions": "million", "b": "billion", "bn": "billion", "billion": "billion",
    "billions": "billion", "t": "trillion", "trillion": "trillion", "trillions": "trillion",
}  # fmt: skip
_COUNT_UNIT = re.compile(rf"(.+?)[\s_-]*[(\[\s_-]\s*(?:in[\s_]+)?({'|'.join(_WORDS)})\s*[)\]]?", re.IGNORECASE)
_FLOP_UNIT = re.compile(
    r"(?P<day>p(?:eta)?flops?(?:/s|ps)?[\s_-]*days?|pf[\s_-]*days?)|(?P<size>giga|tera|peta|exa|[gtpe])flops?", re.IGNORECASE
)
_BLANK = frozenset({"", "-", "--", "na", "n/a", "null", "none", "<na>", "nat"})
_GROUPED = re.compile(r"[+-]?(\d{1,3}([,' ]\d{3})+|\d[\d_]*)(\.\d*)?([eE][+-]?\d+)?\s*[kKMBGTPEQ]?|[+-]?\.\d.*", re.ASCII)
_COMMA_THOUSANDS = r"[+-]?\d{1,3}(?:\.\d{3}){2,}|[+-]?\d{1,3}(?:\.\d{3})+,\d+"
_COMMA_AMBIGUOUS = r"[+-]?[1-9]\d{0,2}\.\d{3}"


class Numbers(NamedTuple):
    """A column as float64: `text` marks cells that hold something else than a number, `nan` a logged not-a-number."""

    values: np.ndarray
    text: np.ndarray
    nan: np.ndarray


def numbers(column: pd.Series, decimal: str = ".") -> Numbers:
    """Returns the numbers in a column: plain ones at once, "350M", "1_000" or "7,000,000" cell by cell; blanks are NaN."""
    none = np.zeros(len(column), dtype=bool)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return Numbers(column.to_numpy(dtype=float, na_value=np.nan, copy=True), none, none)
    cells = column.astype("str").fillna("").str.strip()
    ambiguous = none
    if decimal == ",":
        ambiguous = cells.str.fullmatch(_COMMA_AMBIGUOUS).to_numpy(dtype=bool)
        grouped = cells.str.fullmatch(_COMMA_THOUSANDS)
        cells = cells.where(~grouped, cells.str.replace(".", "", regex=False)).str.replace(",", ".", regex=False)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float, copy=True)
    values[ambiguous] = np.nan
    failed = np.flatnonzero(np.isnan(values))
    text, nan = none.copy(), none.copy()
    known: dict[str, float | None] = {}
    for row, cell in zip(failed.tolist(), cells.iloc[failed].tolist(), strict=True):
        if cell not in known:
            known[cell] = _number(cell)
        number = known[cell]
        if number is None or ambiguous[row]:
            text[row] = True
        else:
            values[row] = number
            nan[row] = cell.lower() in ("nan", "+nan", "-nan")
    return Numbers(values, text, nan)


def cell_number(cell: str) -> float:
    """Returns the number in one cell, as `numbers` reads it; NaN for blanks and text."""
    try:
        return float(cell)
    except ValueError:
        number = _number(cell.strip())
        return math.nan if number is None else number


def _number(cell: str) -> float | None:
    """The number in a cell that pandas does not take as one; NaN for blanks, None for text."""
    if cell.lower() in _BLANK or cell.lower() in ("nan", "+nan", "-nan"):
        return np.nan
    if cell.lower().lstrip("+-") in ("inf", "infinity"):
        return -np.inf if cell.startswith("-") else np.inf
    if not _GROUPED.fullmatch(cell):  # "3,25" or "1 2": parse_number would join the digits
        return None
    number = parse_number(cell)
    return None if math.isnan(number) else number


def factor(quantity: str, unit: str, bytes_per_token: float | None = None) -> float:
    """Returns what a value in `unit` is multiplied with ("" is the canonical unit).

    Raises:
        ReadError: the quantity has no such unit, or bits per byte come without the bytes per token.
    """
    if not unit:
        return 1.0
    units = UNITS.get(quantity, {"1": 1.0})
    if unit not in units:
        raise ReadError(f'"{unit}" is no unit of {quantity}: choose one of {", ".join(units)}.')
    if unit != BITS_PER_BYTE:
        return units[unit]
    if bytes_per_token is None or not 0 < bytes_per_token < math.inf:
        raise ReadError("Bits per byte need the tokenizer's bytes per token to become nats per token: give that number.")
    return units[unit] * bytes_per_token


def convert(values: np.ndarray, quantity: str, unit: str, bytes_per_token: float | None = None) -> np.ndarray:
    """Returns `values` in the canonical unit, in float64; perplexity becomes its logarithm (NaN at or below zero)."""
    if quantity == "loss" and unit == PERPLEXITY:
        return np.log(values, where=values > 0, out=np.full(values.shape, np.nan))
    with np.errstate(over="ignore"):  # infinity is a fault of its row, told there
        return values * factor(quantity, unit, bytes_per_token)


def count_unit(header: str) -> tuple[str, str]:
    """Splits a header into name and unit: "tokens (B)" is ("tokens", "billion"); ("", "") where it names no unit."""
    match = _COUNT_UNIT.fullmatch(header.strip())
    return (match[1], _WORDS[match[2].lower()]) if match else ("", "")


def flop_unit(header: str) -> tuple[str, str]:
    """Splits a header into name and unit of FLOPs: "total_gflops" is ("total_flops", "GFLOP")."""
    match = _FLOP_UNIT.search(header)
    if match is None:
        return "", ""
    unit = "PF-days" if match["day"] else match["size"][0].upper() + "FLOP"
    return header[: match.start()] + "flops" + header[match.end() :], unit


def loss_unit(header: str) -> str:
    """Returns the unit that a loss column's name contains, "" where it contains none."""
    key = re.sub(r"[^a-z]", "", header.lower())
    if "perplexity" in key or re.search(r"(?<![a-z])ppl(?![a-z])", header.lower()):
        return PERPLEXITY
    if "bitsperbyte" in key or re.search(r"(?<![a-z])bpb(?![a-z])", header.lower()):
        return BITS_PER_BYTE
    if "bitspertoken" in key or re.search(r"(?<![a-z])(bpt|bits)(?![a-z])", header.lower()):
        return "bits per token"
    return ""


def default_unit(quantity: str) -> str:
    """Returns the unit that a quantity's numbers have where none is named; "" for a quantity without units."""
    return next(iter(UNITS[quantity])) if quantity in UNITS else ""
