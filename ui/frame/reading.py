"""Reads files while the page waits: once, then kept, with the elapsed time and a Cancel button where it takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

import lawlib
from lawlib.ingest import guarded

from ..session.markup import plain

SOON = 1.0
"""Seconds after which a reading shows its time and Cancel."""

Read = TypeVar("Read")


def read(where: str, key: tuple[Any, ...], reading: Callable[[guarded.Progress], Read]) -> Read | None:
    """Returns what `reading` gives, kept for this key; None, with a sentence on the page, where it gives nothing or was cancelled.

    Any other click reruns the script and restarts the reading; Cancel stops it until "Read again" is clicked. `where` names the
    place on the page.
    """
    kept = _kept(where, key)
    if not kept:
        if st.session_state.get(_cancelled(where)) == key:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption("The reading was cancelled. Nothing of it is stored.")
                st.button("Read again", key=f"{where}_again", on_click=st.session_state.pop, args=(_cancelled(where),))
            return None
        found = _wait(where, key, reading)
        if isinstance(found, guarded.Passing):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.error(plain(found), icon=":material/error:")
                st.button("Read again", key=f"{where}_again")
            return None
        kept.append(found)
    if isinstance(kept[0], lawlib.ReadError):
        st.error(plain(kept[0]), icon=":material/error:")
        return None
    return kept[0]


@st.cache_resource(max_entries=4, show_spinner=False)
def _kept(where: str, key: tuple[Any, ...]) -> list[Any]:
    """Returns the place of a result, empty until it is there, because a cached function could not show its progress."""
    return []


def _wait(where: str, key: tuple[Any, ...], reading: Callable[[guarded.Progress], Read]) -> Read | lawlib.ReadError:
    place = st.empty()
    bar = None

    def report(seconds: float) -> None:
        nonlocal bar
        if seconds < SOON:
            return
        if bar is None:
            with place.container(horizontal=True, vertical_alignment="center"):
                bar = st.progress(0.0)
                st.button("Cancel", key=f"{where}_cancel", on_click=_cancel, args=(where, key))
        longest = guarded.LIMITS.wall
        bar.progress(min(seconds / longest, 1.0), f"Reading: {seconds:.0f} s, at most {longest:.0f} s")

    try:
        return reading(report)
    except lawlib.ReadError as error:
        return type(error)(str(error))  # without its traceback, which would keep the files
    finally:
        place.empty()


def _cancelled(where: str) -> str:
    return f"{where}_cancelled"


def _cancel(where: str, key: tuple[Any, ...]) -> None:
    st.session_state[_cancelled(where)] = key
