"""The data part of the URL: runs excluded by content hash, and a fingerprint of the data set, so that a link reproduces the view elsewhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from lawlib import StoreError
from lawlib.runs import Fingerprint, among, content_hashes

from .. import cached
from ..session import state, url_fields
from ..session.markup import plain

MAX_OUT = 500
"""Runs that an address can leave out one by one: 4 KB of it."""
MAX_MENU = 12
"""Saved analyses that the sidebar lists."""
ROOT = Path(__file__).parents[2]
_NOTE = "link_note"
"""(sentence, data set it is about): what could not be followed of the address that this session was opened with."""


def settle() -> None:
    """Reconciles the address with the data here, once the store is open and before anything is drawn."""
    table = cached.datasets()
    asked, names = state.get("data"), table["dataset"].tolist()
    chosen = state.get("dataset")
    if asked and chosen not in names:
        same = [d for d in table.loc[table["n_runs"] == Fingerprint.read(asked).n_runs, "dataset"] if _here(d) == asked]
        state.put("dataset", same[0] if same else names[0])
        if not same:
            n = Fingerprint.read(asked).n_runs
            words = f"The link is of the data set “{plain(chosen)}” with {n:,} runs, which is not here: upload its log and open the link"
            st.session_state[_NOTE] = (f"{words} again. Shown is {plain(names[0])}.", names[0])
            state.open_dataset(names[0])
        return
    if chosen not in names:
        state.clear("data", "out")
        return
    if asked == _here(chosen):
        state.clear("data")
    _settle_out()


def _settle_out() -> None:
    out, own = state.get("out"), _workspace_out()
    if out is None:
        return
    if out[:1] and out[0].endswith(url_fields.TOO_MANY):
        n = int(out[0].removesuffix(url_fields.TOO_MANY))
        if n != len(own):
            words = (
                f"The link leaves out {n:,} runs, too many to be named in an address: here those of your workspace are left out"
            )
            st.session_state[_NOTE] = (f"{words} ({len(own):,}).", state.get("dataset"))
        state.clear("out")
    elif Counter(out) == Counter(own):
        state.clear("out")


def _here(dataset: str) -> str:
    return str(cached.fingerprint_of(dataset))


def _workspace_out() -> tuple[str, ...]:
    return cached.workspace_out(state.get("dataset"), cached.store().version)


def parameters(*, full: bool = False) -> dict[str, str]:
    """Returns what the data add to the address: nothing for bundled data that are used whole, unless it is to be `full`."""
    dataset, uploaded = state.get("dataset"), cached.uploaded()
    if dataset not in uploaded:
        return {}
    own = _workspace_out()
    out = own if state.get("out") is None else state.get("out")
    if not (full or uploaded[dataset] or out or state.get("out") is not None):
        return {}
    found = {"dataset": dataset, "data": state.get("data") or _here(dataset)}
    if out or full or own:
        found["out"] = url_fields.FIELDS["out"].write(out) if len(out) <= MAX_OUT else f"{len(out)}{url_fields.TOO_MANY}"
    return (
        found if full or dataset != url_fields.FIELDS["dataset"].default else {k: v for k, v in found.items() if k != "dataset"}
    )


def notices() -> None:
    """Shows what differs between the address and the data here, with what can be done."""
    if ignored := st.session_state.get(state.IGNORED):
        with st.container(horizontal=True, vertical_alignment="center"):
            shown = ", ".join(plain(words[:60]) for words in ignored[:5])
            st.warning(
                f"The link asks for what cannot be: {shown}. In its place stands what the page has by itself.",
                icon=":material/link_off:",
            )
            st.button("Got it", key="link_ignored", on_click=lambda: st.session_state.update({state.IGNORED: []}))
    note, about = st.session_state.get(_NOTE, ("", ""))
    if note and about == state.get("dataset"):
        st.warning(note, icon=":material/link_off:")
    asked = state.get("data")
    if asked:
        differs = Fingerprint.read(asked).difference(cached.fingerprint_of(state.get("dataset")))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(
                f"This link was made with other data: {differs}. The numbers below are of the runs here.",
                icon=":material/difference:",
            )
            st.button("Keep the data here", key="link_data", on_click=state.clear, args=("data",))
    if state.get("out") is not None:
        _left_out()


def _left_out() -> None:
    out, own = Counter(state.get("out")), Counter(_workspace_out())
    known = cached.runs(state.get("dataset"))
    n_found = int(known["excluded"].sum())
    missing = f" ({out.total() - n_found} of them are not among the runs here)" if out.total() > n_found else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            f"This address leaves {out.total()} runs out of fits{missing}; your workspace leaves out {own.total()} of this data set.",
            icon=":material/link:",
        )
        st.button("Back to my own", key="link_mine", on_click=state.clear, args=("out",))
        st.button(
            "Keep these",
            key="link_keep",
            on_click=_keep,
            disabled=not cached.store().writable,
            help="Marks them so in the workspace" if cached.store().writable else " ".join(cached.store().warnings),
        )


def _keep() -> None:
    dataset = state.get("dataset")
    runs = cached.runs(dataset)
    out = runs.loc[runs["excluded"], "run_id"].tolist()
    back = runs.loc[cached.own_runs(dataset)["excluded"] & ~runs["excluded"], "run_id"].tolist()
    try:
        if out:
            cached.store().exclude(dataset, out, "left out by a link")
        if back:
            cached.store().include(dataset, back)
    except (StoreError, ValueError) as error:
        st.toast(plain(error), icon=":material/error:")
        return
    state.clear("out")


def leave_out(run_ids: list[str], *, out: bool) -> None:
    """Leaves these runs out in this view and its address alone, or includes them again: nothing is written."""
    runs = cached.runs(state.get("dataset"))
    these = among(runs["run_id"], run_ids)
    marks = runs["excluded"] | these if out else runs["excluded"] & ~these
    state.put("out", tuple(sorted(content_hashes(runs[marks]))))


def open_button(page: str, query: str, label: str, key: str) -> None:
    """Shows a button that opens a saved view on its page; where that page is gone, on the Overview."""
    file = f"pages/{page or 'overview'}.py"
    if st.button(label, key=key):
        state.load(dict(parse_qsl(query)))
        st.switch_page(file if (ROOT / file).is_file() else "pages/overview.py")


def saved_menu() -> None:
    """Shows the saved analyses in the sidebar, the last ones first."""
    table = cached.analyses()
    if table.empty:
        return
    with st.sidebar, st.popover("Saved analyses", icon=":material/bookmark:", width="stretch"):
        for i, row in enumerate(table.head(MAX_MENU).itertuples()):
            open_button(row.page, row.query, row.name, key=f"menu_saved_{i}")
        if len(table) > MAX_MENU:
            st.caption(f"and {len(table) - MAX_MENU} more on the Compare page")


def view() -> str:
    """Returns the parameters of what is chosen now, complete and without the pins."""
    known = state.query() | parameters(full=True)
    return urlencode({k: v for k, v in known.items() if k not in url_fields.PINS})
