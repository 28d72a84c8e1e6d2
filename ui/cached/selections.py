"""Cached access to the store and its runs, keyed by the store's version and never by a frame's content.

Frames are kept as they are and handed out as shallow copies: under pandas' copy-on-write, what a page changes in one stays
its own, and no page waits for a frame to be unpickled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib.runs import Fingerprint, content_hashes, extra_values, fingerprint, marked, select
from lawlib.store import Store

from ..session import state, url_fields

MAX_EXTRA = 20_000
"""Runs up to which the log's other columns are offered as filters."""
MANY = 20_000
"""Runs up to which laws are fitted and runs compared: a law's refits take seconds then."""


@st.cache_resource(show_spinner=False, on_release=lambda store: store.close())
def store() -> Store:
    """Returns the one store of this process: shipped data and the workspace."""
    return lawlib.open_store()


@st.cache_resource(max_entries=4, show_spinner=False)
def _datasets(version: int) -> pd.DataFrame:
    return store().datasets()


def datasets() -> pd.DataFrame:
    """Returns all data sets, a row each."""
    return _datasets(store().version).copy(deep=False)


def uploaded() -> dict[str, bool]:
    """Returns every data set -> whether it is the user's own."""
    return _uploaded(store().version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _uploaded(version: int) -> dict[str, bool]:
    table = _datasets(version)
    return dict(zip(table["dataset"], (bool(created) for created in table["created"]), strict=True))


def analyses() -> pd.DataFrame:
    """Returns the saved analyses, the last first."""
    return _analyses(store().version).copy(deep=False)


@st.cache_resource(max_entries=4, show_spinner=False)
def _analyses(version: int) -> pd.DataFrame:
    return store().analyses()


@st.cache_resource(max_entries=16, show_spinner=False)
def _stored(dataset: str, runs_version: int) -> pd.DataFrame:
    return store().runs(dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _runs(dataset: str, version: int) -> pd.DataFrame:
    """Reuses the cached columns; only `excluded` and `exclude_reason` are read again."""
    return _stored(dataset, store().runs_version).assign(**store().exclusions(dataset))


def runs(dataset: str) -> pd.DataFrame:
    """Returns all runs of a data set, excluded ones too."""
    return runs_of(dataset, store().version, state.get("out"))


def runs_of(dataset: str, version: int, out: tuple[str, ...] | None) -> pd.DataFrame:
    """Returns `runs` where an address leaves these content hashes out; None: as the workspace marks them."""
    return _all_runs(dataset, version, out).copy(deep=False)


def _all_runs(dataset: str, version: int, out: tuple[str, ...] | None) -> pd.DataFrame:
    return _runs(dataset, version) if out is None else _marked(dataset, version, out)


@st.cache_resource(max_entries=4, show_spinner=False)
def _marked(dataset: str, version: int, out: tuple[str, ...]) -> pd.DataFrame:
    return marked(_runs(dataset, version), out, hashes=_hashes(dataset, store().runs_version) if out else None)


@st.cache_resource(max_entries=4, show_spinner="Reading what every run holds")
def _hashes(dataset: str, runs_version: int) -> pd.Series:
    return pd.Series(content_hashes(_stored(dataset, runs_version)), dtype="str")


def fingerprint_of(dataset: str) -> Fingerprint:
    """Returns a short identification of the data set's content."""
    return _fingerprint(dataset, store().runs_version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _fingerprint(dataset: str, runs_version: int) -> Fingerprint:
    return fingerprint(_stored(dataset, runs_version))


def own_runs(dataset: str) -> pd.DataFrame:
    """Returns `runs` as the workspace marks them, whatever the address leaves out."""
    return _runs(dataset, store().version).copy(deep=False)


@st.cache_resource(max_entries=16, show_spinner=False)
def workspace_out(dataset: str, version: int) -> tuple[str, ...]:
    """Returns the content hashes of the runs that the workspace leaves out of fits, sorted."""
    found = _runs(dataset, version)
    return tuple(sorted(content_hashes(found[found["excluded"]])))


def passing() -> pd.DataFrame:
    """Returns the chosen data set's runs that pass the filters; excluded ones stay, marked."""
    return passing_of(*selected())


def passing_of(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    """Returns `passing` for any key of `selected`."""
    key = (dataset, version, chosen)
    return (_selection if len(_runs(dataset, version)) <= MANY else _large_selection)(*key).copy(deep=False)


def selection() -> pd.DataFrame:
    """Returns `passing`, for laws and comparisons; empty where they are too many (`too_many`)."""
    return selection_of(*selected())


def selection_of(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    """Returns `selection` for any key of `selected`; a function cached by that key takes its runs from here."""
    found = passing_of(dataset, version, chosen)
    return found.head(0) if len(found) > MANY else found


def too_many() -> str:
    """Returns a sentence where more runs pass the filters than laws are fitted to; "" elsewhere."""
    return too_many_of(*selected())


def too_many_of(dataset: str, version: int, chosen: tuple) -> str:
    """Returns `too_many` for any key of `selected`."""
    n = len(passing_of(dataset, version, chosen))
    if n <= MANY:
        return ""
    return (
        f"{n:,} runs are selected. Laws are fitted to at most {MANY:,} here, and runs compared among as many: narrow them down with "
        "the filters in the sidebar."
    )


def filter_arguments(dataset: str, chosen: tuple) -> dict[str, Any]:
    """Returns the filters as arguments of `lawlib.select`, without those at their default."""
    cmin, cmax, experts, grans, arch, extra, out = chosen
    key, _, values = extra.partition("=")
    found = {
        "flops": (cmin, cmax) if (cmin, cmax) != (None, None) else None,
        "n_experts": experts,
        "granularity": grans,
        "arch": arch,
        "extra": {key: values.split("|")} if key in extra_options(dataset) else None,
    }
    return {name: value for name, value in found.items() if value} | ({} if out is None else {"leave_out": out})


@st.cache_resource(max_entries=32, show_spinner=False)
def _selection(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    return _selected(dataset, version, chosen)


def _large_selection(*key: Any) -> pd.DataFrame:
    """Cache of size one that frees the old selection before computing the new one (each may be as large as all runs)."""
    last = _last_large()
    found = last.get(key)
    if found is None:
        last.clear()
        found = last[key] = _selected(*key)
    return found


@st.cache_resource(max_entries=1, show_spinner=False)
def _last_large() -> dict[tuple, pd.DataFrame]:
    return {}


def _selected(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    arguments = filter_arguments(dataset, chosen)
    return select(_all_runs(dataset, version, arguments.pop("leave_out", None)), **arguments)


def distinct(column: str) -> tuple:
    """Returns the distinct values of a column of the data set's runs, sorted."""
    return _distinct(state.get("dataset"), store().runs_version, column)


@st.cache_resource(max_entries=64, show_spinner=False)
def _distinct(dataset: str, runs_version: int, column: str) -> tuple:
    return tuple(sorted(_stored(dataset, runs_version)[column].dropna().unique().tolist()))


def splits(dataset: str) -> list[str]:
    """Returns the names of the curves' splits, sorted."""
    return _splits(dataset, store().runs_version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _splits(dataset: str, runs_version: int) -> list[str]:
    return store().splits(dataset)


def split_of(dataset: str, runs: pd.DataFrame) -> str:
    """Returns the split of the curves whose loss these runs report, else the first there is, "" without any."""
    known = splits(dataset)
    named = [n for n in runs["loss_name"].mode() if n in known]
    return (named or known or [""])[0]


def budgets() -> list[float]:
    """Returns the training FLOPs of the data set's runs to three digits, sorted; of more than 60 as many, evenly between the ends."""
    return _budgets(state.get("dataset"), store().runs_version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _budgets(dataset: str, runs_version: int) -> list[float]:
    values = _stored(dataset, runs_version)["flops"]
    values = values[values > 0].unique()
    steps = sorted({float(f"{v:.3g}") for v in values})
    return steps if len(steps) <= 60 else [float(f"{v:.3g}") for v in np.geomspace(values.min(), values.max(), 60)]


def extra_options(dataset: str) -> dict[str, pd.Series]:
    """Returns the log's other columns that split the runs into 2 to 20 kinds: key -> its value for every run, as text."""
    return _extra_options(dataset, store().runs_version)


@st.cache_resource(max_entries=8, show_spinner=False)
def _extra_options(dataset: str, runs_version: int) -> dict[str, pd.Series]:
    found = _stored(dataset, runs_version)
    if (found["extra"] == "").all() or len(found) > MAX_EXTRA:
        return {}
    return {str(c): values for c, values in extra_values(found).items() if 2 <= values.nunique() <= 20}


def selected() -> tuple[str, int, tuple]:
    """Returns the key of the selection: data set, the store's version, filters."""
    return state.get("dataset"), store().version, chosen()


def filters() -> tuple:
    """Returns the filters as a hashable key."""
    return tuple(state.get(k) for k in url_fields.FILTERS)


def chosen() -> tuple:
    """Returns the filters and the runs left out by the address: with data set and store's version, the key of a selection."""
    return (*filters(), state.get("out"))
