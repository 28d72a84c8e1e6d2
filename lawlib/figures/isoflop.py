"""Figures of iso-FLOP curves: loss against size at fixed compute, with the runs of each slice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Draft, Figure, scatter, split
from .labels import End, name_ends
from .layout import Style, band, figure, finish, split_line, unnamed
from .live_contract import Own, Slider, follow
from .optimum import marker, measured
from .palette import fade, ramp_colors


def isoflop_figure(
    curves: pd.DataFrame,
    runs: pd.DataFrame | None,
    style: Style,
    chosen: float,
    interval: str = "",
    height: int = 440,
    others: pd.DataFrame | None = None,
    reach: pd.DataFrame | None = None,
) -> Figure:
    """Iso-FLOP curves with the chosen budget, its optimum and interval in the accent colour. curves: `tables.isoflop_curves`.

    runs: those at the curves' E and G, in the colour of their budget. others: runs of other E or G, faint. reach:
    `tables.optimal_path` along the budgets that can be chosen: the axes hold them all, so that nothing jumps between them.
    """
    fig = figure(style, "active parameters N", "loss (nats per token)", height=height)
    parts = split(curves, "flops")
    colors = dict(zip(parts, ramp_colors(style, len(parts)), strict=True))
    is_chosen = {budget: bool(np.isclose(budget, chosen)) for budget in parts}
    colors |= {budget: style.accent for budget in parts if is_chosen[budget]}
    for budget, part in parts.items():
        _curve(fig, part, budget, style, colors[budget], interval if is_chosen[budget] else None)
    _best_of_others(fig, {c: part for c, part in parts.items() if not is_chosen[c]}, colors)
    if others is not None and len(others):
        fig.add_trace(measured(others, "n_active", style, name="runs at other E or G", color=fade(style.muted, 0.25), size=5))
    if runs is not None and len(runs):
        known = runs[runs["n_active"].notna() & runs["flops"].notna()]
        budgets = np.array(list(parts))
        nearest = budgets[np.argmin(np.abs(np.log(known["flops"].to_numpy()[:, None] / budgets)), axis=1)]
        points = measured(known, "n_active", style, "runs at these E and G", color=[colors[b] for b in nearest])
        fig.add_trace(points | {"showlegend": False})
    best = [{name: part[name][np.argmax(part["optimal"])] for name in ("n_active", "loss")} for part in parts.values()]
    top = float(np.nanmax([at["loss"] for at in best]))
    low = float(curves["loss"].min())
    measured_top = float(np.nanquantile(runs["loss"], 0.98)) if runs is not None and len(runs) else top
    ceiling = max(top, measured_top)
    if reach is not None:
        low = min(low, float(reach["loss"].min()))
        sizes = [*reach["n_active"], *(at["n_active"] for at in best)]
        fig.update_xaxes(range=[np.log10(np.nanmin(sizes)) - 0.7, np.log10(np.nanmax(sizes)) + 0.7])
    ceiling += 0.12 * (ceiling - low)
    fig.update_yaxes(range=[low - 0.06 * (ceiling - low), ceiling])
    name_ends(fig, [_end(part, budget, colors[budget], is_chosen[budget], ceiling) for budget, part in parts.items()], style)
    return finish(fig)


def _curve(fig: Draft, part: dict[str, np.ndarray], budget: float, style: Style, color: str, interval: str | None) -> None:
    """One budget's curve with its optimum; the chosen budget's, which has an interval, follows its slider."""
    chosen = interval is not None
    sliders: tuple[Slider, ...] = ("budget", "e", "g") if chosen else ("e", "g")
    own: Own = {} if chosen else {"budget": budget}
    name = f"{numbers.flops(budget)} FLOPs"
    x, y = part["n_active"], part["loss"]
    if interval is not None and "loss_low" in part:
        fig.add_traces(band(x, part["loss_low"], part["loss_high"], color, interval, on=sliders))
    curve = split_line(x, y, part["inside"], color, name, meta=follow(*sliders, along="n_active", y="loss", **own))
    fig.add_traces(unnamed(curve))
    if chosen:
        at = int(np.argmax(part["optimal"]))
        fig.add_trace(marker(x[at], y[at], style, numbers.count(x[at]), meta=follow(*sliders, mark=["n_active", "loss"])))


def _best_of_others(fig: Draft, parts: dict[float, dict[str, np.ndarray]], colors: dict[float, str]) -> None:
    """The optima of the budgets that are not chosen, as one trace: each costs plotly a millisecond a drawing."""
    x, y = (np.array([part[c][np.argmax(part["optimal"])] for part in parts.values()]) for c in ("n_active", "loss"))
    look = {"symbol": "diamond-open", "size": 7, "color": [colors[c] for c in parts]}
    recipe = follow("e", "g", mark=["n_active", "loss"], budget=list(parts))
    fig.add_trace(scatter(x=x, y=y, mode="markers", marker=look, showlegend=False, hoverinfo="skip", meta=recipe))


def _end(part: dict[str, np.ndarray], budget: float, color: str, chosen: bool, ceiling: float) -> End:
    """The last point of a curve inside the plot, where its name is written."""
    loss = part["loss"]
    last = np.flatnonzero((loss <= ceiling) | part["optimal"])[-1]
    sliders: tuple[Slider, ...] = ("budget", "e", "g") if chosen else ("e", "g")
    return End(float(part["n_active"][last]), min(float(loss[last]), ceiling), numbers.flops(budget), color, sliders)
