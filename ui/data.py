"""Cached calls: the store, its runs, fits and ensembles. Keyed by the store's version, never by a frame's content."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

import lawlib
from lawlib.approaches import slice_labels
from lawlib.optimum import GRANULARITIES
from lawlib.store import Store

from . import state

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


@st.cache_data(max_entries=4, show_spinner=False)
def _datasets(version: int) -> pd.DataFrame:
    return store().datasets()


def datasets() -> pd.DataFrame:
    """All data sets, a row each."""
    return _datasets(store().version)


@st.cache_data(max_entries=16, show_spinner=False)
def _runs(dataset: str, version: int) -> pd.DataFrame:
    return store().runs(dataset)


def runs(dataset: str) -> pd.DataFrame:
    """All runs of a data set, excluded ones too."""
    return _runs(dataset, store().version)


def selection() -> pd.DataFrame:
    """The chosen data set's runs that pass the filters; excluded ones stay, marked."""
    return _selection(state.get("dataset"), store().version, filters())


@st.cache_data(max_entries=32, show_spinner=False)
def _selection(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    found = _runs(dataset, version)
    cmin, cmax, experts, grans, arch, extra = chosen
    keep = pd.Series(True, index=found.index)
    if cmin is not None:
        keep &= ~(found["flops"] < cmin / 1.001)
    if cmax is not None:
        keep &= ~(found["flops"] > cmax * 1.001)
    if experts:
        keep &= found["n_experts"].isin(experts)
    if grans:
        keep &= found["granularity"].isin(grans)
    if arch:
        keep &= found["arch"] == arch
    key, _, values = extra.partition("=")
    options = extra_options(dataset, version)
    if key in options:
        keep &= options[key].isin(values.split("|"))
    return found[keep].reset_index(drop=True)


@st.cache_data(max_entries=8, show_spinner=False)
def extra_options(dataset: str, version: int) -> dict[str, pd.Series]:
    """What else the log says of the runs and splits them into 2 to 20 kinds: key -> its value for every run, as text."""
    found = _runs(dataset, version)
    if (found["extra"] == "").all() or len(found) > MAX_EXTRA:
        return {}
    table = pd.DataFrame([json.loads(text) if text else {} for text in found["extra"]], index=found.index)
    kinds = {str(c): table[c].map(lambda v: "" if v is None or v != v else str(v)) for c in table.columns}
    return {c: values for c, values in kinds.items() if 2 <= values.nunique() <= 20}


def reasons() -> dict[str, str | None]:
    """Every family -> why the selection cannot identify it, None where it can."""
    return _reasons(state.get("dataset"), store().version, filters())


@st.cache_data(max_entries=32, show_spinner=False)
def _reasons(dataset: str, version: int, chosen: tuple) -> dict[str, str | None]:
    found = _selection(dataset, version, chosen)
    return {name: lawlib.why_not(found, name) for name in lawlib.FAMILIES}


def measured_gap() -> pd.DataFrame:
    """Efficiency gaps between the runs of the selection."""
    return _measured_gap(state.get("dataset"), store().version, filters())


@st.cache_data(max_entries=32, show_spinner=False)
def _measured_gap(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    return lawlib.measured_gap(_selection(dataset, version, chosen))


def filters() -> tuple:
    """The filters as a hashable key."""
    return tuple(state.get(k) for k in state.FILTERS)


def fit(family: str, arch: str = "") -> lawlib.FittedLaw | str:
    """The law fitted to the selection (of one arch only, if given), or the sentence that says why it cannot be."""
    key = (state.get("dataset"), store().version, filters(), family, arch, state.get("objective"), state.get("delta"))
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

    A click on any widget ends the run, and with it the work: the next report raises.
    """

    def __init__(self, words: str):
        self.words = words

    def __enter__(self) -> Callable[[int, int], None]:
        self.place = st.empty()

        def report(done: int, total: int) -> None:
            if done < total:
                self.place.progress(done / total, f"{self.words}: {done} of {total}")

        return report

    def __exit__(self, *_) -> None:
        self.place.empty()
