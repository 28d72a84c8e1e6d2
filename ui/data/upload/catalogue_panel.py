"""Public data sets on the Upload page: what they are, their licence, and a Fetch button that downloads one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import PurePath
from urllib.parse import urlsplit

import streamlit as st

from lawlib import ingest
from lawlib.ingest import guarded
from lawlib.ingest.remote import Entry, FetchError, download

from ...frame import reading
from ...session.markup import plain

_WANTED, _FAILED, _HELD = "fetch_wanted", "fetch_failed", "fetch_held"
REPORT = 256 * 2**10
"""Bytes between two steps of the progress bar."""


def catalogue(uploaded: ingest.Table | None) -> ingest.Table | None:
    """Shows the catalogue below the uploader; returns the uploaded table, else that of the file fetched last in this session."""
    entries = download.catalogue()
    wanted = st.session_state.pop(_WANTED, None)  # gone before the download starts: one that is cancelled does not begin again
    failed = st.session_state.get(_FAILED, ("", ""))
    with st.expander("Public data sets", expanded=bool(wanted or failed[0]) and uploaded is None):
        st.caption(
            "Fetch asks the one listed address, when you click and at no other time; what comes is shown like an upload, and stored only "
            "when you say so."
        )
        for entry in entries:
            _row(entry, failed[1] if failed[0] == entry.key else "")
            if entry.key == wanted:
                _download(entry)
    if uploaded is not None:
        return uploaded
    return _held_table()


def _row(entry: Entry, failed: str) -> None:
    words, button = st.columns([6, 1], vertical_alignment="center")
    with words:
        st.markdown(
            f"**{plain(entry.title)}**  \n{plain(entry.what[0].upper() + entry.what[1:])}. Licence: {plain(entry.licence)} "
            f"({plain(entry.licence_note)}). [{plain(entry.page.removeprefix('https://'))}]({entry.page})"
        )
        if failed:
            st.error(f"{plain(failed)} {_by_hand(entry)}", icon=":material/cloud_off:")
        elif not entry.address:
            st.caption(_by_hand(entry))
    if entry.address:
        with button:
            st.button(
                "Fetch",
                key=f"fetch_{entry.key}",
                on_click=_want,
                args=(entry.key,),
                icon=":material/download:",
                help=f"From {urlsplit(entry.address).hostname}, at most {entry.limit / 2**20:g} MB",
                width="stretch",
            )


def _by_hand(entry: Entry) -> str:
    """Says how to get the file without Fetch."""
    return f"Open the page above, take {plain(entry.how)}, and drop it on the field above."


def _want(key: str) -> None:
    st.session_state[_WANTED] = key
    st.session_state.pop(_FAILED, None)


def _download(entry: Entry) -> None:
    """Downloads while the page waits; a click on Cancel, or on anything else, ends the script's run and with it the download."""
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, f"Asking {urlsplit(entry.address).hostname}")
        st.button("Cancel", key="fetch_cancel")
    reported = 0

    def report(done: int, total: int | None) -> None:
        nonlocal reported
        if done - reported >= REPORT or done == total:
            reported = done
            share = min(done / (total or entry.limit), 1.0)
            bar.progress(share, f"{done / 2**20:.1f} of {(total or entry.limit) / 2**20:.1f} MB" + ("" if total else " at most"))

    try:
        got = download.fetch(entry.address, entry.hosts, entry.limit, report)
    except FetchError as error:
        st.session_state[_FAILED] = (entry.key, str(error))
    else:
        st.session_state[_HELD] = (entry, got)
    st.rerun()


def put_away() -> None:
    """Forgets the fetched file."""
    st.session_state.pop(_HELD, None)


def _held_table() -> ingest.Table | None:
    """Returns the fetched file as a table, with its origin and hash, which are stored with its runs."""
    if _HELD not in st.session_state:
        return None
    entry, got = st.session_state[_HELD]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{plain(entry.title)}: {len(got.content):,} bytes, SHA-256 `{got.sha256}`, fetched {plain(got.when)}")
        st.button("Put away", key="fetch_away", on_click=put_away)
    files = [(entry.key + "".join(PurePath(got.name).suffixes[-2:]), got.content)]
    key = (entry.key, got.sha256)
    found = reading.read("fetched", key, lambda progress: guarded.open_files(files, progress=progress))
    if found is None:
        return None
    note = f"Fetched {got.when} from {got.address}, SHA-256 {got.sha256}. Licence: {entry.licence} ({entry.licence_note})."
    of_source = hashlib.sha256(f"{got.sha256} {got.when} {got.address}".encode()).hexdigest()
    return replace(found, notes=[note, *found.notes], sha256=of_source)
