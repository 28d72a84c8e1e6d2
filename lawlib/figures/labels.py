"""Names written at the lines' ends, where a legend would make the reader look twice. They keep clear of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .draft import Draft
from .palette import Style, ink

LINE_HEIGHT = 13
"""Pixels that one name needs."""
_PADDING = 0.08
"""Part of an axis that plotly leaves free beyond the data."""


class End(NamedTuple):
    """A name, where its line ends, in its colour, and the sliders that move it."""

    x: float
    y: float
    text: str
    color: str
    on: tuple[str, ...] = ()


def name_ends(fig: Draft, ends: Sequence[End], style: Style) -> None:
    """Writes each name right of its line's end, shifted where two would overlap. For figures that are otherwise finished."""
    ends = [e for e in ends if np.isfinite(e.x) and np.isfinite(e.y)]
    if not ends:
        return
    pixels = _pixels(fig, np.array([e.y for e in ends]))
    for end, shift in zip(ends, spread(pixels, LINE_HEIGHT) - pixels, strict=True):
        fig.add_annotation(
            x=np.log10(end.x) if fig.log_x else end.x,
            y=np.log10(end.y) if fig.log_y else end.y,
            text=end.text,
            showarrow=False,
            xanchor="left",
            xshift=4,
            yshift=round(float(shift)),
            font={"size": 11, "color": ink(end.color, style)},
            **({"name": "on " + " ".join(end.on)} if end.on else {}),
        )


def spread(places: np.ndarray, gap: float) -> np.ndarray:
    """The places moved as little as possible (least squares), in their order, until neighbours are `gap` apart.

    Without the gaps that is isotonic regression, solved by pooling neighbours that violate the order.
    """
    order = np.argsort(places, kind="stable")
    wanted = places[order] - gap * np.arange(len(places))
    pools: list[tuple[float, int]] = []
    for value in wanted:
        mean, n = float(value), 1
        while pools and pools[-1][0] > mean:
            before, m = pools.pop()
            mean, n = (before * m + mean * n) / (m + n), m + n
        pools.append((mean, n))
    out = np.empty(len(places))
    out[order] = np.repeat([mean for mean, _ in pools], [n for _, n in pools]) + gap * np.arange(len(places))
    return out


def _pixels(fig: Draft, values: np.ndarray) -> np.ndarray:
    """How far up the plot the values are, in pixels, as plotly will choose the axis."""
    layout = fig.layout
    scale = np.log10 if fig.log_y else np.asarray
    low, high = layout["yaxis"].get("range") or (np.nan, np.nan)
    if not np.isfinite([low, high]).all():
        drawn = scale(fig.heights)
        room = _PADDING * (np.nanmax(drawn) - np.nanmin(drawn))
        low, high = np.nanmin(drawn) - room, np.nanmax(drawn) + room
    inner = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"] - 14
    return inner * (scale(values) - low) / max(high - low, 1e-12)
