"""Figures of the Serving page: loss against price at one budget, training against serving at one loss, over-training, lifetime cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from .. import numbers
from .draft import Columns, Draft, Figure, arrays, parted, rows_of, scatter
from .labels import End, name_ends
from .layout import Style, band, figure, finish, line, set_decades, split_line, vertical
from .palette import expansion_color, fade

PER_MILLION = "price per million tokens served (USD)"
LONG_TICKS = 82
"""Pixels left of an axis whose ticks read 0.00001."""


def _colors(expansions: list[float], style: Style, chosen: float) -> dict[float, str]:
    """Colours of the E; the chosen one is orange."""
    return {e: style.accent if e == chosen else expansion_color(style, e) for e in expansions}


def _name(expansion: float, equals: str = " = ") -> str:
    return "dense" if expansion == 1 else f"E{equals}{expansion:g}"


def _by_expansion(
    curves: pd.DataFrame, price: str, *names: str, hover: Callable[[Columns], list[list[str]]]
) -> dict[float, Columns]:
    """The rows of each E that have a price in this column, with these other columns; an E without any is left out.

    `hover`: N, D and further texts of every row, for the hover box; shape `(n_rows, n_texts)`.
    """
    found = arrays(curves, "expansion", "n_active", "tokens", price, *names)
    found = rows_of(found, np.isfinite(found[price]))
    texts = [numbers.counts(found["n_active"]), numbers.counts(found["tokens"]), *hover(found)]
    found["hover"] = np.array(texts, dtype=str).T
    return parted(found, "expansion")


def _price_axis(fig: Draft, parts: dict[float, Columns], column: str, price: float, axis: str = "y") -> None:
    """Makes an axis of money logarithmic, with ticks at 1, 2 and 5."""
    update = fig.update_yaxes if axis == "y" else fig.update_xaxes
    prices = np.concatenate([part[column] for part in parts.values()] or [[]]) * price
    update(exponentformat="none", tickformat=_money(prices), dtick="D2", showexponent="none")
    if axis == "y":
        fig.update_layout(margin_l=LONG_TICKS)


def _money(prices: np.ndarray) -> str:
    """The number format of money ticks: 5e-6 where decimals would not fit."""
    return ".0e" if len(prices) and np.nanmin(prices) < 1e-4 else "~g"


def trilemma_figure(
    curves: pd.DataFrame, optima: pd.DataFrame, picks: pd.DataFrame, style: Style, price: float, chosen: float, reference: float
) -> Figure:
    """Loss against serving price for all sizes of each E at one budget; dots are the loss-optimal ones.

    curves: `serving.tables.size_curves`, optima: `optima_table`; picks: rows of the algorithms for the chosen E, with `kind`.
    Right of and above the dotted lines a model is dearer or worse than the reference.
    """
    fig = figure(style, PER_MILLION, "loss (nats per token)")
    parts = _by_expansion(
        curves,
        "gpu_hours",
        "loss",
        "share",
        "n_gpus",
        hover=lambda of: [[f"{v:.0%}" for v in of["share"].tolist()], [f"{v:g}" for v in of["n_gpus"].tolist()]],
    )
    _price_axis(fig, parts, "gpu_hours", price, "x")
    colors = _colors([*parts], style, chosen)
    best = zip(*(optima[c].tolist() for c in ("expansion", "gpu_hours", "loss")), strict=True)
    known = {e: (hours * price, loss) for e, hours, loss in best}
    ends, dots = [], [e for e in parts if np.isfinite(known[e][0])]
    for e, part in parts.items():
        fig.add_trace(
            scatter(
                x=part["gpu_hours"] * price,
                y=part["loss"],
                mode="lines",
                name=_name(e),
                showlegend=False,
                line={"color": colors[e], "width": 3 if e == chosen else 1.5},
                customdata=part["hover"],
                hovertemplate="%{y:.4f} nats at USD %{x:.3g} a million<br>N active %{customdata[0]} (%{customdata[2]} of loss-optimal)"
                " · tokens %{customdata[1]}<br>%{customdata[3]} GPUs a copy<extra>%{fullData.name}</extra>",
            )
        )
        ends.append(End(float(part["gpu_hours"][-1]) * price, float(part["loss"][-1]), _name(e, " "), colors[e]))
    fig.add_trace(
        scatter(
            x=[known[e][0] for e in dots],
            y=[known[e][1] for e in dots],
            mode="markers",
            marker={"color": [colors[e] for e in dots], "size": 8, "line": {"width": 1, "color": style.page}},
            showlegend=False,
            hovertemplate="loss-optimal: %{y:.4f} nats at USD %{x:.3g} a million<extra></extra>",
        )
    )
    cost, loss = known[reference]
    if np.isfinite(cost):
        look = {"color": style.muted, "width": 1, "dash": "dot"}
        fig.add_vline(x=cost, line=look)
        fig.add_hline(y=loss, line=look)
    for hours, y, kind, symbol in zip(picks["gpu_hours"], picks["loss"], picks["kind"], ("diamond", "square"), strict=True):
        if np.isfinite(hours):
            fig.add_trace(
                scatter(
                    x=[hours * price],
                    y=[y],
                    mode="markers",
                    name=str(kind),
                    marker={"color": style.accent, "size": 11, "symbol": symbol, "line": {"width": 1.5, "color": style.page}},
                    hovertemplate="%{y:.4f} nats at USD %{x:.3g} a million<extra>" + str(kind) + "</extra>",
                )
            )
    worst = [parts[e]["loss"][parts[e]["share"] >= 0.1].max(initial=loss) for e in (chosen, reference) if e in parts]
    low, high = optima["loss"].min(), max(worst, default=loss)
    fig.update_yaxes(range=[low - 0.06 * (high - low), high + 0.05 * (high - low)], type="linear", dtick=None, tickformat=".2f")
    name_ends(fig, ends, style)
    return finish(fig)


def equal_loss_figure(curves: pd.DataFrame, style: Style, price: float, chosen: float) -> Figure:
    """Training FLOPs against serving price for models of one loss, a line an E; dots take the fewest FLOPs of their E."""
    fig = figure(style, "training compute for the loss (FLOPs)", PER_MILLION)
    fig.update_yaxes(type="log")
    parts = _by_expansion(curves, "serve", "flops", "optimal", hover=lambda _: [])
    _price_axis(fig, parts, "serve", price)
    colors = _colors([*parts], style, chosen)
    for e, part in parts.items():
        fig.add_trace(
            scatter(
                x=part["flops"],
                y=part["serve"] * price,
                mode="lines",
                name=_name(e),
                line={"color": colors[e], "width": 3 if e == chosen else 1.5},
                customdata=part["hover"],
                hovertemplate="%{x:.2e} FLOPs, USD %{y:.3g} a million<br>N active %{customdata[0]} · tokens %{customdata[1]}"
                "<extra>%{fullData.name}</extra>",
            )
        )
    dots = [(e, part["flops"][part["optimal"]], part["serve"][part["optimal"]] * price) for e, part in parts.items()]
    fig.add_trace(
        scatter(
            x=np.concatenate([x for _, x, _ in dots] or [[]]),
            y=np.concatenate([y for _, _, y in dots] or [[]]),
            mode="markers",
            marker={"size": 8, "color": [colors[e] for e, x, _ in dots for _ in x]},
            showlegend=False,
            hoverinfo="skip",
        )
    )
    return finish(fig)


def over_training_figure(
    curves: pd.DataFrame, style: Style, price: float, chosen: float, region: tuple[float, float], interval: str = ""
) -> Figure:
    """Loss (above) and serving price (below) of one E against size at one budget, with the recommended region shaded."""
    part = arrays(curves)
    known = (part["expansion"] == chosen) & np.isfinite(part["gpu_hours"])
    part = rows_of(part, known)
    fig = figure(style, "active parameters", "loss (nats)", height=420)
    fig.update_layout(
        yaxis={"domain": [0.52, 1], "type": "linear", "tickformat": ".2f", "dtick": None},
        yaxis2=fig.layout["yaxis"] | {"domain": [0, 0.44], "title": {"text": "USD per million"}, "type": "log"},
        xaxis={"anchor": "y2"},
    )
    ticks = {"exponentformat": "none", "tickformat": _money(part["gpu_hours"] * price), "dtick": "D2"}
    fig.update_layout(yaxis2=ticks, margin_l=LONG_TICKS)
    if "loss_low" in part:
        fig.add_traces(band(part["n_active"], part["loss_low"], part["loss_high"], style.accent, interval))
    fig.add_traces(
        split_line(part["n_active"], part["loss"], part["inside"], style.accent, "loss", hovertemplate="%{y:.4f} nats")
    )
    fig.add_trace(
        line(
            part["n_active"],
            part["gpu_hours"] * price,
            style.series[1],
            "serving price",
            hovertemplate="USD %{y:.3g}",
            yaxis="y2",
        )
    )
    low, high = region
    if known.any() and np.isfinite(low) and np.isfinite(high) and high > low:
        fig.add_vrect(low, high, fillcolor=fade(style.series[3], 0.18), line={"width": 0})
        fig.add_annotation(
            x=0.5 * (np.log10(low) + np.log10(high)),
            y=1,
            yref="paper",
            yanchor="top",
            text="better and cheaper",
            showarrow=False,
            font={"size": 11, "color": style.text},
        )
    fig.update_layout(hovermode="x unified")
    if known.any():
        usual = part["share"] >= 0.06
        best, worst = part["loss"].min(), part["loss"][usual if usual.any() else slice(None)].max()
        fig.update_yaxes(range=[best - 0.08 * (worst - best), worst])
        fig.update_xaxes(range=[np.log10(part["n_active"].min()), np.log10(part["n_active"].max())])
    return finish(fig)


def lifetime_figure(curves: pd.DataFrame, style: Style, price: float, chosen: float, served: float) -> Figure:
    """Price of training and serving against tokens served (above), and times the cheapest E's (below).

    curves: `serving.tables.lifetime_curves`, for each E the cheapest model that reaches one loss.
    """
    fig = figure(style, "tokens served, prompt and answer", "USD in all", log_y=True, height=420)
    second = fig.layout["yaxis"] | {"domain": [0, 0.44], "title": {"text": "times the cheapest"}}
    fig.update_layout(yaxis={"domain": [0.52, 1], "dtick": 2}, xaxis={"anchor": "y2"}, yaxis2=second)
    fig.update_layout(
        yaxis2={"exponentformat": "none", "tickformat": "~g", "dtick": "D2", "ticksuffix": "x", "range": [-0.1, 0.5]}
    )
    parts = _by_expansion(
        curves,
        "total",
        "served",
        "serve",
        "ratio",
        hover=lambda of: [numbers.counts(of["serve"] * price, 2), numbers.counts(of["total"] * price)],
    )
    colors = _colors([*parts], style, chosen)
    for e, part in parts.items():
        common = {
            "x": part["served"],
            "mode": "lines",
            "name": _name(e),
            "legendgroup": f"{e:g}",
            "line": {"color": colors[e], "width": 3 if e == chosen else 1.5},
            "customdata": part["hover"],
            "hovertemplate": "USD %{customdata[3]} in all<br>N active %{customdata[0]} on %{customdata[1]} tokens, "
            "USD %{customdata[2]} a million<extra>%{fullData.name}</extra>",
        }
        fig.add_trace(scatter(y=part["total"] * price, **common))
        fig.add_trace(scatter(y=part["ratio"], yaxis="y2", showlegend=False, **common))
    all_ = arrays(curves, "served", "expansion", "best", "total")
    best = rows_of(all_, all_["best"] & np.isfinite(all_["total"]))
    order = np.argsort(best["served"], kind="stable")
    along, winners = best["served"][order], best["expansion"][order]
    for stretch in np.split(np.arange(len(along)), np.flatnonzero(np.diff(winners)) + 1) if len(along) else []:
        middle = stretch[len(stretch) // 2]
        winner = float(winners[middle])
        fig.add_annotation(
            x=np.log10(along[middle]),
            y=-0.01,
            yref="y2",
            text=_name(winner, " "),
            showarrow=False,
            yanchor="top",
            font={"size": 11, "color": colors[winner]},
        )
    set_decades(fig, all_["served"])
    fig.add_vline(served, yref="y2 domain", line={"color": style.accent, "width": 1, "dash": "dot"})
    vertical(fig, served, style, f"{numbers.count(served)} tokens")
    return finish(fig)
