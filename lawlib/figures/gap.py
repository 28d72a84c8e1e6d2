"""Figures of dense against MoE models: optimal loss along compute, and the compute a dense model needs for the same loss."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Figure, scatter, split
from .labels import End, name_ends
from .layout import Style, band, figure, finish, line, set_decades, split_line, unnamed, vertical
from .live_contract import Own, Slider, follow
from .palette import expansion_color


def losses_figure(curves: pd.DataFrame, style: Style, budget: float, chosen: float) -> Figure:
    """Optimal loss against compute, dense in grey, each E in its colour. curves: `tables.gap_curves`."""
    fig = figure(style, "training compute C (FLOPs)", "compute-optimal loss (nats per token)")
    parts = split(curves, "expansion")
    dense = parts[chosen]
    fig.add_trace(line(dense["flops"], dense["loss_dense"], style.dense, "dense", showlegend=False))
    ends = [End(float(dense["flops"][-1]), float(dense["loss_dense"][-1]), "dense", style.dense)]
    for e, part in parts.items():
        color = style.accent if e == chosen else expansion_color(style, e)
        sliders, own = _own(e, chosen)
        recipe = follow(*sliders, along="flops", y="loss", **own)
        fig.add_traces(unnamed(split_line(part["flops"], part["loss_moe"], part["inside"], color, f"E = {e:g}", meta=recipe)))
        ends.append(End(float(part["flops"][-1]), float(part["loss_moe"][-1]), f"E {e:g}", color, sliders))
    set_decades(fig, curves["flops"])
    vertical(fig, budget, style, numbers.flops(budget), live=True)
    name_ends(fig, ends, style)
    return finish(fig)


def gap_figure(
    curves: pd.DataFrame, style: Style, budget: float, chosen: float, interval: str = "", measured: pd.DataFrame | None = None
) -> Figure:
    """Dense over MoE FLOPs at equal loss along budgets, the chosen E with its interval; measured gaps as points."""
    fig = figure(style, "MoE training compute C (FLOPs)", "dense FLOPs / MoE FLOPs at equal loss", log_y=True)
    fig.update_yaxes(exponentformat="none", tickformat="~g", dtick="D2", ticksuffix="x")
    ends = []
    for e, part in split(curves[np.isfinite(curves["gap"].to_numpy())], "expansion").items():
        is_chosen = e == chosen
        color = style.accent if is_chosen else expansion_color(style, e)
        if is_chosen and "gap_low" in part:
            ok = np.isfinite(part["gap_high"])
            low, high = part["gap_low"][ok], part["gap_high"][ok]
            fig.add_traces(band(part["flops"][ok], low, high, color, interval, on=("e", "g")))
        sliders, own = _own(e, chosen)
        recipe = follow(*sliders, along="flops", y="gap", **own)
        fig.add_traces(unnamed(split_line(part["flops"], part["gap"], part["inside"], color, f"E = {e:g}", meta=recipe)))
        ends.append(End(float(part["flops"][-1]), float(part["gap"][-1]), f"E {e:g}", color, sliders))
    if measured is not None and len(measured):
        colors = [style.accent if e == chosen else expansion_color(style, e) for e in measured["expansion"]]
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
    vertical(fig, budget, style, numbers.flops(budget), live=True)
    name_ends(fig, ends, style)
    return finish(fig)


def _own(e: float, chosen: float) -> tuple[tuple[Slider, ...], Own]:
    """Returns the sliders that the curve of an E follows, and what it has of its own: the chosen one has the slider's E."""
    return (("e", "g"), {}) if e == chosen else (("g",), {"e": e})
