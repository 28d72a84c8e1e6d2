"""The frame of every page: title, question, the sidebar with data set and filters, the answer line."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from lawlib import OptimumError, StoreError, numbers

from . import collected, data, folded, link, live, look, sharing, state
from .markup import plain
from .together import together

ICON = str(Path(__file__).parent / "icon.svg")
"""The page's icon: a local file, as Streamlit fetches named icons from another host."""


@st.cache_resource(show_spinner=False)
def _freeze() -> None:
    """Imported modules never become garbage: without them in its lists the collector costs nothing."""
    gc.collect()
    gc.freeze()


def _through_app() -> None:
    """Starts again through app.py where Streamlit ran the page alone.

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
    collected.begin(title, toolbar if filters else None)
    st.caption(question)
    collected.wait_here()
    try:
        store = data.store()
    except StoreError as error:
        st.error(str(error), icon=":material/database_off:")
        st.stop()
    link.settle()
    _dataset_menu(filters)
    with st.container():  # what is read and clicked away here does not move the page's charts
        for warning in store.warnings:
            st.warning(plain(warning), icon=":material/lock:")
        _notices(store.notices)
        link.notices()
        if filters and data.passing().empty:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.warning("No run of this data set passes the filters.", icon=":material/filter_alt_off:")
                st.button("Clear the filters", key="clear_all", on_click=_clear_filters)


def _notices(notices: list[str]) -> None:
    """How the workspace was found, until the reader has seen it."""
    if not notices or st.session_state.get("notices_read"):
        return
    with st.container(horizontal=True, vertical_alignment="center", key="notices"):
        for notice in notices:
            st.success(plain(notice), icon=":material/verified:")
        st.button("Got it", key="got_it", on_click=lambda: st.session_state.update(notices_read=True))


def explore(sliders: Callable[[], None]) -> Callable[[Callable[[Callable[[], None]], None]], None]:
    """Runs the part of a page that its sliders change. A moved slider runs it alone again, not the menus beside it.

    sliders: draws them. The part is given it, to call it when its answer is worked out: the page is then drawn anew in one go.
    Where there is no answer, they are drawn with the reason below them.
    """
    return lambda part: _explore(part, sliders)


def _explore(part: Callable[[Callable[[], None]], None], sliders: Callable[[], None]) -> None:
    before, alone = replace(collected.now(), explored=True), False

    @st.fragment
    def follow() -> None:
        collected.restart(before)
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
    """Ends a page: saved analyses, and what it offers to take away or keep."""
    link.saved_menu()
    sharing.toolbar()
    if not collected.now().explored:
        state.write_url(link.parameters())


def answer(sentence: str, *notes: str, key: str = "answer", template: str = "") -> None:
    """The page's first line: its answer in numbers; below it, small, what to know about it. template: of `live`, what follows the sliders."""
    with st.container(key=key, gap=None):
        st.markdown(sentence)
        if template:
            live.explorer(template)
    if key == "answer":
        collected.answer(sentence)
    if any(notes):
        with st.container(key=f"below_{key}"):
            st.caption("  \n".join(note for note in notes if note))


def _dataset_menu(filters: bool) -> None:
    table = data.datasets()
    names = table["dataset"].tolist()
    chosen = state.get("dataset")
    if chosen not in names:
        state.put("dataset", names[0])
        st.toast(f"There is no data set {plain(chosen)!s} here; showing {plain(names[0])}.")
        chosen = names[0]
    rows = {r.dataset: r for r in table.itertuples()}

    with st.sidebar:
        st.selectbox(
            "Data set",
            names,
            format_func=lambda d: f"{d} ({rows[d].n_runs} runs)",
            **state.bound("dataset", chosen, state.open_dataset),
        )
        st.caption(f"{plain(rows[chosen].title)} · {rows[chosen].kind}")
        if filters:
            _filters()


def _filters() -> None:
    n_runs, selected = len(data.runs(state.get("dataset"))), data.passing()
    n_selected, n_excluded = len(selected), int(selected["excluded"].sum())
    active = any(v not in (None, "", ()) for v in data.filters())
    words = f"Filters: {n_selected} of {n_runs} runs" + (f", {n_excluded} excluded" if n_excluded else "")
    with folded.expander(words, "filters", active):
        _compute_filter(data.budgets())
        for field, column, word in (("experts", "n_experts", "Experts"), ("grans", "granularity", "Granularity")):
            values = data.distinct(column)
            if len(values) > 1:
                chosen = [v for v in state.get(field) if v in values]
                st.multiselect(
                    word,
                    values,
                    format_func=lambda v: f"{v:g}",
                    placeholder="all",
                    **state.bound(field, chosen, lambda v, f=field: state.put(f, tuple(v))),
                )
        archs = [a for a in data.distinct("arch") if a]
        if len(archs) > 1:
            st.selectbox(
                "Architecture", ["", *archs], format_func=lambda a: a or "dense and MoE", **state.bound("arch", state.get("arch"))
            )
        _extra_filter()
        if active:
            st.button("Clear filters", on_click=_clear_filters, key="clear")


def _extra_filter() -> None:
    """Filters by one of the log's other columns, such as a router's type or a recipe."""
    options = data.extra_options(state.get("dataset"))
    if not options:
        return
    key, _, values = state.get("extra").partition("=")
    key = key if key in options else ""

    def other_column(new: object) -> None:
        kinds = sorted(options[str(new)].unique()) if new else []
        state.put("extra", f"{new}={'|'.join(kinds)}" if new else "")

    st.selectbox(
        "By another column", ["", *options], format_func=lambda k: k or "–", **state.bound("extra_key", key, other_column)
    )
    if key:
        kinds = sorted(options[key].unique())
        chosen = [v for v in values.split("|") if v in kinds]
        st.multiselect(
            key,
            kinds,
            placeholder="none",
            **state.bound("extra_values", chosen, lambda v: state.put("extra", f"{key}={'|'.join(v)}")),
        )


def _clear_filters() -> None:
    state.clear(*state.FILTERS)
    st.session_state["cleared"] = st.session_state.get("cleared", 0) + 1


def _compute_filter(steps: list[float]) -> None:
    if len(steps) < 2:
        return
    low = min(steps, key=lambda v: abs(np.log(v / (state.get("cmin") or steps[0]))))
    high = min(steps, key=lambda v: abs(np.log(v / (state.get("cmax") or steps[-1]))))

    # A range cannot be given through the session state; another key makes a new slider when the filters are cleared.
    key = f"{state.WIDGET}compute_{state.get('dataset')}_{st.session_state.get('cleared', 0)}"

    def changed() -> None:
        new = st.session_state[key]
        state.put("cmin", None if new[0] == steps[0] else new[0])
        state.put("cmax", None if new[1] == steps[-1] else new[1])

    st.select_slider(
        "Training FLOPs", steps, value=(low, high), format_func=lambda v: numbers.flops(v, 3), key=key, on_change=changed
    )
