"""Figures of granularity: what finer experts are worth at each budget, and the budgets at which the best G changes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import numbers
from ..optimum import slice_labels
from .draft import Figure, scatter, split
from .labels import End, name_ends
from .layout import Style, band, figure, finish, line, vertical
from .live_contract import follow, hidden_by
from .optimum import hover_data
from .palette import ramp_colors


def excess_figure(curves: pd.DataFrame, style: Style, chosen: float, interval: str = "") -> Figure:
    """Loss above the budget's best G, against G, a line a budget. curves: `tables.granularity_curves`."""
    fig = figure(style, "granularity G (experts per feed-forward width)", "loss above the best G (nats)")
    fig.update_xaxes(dtick=np.log10(2), exponentformat="none", tickformat="d")
    parts = split(curves, "flops")
    top = 1.15 * max(float(np.nanmax(part["excess"])) for budget, part in parts.items() if np.isclose(budget, chosen))
    ends = []
    for (budget, part), ramp in zip(parts.items(), ramp_colors(style, len(parts)), strict=True):
        is_chosen = bool(np.isclose(budget, chosen))
        seen = np.flatnonzero(part["excess"] <= top)[-1]
        color = style.accent if is_chosen else ramp
        if is_chosen and "excess_low" in part:
            fig.add_traces(
                band(part["granularity"], part["excess_low"], part["excess_high"], color, interval, on=("budget", "e"))
            )
        fig.add_trace(
            scatter(
                x=part["granularity"],
                y=part["excess"],
                mode="lines+markers",
                name=f"{numbers.flops(budget)} FLOPs",
                meta=follow("budget", "e", along="granularity", y="excess", times=budget / chosen),
                line={"color": color, "width": 3 if is_chosen else 1.5, "dash": "solid" if part["inside"].all() else "dash"},
                marker={"size": 7 if is_chosen else 4, "color": color},
                customdata=np.stack(
                    [
                        numbers.counts(part["n_active"]),
                        numbers.counts(part["tokens"]),
                        [numbers.loss(v) for v in part["loss"].tolist()],
                        [f"{v:.1%}" for v in part["router_share"].tolist()],
                    ],
                    axis=1,
                ),
                showlegend=False,
                hovertemplate="G %{x}<br>+%{y:.4f} nats (loss %{customdata[2]})<br>N active %{customdata[0]} · tokens %{customdata[1]}"
                "<br>router %{customdata[3]} of FLOPs<extra>%{fullData.name}</extra>",
            )
        )
        at = float(part["granularity"][seen]), float(part["excess"][seen])
        ends.append(End(*at, numbers.flops(budget), color, ("budget", "e")))
    fig.update_yaxes(range=[-0.035 * top, top])
    name_ends(fig, ends, style)
    return finish(fig)


def best_figure(path: pd.DataFrame, switches: pd.DataFrame, style: Style, budget: float) -> Figure:
    """The best power-of-two G along budgets, a staircase. path: `tables.optimal_path`; switches: `switching_budgets`."""
    fig = figure(style, "training compute C (FLOPs)", "best granularity G", log_y=True)
    fig.update_yaxes(dtick=np.log10(2), exponentformat="none", tickformat="d")
    recipe = follow("e", along="flops", y="granularity", g="best")
    fig.add_trace(line(path["flops"], path["granularity"], style.accent, "best G", showlegend=False, shape="hv", meta=recipe))
    low, high = path["flops"].min(), path["flops"].max()
    for row in switches[(switches["flops"] > low) & (switches["flops"] < high)].itertuples():
        late = np.log(row.flops / low) > 0.7 * np.log(high / low)  # no room on its right
        fig.add_annotation(
            x=np.log10(row.flops),
            y=np.log10(row.granularity),
            text=f"from {numbers.flops(row.flops)}",
            showarrow=False,
            font={"size": 11, "color": style.muted},
            xanchor="right" if late else "left",
            yanchor="bottom" if late else "top",
            xshift=-6 if late else 6,
            **hidden_by(("e",)),
        )
    fig.update_xaxes(range=[np.log10(low), np.log10(high)], dtick=2)
    fig.update_yaxes(range=[np.log10(path["granularity"].min()) - 0.1, np.log10(path["granularity"].max()) + 0.2])
    vertical(fig, budget, style, numbers.flops(budget), top=False, live=True)
    return finish(fig)


def router_figure(curves: pd.DataFrame, style: Style, chosen: float) -> Figure:
    """The router's share of training FLOPs against G at the chosen budget."""
    part = curves[np.isclose(curves["flops"], chosen)]
    fig = figure(style, "granularity G", "router's share of FLOPs", log_x=False)
    fig.update_xaxes(type="category")
    fig.update_yaxes(tickformat=".0%", rangemode="tozero")
    colors = [style.accent if best else style.series[0] for best in part["best"]]
    fig.add_trace(
        scatter(
            type="bar",
            x=[f"{g:g}" for g in part["granularity"]],
            y=part["router_share"],
            marker={"color": colors},
            meta=follow("budget", "e", along="granularity", y="router_share"),
            showlegend=False,
            hovertemplate="G %{x}: %{y:.1%}<extra></extra>",
        )
    )
    return finish(fig)


MAX_NAMED = 6
"""Ladders that a legend may name."""


def measured_granularity(runs: pd.DataFrame, style: Style) -> Figure:
    """Measured effect of G alone: a line through the runs that share size, E and tokens, relative to their coarsest.

    Where no two share their tokens (routers cost compute, so runs of one budget do not), those of one size, E and FLOPs.
    """
    fig = figure(style, "granularity G", "loss above that of the coarsest (nats)")
    fig.update_xaxes(dtick=np.log10(2), exponentformat="none", tickformat="d")
    known = runs[runs["granularity"].notna() & (runs["n_experts"] > 1)]
    shared = [np.round(np.log(known[c].to_numpy(dtype=float)), 2) for c in ("n_active", "expansion")]
    ladders, equal = _ladders(known, [*shared, np.round(np.log(known["tokens"].to_numpy(dtype=float)), 2)]), "tokens"
    if not ladders:
        ladders, equal = _ladders(known, [*shared, slice_labels(known)]), "flops"
    fig.add_hline(y=0, line={"color": style.muted, "width": 1})
    for part, color in zip(
        sorted(ladders, key=lambda p: p["flops"].mean()), ramp_colors(style, max(len(ladders), 1)), strict=False
    ):
        first = part.iloc[0]
        amount = f"{numbers.count(first['tokens'])} tokens" if equal == "tokens" else f"{numbers.flops(first['flops'])} FLOPs"
        name = f"{numbers.count(first['n_active'])}, {amount}, E {first['expansion']:g}"
        fig.add_trace(
            scatter(
                x=part["granularity"],
                y=part["loss"] - first["loss"],
                mode="lines+markers",
                line={"color": color, "width": 1.2},
                marker={"color": color, "size": 6},
                customdata=hover_data(part),
                hovertemplate="G %{x}: %{y:+.4f} nats<br>%{customdata[0]}<extra>%{fullData.name}</extra>",
                name=name,
                showlegend=len(ladders) <= MAX_NAMED,
            )
        )
    return finish(fig)


def _ladders(runs: pd.DataFrame, keys: list[np.ndarray]) -> list[pd.DataFrame]:
    """Groups of runs with equal keys and more than one G, a row a G (repeats by their mean loss), coarsest first."""
    out = []
    for _, part in runs.groupby(keys):
        if part["granularity"].nunique() > 1:
            mean = part.groupby("granularity")["loss"].mean()
            first = part.drop_duplicates("granularity").sort_values("granularity")
            out.append(first.assign(loss=first["granularity"].map(mean)))
    return out
