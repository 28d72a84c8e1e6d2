"""Figures about the bundled byte models: differences between seeds, and the search for learning rates."""

from __future__ import annotations

import pandas as pd

from .. import numbers
from .draft import Figure, scatter
from .layout import figure, finish
from .palette import Style, expansion_color, ramp_colors


def repeats_figure(runs: pd.DataFrame, repeated: pd.DataFrame, sd: float, style: Style) -> Figure:
    """Each repeat's loss minus its configuration's mean, a row a configuration, between lines at the pooled standard deviation.

    runs: those of `repeated`, with a column `configuration`, its row there.
    """
    height = 110 + 26 * max(len(repeated), 6)
    fig = figure(style, "loss less the mean of its seeds (nats per byte)", "", log_x=False, height=height)
    for sign in (-1, 1):
        fig.add_vline(x=sign * sd, line={"color": style.muted, "width": 1, "dash": "dot"})
    row = runs["configuration"].to_numpy()
    names = [_kind(found) for found in repeated.itertuples()]
    fig.add_trace(
        scatter(
            x=runs["loss"].to_numpy() - repeated["mean"].to_numpy()[row],
            y=row,
            mode="markers",
            showlegend=False,
            customdata=[f"{names[i]}, seed {seed:g}" for i, seed in zip(row, runs["seed"], strict=True)],
            hovertemplate="%{customdata}: %{x:+.4f} nats<extra></extra>",
            marker={"size": 8, "color": [expansion_color(style, e) for e in runs["expansion"]]},
        )
    )
    fig.update_yaxes(tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6], automargin=True)
    return finish(fig)


def _kind(row) -> str:
    kind = "dense" if row.expansion == 1 else f"E {row.expansion:g} G {row.granularity:g}"
    return f"{kind}, N {numbers.count(row.n_active)}, C {numbers.flops(row.flops)}"


def rates_figure(search: pd.DataFrame, style: Style) -> Figure:
    """Final loss against the peak learning rate, a line a size and budget."""
    fig = figure(style, "peak learning rate", "loss (nats per byte)", height=360)
    widths = sorted(search["d_model"].unique())
    colors = dict(zip(widths, ramp_colors(style, len(widths)), strict=True))
    for (d, layers, flops), part in search.groupby(["d_model", "n_layers", "flops"], sort=False):
        name = f"d = {d:g}, {layers:g} block{'s' * (layers > 1)}, {numbers.flops(flops)}"
        fig.add_trace(
            scatter(
                x=part["learning_rate"],
                y=part["loss"],
                mode="lines+markers",
                name=name,
                line={"color": colors[d], "width": 1.5},
                marker={"color": colors[d], "size": 6},
                hovertemplate=f"{name}<br>rate %{{x}}: %{{y:.4f}}<extra></extra>",
            )
        )
    return finish(fig)
