"""Figures of the runs themselves: any quantity against any other, and training curves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Figure, scatter
from .layout import Style, band, figure, finish, line
from .optimum import HOVER, escape, hover_data
from .palette import expansion_color, granularity_color, ramp_colors

AXES: dict[str, str] = {
    "flops": "training compute C (FLOPs)",
    "n_active": "active parameters N",
    "n_total": "total parameters N",
    "tokens": "training tokens D",
    "n_experts": "experts",
    "expansion": "expansion E",
    "granularity": "granularity G",
    "d_model": "width d_model",
}
MAX_SVG = 1000
MAX_DRAWN = 2000
"""Points of the chart of runs; of more runs it draws so many, evenly over their losses, and as many of those left out."""
MAX_NAMED = 8
"""Values of a quantity that a legend names; of more, a colour bar tells."""
_OWN = {"expansion": expansion_color, "granularity": granularity_color}
"""Quantities whose values have colours of their own."""


def runs_figure(runs: pd.DataFrame, x: str, color: str, style: Style) -> Figure:
    """Loss against a quantity, coloured by another; excluded runs are open crosses. WebGL above 1,000 points, at most `MAX_DRAWN`."""
    fig = figure(style, AXES.get(x, x), "loss (nats per token)", height=420)
    known = drawn(runs, x)
    kind = "scattergl" if len(known) > MAX_SVG else "scatter"
    numeric = color in AXES
    if numeric and known[color].nunique(dropna=False) > MAX_NAMED and color not in _OWN:
        values = known[color].to_numpy(dtype=float)
        fig.add_trace(
            scatter(
                type=kind,
                x=known[x],
                y=known["loss"],
                mode="markers",
                customdata=hover_data(known),
                hovertemplate=HOVER,
                ids=known["run_id"],
                showlegend=False,
                marker={
                    "color": np.log10(values),
                    "size": 7,
                    "symbol": np.where(known["excluded"].to_numpy(dtype=bool), "x-thin-open", "circle"),
                    "colorscale": [[i / 9, c] for i, c in enumerate(style.ramp)],
                    "line": {"width": 1, "color": style.page},
                    "colorbar": _color_bar(color, values, style),
                },
            )
        )
        return finish(fig)
    groups = list(known.groupby(color, dropna=False)) if color in known else [("", known)]
    colors = ramp_colors(style, len(groups)) if numeric else style.series[1:]
    for i, (value, part) in enumerate(groups):
        dense = value == "dense" or (color in ("expansion", "n_experts") and value == 1)
        shade = _OWN[color](style, value) if color in _OWN else colors[i % len(colors)]
        shade, name = (style.dense, "dense") if dense else (shade, _name(color, value))
        excluded = part["excluded"].to_numpy(dtype=bool)
        symbols = np.where(excluded, "x-thin-open", "circle")
        fig.add_trace(
            scatter(
                type=kind,
                x=part[x],
                y=part["loss"],
                mode="markers",
                name=name,
                customdata=hover_data(part),
                hovertemplate=HOVER,
                ids=part["run_id"],
                marker={
                    "color": shade,
                    "size": 7,
                    "symbol": symbols,
                    "line": {"width": 1, "color": style.page if not excluded.any() else shade},
                },
            )
        )
    return finish(fig)


def drawn(runs: pd.DataFrame, x: str) -> pd.DataFrame:
    """Returns the runs that the chart across `x` draws; applied to its own result it changes nothing."""
    loss, out = runs["loss"].to_numpy(dtype=float), runs["excluded"].to_numpy(dtype=bool)
    known = runs[x].notna().to_numpy() & ~np.isnan(loss)
    rows = np.flatnonzero(known)
    if len(rows) > MAX_DRAWN:
        rows = np.union1d(*(_evenly(np.flatnonzero(known & part), loss) for part in (~out, out)))
    return runs.iloc[rows]


def _evenly(rows: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """Chooses at most `MAX_DRAWN` of these rows, spread evenly over their losses."""
    if len(rows) <= MAX_DRAWN:
        return rows
    return rows[np.argsort(loss[rows], kind="stable")[np.linspace(0, len(rows) - 1, MAX_DRAWN).astype(int)]]


def _color_bar(color: str, values: np.ndarray, style: Style) -> dict:
    """Returns the colour bar: ticks at powers of ten, or at the ends where there are fewer than two."""
    low, high = np.log10(np.nanmin(values)), np.log10(np.nanmax(values))
    decades = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
    ticks = decades[:: max(1, len(decades) // 6)] if len(decades) > 1 else np.array([low, high])
    write = numbers.flops if color == "flops" else numbers.count
    return {
        "title": {"text": AXES[color], "side": "right", "font": {"size": 12}},
        "tickvals": ticks.tolist(),
        "ticktext": [write(10**t) for t in ticks],
        "tickfont": {"size": 11, "color": style.muted},
        "thickness": 10,
        "outlinewidth": 0,
    }


def _name(color: str, value: object) -> str:
    if not isinstance(value, (int, float)):
        return escape(value) or "(none)"
    if value != value:
        return "not given"
    write = numbers.flops if color == "flops" else numbers.count
    return f"{AXES.get(color, color).split(' ')[-1]} {write(float(value))}"


def curves_figure(
    curves: pd.DataFrame, names: dict[str, str], x: str, style: Style, log_x: bool = True, ahead: pd.DataFrame | None = None
) -> Figure:
    """Training curves, a line a run. curves: run_id, step, tokens, flops, loss; runs beyond the palette share its colours.

    ahead: forecasts of unfinished runs along `x`, columns run_id, x, loss, low, high: dashes and bands in the run's colour.
    """
    words = {
        "step": "step",
        "tokens": "training tokens D",
        "flops": "training compute C (FLOPs)",
        "hours": "hours since the run began",
    }
    fig = figure(style, words[x], "loss (nats per token)", log_x=log_x, height=420)
    for i, (run, part) in enumerate(curves.groupby("run_id", sort=False)):
        part = part[part["loss"].notna() & ((part[x] > 0) if log_x else True)].sort_values(x)
        color, name = style.series[1 + i % 9], escape(names.get(str(run), run))
        future = ahead[ahead["run_id"] == run] if ahead is not None else None
        if future is not None and len(future):
            fig.add_traces(band(future[x], future["low"], future["high"], color, f"{name}, forecast, 95 %"))
            fig.add_trace(line(future[x], future["loss"], color, f"{name}, forecast", "dash", showlegend=False))
        look = {"color": color, "width": 1.5}
        fig.add_trace(scatter(type="scattergl", x=part[x], y=part["loss"], mode="lines", name=name, line=look))
    return finish(fig)
