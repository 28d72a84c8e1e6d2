"""Parses numbers in cells and converts units to the canonical ones (counts, FLOP, nats per token)."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from lawlib.errors import ReadError
from lawlib.runs import parse_number

_COUNT = {"1": 1.0, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_FLOP = {
    "FLOP": 1.0, "MFLOP": 1e6, "GFLOP": 1e9, "TFLOP": 1e12, "PFLOP": 1e15, "EFLOP": 1e18, "ZFLOP": 1e21, "YFLOP": 1e24, "PF-days": 8.64e19,
}  # fmt: skip
PERPLEXITY, BITS_PER_BYTE, FORWARD = "perplexity", "bits per byte", "forward-only "
BITS_PER_CHARACTER, PERPLEXITY_PER_WORD, PERPLEXITY_PER_BYTE = "bits per character", "perplexity per word", "perplexity per byte"
LOGARITHMS = (PERPLEXITY, PERPLEXITY_PER_WORD, PERPLEXITY_PER_BYTE)

# A forward-only count is a third of a training count: the backward pass costs two forward passes.
UNITS: dict[str, dict[str, float]] = {
    "flops": _FLOP | {FORWARD + label: 3 * factor for label, factor in _FLOP.items()},
    "n_active": _COUNT,
    "n_total": _COUNT,
    "n_params": _COUNT,
    "tokens": _COUNT,
    # Perplexity is no factor (its logarithm is taken); what is per byte also needs the bytes per token.
    # Per character and per word: the loss stays per character or word, in nats.
    "loss": {
        "nats per token": 1.0,
        "bits per token": math.log(2),
        PERPLEXITY: 1.0,
        BITS_PER_BYTE: math.log(2),
        BITS_PER_CHARACTER: math.log(2),
        PERPLEXITY_PER_WORD: 1.0,
        PERPLEXITY_PER_BYTE: 1.0,
    },
}
_WORDS = {
    "k": "thousand", "thousand": "thousand", "thousands": "thousand", "m": "million", "mn": "million",
    "million": "million", "millions": "million", "b": "billion", "bn": "billion", "billion": "billion",
    "billions": "billion", "t": "trillion", "trillion": "trillion", "trillions": "trillion",
}  # fmt: skip
_COUNT_UNIT = re.compile(rf"(.+?)[\s_-]*[(\[\s_-]\s*(?:in[\s_]+)?({'|'.join(_WORDS)})\s*[)\]]?", re.IGNORECASE)
_FLOP_UNIT = re.compile(
    r"(?P<day>p(?:eta)?flops?(?:/s|ps)?[\s_-]*days?|pf[\s_-]*days?)|(?P<size>mega|giga|tera|peta|exa|zetta|yotta|[mgtpezy])flops?",
    re.IGNORECASE,
)
_BLANK = frozenset({"", "-", "--", "na", "n/a", "null", "none", "<na>", "nat"})
_SPACES = re.compile("[\u00a0\u2007\u2009\u202f]")  # hard and thin ones, which group digits
_POWER = re.compile(  # 5.9×10^17, 5.9e17 FLOPs, 1.3 billion, 160M params, ~2.1B tokens
    r"[~≈]?\$?\s*([+-]?\d[\d,' ]*\.?\d*(?:[eE][+-]?\d{1,3})?)\s*(?:(?:×|x|\*|·|⋅|\\times|\\cdot)\s*10\s*(?:\^|\*\*)?\s*\{?([+-]?\d{1,3})\}?)?\$?"
    r"[\s-]*(thousands?|millions?|billions?|trillions?|mn|bn|[kKMBGT])?\s*(?i:params?|parameters?|tokens?|tok|flops?)?",
    re.ASCII,
)
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-")
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
    if cells.str.contains(_SPACES).any():
        cells = cells.str.replace(_SPACES, " ", regex=True).str.strip()
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
        return _written(cell)
    number = parse_number(cell)
    return None if math.isnan(number) else number


def _written(cell: str) -> float | None:
    """The number in a cell as papers write it, "5.9×10^17" or "1.3 billion"; None where there is none."""
    match = _POWER.fullmatch(cell[:80].translate(_SUPERSCRIPT)) if len(cell) <= 80 else None
    if match is None or not (match[2] or match[3] or re.search(r"[A-Za-z]$|^[~≈]", cell)):
        return None
    base = match[1].strip()
    if not _GROUPED.fullmatch(base):
        return None
    word = match[3] or ""
    scale = _COUNT[_WORDS[word.lower()]] if word.lower() in _WORDS else 1e9 if word == "G" else 1.0
    try:
        return parse_number(base) * scale * 10.0 ** int(match[2] or 0)
    except OverflowError:
        return math.inf


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
    if unit not in (BITS_PER_BYTE, PERPLEXITY_PER_BYTE):
        return units[unit]
    if bytes_per_token is None or not 0 < bytes_per_token < math.inf:
        raise ReadError(
            f"{'Bits' if unit == BITS_PER_BYTE else 'Perplexities'} per byte need the tokenizer's bytes per token to become nats per token: give that number."
        )
    return units[unit] * bytes_per_token


def convert(values: np.ndarray, quantity: str, unit: str, bytes_per_token: float | None = None) -> np.ndarray:
    """Returns `values` in the canonical unit, in float64; perplexity becomes its logarithm (NaN at or below zero)."""
    if quantity == "loss" and unit in LOGARITHMS:
        values = np.log(values, where=values > 0, out=np.full(values.shape, np.nan))
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


@lru_cache(2**16)
def loss_unit(header: str) -> str:
    """Returns the unit that a loss column's name contains, "" where it contains none."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).lower()
    key = re.sub(r"[^a-z]", "", text)
    if "perplexity" in key or re.search(r"(?<![a-z])\w*(ppl|pplx)(?![a-z])", text):
        if re.search(r"word[^a-z]*(perplexity|ppl)|(perplexity|ppl)[^a-z]*(per[^a-z]*)?word", text):
            return PERPLEXITY_PER_WORD
        return (
            PERPLEXITY_PER_BYTE
            if re.search(r"byte[^a-z]*(perplexity|ppl)|(perplexity|ppl)[^a-z]*per[^a-z]*byte", text)
            else PERPLEXITY
        )
    if re.search(r"bits?perbyte", key) or re.search(r"(?<![a-z])bpb(?![a-z])", text):
        return BITS_PER_BYTE
    if re.search(r"bits?perchar", key) or re.search(r"(?<![a-z])bpc(?![a-z])", text):
        return BITS_PER_CHARACTER
    if re.search(r"bits?pertoken", key) or re.search(r"(?<![a-z])(bpt|bits)(?![a-z])", text):
        return "bits per token"
    return ""


def default_unit(quantity: str) -> str:
    """Returns the unit that a quantity's numbers have where none is named; "" for a quantity without units."""
    return next(iter(UNITS[quantity])) if quantity in UNITS else ""
