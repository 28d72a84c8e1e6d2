"""The run ledger on the Runs page: what each run is by its marks, restarts made one run, marked runs left out with a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import StoreError, ledger
from lawlib.restarts import find_restarts, stitch

from . import data, laws, state
from .controls import chosen_budget, chosen_expansion
from .markup import plain

MAX_RUNS = 20_000
"""Runs of a data set up to which marks are looked for: every run's curve and columns are read."""
POINTS = 120
"""Points of a curve that are enough to see both."""
MAX_PULLS = 2_000
"""Runs up to which the table says what the optimum would be without each."""


def marks(runs: pd.DataFrame) -> pd.DataFrame:
    """Marks of these runs of the chosen data set: run_id, mark, why; computed once for each state of the store."""
    found = _marks(state.get("dataset"), data.store().version)
    whole = len(found) == len(runs)  # no filter
    return found.copy(deep=False) if whole else found[found["run_id"].isin(runs["run_id"])]


@st.cache_resource(max_entries=8, show_spinner="Looking at every run")
def _marks(dataset: str, version: int) -> pd.DataFrame:
    runs, store = data.runs(dataset), data.store()
    if len(runs) > MAX_RUNS:
        return pd.DataFrame({"run_id": runs["run_id"], "mark": "", "why": ""})
    splits = store.splits(dataset)
    if not splits:
        return ledger.ledger(runs)
    named = runs["loss_name"].mode()
    split = named.iloc[0] if len(named) and named.iloc[0] in splits else splits[0]
    curves = store.curves(dataset, runs["run_id"].tolist(), split=split, max_points=POINTS)
    return ledger.ledger(runs, store.curve_ends(dataset), curves)


def summary(runs: pd.DataFrame, found: pd.DataFrame) -> str:
    """How many runs have which mark and which logged status, and that all of them count unless they are excluded."""
    counted = ledger.counts(runs, found)
    if not counted:
        return ""
    words = ", ".join(f"{n:,} {plain(what)}" for what, n in counted.items())
    return f"{words}. No mark and no status takes a run out of a fit: only leaving it out does, and that is counted above."


def pulls(runs: pd.DataFrame) -> pd.Series | None:
    """run_id -> change of the optimal size at the chosen budget without that run; None where no law is fitted to the runs."""
    choice = laws.standing("D")
    law = choice.law
    if law.fit is None or len(runs) > MAX_PULLS or "run_id" not in law.fit.runs:
        return None
    budget, expansion = chosen_budget(law), chosen_expansion(law)

    def make() -> pd.Series | None:
        try:
            table = lawlib.pulls(law, budget, expansion)
        except lawlib.OptimumError:
            return None
        return table.set_index("run_id")["n_pull"].map(np.expm1)

    return data.remember(law, ("pull by run", budget, expansion), make)


def show(runs: pd.DataFrame, found: pd.DataFrame) -> None:
    """The marks' rules, the runs that have one, what can be done about them."""
    marked = found[found["mark"] != ""]
    words = f"Marks: {len(marked)} of {len(runs)} runs" if len(marked) else "Marks: none of these runs has one"
    if len(data.runs(state.get("dataset"))) > MAX_RUNS:
        words = f"Marks are looked for in data sets of up to {MAX_RUNS:,} runs"
    with st.expander(words):
        for mark, rule in ledger.MARKS.items():
            st.markdown(f"**{mark}** — {rule}")
        if marked.empty:
            return
        names = runs.set_index("run_id")["name"]
        table = marked.assign(name=marked["run_id"].map(names))[["name", "mark", "why"]]
        st.dataframe(table, hide_index=True, width="stretch", key="marked")
        _leave_out(marked)
        if marked["mark"].str.contains("restart").any():
            _stitch(runs)


def _leave_out(marked: pd.DataFrame) -> None:
    kinds = [m for m in ledger.MARKS if marked["mark"].str.split(", ").apply(lambda all_of, m=m: m in all_of).any()]
    if not data.store().writable or state.get("out") is not None:
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    kind = left.selectbox("Leave out every run marked", kinds, key="mark_kind")
    which = marked[marked["mark"].str.split(", ").apply(lambda all_of: kind in all_of)]

    def leave_out() -> None:
        try:
            for why, part in which.groupby("why"):
                data.store().exclude(state.get("dataset"), part["run_id"].tolist(), str(why))
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
    dataset, store = state.get("dataset"), data.store()
    attempts = find_restarts(runs, store.curve_ends(dataset))
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
    """What imports left out of the logs of the chosen data set: kinds and counts by column; nothing where nothing is known."""
    found = _scrubbed(state.get("dataset"), data.store().version)
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
    return data.store().scrubbed(dataset)
