"""Iso-FLOP curves: loss against size at fixed compute, with the runs of each slice on them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from .. import numbers
from ..approaches import slice_labels
from .optimum import marker, measured
from .style import Style, band, fade, figure, finish, ramp_colors, split_line


def isoflop_figure(
    curves: pd.DataFrame,
    runs: pd.DataFrame | None,
    style: Style,
    chosen: float,
    interval: str = "",
    height: int = 440,
    others: pd.DataFrame | None = None,
) -> go.Figure:
    """curves: `tables.isoflop_curves`; the chosen budget carries the accent, its optimum and its interval.

    runs: those at the curves' E and G, in the colour of their budget. others: runs of other E or G, faint.
    """
    fig = figure(style, "active parameters N", "loss (nats per token)", height=height)
    budgets = sorted(curves["flops"].unique())
    colors = dict(zip(budgets, ramp_colors(style, len(budgets)), strict=True))
    for budget in budgets:
        part = curves[curves["flops"] == budget]
        is_chosen = np.isclose(budget, chosen)
        color = style.accent if is_chosen else colors[budget]
        if is_chosen and "loss_low" in part:
            fig.add_traces(band(part["n_active"], part["loss_low"], part["loss_high"], color, interval))
        name = f"{numbers.flops(budget)} FLOPs"
        for trace in split_line(part["n_active"], part["loss"], part["inside"], color, name):
            fig.add_trace(trace.update(showlegend=bool(is_chosen) and trace.showlegend is not False))
        best = part[part["optimal"]].iloc[0]
        if is_chosen:
            fig.add_trace(marker(best["n_active"], best["loss"], style, f"{numbers.count(best['n_active'])}"))
        else:
            fig.add_trace(
                go.Scatter(
                    x=[best["n_active"]],
                    y=[best["loss"]],
                    mode="markers",
                    marker={"symbol": "diamond-open", "size": 7, "color": color},
                    showlegend=False,
                    hoverinfo="skip",
                )
            )
        last = part.iloc[-1]
        fig.add_annotation(
            x=np.log10(last["n_active"]),
            y=last["loss"],
            text=numbers.flops(budget),
            showarrow=False,
            xanchor="left",
            xshift=4,
            font={"size": 11, "color": color},
        )
    if others is not None and len(others):
        fig.add_trace(measured(others, "n_active", style, name="runs at other E or G", color=fade(style.muted, 0.25), size=5))
    if runs is not None and len(runs):
        known = runs[runs["n_active"].notna() & runs["flops"].notna()]
        nearest = np.array(budgets)[np.argmin(np.abs(np.log(known["flops"].to_numpy()[:, None] / np.array(budgets))), axis=1)]
        for budget in budgets:
            part = known[nearest == budget]
            color = style.accent if np.isclose(budget, chosen) else colors[budget]
            if len(part):
                fig.add_trace(measured(part, "n_active", style, name=f"runs at {numbers.flops(budget)}", color=color))
                fig.data[-1].showlegend = False
    top = float(curves.loc[curves["optimal"], "loss"].max())
    low = float(curves["loss"].min())
    measured_top = float(runs["loss"].quantile(0.98)) if runs is not None and len(runs) else top
    ceiling = max(top, measured_top)
    fig.update_yaxes(range=[low - 0.06 * (ceiling - low), ceiling + 0.12 * (ceiling - low)])
    return finish(fig)


def slices(runs: pd.DataFrame, most: int = 12) -> list[float]:
    """The budgets of the data's isoFLOP slices: values of C (within 5 %) that at least two different sizes share."""
    known = runs[runs["flops"].notna() & runs["n_active"].notna()]
    labels = slice_labels(known)
    groups = pd.DataFrame({"label": labels, "c": np.log(known["flops"].to_numpy(dtype=float)), "n": known["n_active"].to_numpy()})
    found = groups.groupby("label").agg(c=("c", "median"), sizes=("n", "nunique"))
    budgets = np.exp(found.loc[found["sizes"] >= 2, "c"].to_numpy())
    if len(budgets) > most:
        budgets = budgets[np.linspace(0, len(budgets) - 1, most).astype(int)]
    return [float(b) for b in budgets]
