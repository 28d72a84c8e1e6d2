"""Offers about the loss: its unit, another loss of the file, a total beside the model's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import (
    BITS_PER_BYTE,
    BITS_PER_CHARACTER,
    PERPLEXITY,
    PERPLEXITY_PER_BYTE,
    PERPLEXITY_PER_WORD,
    WITH_AUX,
    Mapping,
    Source,
    Table,
    is_auxiliary,
    loss_unit,
    numbers,
    shown,
)
from .suggestion import Suggestion, positive
from .values import Values

PERPLEXITY_FROM = 12.0  # nats: above the logarithm of any vocabulary, so above an untrained model's loss
_OTHERS = 8


def loss_unit_offers(mapping: Mapping, values: Values) -> list[Suggestion]:
    """Suggests perplexity or bits as the unit, from the column's name or from values that no loss in nats has."""
    source, given = mapping.sources["loss"], positive(values, "loss")
    if given is None or source.unit:
        return []
    name, losses = shown(source.column), given[0]
    unit = loss_unit(source.column)
    middle = float(np.median(losses))
    if not unit and middle > PERPLEXITY_FROM and not (mapping.step and is_multiple(losses)):
        unit, why = PERPLEXITY, f"as an untrained model has at most about {PERPLEXITY_FROM:g} nats"
    else:
        why = f'by the name of "{name}"'
    said = {
        PERPLEXITY: ("perplexity", f'"{name}" looks like perplexity, {why}: its median is {middle:.4g}. Take the logarithm, '
            f"{np.log(middle):.4g} nats for that one?"),
        PERPLEXITY_PER_WORD: ("perplexity-per-word", f'"{name}" is a perplexity per word by its name (median {middle:.4g}), and words are '
            f"not tokens. Take the logarithm, {np.log(middle):.4g} nats per word for that one?"),
        PERPLEXITY_PER_BYTE: ("perplexity-per-byte", f'"{name}" is a perplexity per byte by its name (median {middle:.4g}). With the '
            "tokenizer's bytes per token its logarithm becomes nats per token: give that number?"),
        BITS_PER_BYTE: ("bits-per-byte", f'"{name}" is in bits per byte by its name (median {middle:.4g}). With the tokenizer\'s bytes '
            "per token it becomes nats per token: give that number?"),
        BITS_PER_CHARACTER: ("bits-per-character", f'"{name}" is in bits per character by its name (median {middle:.4g}), and characters '
            f"are not tokens. Multiply with ln 2, which gives {middle * np.log(2):.4g} nats per character?"),
        "bits per token": ("bits-per-token", f'"{name}" is in bits by its name (median {middle:.4g}). Multiply with ln 2, which gives '
            f"{middle * np.log(2):.4g} nats per token?"),
    }  # fmt: skip
    if unit not in said:
        return []
    code, sentence = said[unit]
    return [Suggestion(code, "loss", sentence, mapping.with_source("loss", replace(source, unit=unit)))]


def is_multiple(losses: np.ndarray) -> bool:
    """Whether losses along curves are too large for nats and fall too little for a perplexity: a sum over accumulation steps."""
    high, low = np.quantile(losses, [0.98, 0.02])
    return bool(np.median(losses) > PERPLEXITY_FROM and high < 12 * low)


def total_offers(table: Table, mapping: Mapping) -> list[Suggestion]:
    """Offers the language model's own loss, where a total was taken."""
    others = [c for c in mapping.loss_columns if c != mapping.loss and not WITH_AUX.search(c.lower())]
    if not WITH_AUX.search(mapping.loss.lower()) or not others:
        return []
    total, own = (numbers(table.frame[c], table.decimal).values for c in (mapping.loss, others[0]))
    both = np.isfinite(total) & np.isfinite(own)
    more = f", and the median difference is {np.median(total[both] - own[both]):.3g}" if both.any() else ""
    return [
        Suggestion(
            "auxiliary-loss", "loss",
            f'"{shown(mapping.loss)}" may include an auxiliary loss (load balancing, router z), by its name. '
            f'There is also "{shown(others[0])}"{more}: take that instead?',
            mapping.with_source("loss", Source(others[0])),
        )
    ]  # fmt: skip


def other_losses(table: Table, mapping: Mapping) -> list[Suggestion]:
    """Offers every other loss of the file with its last values, the best by `ranked` first."""
    others = [c for c in mapping.loss_columns if c != mapping.loss and c in table.frame][:_OTHERS]
    if not others:
        return []
    run = np.zeros(len(table.frame), dtype=np.int64)
    if not mapping.step:
        run = np.arange(len(table.frame))
    elif mapping.run_columns:
        run = table.frame.groupby(list(mapping.run_columns), dropna=False, sort=False).ngroup().to_numpy()
    return [
        Suggestion(
            "other-loss", "loss",
            f'"{shown(column)}" {_last(numbers(table.frame[column], table.decimal).values, run, bool(mapping.step))}.',
            mapping.with_source("loss", Source(column)),
        )
        for column in others
    ]  # fmt: skip


def _last(values: np.ndarray, run: np.ndarray, along: bool) -> str:
    """Returns in words what a loss ends at: the last value of each run, in the order of the file."""
    there = np.flatnonzero(np.isfinite(values))
    if not len(there):
        return "has no value"
    _, first = np.unique(run[there[::-1]], return_index=True)
    last = values[there[::-1][first]]
    if len(last) == 1:
        return f"{'ends at' if along else 'is'} {last[0]:.4g}"
    return f"{'ends' if along else 'lies'} between {last.min():.4g} and {last.max():.4g} ({len(last):,} runs)"


def auxiliary_columns(table: Table) -> list[str]:
    """Returns the columns whose names say that they hold an auxiliary loss."""
    return [c for c in table.frame.columns if is_auxiliary(c)]
