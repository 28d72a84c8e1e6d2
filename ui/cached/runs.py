"""Cached calls: the store, its runs, fits and ensembles. Keyed by the store's version, never by a frame's content.

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
    """The one store of this process: shipped data and the workspace."""
    return lawlib.open_store()


@st.cache_resource(max_entries=4, show_spinner=False)
def _datasets(version: int) -> pd.DataFrame:
    return store().datasets()


def datasets() -> pd.DataFrame:
    """All data sets, a row each."""
    return _datasets(store().version).copy(deep=False)


def uploaded() -> dict[str, bool]:
    """Every data set -> whether it is the user's own."""
    return _uploaded(store().version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _uploaded(version: int) -> dict[str, bool]:
    table = _datasets(version)
    return dict(zip(table["dataset"], (bool(created) for created in table["created"]), strict=True))


def analyses() -> pd.DataFrame:
    """The saved analyses, the last first."""
    return _analyses(store().version).copy(deep=False)


@st.cache_resource(max_entries=4, show_spinner=False)
def _analyses(version: int) -> pd.DataFrame:
    return store().analyses()


@st.cache_resource(max_entries=16, show_spinner=False)
def _stored(dataset: str, runs_version: int) -> pd.DataFrame:
    return store().runs(dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _runs(dataset: str, version: int) -> pd.DataFrame:
    """After another exclusion all other columns are the ones that were there."""
    return _stored(dataset, store().runs_version).assign(**store().exclusions(dataset))


def runs(dataset: str) -> pd.DataFrame:
    """All runs of a data set, excluded ones too."""
    return runs_of(dataset, store().version, state.get("out"))


def runs_of(dataset: str, version: int, out: tuple[str, ...] | None) -> pd.DataFrame:
    """`runs` where an address leaves these content hashes out; None: as the workspace marks them."""
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
    """What the data set holds, in a few digits."""
    return _fingerprint(dataset, store().runs_version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _fingerprint(dataset: str, runs_version: int) -> Fingerprint:
    return fingerprint(_stored(dataset, runs_version))


def own_runs(dataset: str) -> pd.DataFrame:
    """`runs` as the workspace marks them, whatever the address leaves out."""
    return _runs(dataset, store().version).copy(deep=False)


@st.cache_resource(max_entries=16, show_spinner=False)
def workspace_out(dataset: str, version: int) -> tuple[str, ...]:
    """Content hashes of the runs that the workspace leaves out of fits, sorted."""
    found = _runs(dataset, version)
    return tuple(sorted(content_hashes(found[found["excluded"]])))


def passing() -> pd.DataFrame:
    """The chosen data set's runs that pass the filters; excluded ones stay, marked."""
    return passing_of(*selected())


def passing_of(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    """`passing` for any key of `selected`."""
    key = (dataset, version, chosen)
    return (_selection if len(_runs(dataset, version)) <= MANY else _large_selection)(*key).copy(deep=False)


def selection() -> pd.DataFrame:
    """`passing`, for laws and comparisons: none of them where they are too many (`too_many`)."""
    return selection_of(*selected())


def selection_of(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    """`selection` for any key of `selected`: what is cached by that key takes its runs from here, not from the session."""
    found = passing_of(dataset, version, chosen)
    return found.head(0) if len(found) > MANY else found


def too_many() -> str:
    """The sentence that says so where more runs pass the filters than laws are fitted to; "" elsewhere."""
    return too_many_of(*selected())


def too_many_of(dataset: str, version: int, chosen: tuple) -> str:
    """`too_many` for any key of `selected`."""
    n = len(passing_of(dataset, version, chosen))
    if n <= MANY:
        return ""
    return (
        f"{n:,} runs are selected. Laws are fitted to at most {MANY:,} here, and runs compared among as many: narrow them down with "
        "the filters in the sidebar."
    )


def filter_arguments(dataset: str, chosen: tuple) -> dict[str, Any]:
    """The filters as arguments of `lawlib.select`; those at their default are left out."""
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
    """The last one alone is kept, and let go before the next is made: each may take as much memory as all runs."""
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
    """What a column of the data set's runs holds, sorted, each value once."""
    return _distinct(state.get("dataset"), store().runs_version, column)


@st.cache_resource(max_entries=64, show_spinner=False)
def _distinct(dataset: str, runs_version: int, column: str) -> tuple:
    return tuple(sorted(_stored(dataset, runs_version)[column].dropna().unique().tolist()))


def splits(dataset: str) -> list[str]:
    """The names of the curves' splits, sorted."""
    return _splits(dataset, store().runs_version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _splits(dataset: str, runs_version: int) -> list[str]:
    return store().splits(dataset)


def split_of(dataset: str, runs: pd.DataFrame) -> str:
    """The split of the curves of the loss that these runs of a data set report, else the first there is, "" without any."""
    known = splits(dataset)
    named = [n for n in runs["loss_name"].mode() if n in known]
    return (named or known or [""])[0]


def budgets() -> list[float]:
    """The training FLOPs of the data set's runs to three digits, sorted; of more than 60 as many, evenly between the ends."""
    return _budgets(state.get("dataset"), store().runs_version)


@st.cache_resource(max_entries=16, show_spinner=False)
def _budgets(dataset: str, runs_version: int) -> list[float]:
    values = _stored(dataset, runs_version)["flops"]
    values = values[values > 0].unique()
    steps = sorted({float(f"{v:.3g}") for v in values})
    return steps if len(steps) <= 60 else [float(f"{v:.3g}") for v in np.geomspace(values.min(), values.max(), 60)]


def extra_options(dataset: str) -> dict[str, pd.Series]:
    """What else the log says of the runs and splits them into 2 to 20 kinds: key -> its value for every run, as text."""
    return _extra_options(dataset, store().runs_version)


@st.cache_resource(max_entries=8, show_spinner=False)
def _extra_options(dataset: str, runs_version: int) -> dict[str, pd.Series]:
    found = _stored(dataset, runs_version)
    if (found["extra"] == "").all() or len(found) > MAX_EXTRA:
        return {}
    return {str(c): values for c, values in extra_values(found).items() if 2 <= values.nunique() <= 20}


def selected() -> tuple[str, int, tuple]:
    """The key of the selection: data set, the store's version, filters."""
    return state.get("dataset"), store().version, chosen()


def filters() -> tuple:
    """The filters as a hashable key."""
    return tuple(state.get(k) for k in url_fields.FILTERS)


def chosen() -> tuple:
    """The filters and the runs left out by the address: with the data set and the store's version, the key of a selection."""
    return (*filters(), state.get("out"))
