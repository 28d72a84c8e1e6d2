"""Shows a chart in the page's theme, with its data as CSV and a description for those who cannot see it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.components.v2 import component

from lawlib import figures
from lawlib.export import safe_csv

from ..session import on_page, state
from ..session.markup import unmarked

_FOLDER = Path(__file__).parents[1]
_PLOTLY = Path(os.environ.get("LAWLIB_PLOTLY", _FOLDER.parent / "static" / "plotly.min.js"))
"""The drawing library, which the page loads from its own server; put there by tools/environment.py."""
_CHART = component(
    "chart",
    html='<div class="chart-title"></div>'
    '<div class="chart" role="figure" tabindex="0" aria-description="Arrow keys move the axes, plus and minus zoom, 0 shows all."></div>',
    js=(_FOLDER / "js" / "chart.js").read_text("utf-8"),
    isolate_styles=False,
)


def style() -> figures.Style:
    """Returns the palette of the page's theme."""
    return figures.style(st.context.theme.type)


def chart(fig: figures.Figure, key: str, title: str, table: pd.DataFrame | None = None, **options: Any) -> Any:
    """Shows a figure under its title; `table` is offered as CSV. Returns what st.plotly_chart returns where points can be chosen.

    Drawn by `js/chart.js`, which keeps zoom and legend when the figure changes. By st.plotly_chart, which draws it anew each
    time, where points of it are chosen (`on_select`), or where static/plotly.min.js is missing.
    """
    on_page.chart(key, title, fig, table)
    drawn_by_streamlit = "on_select" in options or not _PLOTLY.exists()
    if table is not None:  # laid over the line of the title by `look`
        st.download_button(
            "CSV",
            data=lambda: safe_csv(table),
            file_name=f"{key}.csv",
            mime="text/csv",
            on_click="ignore",
            type="tertiary",
            key=f"csv_{key}",
            help=f"The numbers of “{title}”",
        )
    if drawn_by_streamlit:
        st.markdown(f"**{title}**")
        return st.plotly_chart(
            fig,
            key=key,
            theme=None,
            width="stretch",
            config=figures.CONFIG | {"modeBarButtonsToRemove": ["autoScale2d"]},
            alt=title,
            **options,
        )
    config = figures.CONFIG | {"responsive": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
    height = int(fig.parts["layout"]["height"])
    fig.written = fig.written or _spec(fig)
    data = {"figure": fig.written, "title": unmarked(title), "height": height, "config": config}
    return _CHART(key=key, data=data, height="content")


def _spec(fig: figures.Figure) -> str:
    """Returns the figure as JSON, with a revision that keeps zoom and legend until the data set or an axis changes.

    A twentieth of the time of plotly's `to_json`, which copies and walks all of the figure first. That writes what this
    cannot: missing values in lists, dates.
    """
    parts = fig.parts
    layout = parts["layout"]
    axes = (f"{a.get('title', {}).get('text')} {a.get('type')}" for a in (layout.get("xaxis", {}), layout.get("yaxis", {})))
    layout = layout | {"uirevision": "|".join([state.get("dataset"), *axes])}
    try:
        return json.dumps({"data": parts["data"], "layout": layout}, default=_plain, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError):
        fig.layout.uirevision = layout["uirevision"]
        return str(fig.to_json())


def _plain(value: object) -> object:
    """Converts numpy's numbers for JSON, floats as plotly's base64."""
    if isinstance(value, np.ndarray):
        if value.dtype == np.float64 and value.ndim == 1:
            return {"dtype": "f8", "bdata": base64.b64encode(np.ascontiguousarray(value).data).decode()}
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value))
