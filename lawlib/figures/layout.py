"""The common look of all figures, and what each mark means: axes, lines, bands, legend. Colours are in `palette`.

Points are measured, lines fitted, dashes extrapolated or published beyond their data, bands intervals.

A trace that follows the sliders carries a recipe in its `meta`: see `live_contract`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .draft import Draft, Figure, Trace, scatter
from .live_contract import BUDGET_LINE, Slider, follow
from .palette import Style, fade, ink

LEGEND_WIDTH = 420
"""Pixels that a legend's row may take in the narrowest chart."""
FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"

CONFIG = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "toImageButtonOptions": {"format": "svg"},
}
"""plotly's settings wherever a figure is drawn: by default its buttons offer to upload the chart."""


def figure(style: Style, x: str, y: str, *, log_x: bool = True, log_y: bool = False, height: int = 380) -> Draft:
    """Returns an empty figure with titled axes in the common style. Axis titles carry the unit.

    Margins are fixed and labels never hidden: measuring every label would be a third of the time that plotly draws for.
    """
    axis = {
        "gridcolor": style.grid,
        "linecolor": style.muted,
        "zeroline": False,
        "ticks": "outside",
        "tickcolor": style.grid,
        "ticklabeloverflow": "allow",
    }
    across, up = (_scale(title, log) for title, log in ((x, log_x), (y, log_y)))
    for scale in (across, up):
        scale["tickfont"]["color"] = style.muted
    layout = {
        "template": {},
        "font": {"family": FONT, "size": 12, "color": style.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(style.series),
        "margin": {"l": 66, "r": 16, "t": 12, "b": 48},
        "height": height,
        "hoverlabel": {"bgcolor": style.page, "bordercolor": style.muted, "font": {"color": style.text, "family": FONT}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 11},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "xaxis": axis | {"title": {"text": x, "font": {"size": 13}}} | across,
        "yaxis": axis | {"title": {"text": y, "font": {"size": 13}}} | up,
        "uirevision": "keep",
    }
    return Draft(layout)


def _scale(title: str, log: bool) -> dict:
    if not log:
        return {"tickformat": None, "tickfont": {"size": 11}}
    power = title.endswith("(FLOPs)")
    return {
        "type": "log",
        "exponentformat": "power" if power else "B",
        "tickfont": {"size": 9 if power else 11},  # plotly writes powers of ten a quarter larger
        "dtick": 1,
        "minor": {"showgrid": False},
        "tickangle": 0,
    }


def band(x: Any, low: Any, high: Any, color: str, name: str, group: str = "", on: tuple[Slider, ...] = ()) -> list[Trace]:
    """Returns an interval as a filled area: two traces, one legend entry. on: the sliders that move it."""
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": group or name}
    edge |= {"meta": follow(*on)} if on else {}
    return [
        scatter(x=x, y=low, showlegend=False, **edge),
        scatter(x=x, y=high, fill="tonexty", fillcolor=fade(color, 0.18), name=name, **edge),
    ]


def line(x: Any, y: Any, color: str, name: str, dash: str = "solid", shape: str = "linear", **options: Any) -> Trace:
    """A fitted line; dashed where it extrapolates."""
    look = {"color": color, "width": 2, "dash": dash, "shape": shape}
    return scatter(x=x, y=y, mode="lines", name=name, line=look, **options)


def split_line(x: ArrayLike, y: ArrayLike, inside: ArrayLike, color: str, name: str, **options: Any) -> list[Trace]:
    """A line that is solid where `inside` (bool, shape of x) and dashed outside, one legend entry."""
    x, y, inside = np.asarray(x), np.asarray(y, dtype=float), np.asarray(inside, dtype=bool)
    if inside.all() or not inside.any():
        return [line(x, y, color, name, "solid" if inside.all() else "dash", legendgroup=name, **options)]
    rest: dict[str, Any] = (
        options | ({"meta": follow(*options["meta"]["live"]["on"])} if "meta" in options else {}) | {"showlegend": False}
    )
    return [
        line(x, np.where(inside, y, np.nan), color, name, legendgroup=name, **options),
        line(x, np.where(~inside | _edge(inside), y, np.nan), color, name, "dash", legendgroup=name, **rest),
    ]


def unnamed(traces: list[Trace]) -> list[Trace]:
    """Returns the traces without an entry in the legend, for names that are written beside the lines."""
    return [trace | {"showlegend": False} for trace in traces]


def _edge(inside):
    """Marks the last points inside the data, from which the dashed part starts."""
    edge = np.zeros_like(inside)
    edge[1:] |= inside[1:] & ~inside[:-1]
    edge[:-1] |= inside[:-1] & ~inside[1:]
    return edge


def finish(fig: Draft) -> Figure:
    """Returns the figure with fixed rows for its legend above the plot, so that nothing moves when the chart is resized."""
    names = fig.names
    rows, used = (1 if names else 0), 0.0
    for name in names:
        width = 52 + 6.3 * len(name)
        if used and used + width > LEGEND_WIDTH:
            rows, used = rows + 1, 0.0
        used += width
    return fig.update_layout(showlegend=bool(names), margin_t=14 + 20 * rows).figure


def same_axes(*figures: Figure) -> None:
    """Gives all figures the same axis ranges, wide enough for each of them, so that they can be compared."""
    for name in ("xaxis", "yaxis"):
        axes = [fig.layout[name] for fig in figures]
        ends = [axis.range or _reach(fig, name[0], axis.type == "log") for fig, axis in zip(figures, axes, strict=True)]
        low, high = min(e[0] for e in ends), max(e[1] for e in ends)
        for axis in axes:
            axis.range = [low, high]


def _reach(fig: Figure, axis: str, log: bool) -> tuple[float, float]:
    """First and last point along an axis as plotly would choose its range, with room for names at the ends of lines."""
    values = np.concatenate([np.asarray(trace[axis], dtype=float) for trace in fig.data])
    values = np.log10(values[np.isfinite(values)]) if log else values[np.isfinite(values)]
    room = 0.08 * float(values.max() - values.min())
    return float(values.min()) - room, float(values.max()) + 1.5 * room


def set_decades(fig: Draft, values: Any) -> None:
    """Sets at most six ticks on a logarithmic x axis over these values, on any width; below two decades at 1, 2 and 5."""
    decades = float(np.log10(np.max(values) / np.min(values)))
    fig.update_xaxes(dtick="D2" if decades < 2 else max(1, int(np.ceil(decades / 6))))


def vertical(fig: Draft, x: float, style: Style, text: str, top: bool = True, live: bool = False) -> None:
    """A thin marker line at x with its words at the top, or at the bottom. live: whether it marks the budget and follows its slider."""
    names = {"name": BUDGET_LINE} if live else {}
    fig.add_vline(x=x, line={"color": style.accent, "width": 1, "dash": "dot"}, **names)
    at = np.log10(x) if fig.log_x else x
    fig.add_annotation(
        x=at,
        y=1 if top else 0,
        yref="paper",
        text=text,
        showarrow=False,
        font={"size": 11, "color": ink(style.accent, style)},
        xanchor="left",
        yanchor="top" if top else "bottom",
        xshift=4,
        bgcolor=fade(style.page, 0.7),
        **names,
    )
