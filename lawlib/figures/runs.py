"""The runs themselves: any quantity against any other, and their training curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from .. import numbers
from .optimum import HOVER, escape, hover_data
from .style import Style, figure, finish, ramp_colors

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


def runs_figure(runs: pd.DataFrame, x: str, color: str, style: Style) -> go.Figure:
    """Loss against a quantity, coloured by another; excluded runs as open crosses. WebGL above 1,000 points."""
    fig = figure(style, AXES.get(x, x), "loss (nats per token)", height=420)
    kind = go.Scattergl if len(runs) > MAX_SVG else go.Scatter
    known = runs[runs[x].notna() & runs["loss"].notna()]
    groups = list(known.groupby(color, dropna=False)) if color in known else [("", known)]
    numeric = color in AXES
    if numeric and len(groups) > 12:
        values = known[color].to_numpy(dtype=float)
        fig.add_trace(
            kind(
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
                    "colorscale": [[i / 7, c] for i, c in enumerate(style.ramp[2:])],
                    "line": {"width": 1, "color": style.page},
                    "colorbar": {"title": {"text": f"log10 {color}"}, "thickness": 10},
                },
            )
        )
        return finish(fig)
    colors = ramp_colors(style, len(groups)) if numeric else style.series[1:]
    for i, (value, part) in enumerate(groups):
        dense = numeric and color in ("expansion", "n_experts") and value == 1
        shade = style.dense if dense else colors[i % len(colors)]
        name = "dense" if dense else _name(color, value)
        excluded = part["excluded"].to_numpy(dtype=bool)
        symbols = np.where(excluded, "x-thin-open", "circle")
        fig.add_trace(
            kind(
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


def _name(color: str, value: object) -> str:
    if not isinstance(value, (int, float)):
        return escape(value) or "(none)"
    if value != value:
        return "not given"
    write = numbers.flops if color == "flops" else numbers.count
    return f"{AXES.get(color, color).split(' ')[-1]} {write(float(value))}"


def curves_figure(curves: pd.DataFrame, names: dict[str, str], x: str, style: Style, log_x: bool = True) -> go.Figure:
    """Training curves, a line a run. curves: run_id, step, tokens, flops, loss; runs beyond the palette share its colours."""
    words = {"step": "step", "tokens": "training tokens D", "flops": "training compute C (FLOPs)"}
    fig = figure(style, words[x], "loss (nats per token)", log_x=log_x, height=420)
    for i, (run, part) in enumerate(curves.groupby("run_id", sort=False)):
        part = part[part["loss"].notna() & ((part[x] > 0) if log_x else True)].sort_values(x)
        fig.add_trace(
            go.Scattergl(
                x=part[x],
                y=part["loss"],
                mode="lines",
                name=escape(names.get(str(run), run)),
                line={"color": style.series[1 + i % 9], "width": 1.5},
            )
        )
    return finish(fig)
