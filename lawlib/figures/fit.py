"""Figures of how well a law fits its runs: residuals, predicted against measured loss, and the backtest."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Figure, scatter
from .layout import Style, figure, finish, vertical
from .optimum import HOVER, escape, hover_data

_AXES = {
    "flops": "training compute C (FLOPs)",
    "n_active": "active parameters N",
    "n_total": "total parameters N",
    "tokens": "training tokens D",
}


def residual_figure(runs: pd.DataFrame, residuals: np.ndarray, style: Style, x: str) -> Figure:
    """ln L_pred - ln L of every run, in per cent of the loss, against a column of the runs."""
    fig = figure(style, _AXES.get(x, x), "predicted above measured (% of the loss)", height=340)
    fig.add_hline(y=0, line={"color": style.muted, "width": 1})
    template = HOVER.replace("loss %{y:.4f}", "residual %{y:.2f} %")
    fig.add_trace(
        scatter(
            x=runs[x],
            y=100 * residuals,
            mode="markers",
            customdata=hover_data(runs),
            hovertemplate=template,
            showlegend=False,
            marker={"color": style.measured, "size": 7, "line": {"width": 1, "color": style.page}},
        )
    )
    return finish(fig)


def prediction_figure(runs: pd.DataFrame, predicted: np.ndarray, style: Style) -> Figure:
    """Predicted against measured loss, with the line where they agree."""
    fig = figure(style, "measured loss (nats per token)", "predicted loss (nats per token)", log_x=False, height=340)
    low, high = float(min(runs["loss"].min(), predicted.min())), float(max(runs["loss"].max(), predicted.max()))
    fig.add_trace(
        scatter(
            x=[low, high],
            y=[low, high],
            mode="lines",
            line={"color": style.muted, "width": 1},
            showlegend=False,
            hoverinfo="skip",
        )
    )
    fig.add_trace(
        scatter(
            x=runs["loss"],
            y=predicted,
            mode="markers",
            customdata=hover_data(runs),
            showlegend=False,
            hovertemplate=HOVER.replace("loss %{y:.4f}", "measured %{x:.4f}, predicted %{y:.4f}"),
            marker={"color": style.measured, "size": 7, "line": {"width": 1, "color": style.page}},
        )
    )
    return finish(fig)


def backtest_figure(points: pd.DataFrame, cut: float, style: Style) -> Figure:
    """Held-out runs: predicted minus measured loss with its 90 % band, a colour a law."""
    fig = figure(style, "training compute C (FLOPs)", "predicted minus measured loss (nats)", height=360)
    fig.add_hline(y=0, line={"color": style.muted, "width": 1})
    for i, (law, part) in enumerate(points.groupby("law", sort=False)):
        error = part["predicted"] - part["loss"]
        fig.add_trace(
            scatter(
                x=part["flops"] * (1 + 0.03 * i),
                y=error,
                mode="markers",
                name=escape(law),
                marker={"color": style.series[1 + i % 9], "size": 7},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": part["high"] - part["predicted"],
                    "arrayminus": part["predicted"] - part["low"],
                    "width": 0,
                    "thickness": 1,
                },
                text=[escape(n) for n in part.get("name", pd.Series([""] * len(part)))],
                hovertemplate="%{text}<br>%{y:+.4f} nats at %{x:.2e} FLOPs<extra>%{fullData.name}</extra>",
            )
        )
    vertical(fig, cut, style, f"fitted up to {numbers.flops(cut)}")
    return finish(fig)
