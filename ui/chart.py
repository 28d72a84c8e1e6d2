"""One way to show a chart: in the page's theme, with its data as CSV and words for those who cannot see it."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from lawlib import figures
from lawlib.export import safe_csv

from . import collected

CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg"},
    "responsive": True,
}


def style() -> figures.Style:
    """The palette of the page as the reader sees it."""
    return figures.style(st.context.theme.type)


def chart(fig: go.Figure, key: str, title: str, table: pd.DataFrame | None = None, **options):
    """Shows a figure under its title; `table` is offered as CSV. Returns what st.plotly_chart returns."""
    collected.chart(key, title, fig, table)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{title}**")
        if table is not None:
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
    config = CONFIG if "on_select" not in options else CONFIG | {"modeBarButtonsToRemove": ["autoScale2d"]}
    return st.plotly_chart(fig, key=key, theme=None, width="stretch", config=config, alt=title, **options)
