"""Figures that compare two groups of runs: training curves, speed-ups, final losses and benchmarks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from .. import numbers
from ..comparisons import BenchmarkComparison
from .draft import Draft, Figure
from .labels import End, name_ends
from .layout import Style, band, figure, finish, line, set_decades, split_line, unnamed
from .optimum import escape
from .palette import fade, granularity_color, ramp_colors

ALONG: dict[str, str] = {"tokens": "training tokens D", "step": "step", "flops": "training compute C (FLOPs)"}
"""Axis titles of what a curve is measured along."""
_LESS: dict[str, str] = {"tokens": "tokens", "step": "steps", "flops": "FLOPs"}


def speedup_figure(points: pd.DataFrame, pairs: pd.DataFrame, style: Style, along: str, a: str, b: str) -> Figure:
    """How many times fewer tokens (steps, FLOPs) b needs, against the loss reached: a line a pair, coloured by size.

    points, pairs: of `convergence.Speedups`; the loss falls to the right, as in training.
    """
    fig = figure(
        style, "loss reached by both (nats per token)", f"{_LESS[along]}: {escape(a)} / {escape(b)}", log_x=False, log_y=True
    )
    _ratio_ticks(fig, points[along])
    sizes = sorted(pairs["n_active"].dropna().unique())
    kinds = sorted({_kind(n) for n in sizes})
    colors = dict(zip(kinds, ramp_colors(style, max(len(kinds), 1)), strict=False))
    named: set[str] = set()
    drawn = dict(list(points[points[along].notna()].groupby("pair")))
    for number in sorted(drawn, key=lambda i: pairs["n_active"].iloc[int(i)]):
        part, pair = drawn[number], pairs.iloc[int(number)]
        kind = _kind(pair["n_active"])
        fig.add_trace(
            go.Scatter(
                x=part["loss"],
                y=part[along],
                mode="lines" if len(part) > 1 else "markers",
                name=f"N {numbers.count(pair['n_active'])}",
                legendgroup=kind,
                showlegend=kind not in named,
                line={"color": colors.get(kind, style.series[1]), "width": 1.6},
                marker={"color": colors.get(kind, style.series[1]), "size": 7},
                customdata=[
                    [escape(_pair_name(pair)), *both]
                    for both in zip(_counts(part[f"{along}_a"], along), _counts(part[f"{along}_b"], along), strict=True)
                ],
                hovertemplate="<b>%{customdata[0]}</b><br>loss %{x:.3f}: %{y:.3g}x"
                f"<br>%{{customdata[1]}} against %{{customdata[2]}} {_LESS[along]}<extra>%{{fullData.name}}</extra>",
            )
        )
        named.add(kind)
    fig.add_hline(y=1, line={"color": style.muted, "width": 1, "dash": "dot"})
    fig.update_xaxes(autorange="reversed")
    return finish(fig)


def progress_figure(table: pd.DataFrame, style: Style, along: str, a: str, b: str, interval: str = "") -> Figure:
    """The mean speed-up over all pairs along a's training, with its interval. table: `convergence.along_training`."""
    fig = figure(style, f"share of {escape(a)}'s training", f"{_LESS[along]}: {escape(a)} / {escape(b)}", log_x=False, log_y=True)
    _ratio_ticks(fig, table[["value", *[c for c in ("low", "high") if table[c].notna().any()]]].stack())
    fig.update_xaxes(tickformat=".0%")
    if len(table) and table["low"].notna().any():
        known = table[table["low"].notna()]
        fig.add_traces(band(known["progress"], known["low"], known["high"], style.accent, interval))
    fig.add_trace(
        line(
            table["progress"],
            table["value"],
            style.accent,
            "mean over pairs",
            customdata=table["n_pairs"],
            hovertemplate="%{x:.0%} of training: %{y:.3g}x (%{customdata} pairs)<extra></extra>",
        )
    )
    fig.add_hline(y=1, line={"color": style.muted, "width": 1, "dash": "dot"})
    return finish(fig)


def pair_figure(
    curves: pd.DataFrame, pair: pd.Series, points: pd.DataFrame, crossings: pd.DataFrame, style: Style, along: str, a: str, b: str
) -> Figure:
    """The two curves of one pair, with where they cross and how far apart they reach the lowest loss of both.

    curves: run_id, tokens, step, flops, loss, as measured; pair: a row of `Speedups.pairs`; points and crossings: those of the pair.
    """
    fig = figure(style, ALONG[along], "loss (nats per token)")
    first = style.dense if pair.get("expansion_a") == 1 else style.series[1]
    losses = []
    for side, color, name in (("a", first, a), ("b", style.accent, b)):
        part = curves[(curves["run_id"] == pair[side]) & (curves[along] > 0) & curves["loss"].notna()].sort_values(along)
        few = len(part) <= 40
        fig.add_trace(
            go.Scatter(
                x=part[along],
                y=part["loss"],
                mode="lines+markers" if few else "lines",
                name=escape(name),
                line={"color": color, "width": 2},
                marker={"color": color, "size": 5},
                hovertemplate="%{x:.3s}: %{y:.4f}<extra>%{fullData.name}</extra>",
            )
        )
        losses += part["loss"].tolist()
    both = curves.loc[curves["run_id"].isin([pair["a"], pair["b"]]), along]
    if (both > 0).any():
        set_decades(fig, both[both > 0])
    if len(points) and np.isfinite(points[along].iloc[-1]):
        last = points.iloc[-1]
        fig.add_trace(
            go.Scatter(
                x=[last[f"{along}_b"], last[f"{along}_a"]],
                y=[last["loss"]] * 2,
                mode="lines+markers",
                name=f"{last[along]:.3g}x at loss {last['loss']:.3f}",
                line={"color": style.text, "width": 1.5, "dash": "dot"},
                marker={"color": style.text, "size": 9, "symbol": "line-ns-open"},
                hoverinfo="skip",
            )
        )
    if along == "tokens" and len(crossings):
        fig.add_trace(
            go.Scatter(
                x=crossings["tokens"],
                y=crossings["loss"],
                mode="markers",
                name="the curves cross",
                marker={"symbol": "x-thin-open", "size": 11, "color": style.text, "line": {"width": 2, "color": style.text}},
                hovertemplate="cross at %{x:.3s} tokens, loss %{y:.4f}<extra></extra>",
            )
        )
    if len(losses) > 4:  # the first steps fall from ln V: they would take most of the axis
        low, high = min(losses), float(np.quantile(losses, 0.85))
        fig.update_yaxes(range=[low - 0.08 * (high - low), high + 0.35 * (high - low)])
    return finish(fig)


def gain_figure(
    pairs: pd.DataFrame, style: Style, a: str, b: str, sigma: float = np.nan, predictions: dict[str, pd.DataFrame] | None = None
) -> Figure:
    """How much lower b's final loss is than a's, pair by pair against size; beside it what laws predict.

    sigma: seed noise of ln L, drawn as error bars of one standard deviation; predictions: label -> columns gain and, where
    there are intervals, gain_low, gain_high, rows as `pairs`.
    """
    fig = figure(style, "active parameters N", f"loss of {escape(a)} minus {escape(b)} (nats per token)")
    noise = sigma * np.hypot(pairs["loss_a"], pairs["loss_b"]) if np.isfinite(sigma) else None
    marks = (("diamond-open", style.series[3]), ("square-open", style.series[4]), ("triangle-up-open", style.series[5]))
    spread = max(float(pairs["n_active"].max() / pairs["n_active"].min()), 2.0) if len(pairs) else 2.0
    for i, ((label, table), (symbol, color)) in enumerate(zip((predictions or {}).items(), marks, strict=False)):
        bars = None
        if "gain_low" in table:
            up, down = table["gain_high"] - table["gain"], table["gain"] - table["gain_low"]
            bars = {"type": "data", "array": up, "arrayminus": down, "thickness": 1, "width": 3, "color": fade(color, 0.7)}
        fig.add_trace(
            go.Scatter(
                x=pairs["n_active"] * spread ** (0.025 * (i + 1)),  # beside the measured points, which would hide them
                y=table["gain"],
                customdata=[numbers.count(n) for n in pairs["n_active"]],
                mode="markers",
                name=escape(label),
                marker={"symbol": symbol, "size": 9, "color": color, "line": {"width": 1.6, "color": color}},
                error_y=bars,
                hovertemplate="N %{customdata}: %{y:+.4f} nats<extra>%{fullData.name}</extra>",
            )
        )
    fig.add_trace(
        go.Scatter(
            x=pairs["n_active"],
            y=pairs["gain"],
            mode="markers",
            name="measured" + (" ± seed noise" if noise is not None else ""),
            marker={"size": 8, "color": style.measured, "line": {"width": 1, "color": style.page}},
            error_y=None
            if noise is None
            else {"type": "data", "array": noise, "thickness": 1, "width": 3, "color": style.measured},
            customdata=[
                [escape(_pair_name(p)), numbers.count(p["tokens_b"]), p["loss_a"], p["loss_b"]] for _, p in pairs.iterrows()
            ],
            hovertemplate="<b>%{customdata[0]}</b><br>%{y:+.4f} nats: %{customdata[2]:.4f} to %{customdata[3]:.4f}"
            "<br>N active %{x:.3s} · tokens %{customdata[1]}<extra></extra>",
        )
    )
    fig.add_hline(y=0, line={"color": style.muted, "width": 1, "dash": "dot"})
    return finish(fig)


def benchmark_figure(comparison: BenchmarkComparison, style: Style, a: str, b: str) -> Figure:
    """Every benchmark with both groups' results, the mean with the interval of its difference at the bottom."""
    table = comparison.table.sort_values("difference")
    fig = figure(style, comparison.metric, "", log_x=False, height=110 + 28 * (len(table) + 1))
    rows = list(range(1, len(table) + 1))
    for row, x, y in zip(rows, table["a"], table["b"], strict=True):
        fig.add_trace(
            go.Scatter(
                x=[x, y], y=[row, row], mode="lines", line={"color": style.muted, "width": 1}, showlegend=False, hoverinfo="skip"
            )
        )
    names = [f"mean of {len(table)}", *(escape(x) for x in table["benchmark"])]
    for column, color, name, value in (
        ("a", style.series[1], a, comparison.mean_a),
        ("b", style.accent, b, comparison.mean_b),
    ):
        bars = None
        if column == "b" and np.isfinite(comparison.low):
            up, down = comparison.high - comparison.difference, comparison.difference - comparison.low
            bars = {"type": "data", "array": [up, *[0.0] * len(rows)], "arrayminus": [down, *[0.0] * len(rows)], "width": 5}
            bars |= {"thickness": 1.5, "color": color}
        fig.add_trace(
            go.Scatter(
                x=[value, *table[column]],
                y=[0, *rows],
                mode="markers",
                name=escape(name),
                marker={"color": color, "size": [12, *[9] * len(rows)], "symbol": ["diamond", *["circle"] * len(rows)]},
                error_x=bars,
                customdata=names,
                hovertemplate="%{customdata}: %{x:.4g}<extra>%{fullData.name}</extra>",
            )
        )
    fig.update_yaxes(tickvals=[0, *rows], ticktext=names, showgrid=False, range=[-0.6, len(rows) + 0.6], automargin=True)
    return finish(fig)


def _ratio_ticks(fig: Draft, values: pd.Series) -> None:
    """Ticks at round ratios: 1, 2, 5, 10 ..., closer where the values span less than a factor of 5."""
    known = values[(values > 0) & np.isfinite(values)]
    low, high = (min(known.min(), 1.0), max(known.max(), 1.0)) if len(known) else (1.0, 1.0)
    steps = (1, 1.2, 1.5, 2, 3, 4, 5, 7) if high < 5 * low else (1, 2, 5)
    ticks = [s * 10.0**k for k in range(-6, 7) for s in steps]
    fig.update_yaxes(tickvals=ticks, ticktext=[f"{t:.6g}x" for t in ticks], dtick=None)


def reported_figure(curves: pd.DataFrame, reported: pd.DataFrame, style: Style) -> Figure:
    """What finer granularity is worth against total size: a published law's curve beside the gains that a paper reports.

    curves: `convergence.gain_curves`; reported: columns n_total, granularity, gain, comparison.
    """
    fig = figure(style, "total parameters N", "gain over G = 1 (nats per token)")
    kinds = sorted(curves["granularity"].unique())
    ends = []
    for g in kinds:
        part, color = curves[curves["granularity"] == g], granularity_color(style, g)
        fig.add_traces(unnamed(split_line(part["n"], part["gain"], part["inside"], color, f"G = {g:g}")))
        ends.append(End(part["n"].iloc[-1], part["gain"].iloc[-1], f"G {g:g}", color))
    fig.add_trace(
        go.Scatter(
            x=reported["n_total"],
            y=reported["gain"],
            mode="markers+text",
            name="reported, G = 8 (secondary source)",
            text=[escape(c) for c in reported["comparison"]],
            textposition="bottom left",
            textfont={"size": 11, "color": style.text},
            marker={"symbol": "diamond-open", "size": 11, "color": style.accent, "line": {"width": 2, "color": style.accent}},
            hovertemplate="%{text}: %{y:.3f} nats<extra></extra>",
        )
    )
    fig.update_yaxes(rangemode="tozero")
    name_ends(fig, ends, style)
    return finish(fig)


def _kind(n_active: float) -> str:
    """Labels that sizes share when they differ by less than a tenth in ln N, ordered as text like the sizes."""
    return f"{np.log(n_active):05.1f}" if n_active > 0 else ""


def _pair_name(pair: pd.Series) -> str:
    names = [str(pair["name_a"]), str(pair["name_b"])]
    return " and ".join(n for n in names if n) or f"N {numbers.count(pair['n_active'])}"


def _counts(values: pd.Series, along: str) -> list[str]:
    write = numbers.flops if along == "flops" else numbers.count
    return [write(v) for v in values]
