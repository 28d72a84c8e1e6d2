"""Figures of the planner: losses that the limits allow by E and G, and released models beside a law."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Draft, Figure, Trace, arrays, rows_of, scatter
from .labels import End, free_sides, name_ends
from .layout import Style, figure, finish
from .palette import granularity_color

ROOM = 0.12
"""Share of the axes of released models that is kept free at both ends for their names."""


def options_figure(options: pd.DataFrame, expansion: float, granularity: float, style: Style) -> Figure:
    """Lowest predicted loss under the limits for every allowed E and G. options: `planner.Plan.options`; the plan is orange."""
    all_ = arrays(options, "expansion", "granularity", "loss", "n_active", "tokens")
    known_g = not np.isnan(all_["granularity"]).all()
    all_["plan"] = _same(all_["expansion"], expansion) & _same(all_["granularity"], granularity)
    all_ |= {name: np.nan_to_num(all_[name], nan=1.0) for name in ("expansion", "granularity")}
    found = rows_of(all_, np.isfinite(all_["loss"]))
    fig = figure(style, "expansion E (1 is dense)", "lowest loss under the limits (nats per token)", height=360)
    fig.update_xaxes(dtick=np.log10(2), exponentformat="none", tickformat="d")
    dense, ends = found["expansion"] <= 1, []
    for g in np.unique(found["granularity"][~dense]):
        part = rows_of(found, dense | (found["granularity"] == g))
        part = rows_of(part, np.argsort(part["expansion"], kind="stable"))
        color = granularity_color(style, float(g))
        fig.add_trace(
            scatter(
                x=part["expansion"],
                y=part["loss"],
                mode="lines+markers",
                name=f"G = {g:g}" if known_g else "law",
                showlegend=False,
                line={"color": color, "width": 1.5},
                marker={"color": color, "size": 6},
                customdata=[*zip(numbers.counts(part["n_active"]), numbers.counts(part["tokens"]), strict=True)],
                hovertemplate="E %{x}: loss %{y:.4f}<br>N active %{customdata[0]} · tokens %{customdata[1]}<extra>%{fullData.name}</extra>",
            )
        )
        if known_g:
            ends.append(End(part["expansion"][-1], part["loss"][-1], f"G {g:g}", color))
    plan = rows_of(found, found["plan"])
    fig.add_trace(
        scatter(
            x=plan["expansion"],
            y=plan["loss"],
            mode="markers",
            name="plan",
            showlegend=False,
            hoverinfo="skip",
            marker={"color": style.accent, "size": 13, "symbol": "diamond-open", "line": {"width": 2}},
        )
    )
    name_ends(fig, ends, style)
    return finish(fig)


def ratio_figure(placed: pd.DataFrame, style: Style, label: str) -> Figure:
    """Tokens per active parameter of released models against their training compute, beside what a law recommends there.

    placed: `released.placed`. Open circles rest on a figure that was not checked against its source.
    """
    known = placed[np.isfinite(placed["ratio"])].sort_values("flops")
    fig = figure(style, "training compute C = 6 N D (FLOPs)", "tokens per active parameter", log_y=True, height=420)
    law = known[np.isfinite(known["law_ratio"])]
    fig.add_trace(
        scatter(
            x=law["flops"],
            y=law["law_ratio"],
            mode="markers",
            name=f"{label}, at the model's C and E",
            marker={"color": style.accent, "size": 9, "symbol": "line-ew-open", "line": {"width": 2, "color": style.accent}},
            hovertemplate="the law: %{y:.3g} at %{x:.2g} FLOPs<extra></extra>",
        )
    )
    _name(fig, known, ("flops", "ratio"), law[["flops", "law_ratio"]], style)
    return finish(fig)


def shape_figure(placed: pd.DataFrame, style: Style) -> Figure:
    """E and G of released models, G = 4 d_model / d_expert, with the granularity that a law recommends at their compute and E."""
    title = "granularity G = 4 d_model / d_expert"
    fig = figure(style, "expansion E = experts / G", title, log_y=True, height=420)
    for axis in (fig.update_xaxes, fig.update_yaxes):
        axis(dtick=np.log10(2), exponentformat="none", tickformat=".3~g")
    law = placed[np.isfinite(placed["law_granularity"])]
    if len(law):
        fig.add_trace(
            scatter(
                x=law["expansion"],
                y=law["law_granularity"],
                mode="markers",
                name="best G by the law",
                marker={"color": style.accent, "size": 9, "symbol": "line-ew-open", "line": {"width": 2, "color": style.accent}},
                hovertemplate="the law: G %{y:g}<extra></extra>",
            )
        )
    _name(fig, placed, ("expansion", "granularity"), law[["expansion", "law_granularity"]], style)
    return finish(fig)


def _name(fig: Draft, placed: pd.DataFrame, axes: tuple[str, str], law: pd.DataFrame, style: Style) -> None:
    """Writes the models' names beside their points. law: the points of the law, which no name may cover."""
    if not len(placed):
        return
    every = np.log10(np.concatenate([placed[[*axes]].to_numpy(), law.to_numpy()]))
    ends = np.stack([np.nanmin(every, axis=0), np.nanmax(every, axis=0)])
    ends += np.array([[-1.0], [1.0]]) * ROOM * np.maximum(np.ptp(ends, axis=0), 0.5)
    for axis, (low, high) in zip((fig.update_xaxes, fig.update_yaxes), ends.T, strict=True):
        axis(range=[float(low), float(high)])
    x, y = (placed[axis].to_numpy() for axis in axes)
    fig.add_trace(
        _models(placed, *axes, style) | {"textposition": free_sides(fig, x, y, placed["model"].tolist(), law.to_numpy())}
    )


def _models(placed: pd.DataFrame, x: str, y: str, style: Style) -> Trace:
    words = [
        [
            m.model, f"{m.expansion:.3g}", f"{m.granularity:.3g}", f"top-{m.top_k:g} of {m.n_experts:g}", numbers.count(m.n_active),
            numbers.count(m.tokens), "" if m.verified else "some figures not checked against their source",
        ]
        for m in placed.itertuples()
    ]  # fmt: skip
    return scatter(
        x=placed[x],
        y=placed[y],
        mode="markers+text",
        name="released models",
        text=placed["model"],
        textfont={"size": 10, "color": style.muted},
        customdata=words,
        hovertemplate="<b>%{customdata[0]}</b><br>E %{customdata[1]}, G %{customdata[2]}, %{customdata[3]}<br>N active %{customdata[4]}, "
        "tokens %{customdata[5]}<br>%{customdata[6]}<extra></extra>",
        marker={
            "color": style.measured,
            "size": 8,
            "symbol": ["circle" if v else "circle-open" for v in placed["verified"]],
            "line": {"width": 1, "color": style.measured},
        },
    )


def _same(values: np.ndarray, value: float) -> np.ndarray:
    """Which values equal this E or G, where NaN (a law without it) equals NaN."""
    return np.equal(values, value) | (np.isnan(values) & np.isnan(value))
