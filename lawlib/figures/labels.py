"""Writes names at the ends of lines and beside points instead of in a legend, without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .draft import Draft
from .live_contract import Slider, hidden_by
from .palette import Style, ink

LINE_HEIGHT = 13
"""Pixels that one name needs."""
LETTER = 5.6
"""Pixels that a letter of a point's name takes, on average."""
NARROW = 300
"""Pixels between the axes of the narrowest chart that names are placed for."""
SIDES = {
    "top center": (0, 1), "bottom center": (0, -1), "middle right": (1, 0), "middle left": (-1, 0),
    "top right": (1, 1), "top left": (-1, 1), "bottom right": (1, -1), "bottom left": (-1, -1),
}  # fmt: skip
"""Where plotly writes a point's name -> right and up; those that read best first."""
_PADDING = 0.08
"""Part of an axis that plotly leaves free beyond the data."""


class End(NamedTuple):
    """A name to be written at the end of its line, in its colour, with the sliders that move it."""

    x: float
    y: float
    text: str
    color: str
    on: tuple[Slider, ...] = ()


def name_ends(fig: Draft, ends: Sequence[End], style: Style) -> None:
    """Writes each name right of its line's end, shifted where two would overlap. Call it on figures that are otherwise finished."""
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
            **hidden_by(end.on),
        )


def free_sides(fig: Draft, x: np.ndarray, y: np.ndarray, names: Sequence[str], also: np.ndarray | None = None) -> list[str]:
    """Returns on which of `SIDES` of its point each name meets the fewest names, points and borders, for figures with ranges of their own.

    also: other points to keep clear of, `(n, 2)`. Each name in turn takes its best side, until none moves.
    """
    points, more = (
        _places(fig, *np.reshape(values, (-1, 2)).T) for values in (np.stack([x, y], axis=1), [] if also is None else also)
    )
    sides = np.array([*SIDES.values()], dtype=float)
    half = np.array([[0.5 * LETTER * len(name), 0.5 * LINE_HEIGHT] for name in names])
    boxes = points[:, None] + sides * (half[:, None] + 0.5 * LINE_HEIGHT)  # the middle of each name on each side
    dots = np.concatenate([points, more])
    frame = np.array([NARROW, _height(fig)])
    cost = 20.0 * _overlap(boxes[:, :, None], half[:, None, None], dots, np.full(2, 4.0)).sum(axis=-1)
    cost += 40.0 * np.maximum(np.abs(boxes - frame / 2) + half[:, None] - frame / 2, 0).sum(axis=-1) + np.arange(len(sides))
    taken = np.zeros(len(names), dtype=int)
    for _ in range(len(names)):
        before = taken.copy()
        for i in range(len(names)):
            others = np.flatnonzero(np.arange(len(names)) != i)
            met = _overlap(boxes[i][:, None], half[i], boxes[others, taken[others]], half[others])
            taken[i] = np.argmin(cost[i] + 20.0 * met.sum(axis=-1))
        if (taken == before).all():
            break
    return [[*SIDES][side] for side in taken]


def _overlap(a: np.ndarray, half_a: np.ndarray, b: np.ndarray, half_b: np.ndarray) -> np.ndarray:
    """The area in square pixels that boxes around a and b have in common."""
    return np.nan_to_num(np.maximum(half_a + half_b - np.abs(a - b), 0).clip(max=2 * np.minimum(half_a, half_b)).prod(axis=-1))


def _places(fig: Draft, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Positions of the points in pixels from the lower left corner of the narrowest plot, `(n, 2)`."""
    low, high = fig.layout["xaxis"]["range"]
    across = np.log10(x) if fig.log_x else x
    return np.stack([NARROW * (across - low) / (high - low), _pixels(fig, y)], axis=1)


def spread(places: np.ndarray, gap: float) -> np.ndarray:
    """Returns the positions moved as little as possible (least squares), order kept, until neighbours are `gap` apart.

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
    """Heights of the values in pixels, on the axis range that plotly will choose."""
    layout = fig.layout
    scale = np.log10 if fig.log_y else np.asarray
    low, high = layout["yaxis"].get("range") or (np.nan, np.nan)
    if not np.isfinite([low, high]).all():
        drawn = scale(fig.heights)
        room = _PADDING * (np.nanmax(drawn) - np.nanmin(drawn))
        low, high = np.nanmin(drawn) - room, np.nanmax(drawn) + room
    return _height(fig) * (scale(values) - low) / max(high - low, 1e-12)


def _height(fig: Draft) -> float:
    """Pixels between the ends of the y axis."""
    return fig.layout["height"] - fig.layout["margin"]["t"] - fig.layout["margin"]["b"] - 14
