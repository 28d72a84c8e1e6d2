"""Collapsed option groups (expander, popover) whose label counts the changed options."""

from __future__ import annotations

from collections.abc import Callable, Collection

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from . import on_page, state, url_fields

OPENED = "opened "
"""With a name, an expander's page too: whether it is open, in the session."""


def expander(words: str, name: str, touched: bool) -> DeltaGenerator:
    """Returns an expander that stays open once something in it was touched on this page, even when options return to default."""
    key = f"{OPENED}{name} {on_page.now().title}"
    st.session_state[key] = touched or st.session_state.get(key, False)
    return st.expander(words, expanded=st.session_state[key])


def popover(words: str, fields: Collection[str], draw: Callable[[], None]) -> None:
    """Shows a button that opens the widgets of these fields. They are sent only while it is open, so that no slider waits for them.

    How many were changed is written on it when it is closed: Streamlit takes a button with other words for another one.
    """
    key, label = OPENED + words, f"label of {words}"
    if not st.session_state.get(key) or label not in st.session_state:
        n = changed(fields)
        st.session_state[label] = f"{words} ({n})" if n else words
    place = st.popover(st.session_state[label], width="stretch", key=key, on_change="rerun")
    if place.open:
        with place:
            draw()


def changed(fields: Collection[str]) -> int:
    """Returns how many of the fields are not at their default."""
    return sum(state.get(field) != url_fields.FIELDS[field].default for field in fields)
