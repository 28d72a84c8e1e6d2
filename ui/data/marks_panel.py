"""The marks on the Runs page: what each run is, restarts joined into one run, marked runs left out with a reason."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import StoreError
from lawlib.fitting import Fit
from lawlib.runs import alike, among, find_restarts, run_marks, select, stitch

from .. import cached
from ..explorer import chosen_budget, chosen_expansion, law_choice
from ..session import state
from ..session.markup import plain

POINTS = 120
"""Points of a curve that are enough to see how it ends."""
MAX_ROWS = 5_000
"""Rows of the table of marked runs."""
MAX_PULLS = 2_000
"""Runs up to which the table says what the optimum would be without each."""


def marks() -> pd.DataFrame:
    """Returns the runs of the selection that have a mark, in their order, with the columns mark and why of `ledger`."""
    dataset, version, chosen = cached.selected()
    return _marks(dataset, version, chosen, _marked(dataset, version, state.get("out"), *_reasons())).copy(deep=False)


@st.cache_resource(max_entries=8, show_spinner=False)
def _marks(dataset: str, version: int, chosen: tuple, _marked: pd.DataFrame) -> pd.DataFrame:
    filters = cached.filter_arguments(dataset, chosen)
    filters.pop("leave_out", None)
    return select(_marked, **filters)


@st.cache_resource(max_entries=8, show_spinner=False)
def _marked(dataset: str, version: int, out: tuple | None, _found: pd.DataFrame, _ends: pd.DataFrame) -> pd.DataFrame:
    runs = cached.runs_of(dataset, version, out)
    if len(_ends):
        _found = run_marks.with_restarts(_found, find_restarts(runs[among(runs["run_id"], _ends["run_id"])], _ends), runs)
    words = run_marks.texts(_found, runs)
    return runs.iloc[_found.index].reset_index(drop=True).assign(mark=words["mark"], why=words["why"])


def _reasons() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns (`reasons`, the curves' ends of runs that may be restarts), computed once, as no exclusion changes them."""
    kept = _kept(state.get("dataset"), cached.store().runs_version)
    if not kept:
        kept.append(_look())
    return kept[0]


@st.cache_resource(max_entries=8, show_spinner=False)
def _kept(dataset: str, runs_version: int) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Returns the place of a result, empty until it is there, because a cached function could not show its progress."""
    return []


def _look() -> tuple[pd.DataFrame, pd.DataFrame]:
    dataset, store = state.get("dataset"), cached.store()
    runs = cached.runs(dataset)
    split = cached.split_of(dataset, runs)
    if not split:
        return run_marks.reasons(runs, None, []), pd.DataFrame()
    able = alike(runs)["run_id"]
    ends = store.curve_ends(dataset, [*able, *run_marks.planned(runs)])
    with cached.progress("Looking at the curves of all runs") as report:

        def parts() -> Iterator[pd.DataFrame]:
            for done, part in store.curve_parts(dataset, split, POINTS):
                yield part
                report(int(done * len(runs)), len(runs))

        return run_marks.reasons(runs, ends, parts()), ends[among(ends["run_id"], able)]


def summary(marked: pd.DataFrame) -> str:
    """Says how many runs have which mark and which logged status, and that all of them count unless they are excluded."""
    return _summary(*cached.selected(), marked)


@st.cache_resource(max_entries=32, show_spinner=False)
def _summary(dataset: str, version: int, chosen: tuple, _marked: pd.DataFrame) -> str:
    counted = run_marks.counts(cached.passing_of(dataset, version, chosen), _marked)
    if not counted:
        return ""
    words = ", ".join(f"{n:,} {plain(what)}" for what, n in counted.items())
    return f"{words}. No mark and no status takes a run out of a fit: only leaving it out does, and that is counted above."


def pulls(runs: pd.DataFrame) -> pd.Series | None:
    """Returns run_id -> change of the optimal size at the chosen budget without that run; None where no law is fitted."""
    if len(runs) > MAX_PULLS:
        st.caption(f"What the optimum would be without each run is worked out for up to {MAX_PULLS:,} runs: filter them.")
        return None
    law = law_choice.resolved("D").law
    if not isinstance(law, Fit) or "run_id" not in law.fit.runs:
        return None
    budget, expansion = chosen_budget(law), chosen_expansion(law)

    def make() -> pd.Series | None:
        try:
            table = lawlib.pulls(law, budget, expansion)
        except lawlib.OptimumError:
            return None
        return table.set_index("run_id")["n_pull"].map(np.expm1)

    return cached.remember(law, ("pull by run", budget, expansion), make)


def show(runs: pd.DataFrame, marked: pd.DataFrame) -> None:
    """Shows the marks' rules, the marked runs, and what can be done about them."""
    words = f"Marks: {len(marked)} of {len(runs)} runs" if len(marked) else "Marks: none of these runs has one"
    with st.expander(words):
        for mark, rule in run_marks.MARKS.items():
            st.markdown(f"**{mark}** — {rule}")
        if marked.empty:
            return
        shown = marked.head(MAX_ROWS)
        st.dataframe(shown[["name", "mark", "why"]], hide_index=True, width="stretch", key="marked")
        if len(marked) > len(shown):
            st.caption(f"The first {len(shown):,} of {len(marked):,} marked runs. Filters in the sidebar narrow them down.")
        _leave_out(marked)
        if run_marks.has(marked, "restart").any():
            _stitch(runs)


def _leave_out(marked: pd.DataFrame) -> None:
    present = ", ".join(marked["mark"].unique()).split(", ")
    kinds = [m for m in run_marks.MARKS if m in present]
    if not cached.store().writable or state.get("out") is not None:
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    kind = left.selectbox("Leave out every run marked", kinds, key="mark_kind")
    which = marked[run_marks.has(marked, kind)]

    def leave_out() -> None:
        try:
            cached.store().exclude(state.get("dataset"), which["run_id"], which["why"])
        except (StoreError, ValueError) as error:
            st.session_state["ledger_error"] = str(error)

    right.button(
        f"Leave {len(which)} out",
        key="leave_marked",
        on_click=leave_out,
        help="The reason is the mark's; taken back like any other.",
    )
    if error := st.session_state.pop("ledger_error", None):
        st.error(plain(error))


def _stitch(runs: pd.DataFrame) -> None:
    """Offers to store chains of attempts as single runs, in a data set of their own: nothing is changed in this one."""
    dataset, store = state.get("dataset"), cached.store()
    _, ends = _reasons()
    attempts = find_restarts(runs[among(runs["run_id"], ends["run_id"])], ends)
    if attempts.empty or not store.writable:
        return
    chains = attempts["chain"].nunique()

    def make() -> None:
        ids = attempts["run_id"].tolist()
        whole, curves = stitch(runs, store.curves(dataset, ids), attempts)
        others = runs[~runs["run_id"].isin(ids)]
        kept = store.curves(dataset, others["run_id"].tolist())
        try:
            added = store.add(
                pd.concat([others, whole], ignore_index=True),
                dataset=f"{dataset}-stitched",
                title=f"{dataset}, {chains} restarted runs made whole",
                source=f"data set {dataset}",
                curves=pd.concat([kept, curves], ignore_index=True),
                scrubbed=store.scrubbed(dataset),
            )
        except (StoreError, ValueError) as error:
            st.session_state["ledger_error"] = str(error)
        else:
            state.open_dataset(added.dataset)

    st.button(
        f"Make {chains} run{'s' * (chains > 1)} of {len(attempts)} attempts",
        key="stitch",
        on_click=make,
        help="Stored as a data set of its own, where it can be deleted again; this one stays as it is.",
    )


def show_scrubbed() -> None:
    """Shows what imports removed from the logs of the chosen data set: kinds and counts by column; nothing where none is known."""
    found = _scrubbed(state.get("dataset"), cached.store().version)
    if found.empty:
        return
    n_whole, n_cut = found.loc[found["whole"], "field"].nunique(), found.loc[~found["whole"], "field"].nunique()
    counts = [f"{n} column{'s' * (n > 1)} {words}" for n, words in ((n_whole, "whole"), (n_cut, "in part")) if n]
    with st.expander(f"Left out on import: {', '.join(counts)}"):
        st.caption(
            "What tells of people and machines: host names, e-mails, paths, git remotes. This list is all that is kept of it; the values "
            "were not stored."
        )
        table = pd.DataFrame(
            {
                "column": found["field"],
                "what": found["kind"],
                "different values": found["n"],
                "left out": found["whole"].map({True: "the whole column", False: "that part of the text"}),
            }
        )
        if found["added"].nunique() > 1:
            table["imported (UTC)"] = found["added"].str.slice(0, 16).str.replace("T", " ")
        st.dataframe(table, hide_index=True, width="stretch", key="scrubbed")


@st.cache_data(max_entries=16, show_spinner=False)
def _scrubbed(dataset: str, version: int) -> pd.DataFrame:
    return cached.store().scrubbed(dataset)
