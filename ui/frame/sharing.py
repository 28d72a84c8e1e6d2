"""The buttons beside a page's title: Export (files), and Share (the link, and saved analyses)."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from lawlib import StoreError, export
from lawlib.export import file_name

from .. import cached
from ..charts import image_buttons, style
from ..session import on_page, state, url_fields
from ..session.markup import plain
from . import link
from .link import view

EXPORT, SHARE = "export_open", "share_open"
"""Whether each of the two is open, in the session."""


def page_name() -> str:
    """Returns the open page's name in addresses: "" for the first one."""
    return urlsplit(st.context.url or "").path.rpartition("/")[2]


def address() -> str:
    """Returns the whole address of the view, with all that makes it mean the same elsewhere."""
    parts = urlsplit(st.context.url or "")
    host = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}" if parts.netloc else ""
    return host + state.link(page_name(), link.parameters(full=True))


def toolbar() -> None:
    """Fills the place beside the title, at the end of a page's run; what is folded away is made when it is opened."""
    shown = on_page.now()
    if shown.toolbar is None:
        return
    with shown.toolbar:
        if shown.laws or shown.charts:
            folded = st.popover("Export", icon=":material/download:", width="content", key=EXPORT, on_change="rerun")
            if folded.open:
                with folded:
                    _export(shown.analysis(address()))
        folded = st.popover("Share", icon=":material/share:", width="content", key=SHARE, on_change="rerun")
        if folded.open:
            with folded:
                _share(shown, address())


def is_open() -> bool:
    """Whether either of the two is open."""
    return bool(st.session_state.get(EXPORT) or st.session_state.get(SHARE))


def _export(analysis: export.Analysis) -> None:
    """Shows one file for everything, and each of its parts; of a page without laws its tables and pictures."""
    look, name = style(), file_name(" ".join([analysis.title, *(p.label for p in analysis.parts[:1])]))
    uploaded = any(not p.origin.bundled for p in analysis.parts)
    of_laws = [
        ("Everything, one zip", ".zip", lambda: export.everything(analysis, look.text, look.page), ":material/folder_zip:"),
        *([] if uploaded else [("Python script", ".py", lambda: export.script(analysis), ":material/code:")]),
        ("Coefficients, LaTeX", ".tex", lambda: export.latex_table(analysis), ":material/functions:"),
        ("Fit, JSON", ".json", lambda: export.fit_json(analysis), ":material/data_object:"),
    ]
    of_charts = [
        ("Curves and bands, CSV", "-tables.zip", lambda: export.tables_zip(analysis), ":material/table:"),
        ("Figures, HTML", ".html", lambda: export.html_page(analysis, look.text, look.page), ":material/html:"),
    ]
    with st.container(gap=None, key="exports"):
        for label, ending, make, icon in [*(of_laws if analysis.parts else []), *of_charts]:
            st.download_button(
                label,
                data=make,
                file_name=name + ending,
                on_click="ignore",
                icon=icon,
                type="primary" if ending == ".zip" else "tertiary",
                key=f"export{ending.partition('.')[0]}_{ending.rpartition('.')[2]}",
                width="content",
            )
    image_buttons([(c.key, c.title) for c in analysis.charts], look)
    if analysis.parts:
        runs = " These runs are yours: the zip holds them beside its script." if uploaded else ""
        again = (
            "fit, intervals and figures" if all(map(export.drawable, analysis.charts)) else "fit and intervals, not all figures,"
        )
        st.caption(f"The script makes {again} again with lawlib.{runs}")


def _pin(field: str, side: str, query: str) -> None:
    """Pins a view to one side of the Compare page."""
    state.put(field, query)
    st.toast(f"Pinned on the {side} of the Compare page.", icon=":material/push_pin:")


def _share(shown: on_page.Shown, where: str) -> None:
    """Shows the link to copy, and a name to save it under."""
    seen = view()
    st.markdown("**Link to this view**")
    st.code(where, language=None, wrap_lines=True)
    st.caption("It names the data by their content: elsewhere it opens on the same numbers, or says what differs.")
    with st.container(horizontal=True, vertical_alignment="center"):
        for field, words in zip(url_fields.PINS, ("left", "right"), strict=True):
            st.button(
                f"Pin {words}",
                key=f"pin_{field}",
                icon=":material/push_pin:",
                on_click=_pin,
                args=(field, words, seen),
                help=f"Shows this view on the {words} of the Compare page",
            )
        st.page_link("pages/compare.py", label="Compare", icon=":material/splitscreen_right:")
    store = cached.store()
    with st.form("save_analysis", border=False, clear_on_submit=True):
        name = st.text_input("Keep it under a name", max_chars=120, placeholder="MoE against dense at 1e22", key="analysis_name")
        saved = st.form_submit_button("Save", icon=":material/bookmark:", disabled=not store.writable)
    if not store.writable:
        st.caption(f"Saving is off: {plain(' '.join(store.warnings))}")
    if saved:
        try:
            store.save_analysis(name, page_name(), seen, shown.answer)
        except (StoreError, ValueError) as error:
            st.error(plain(error), icon=":material/error:")
        else:
            st.toast("Saved: it is in the sidebar and on the Compare page.", icon=":material/check:")
            st.rerun()
