"""The menu of pages, our own because Streamlit redraws every link of its menu five times for a moved slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import get_script_run_ctx

_MENU = component(
    "menu", html="<span></span>", js=(Path(__file__).parents[1] / "js" / "menu.js").read_text("utf-8"), isolate_styles=False
)


def menu(sections: Mapping[str, Sequence[StreamlitPage]]) -> StreamlitPage:
    """Draws the pages under their sections' names in the sidebar, and returns the page that is open."""
    page = st.navigation(sections, position="hidden")
    if get_script_run_ctx(suppress_warning=True) is None:
        return page  # a process that a cluster starts loads app.py as its main module: nobody sees it
    with st.sidebar, st.container(key="menu", gap=None):
        for name, pages in sections.items():
            if name:
                st.caption(name)
            for one in pages:
                st.page_link(one, width="stretch")
        _MENU(key="menu_landmark", data={"open": [one.title for of in sections.values() for one in of].index(page.title)})
    return page
