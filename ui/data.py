"""Cached calls: the store, its runs, fits and ensembles. Keyed by the store's version, never by a frame's content.

Frames are kept as they are and handed out as shallow copies: under pandas' copy-on-write, what a page changes in one stays
its own, and no page waits for a frame to be unpickled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

import lawlib
from lawlib.approaches import slice_labels
from lawlib.export import Origin
from lawlib.optimum import GRANULARITIES
from lawlib.selection import Fingerprint, content_hashes, extra_values, fingerprint, marked, select
from lawlib.store import Store

from . import collected, state

N_RESAMPLES = 300
"""Bootstrap replicates behind the bands of the pages."""
UNITS = {"runs": "runs", "slices": "isoFLOP slices", "sizes": "sizes"}
"""What a bootstrap may draw."""
MAX_EXTRA = 20_000
"""Runs up to which the log's other columns are offered as filters."""
MEMORY = 400
"""Results of laws that are kept: ensembles and tables."""


_MEMORY_LOCK = threading.Lock()


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
def _runs(dataset: str, version: int) -> pd.DataFrame:
    return store().runs(dataset)


def runs(dataset: str) -> pd.DataFrame:
    """All runs of a data set, excluded ones too."""
    out = state.get("out")
    found = _runs(dataset, store().version) if out is None else _marked(dataset, store().version, out)
    return found.copy(deep=False)


@st.cache_resource(max_entries=4, show_spinner=False)
def _marked(dataset: str, version: int, out: tuple[str, ...]) -> pd.DataFrame:
    return marked(_runs(dataset, version), out)


@st.cache_resource(max_entries=16, show_spinner=False)
def fingerprint_of(dataset: str, version: int) -> Fingerprint:
    """What the data set holds, in a few digits."""
    return fingerprint(_runs(dataset, version))


@st.cache_resource(max_entries=16, show_spinner=False)
def workspace_out(dataset: str, version: int) -> tuple[str, ...]:
    """Content hashes of the runs that the workspace leaves out of fits, sorted."""
    found = _runs(dataset, version)
    return tuple(sorted(content_hashes(found[found["excluded"]])))


def selection() -> pd.DataFrame:
    """The chosen data set's runs that pass the filters; excluded ones stay, marked."""
    return _selection(*selected()).copy(deep=False)


def filter_arguments(dataset: str, chosen: tuple) -> dict[str, Any]:
    """The filters as arguments of `lawlib.select`; those at their default are left out."""
    cmin, cmax, experts, grans, arch, extra, out = chosen
    key, _, values = extra.partition("=")
    found = {
        "flops": (cmin, cmax) if (cmin, cmax) != (None, None) else None,
        "n_experts": experts,
        "granularity": grans,
        "arch": arch,
        "extra": {key: values.split("|")} if key in extra_options(dataset, store().version) else None,
    }
    return {name: value for name, value in found.items() if value} | ({} if out is None else {"leave_out": out})


@st.cache_resource(max_entries=32, show_spinner=False)
def _selection(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    return select(_runs(dataset, version), **filter_arguments(dataset, chosen))


def distinct(column: str) -> tuple:
    """What a column of the data set's runs holds, sorted, each value once."""
    return _distinct(state.get("dataset"), store().version, column)


@st.cache_resource(max_entries=64, show_spinner=False)
def _distinct(dataset: str, version: int, column: str) -> tuple:
    return tuple(sorted(_runs(dataset, version)[column].dropna().unique().tolist()))


@st.cache_resource(max_entries=8, show_spinner=False)
def extra_options(dataset: str, version: int) -> dict[str, pd.Series]:
    """What else the log says of the runs and splits them into 2 to 20 kinds: key -> its value for every run, as text."""
    found = _runs(dataset, version)
    if (found["extra"] == "").all() or len(found) > MAX_EXTRA:
        return {}
    return {str(c): values for c, values in extra_values(found).items() if 2 <= values.nunique() <= 20}


def selected() -> tuple:
    """The key of the selection: data set, the store's version, filters."""
    return state.get("dataset"), store().version, _chosen()


def reasons() -> dict[str, str | None]:
    """Every family -> why the selection cannot identify it, None where it can."""
    return _reasons(*selected())


@st.cache_resource(max_entries=32, show_spinner=False)
def _reasons(dataset: str, version: int, chosen: tuple) -> dict[str, str | None]:
    found = _selection(dataset, version, chosen)
    return {name: lawlib.why_not(found, name) for name in lawlib.FAMILIES}


def measured_gap() -> pd.DataFrame:
    """Efficiency gaps between the runs of the selection."""
    return _measured_gap(*selected()).copy(deep=False)


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured_gap(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    return lawlib.measured_gap(_selection(dataset, version, chosen))


def filters() -> tuple:
    """The filters as a hashable key."""
    return tuple(state.get(k) for k in state.FILTERS)


def _chosen() -> tuple:
    """The filters and the runs left out by the address: with the data set and the store's version, the key of a selection."""
    return (*filters(), state.get("out"))


def fit(family: str, arch: str = "") -> lawlib.FittedLaw | str:
    """The law fitted to the selection (of one arch only, if given), or the sentence that says why it cannot be."""
    key = (*selected(), family, arch, state.get("objective"), state.get("delta"))
    return _fit(*key, state.get("rule"), state.get("weights"))


@st.cache_resource(max_entries=256, show_spinner=False)
def _fit(dataset, version, chosen, family, arch, objective, delta, rule, weights) -> lawlib.FittedLaw | str:
    found = _selection(dataset, version, chosen)
    if arch:
        found = found[found["arch"] == arch]
    try:
        law = lawlib.fit(found, family, objective=objective, delta=delta, flops_rule=rule or None, weights=weights)
    except (lawlib.LawlibError, ValueError) as error:
        return str(error)
    if "granularity" not in law.ranges:
        return law
    low, high = law.ranges["granularity"]
    return replace(law, granularities=tuple(g for g in GRANULARITIES if low <= g <= high) or (low, high))


def origin(name: str, arch: str = "") -> Origin:
    """How `fit(name, arch)`, or the published law of this name, comes about."""
    if name not in lawlib.FAMILIES:
        return Origin(name)
    dataset = state.get("dataset")
    row = datasets().set_index("dataset").loc[dataset]
    runs = selection()
    filters = filter_arguments(dataset, _chosen())
    if runs["excluded"].any():
        filters["leave_out"] = tuple(content_hashes(runs[runs["excluded"]]))
    options = {"objective": state.get("objective")}
    if options["objective"] == "huber":
        options["delta"] = state.get("delta")
    if state.get("weights") != "equal":
        options["weights"] = state.get("weights")
    if state.get("rule"):
        options["flops_rule"] = state.get("rule")
    return Origin(name, dataset, row["title"], not row["created"], runs, filters, arch, options, state.get("unit"))


def ensemble(law: lawlib.FittedLaw, seed: int = 0) -> lawlib.Ensemble | None:
    """The law's bootstrap (fits) or print rounding (published); None where there is neither. Shows its progress."""
    if law.fit is None:
        return _rounding(law.name, seed)

    def make() -> lawlib.Ensemble:
        assert law.fit is not None
        with progress(f"Bootstrap of {len(law.fit.runs)} runs") as report:
            groups = _groups(law.fit.runs, unit)
            samples = lawlib.bootstrap(law, N_RESAMPLES, seed, groups=groups, progress=report)
            return samples if groups is None else replace(samples, unit=UNITS[unit])

    unit = state.get("unit")
    return remember(law, ("ensemble", seed, unit), make)


def _groups(runs: pd.DataFrame, unit: str) -> Any:
    """What the bootstrap draws: None for single runs, else a label a run; single runs where there are fewer than two groups."""
    labels = None
    if unit == "slices" and runs["flops"].notna().all():
        labels = slice_labels(runs)
    elif unit == "sizes":
        labels = runs["n_active"].to_numpy()
    return labels if labels is not None and len(set(labels)) > 1 else None


def remember(law: lawlib.FittedLaw, key: tuple, make: Callable[[], Any]) -> Any:
    """What `make` gives for this law and key, computed once: laws are cached objects that never change."""
    memory = _memory()
    full = (id(law), key)
    found = memory.get(full)
    if found is None:
        found = (law, make())  # the law is kept with it, so that its id stays its own
        with _MEMORY_LOCK:
            memory[full] = found
            while len(memory) > MEMORY:
                del memory[next(iter(memory))]
    return found[1]


def health(law: lawlib.FittedLaw) -> list[lawlib.Finding]:
    """The law's findings, computed once."""
    return remember(law, ("health",), law.health)


@st.cache_resource(max_entries=1, show_spinner=False)
def _memory() -> dict:
    return {}


@st.cache_resource(max_entries=32, show_spinner=False)
def _rounding(name: str, seed: int) -> lawlib.Ensemble | None:
    law = lawlib.published(name)
    try:
        return law.rounding(N_RESAMPLES, seed)  # type: ignore[union-attr]
    except ValueError:
        return None


class progress:
    """A progress bar for work that may be long; it appears only when a first report comes before the end.

    It stands at the head of the page: a place of its own between the charts would move them on, and they would be made anew
    when it is gone.

    A click on any widget ends the run, and with it the work: the next report raises.
    """

    def __init__(self, words: str):
        self.words = words

    def __enter__(self) -> Callable[[int, int], None]:
        self.place = collected.now().waiting or st.empty()

        def report(done: int, total: int) -> None:
            if done < total:
                self.place.progress(done / total, f"{self.words}: {done} of {total}")

        return report

    def __exit__(self, *_) -> None:
        self.place.empty()
