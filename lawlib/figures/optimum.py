"""Figures along compute: measured losses, the law's optimal loss, and the optimal size or tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Figure, Trace, scatter
from .layout import Style, band, figure, finish, line, set_decades, split_line, vertical
from .live_contract import follow
from .palette import law_color

HOVER = (
    "<b>%{customdata[0]}</b><br>loss %{y:.4f}<br>N active %{customdata[1]}<br>tokens %{customdata[2]}<br>"
    "FLOPs %{customdata[3]}<br>experts %{customdata[4]} · E %{customdata[5]} · G %{customdata[6]}<extra></extra>"
)


_WRITERS = {
    "flops": numbers.flops,
    "n_experts": numbers.plain,
    "expansion": numbers.plain,
    "granularity": numbers.plain,
}


def hover_data(runs: pd.DataFrame) -> np.ndarray:
    """Returns every quantity of every run as text for `HOVER`; shape `(n_runs, 7)`."""
    ids = runs["run_id"] if "run_id" in runs else runs["name"]
    columns = [[escape(name or f"run {i}") for name, i in zip(runs["name"], ids, strict=True)]]
    columns += [numbers.counts(runs[c]) for c in ("n_active", "tokens")]
    for name, write in _WRITERS.items():
        values = runs[name].to_numpy(dtype=float).tolist()
        words = {v: write(v) for v in set(values)}  # a sweep has few of each
        columns.append([words[v] for v in values])
    return np.array(columns, dtype=str).T


def escape(text: object) -> str:
    """Returns a user's words as plain text inside a chart, where plotly would interpret tags."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def measured(runs: pd.DataFrame, x: str, style: Style, name: str = "runs", **marker: Any) -> Trace:
    """Returns the runs as points: loss against the column `x`."""
    look = {"color": style.measured, "size": 7, "line": {"width": 1, "color": style.page}} | marker
    return scatter(
        x=runs[x], y=runs["loss"], mode="markers", name=name, marker=look, customdata=hover_data(runs), hovertemplate=HOVER
    )


def loss_frontier(path: pd.DataFrame, runs: pd.DataFrame | None, style: Style, budget: float, interval: str) -> Figure:
    """The law's compute-optimal loss along budgets, over the runs. path: `tables.optimal_path`."""
    fig = figure(style, "training compute C (FLOPs)", "loss (nats per token)")
    if "loss_low" in path:
        fig.add_traces(band(path["flops"], path["loss_low"], path["loss_high"], style.accent, interval, on=("e", "g")))
    if runs is not None:
        fig.add_trace(measured(runs, "flops", style))
    fig.add_traces(
        split_line(
            path["flops"],
            path["loss"],
            path["inside"],
            style.accent,
            "compute-optimal loss",
            meta=follow("e", "g", along="flops", y="loss"),
        )
    )
    set_decades(fig, path["flops"])
    vertical(fig, budget, style, numbers.flops(budget), live=True)
    return finish(fig)


def allocation(
    paths: Mapping[str, pd.DataFrame],
    chosen: str,
    style: Style,
    budget: float,
    column: Literal["n_active", "tokens", "tokens_per_parameter"] = "n_active",
    interval: str = "",
    optima: pd.DataFrame | None = None,
) -> Figure:
    """Optimal size (or tokens, or tokens per parameter) along budgets for several laws; the chosen one with its interval, the others thin.

    optima: `approaches.IsoflopOptima.slices`, drawn as points.
    """
    words = {
        "n_active": "optimal active parameters N",
        "tokens": "optimal training tokens D",
        "tokens_per_parameter": "tokens per active parameter D/N",
    }
    fig = figure(style, "training compute C (FLOPs)", words[column], log_y=True)
    for name in [name for name in paths if name != chosen]:
        path = paths[name]
        fig.add_trace(line(path["flops"], path[column], law_color(style, name), escape(name), "dot"))
    path = paths[chosen]
    if f"{column}_low" in path:
        edges = path[f"{column}_low"], path[f"{column}_high"]
        fig.add_traces(band(path["flops"], *edges, style.accent, interval, on=("e", "g")))
    recipe = follow("e", "g", along="flops", y=column)
    fig.add_traces(split_line(path["flops"], path[column], path["inside"], style.accent, escape(chosen), meta=recipe))
    set_decades(fig, path["flops"])
    if optima is not None and len(optima):
        good = optima[optima["inside"] & optima["opens_up"]]
        ratio = good["tokens_opt"] / good["n_opt"]
        y = {"n_active": good["n_opt"], "tokens": good["tokens_opt"], "tokens_per_parameter": ratio}[column]
        look = {"color": style.measured, "size": 8, "line": {"width": 1, "color": style.page}}
        fig.add_trace(scatter(x=good["flops"], y=y, mode="markers", name="isoFLOP vertices (approach 2)", marker=look))
    vertical(fig, budget, style, numbers.flops(budget), live=True)
    return finish(fig)


def marker(x: float, y: float, style: Style, text: str, **options: Any) -> Trace:
    """Returns the optimum as a diamond with its words beside it."""
    return scatter(
        x=[x],
        y=[y],
        mode="markers+text",
        text=[text],
        textposition="top center",
        name="optimum",
        showlegend=False,
        marker={"symbol": "diamond", "size": 11, "color": style.accent, "line": {"width": 1.5, "color": style.page}},
        textfont={"color": style.text, "size": 12},
        hoverinfo="skip",
        **options,
    )
