"""Parts of the Runs page: facts, axes, table, exclusion, released models."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from lawlib import StoreError, figures, numbers
from lawlib.architecture import granularity_of
from lawlib.export import safe_csv
from lawlib.runs import among, included

from .. import cached
from ..frame import link
from ..session import state, url_fields
from ..session.markup import plain

MAX_ROWS = 5000
"""Rows of the table of runs."""
SHOWN = (
    "name",
    "arch",
    "n_active",
    "n_total",
    "n_experts",
    "top_k",
    "granularity",
    "expansion",
    "tokens",
    "flops",
    "loss",
    "loss_name",
    "seed",
    "status",
    "excluded",
    "exclude_reason",
)
_COUNTS = {"n_active": "N active", "n_total": "N total", "tokens": "tokens D"}
_WORDS = {
    "name": "run",
    "arch": "kind",
    "n_experts": "experts E·G",
    "top_k": "top-k",
    "granularity": "G",
    "expansion": "E",
    "loss_name": "loss is",
    "exclude_reason": "reason",
}
"""Columns by the words that the field has for them; the CSV keeps their names."""


def dataset_facts() -> str:
    """Returns kind, source, licence and notes of the data set, as plain words."""
    row = cached.datasets().set_index("dataset").loc[state.get("dataset")]
    parts = [f"Kind: {row['kind']}"]
    parts += [f"{word}: {plain(row[c])}" for c, word in (("source", "source"), ("licence", "licence")) if row[c]]
    return " · ".join(parts) + (f"  \n{plain(row['notes'])}" if row["notes"] else "")


def counted() -> str:
    """Says how many of the selected runs count, and what ranges they span."""
    return _counted(*cached.selected())


@st.cache_resource(max_entries=32, show_spinner=False)
def _counted(dataset: str, version: int, chosen: tuple) -> str:
    runs = cached.passing_of(dataset, version, chosen)
    part = runs.loc[included(runs), ["flops", "n_active", "loss", "loss_name"]]
    words = f"**{len(part)} of {len(runs)} selected runs** count"
    spans = [_span(part["flops"], numbers.flops, " FLOPs"), _span(part["n_active"], numbers.count, " active parameters")]
    if known := [s for s in spans if s]:
        words += f", from {' and '.join(known)}"
    losses = _span(part["loss"], numbers.loss, "")
    return f"{words}; losses {losses} nats per token ({loss_names(part)})." if losses else f"{words}."


def _span(values: pd.Series, write: Callable[[float], str], unit: str) -> str:
    """Returns a range, "**1e18** to **1e21 FLOPs**", "" where there is none."""
    return f"**{write(values.min())}** to **{write(values.max())}{unit}**" if values.notna().any() else ""


def loss_names(runs: pd.DataFrame) -> str:
    """Returns the columns that the losses came from."""
    return plain(", ".join(n for n in runs["loss_name"].unique() if n) or "loss")


def run_axes() -> tuple[str, str]:
    """Shows the menus of the chart's x axis and colour, and returns the choice among quantities that vary."""
    varying = _varying(*cached.selected())
    vary = [c for c in figures.AXES if c in varying] or ["flops"]
    colors = [c for c in url_fields.RUN_COLORS if c in varying] or ["arch"]
    left, right, _ = st.columns([2, 2, 3])
    x, color = (
        state.get(field) if state.get(field) in options else options[0] for field, options in (("x", vary), ("color", colors))
    )
    for field, words, options, chosen, place in (("x", "Across", vary, x, left), ("color", "Colour", colors, color, right)):
        names = {c: figures.AXES.get(c, c) for c in options}
        with place:
            st.selectbox(words, options, format_func=names.__getitem__, **state.bound(field, chosen))
    return x, color


@st.cache_resource(max_entries=32, show_spinner=False)
def _varying(dataset: str, version: int, chosen: tuple) -> set[str]:
    """Returns the quantities that differ between runs which have them."""
    runs = cached.passing_of(dataset, version, chosen)
    known = {c: runs[c].dropna() for c in (*figures.AXES, *url_fields.RUN_COLORS)}
    return {c for c, values in known.items() if len(values) and (values != values.iloc[0]).any()}


def runs_drawn(x: str) -> pd.DataFrame:
    """Returns the runs that the chart across this quantity draws."""
    return _drawn(*cached.selected(), x).copy(deep=False)


@st.cache_resource(max_entries=32, show_spinner=False)
def _drawn(dataset: str, version: int, chosen: tuple, x: str) -> pd.DataFrame:
    return figures.drawn(cached.passing_of(dataset, version, chosen), x)


def runs_title(runs: pd.DataFrame, x: str) -> str:
    """Returns the chart's title across this quantity, with what it leaves out."""
    n = int((runs[x].notna() & runs["loss"].notna()).sum())
    most = figures.MAX_DRAWN
    return "Loss of the runs" + (f", {most:,} of {n:,} drawn: only these can be chosen on the chart" if n > most else "")


def run_table(runs: pd.DataFrame, event: Any, marks: pd.DataFrame, pulls: pd.Series | None) -> list[str]:
    """Shows the runs as a table with marks and their effect on the optimum; returns the ids chosen there or on the chart.

    marks: the runs that have one, in the same order.
    """
    picked = [p["id"] for p in event.selection.points if "id" in p] if event else []
    everything, runs = runs, runs.head(MAX_ROWS)
    shown = runs[[c for c in SHOWN if c in ("loss", "excluded") or _varies(runs[c])]]
    unit = 1e18
    if "flops" in shown:
        unit = 10.0 ** int(np.floor(np.log10(shown["flops"].median()))) if (shown["flops"] > 0).any() else 1e18
        shown = shown.assign(flops=shown["flops"] / unit)
    marked = dict(zip(marks["run_id"].head(MAX_ROWS), marks["mark"].head(MAX_ROWS), strict=True))  # first runs, first marks
    if any(run in marked for run in runs["run_id"]):
        shown = shown.assign(mark=[marked.get(run, "") for run in runs["run_id"]])
    if pulls is not None:
        shown = shown.assign(pull=100 * runs["run_id"].map(pulls))
    # Rows are chosen by position: other runs need another table, or the choice would fall on runs that were never chosen.
    which = zlib.crc32(" ".join(runs["run_id"]).encode())
    found = st.container(key="run_table").dataframe(
        shown,
        hide_index=True,
        width="stretch",
        height=320,
        on_select="rerun",
        selection_mode="multi-row",
        key=f"rows_{which}",
        column_config={name: st.column_config.Column(words) for name, words in _WORDS.items()}
        | {name: st.column_config.NumberColumn(words, format="compact") for name, words in _COUNTS.items()}
        | {
            "flops": st.column_config.NumberColumn(f"C, {unit:.0e} FLOPs".replace("e+", "e"), format="%.4g"),
            "loss": st.column_config.NumberColumn("loss, nats", format="%.4f"),
            "pull": st.column_config.NumberColumn(
                "N_opt without it",
                format="%+.2f %%",
                help="Change of the optimal size at the chosen budget when this run is left out.",
            ),
        },
    )
    rows = runs["run_id"].iloc[found.selection.rows].tolist()
    st.download_button(
        "All columns as CSV",
        data=lambda: safe_csv(everything),
        file_name="runs.csv",
        mime="text/csv",
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
        key="all_runs_csv",
    )
    if len(everything) > len(runs):
        st.caption(
            f"The first {len(runs):,} of {len(everything):,} runs. Filters in the sidebar narrow them down; the CSV has all."
        )
    return list(dict.fromkeys([*picked, *rows]))


def _varies(column: pd.Series) -> bool:
    """Whether a column holds more than one value, missing and "" being one."""
    known = column.fillna("") if isinstance(column.dtype, pd.StringDtype) else column
    return known.nunique(dropna=False) > 1


def exclusion(chosen: list[str]) -> None:
    """Shows the buttons that leave the chosen runs out of fits, with a reason, or include them again."""
    runs = cached.runs(state.get("dataset"))
    if not chosen:
        st.caption(
            "Choose runs in the table, or with the lasso on the chart, to leave them out of fits or to see their training curves."
        )
        return
    inside = runs[among(runs["run_id"], chosen)]
    n_out = int(inside["excluded"].sum())
    with st.form("exclusion", border=True):
        reason = st.text_input(f"Reason to leave out the {len(inside)} chosen runs", placeholder="diverged after step 20,000")
        left, right = st.columns(2)
        out = left.form_submit_button("Leave out of fits")
        back = right.form_submit_button(f"Take {n_out} back", disabled=not n_out)
        here_only = state.get("out") is not None or not cached.store().writable
        if here_only:
            st.caption("Kept in this page's address only, without the reason: the workspace stays as it is.")
    if here_only and (out or back):
        link.leave_out(chosen, out=bool(out))
        st.rerun()
    elif out and not reason.strip():
        st.warning("Give the reason: it is kept with the runs and shown wherever they are missing.")
    elif out:
        _mark(lambda: cached.store().exclude(state.get("dataset"), chosen, reason.strip()))
    elif back:
        _mark(lambda: cached.store().include(state.get("dataset"), chosen))


def _mark(change: Callable[[], None]) -> None:
    try:
        change()
    except (StoreError, ValueError) as error:
        st.error(plain(error), icon=":material/error:")
    else:
        st.rerun()


def released_models() -> None:
    """Shows the reference table of released MoE models, folded away."""
    with st.expander("14 released MoE models for comparison"):
        table = cached.store().reference("released_models")
        table = table.assign(granularity=granularity_of(table["d_model"], table["d_expert"]))
        count = st.column_config.NumberColumn(format="compact")
        columns = [
            "model",
            "n_layers",
            "d_model",
            "d_expert",
            "n_experts",
            "top_k",
            "n_shared",
            "granularity",
            "n_active",
            "n_total",
            "tokens",
            "tokens_verified",
            "config_verified",
        ]
        st.dataframe(
            table[[c for c in columns if c in table]],
            hide_index=True,
            width="stretch",
            key="released",
            column_config={"n_active": count, "n_total": count, "tokens": count},
        )
        st.caption(
            "Counts are non-embedding, router included, computed from each model's configuration; G = 4 d_model/d_expert (Krajewski's "
            "convention; Ling's is half of it). “no” marks a figure not checked against its source."
        )
