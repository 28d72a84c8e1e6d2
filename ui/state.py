"""What the user has chosen: one dictionary a session, mirrored in the URL, alive across pages and reloads.

Widgets never own a value: they are given the state's before they are drawn and write back in their callback. So nothing is
lost when a page is left, and a link opens the same view, also as the first request of a new server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st

_STATE = "chosen"
WIDGET = "w_"
LIMITS = {"budget": (1e6, 1e35), "e": (1.0, 1e5), "g": (1e-2, 1e5)}
"""What the sliders' values may be, also when typed or linked: FLOPs, E, G."""


@dataclass(frozen=True)
class Field:
    """A value of the URL: its default, how it is read and written. A value equal to the default leaves the URL."""

    default: object
    read: Callable[[str], object]
    write: Callable[[object], str] = str


def _number(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e300:
        raise ValueError(text)
    return value


def _within(name: str) -> Callable[[str], float]:
    low, high = LIMITS[name]

    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _compact(value: object) -> str:
    text = f"{float(value):.4g}"  # type: ignore[arg-type]
    return text.replace("e+", "e")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return read


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(_number(part) for part in text.split(",") if part)


def _number_list(values: object) -> str:
    return ",".join(f"{v:g}" for v in values)  # type: ignore[union-attr]


FIELDS: dict[str, Field] = {
    "dataset": Field("marin-moe-v16", str),
    "law": Field("", str),
    "law_g": Field("", str),
    "law_e": Field("", str),
    "objective": Field("huber", _one_of("huber", "squared_log", "squared")),
    "delta": Field(1e-3, _number, _compact),
    "rule": Field("", _one_of("6ND", "krajewski")),
    "weights": Field("equal", _one_of("compute", "seed_variance")),
    "unit": Field("runs", _one_of("slices", "sizes")),
    "budget": Field(None, _within("budget"), _compact),
    "e": Field(None, _within("e"), _compact),
    "g": Field(None, _within("g"), _compact),
    "cmin": Field(None, _number, _compact),
    "cmax": Field(None, _number, _compact),
    "experts": Field((), _numbers, _number_list),
    "grans": Field((), _numbers, _number_list),
    "arch": Field("", _one_of("dense", "moe")),
    "extra": Field("", str),
    "split": Field("", str),
    "cut": Field(None, _number, _compact),
}

FILTERS = ("cmin", "cmax", "experts", "grans", "arch", "extra")
"""Which runs of the data set are looked at."""
OF_DATASET = (*FILTERS, "budget", "e", "g", "split", "cut", "law", "law_g", "law_e", "rule")
"""What another data set starts without."""


def _state() -> dict:
    if _STATE not in st.session_state:
        values = {name: field.default for name, field in FIELDS.items()}
        for name, field in FIELDS.items():
            if name in st.query_params:
                try:
                    values[name] = field.read(st.query_params[name])
                except ValueError:
                    continue
        st.session_state[_STATE] = values
    return st.session_state[_STATE]


def get(name: str):
    """The chosen value, or the field's default."""
    return _state()[name]


def put(name: str, value: object) -> None:
    """Chooses a value; the URL follows at the end of the run."""
    _state()[name] = value


def clear(*names: str) -> None:
    """Back to the defaults."""
    for name in names:
        put(name, FIELDS[name].default)


def open_dataset(name: str) -> None:
    """Chooses a data set, with all that belongs to the last one back at its default."""
    put("dataset", name)
    clear(*OF_DATASET)


def query() -> dict[str, str]:
    """The state as URL parameters, without defaults."""
    return {
        name: field.write(_state()[name])
        for name, field in FIELDS.items()
        if _state()[name] is not None and _state()[name] != field.default
    }


def write_url() -> None:
    """Puts the state into the URL, unless it is there already."""
    wanted = query()
    if {k: st.query_params[k] for k in st.query_params} != wanted:
        st.query_params.from_dict(wanted)


def link(page: str = "") -> str:
    """The address of a page with this state, relative to the server."""
    return f"/{page}?{urlencode(query())}"


def bound(name: str, value: object, then: Callable[[object], None] | None = None) -> dict:
    """Arguments that tie a widget to the field `name`: shows `value`, writes the user's choice back.

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
