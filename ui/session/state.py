"""The user's choices: one dictionary a session, mirrored in the URL, kept across pages and reloads.

Widgets never own a value: they are given the state's before they are drawn and write back in their callback. So nothing is
lost when a page is left, and a link opens the same view, also as the first request of a new server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from .url_fields import FIELDS, OF_DATASET, PINS

_STATE = "chosen"
IGNORED = "ignored"
"""What of the address that this session was opened with could not be read, in the session, until the reader has seen it."""
WIDGET = "w_"


def _state() -> dict:
    try:
        return st.session_state[_STATE]
    except KeyError:
        st.session_state[_STATE], st.session_state[IGNORED] = _read(st.query_params)
        return st.session_state[_STATE]


def parse(parameters: Mapping[str, str]) -> dict[str, object]:
    """Returns every field by an address's parameters; what is missing or cannot be read has its default."""
    return _read(parameters)[0]


def _read(parameters: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
    """Returns (`parse`, the parameters that cannot be read, sorted, as they are in the address)."""
    values, unreadable = {name: field.default for name, field in FIELDS.items()}, []
    for name, field in FIELDS.items():
        if name in parameters:
            try:
                values[name] = field.read(parameters[name])
            except ValueError:
                unreadable.append(f"{name}={parameters[name]}")
    return values, sorted(unreadable)


def load(parameters: Mapping[str, str]) -> None:
    """Opens another view in this session, as its link would; what is pinned for comparison stays."""
    st.session_state[_STATE] = parse(parameters) | {side: get(side) for side in PINS}
    st.session_state["cleared"] = st.session_state.get("cleared", 0) + 1


@contextmanager
def viewed(parameters: Mapping[str, str]) -> Iterator[None]:
    """Computes everything inside the context as in the view with this address; afterwards the session's own view is back."""
    own = _state()
    st.session_state[_STATE] = parse(parameters)
    try:
        yield
    finally:
        st.session_state[_STATE] = own


def get(name: str) -> Any:
    """Returns the chosen value, or the field's default."""
    return _state()[name]


def put(name: str, value: object) -> None:
    """Stores a choice; the URL follows at the end of the run."""
    _state()[name] = value


def clear(*names: str) -> None:
    """Returns fields to their defaults."""
    for name in names:
        put(name, FIELDS[name].default)


def open_dataset(name: str) -> None:
    """Chooses a data set, and returns all that belongs to the last one to its default."""
    put("dataset", name)
    clear(*OF_DATASET)


def query() -> dict[str, str]:
    """Returns the state as URL parameters, without defaults."""
    chosen = _state()
    return {
        name: field.write(chosen[name])
        for name, field in FIELDS.items()
        if chosen[name] is not None and chosen[name] != field.default
    }


def write_url(more: Mapping[str, str] | None = None) -> None:
    """Puts the state (and `more` parameters) into the URL, unless it is there already."""
    wanted = query() | dict(more or {})
    if {k: st.query_params[k] for k in st.query_params} != wanted:
        st.query_params.from_dict(wanted)


def link(page: str = "", more: Mapping[str, str] | None = None) -> str:
    """Returns the address of a page with this state (and `more` parameters), relative to the server."""
    return f"/{page}?{urlencode(query() | dict(more or {}))}"


def bound(name: str, value: object, then: Callable[[Any], object] | None = None) -> dict[str, Any]:
    """Returns arguments that tie a widget to the field `name`: it shows `value` and writes the user's choice back.

    `then` is called with the new value instead of storing it as it is.
    """
    key = WIDGET + name
    st.session_state[key] = value

    def changed() -> None:
        new = st.session_state[key]
        if then is None:
            put(name, new)
        else:
            then(new)

    return {"key": key, "on_change": changed}
