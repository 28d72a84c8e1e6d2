"""Benchmarks on the Fine-grained at scale page: both groups side by side where results were uploaded, and the upload."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import figures, numbers
from lawlib.comparisons import benchmarks
from lawlib.ingest import guarded

from ... import cached
from ...charts import chart, style
from ...frame import reading
from ...session import state
from ...session.markup import plain
from .groups import Groups

SHOWN_PROBLEMS = 100


def show_benchmarks(groups: Groups | None) -> None:
    """Shows benchmarks side by side where results were uploaded, and the upload."""
    st.subheader("Benchmarks", anchor=False, divider="gray")
    dataset = state.get("dataset")
    found = cached.store().evaluations(dataset)
    if not found.empty and groups is not None:
        _compared(found, groups)
    with st.expander(
        "Upload benchmark results" if found.empty else f"{len(found):,} results are kept: upload more, or forget them",
        expanded=False,
    ):
        _upload(dataset)
        if not found.empty and cached.store().writable:
            st.button("Forget the uploaded results", key="forget_evaluations", on_click=_forget, args=(dataset,))


def _compared(found: pd.DataFrame, groups: Groups) -> None:
    metrics = found["metric"].value_counts().index.tolist()
    metric = state.get("metric") if state.get("metric") in metrics else metrics[0]
    if len(metrics) > 1:
        st.selectbox("Metric", metrics, **state.bound("metric", metric))
    comparison = benchmarks.compare_benchmarks(found, groups.pairs, metric)
    if comparison is None:
        st.caption("No benchmark has a result of both runs of a pair.")
        return
    n = len(comparison.table)
    span = f" {numbers.span(comparison.low, comparison.high, lambda x: f'{x:+.3g}')}" if np.isfinite(comparison.low) else ""
    st.markdown(
        f"Over **{n}** benchmark{'s' * (n > 1)} **{plain(groups.b)}** averages **{comparison.mean_b:.4g}** in {plain(metric)} and **{plain(groups.a)}** "
        f"**{comparison.mean_a:.4g}**: a difference of **{comparison.difference:+.3g}**{span}."
    )
    if span:
        st.caption(
            f"Brackets: 95 %, paired bootstrap over benchmarks ({comparison.n_resamples:,} draws of {n}); it knows nothing of seeds."
        )
    if comparison.mixed_scales:
        st.warning("Some results look like percentages and others like fractions: the mean takes them as they are.")
    chart(
        figures.benchmark_figure(comparison, style(), groups.a, groups.b),
        "benchmarks",
        f"Benchmarks: {plain(metric)}",
        comparison.table,
    )


def _upload(dataset: str) -> None:
    st.caption(
        "A table with the columns run, benchmark, metric and value (or one column a benchmark) in any format of the Upload page. Runs are "
        "told by their name or run_id. Results of a run, benchmark and metric that are there already are replaced."
    )
    file = st.file_uploader("Benchmark results", key=f"evaluations_{st.session_state.get('evaluations_kept', 0)}")
    if file is None:
        return
    files, runs = [(file.name, file.getvalue())], cached.runs(dataset)
    key = (file.file_id, dataset, cached.store().version)
    found = reading.read("evaluations", key, lambda progress: guarded.read_evaluations(files, runs, progress))
    if found is None:
        return
    for note in found.notes:
        st.caption(plain(note))
    if found.problems:
        rows = [
            {"line": p.line, "column": p.column, "value": p.value, "reason": p.reason} for p in found.problems[:SHOWN_PROBLEMS]
        ]
        n = len(found.problems)
        st.markdown(
            f"**{n:,} results cannot be taken and are left out:**" if n > 1 else "**1 result cannot be taken and is left out:**"
        )
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", key="evaluation_problems")
    n_runs = found.frame["run_id"].nunique()
    st.button(
        f"Keep {len(found.frame):,} results of {n_runs:,} runs",
        key="keep_evaluations",
        type="primary",
        disabled=found.frame.empty or not cached.store().writable,
        on_click=_keep,
        args=(dataset, found.frame),
    )


def _keep(dataset: str, frame: pd.DataFrame) -> None:
    try:
        n, replaced = cached.store().set_evaluations(dataset, frame)
    except lawlib.StoreError as error:
        st.toast(plain(error), icon=":material/error:")
        return
    st.session_state["evaluations_kept"] = st.session_state.get("evaluations_kept", 0) + 1
    st.toast(
        f"{n:,} results are kept" + (f", {replaced:,} of them in place of earlier ones." if replaced else "."),
        icon=":material/check:",
    )


def _forget(dataset: str) -> None:
    try:
        cached.store().remove_evaluations(dataset)
    except lawlib.StoreError as error:
        st.toast(plain(error), icon=":material/error:")
