"""Dense against mixture of experts: optimal loss along compute, and the compute a dense model needs for the same loss."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from .. import numbers
from .draft import scatter
from .style import Style, band, figure, finish, follow, line, ramp_colors, set_decades, split_line, vertical


def losses_figure(curves: pd.DataFrame, style: Style, budget: float, chosen: float) -> go.Figure:
    """Optimal loss against compute, dense in grey, E along the ramp. curves: `tables.gap_curves`."""
    fig = figure(style, "training compute C (FLOPs)", "compute-optimal loss (nats per token)")
    expansions = sorted(curves["expansion"].unique())
    dense = curves[curves["expansion"] == chosen]
    fig.add_trace(line(dense["flops"], dense["loss_dense"], style.dense, "dense"))
    for e, color in zip(expansions, ramp_colors(style, len(expansions)), strict=True):
        part = curves[curves["expansion"] == e]
        color = style.accent if e == chosen else color
        recipe = follow("e", "g", along="flops", y="loss") if e == chosen else follow("g", along="flops", y="loss", e=e)
        fig.add_traces(split_line(part["flops"], part["loss_moe"], part["inside"], color, f"E = {e:g}", meta=recipe))
    set_decades(fig, curves["flops"])
    vertical(fig, budget, style, numbers.flops(budget), live="budget")
    return finish(fig)


def gap_figure(
    curves: pd.DataFrame, style: Style, budget: float, chosen: float, interval: str = "", measured: pd.DataFrame | None = None
) -> go.Figure:
    """Dense over MoE FLOPs at equal loss along budgets, the chosen E with its interval; measured gaps as points."""
    fig = figure(style, "MoE training compute C (FLOPs)", "dense FLOPs / MoE FLOPs at equal loss", log_y=True)
    fig.update_yaxes(exponentformat="none", tickformat="~g", dtick=None, ticksuffix="x")
    expansions = sorted(curves["expansion"].unique())
    for e, color in zip(expansions, ramp_colors(style, len(expansions)), strict=True):
        part = curves[(curves["expansion"] == e) & np.isfinite(curves["gap"])]
        is_chosen = e == chosen
        color = style.accent if is_chosen else color
        if is_chosen and "gap_low" in part:
            ok = part[np.isfinite(part["gap_high"])]
            fig.add_traces(band(ok["flops"], ok["gap_low"], ok["gap_high"], color, interval, on=("e", "g")))
        sliders, own = (("e", "g"), {}) if is_chosen else (("g",), {"e": e})
        recipe = follow(*sliders, along="flops", y="gap", **own)
        fig.add_traces(split_line(part["flops"], part["gap"], part["inside"], color, f"E = {e:g}", meta=recipe))
        if len(part):
            last = part.iloc[-1]
            fig.add_annotation(
                x=np.log10(last["flops"]),
                y=np.log10(last["gap"]),
                text=f"E {e:g}",
                showarrow=False,
                xanchor="left",
                xshift=4,
                font={"size": 11, "color": color},
                name="on " + " ".join(sliders),
            )
    if measured is not None and len(measured):
        ramp = dict(zip(expansions, ramp_colors(style, len(expansions)), strict=True))
        colors = [style.accent if e == chosen else ramp.get(e, style.series[1]) for e in measured["expansion"]]
        fig.add_trace(
            scatter(
                x=measured["flops"],
                y=measured["gap"],
                mode="markers",
                name="measured (between runs)",
                marker={"color": colors, "size": 7, "line": {"width": 1, "color": style.page}},
                text=[f"E {e:g}" for e in measured["expansion"]],
                hovertemplate="%{text}: %{y:.3g}x at %{x:.2e} FLOPs<extra></extra>",
            )
        )
    fig.add_hline(y=1, line={"color": style.muted, "width": 1, "dash": "dot"})
    set_decades(fig, curves["flops"])
    vertical(fig, budget, style, numbers.flops(budget), live="budget")
    return finish(fig)
