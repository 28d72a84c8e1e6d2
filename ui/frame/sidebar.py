"""The sidebar of every page: the data set and the filters on its runs."""

from __future__ import annotations

import numpy as np
import streamlit as st

from lawlib import numbers

from .. import cached
from ..session import folded, state, url_fields
from ..session.markup import plain


def dataset_menu(filters: bool) -> None:
    """Shows the menu of data sets and, where `filters`, the filters. A data set that is not here becomes the first one."""
    table = cached.datasets()
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
    n_runs, selected = len(cached.runs(state.get("dataset"))), cached.passing()
    n_selected, n_excluded = len(selected), int(selected["excluded"].sum())
    active = any(v not in (None, "", ()) for v in cached.filters())
    words = f"Filters: {n_selected} of {n_runs} runs" + (f", {n_excluded} excluded" if n_excluded else "")
    with folded.expander(words, "filters", active):
        _compute_filter(cached.budgets())
        for field, column, word in (("experts", "n_experts", "Experts"), ("grans", "granularity", "Granularity")):
            values = cached.distinct(column)
            if len(values) > 1:
                chosen = [v for v in state.get(field) if v in values]
                st.multiselect(
                    word,
                    values,
                    format_func=lambda v: f"{v:g}",
                    placeholder="all",
                    **state.bound(field, chosen, lambda v, f=field: state.put(f, tuple(v))),
                )
        archs = [a for a in cached.distinct("arch") if a]
        if len(archs) > 1:
            st.selectbox(
                "Architecture", ["", *archs], format_func=lambda a: a or "dense and MoE", **state.bound("arch", state.get("arch"))
            )
        _extra_filter()
        if active:
            st.button("Clear filters", on_click=clear_filters, key="clear")


def _extra_filter() -> None:
    """Shows a filter by one of the log's other columns, such as a router's type or a recipe."""
    options = cached.extra_options(state.get("dataset"))
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


def clear_filters() -> None:
    """Removes all filters."""
    state.clear(*url_fields.FILTERS)
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
