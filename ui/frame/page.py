"""The frame of every page: title, question, the sidebar with data set and filters, the answer line."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from lawlib import OptimumError, StoreError

from .. import cached
from ..explorer import live
from ..session import on_page, state
from ..session.markup import plain
from ..session.together import together
from . import link, look, sharing, sidebar

ICON = str(Path(__file__).parents[1] / "icon.svg")
"""The page's icon: a local file, as Streamlit fetches named icons from another host."""


@st.cache_resource(show_spinner=False)
def _freeze() -> None:
    """Takes imported modules, which never become garbage, off the garbage collector's lists, so that collections are fast."""
    gc.collect()
    gc.freeze()


def _through_app() -> None:
    """Reruns through app.py where Streamlit ran the page alone.

    Until the first `st.navigation` of a server, Streamlit takes a `pages/` folder for its old multipage form and runs the file
    that a deep link names without app.py: wrong menu, wrong title, half the width.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def begin(title: str, question: str, *, filters: bool = True) -> None:
    """Opens a page: title, its question, the sidebar. Stops with a sentence where the store cannot be opened."""
    _through_app()
    _freeze()
    look.apply()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="head"):
        st.title(title, anchor=False)
        toolbar = st.container(horizontal=True, width="content", gap="small", key="toolbar")
    on_page.begin(title, toolbar if filters else None)
    st.caption(question)
    on_page.wait_here()
    try:
        store = cached.store()
    except StoreError as error:
        st.error(str(error), icon=":material/database_off:")
        st.stop()
    link.settle()
    sidebar.dataset_menu(filters)
    with st.container():  # what is read and clicked away here does not move the page's charts
        for warning in store.warnings:
            st.warning(plain(warning), icon=":material/lock:")
        _notices(store.notices)
        link.notices()
        if filters and cached.passing().empty:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.warning("No run of this data set passes the filters.", icon=":material/filter_alt_off:")
                st.button("Clear the filters", key="clear_all", on_click=sidebar.clear_filters)


def _notices(notices: list[str]) -> None:
    """Shows the state in which the workspace was found, until the reader has closed it."""
    if not notices or st.session_state.get("notices_read"):
        return
    with st.container(horizontal=True, vertical_alignment="center", key="notices"):
        for notice in notices:
            st.success(plain(notice), icon=":material/verified:")
        st.button("Got it", key="got_it", on_click=lambda: st.session_state.update(notices_read=True))


def explore(sliders: Callable[[], None]) -> Callable[[Callable[[Callable[[], None]], None]], None]:
    """Runs the part of a page that its sliders change; a moved slider reruns this part alone, not the menus beside it.

    sliders: function that draws the sliders. The page part receives it and calls it once its results are computed; everything drawn
    after that is sent in one go. Where there is no result, the sliders are drawn with the reason below them.
    """
    return lambda part: _explore(part, sliders)


def _explore(part: Callable[[Callable[[], None]], None], sliders: Callable[[], None]) -> None:
    before, alone = replace(on_page.now(), explored=True), False

    @st.fragment
    def follow() -> None:
        on_page.restart(before)
        drawn = False

        with ExitStack() as stack:

            def draw() -> None:
                nonlocal drawn
                drawn = True
                stack.enter_context(together())
                sliders()

            try:
                part(draw)
            except OptimumError as error:
                if not drawn:
                    draw()
                st.warning(plain(error))
            finally:
                state.write_url(link.parameters())
        if alone and sharing.is_open():
            st.rerun()  # what is open beside the title is made of what stands here

    try:
        follow()
    except BaseException:  # the page ends here
        sharing.toolbar()
        raise
    finally:
        alone = True


def finish() -> None:
    """Ends a page: saved analyses, export and share."""
    link.saved_menu()
    sharing.toolbar()
    if not on_page.now().explored:
        state.write_url(link.parameters())


def answer(sentence: str, *notes: str, key: str = "answer", template: str = "") -> None:
    """Shows the page's first line, its answer in numbers, and small notes below. template: of `live`, what follows the sliders."""
    with st.container(key=key, gap=None):
        st.markdown(sentence)
        if template:
            live.explorer(template)
    if key == "answer":
        on_page.answer(sentence)
    if any(notes):
        with st.container(key=f"below_{key}"):
            st.caption("  \n".join(note for note in notes if note))
