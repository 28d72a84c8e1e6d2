"""Cached fits of laws to the selected runs, with their intervals and findings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

import lawlib
from lawlib.export import Origin
from lawlib.fitting import Fit
from lawlib.optimum import GRANULARITIES, slice_labels
from lawlib.runs import content_hashes

from ..session import on_page, state
from .selections import chosen, datasets, filter_arguments, selected, selection, selection_of, too_many_of

N_RESAMPLES = 300
"""Bootstrap replicates behind the bands of the pages."""
UNITS = {"runs": "runs", "slices": "isoFLOP slices", "sizes": "sizes"}
"""What a bootstrap may draw."""
MEMORY = 400
"""Results of laws that are kept: ensembles and tables."""
_MEMORY_LOCK = threading.Lock()


def reasons() -> dict[str, str | None]:
    """Returns every family -> why the selection cannot identify it, None where it can."""
    return reasons_of(*selected())


@st.cache_resource(max_entries=32, show_spinner=False)
def reasons_of(dataset: str, version: int, chosen: tuple) -> dict[str, str | None]:
    """Returns `reasons` for any key of `selected`."""
    too_many, runs = too_many_of(dataset, version, chosen), selection_of(dataset, version, chosen)
    return {name: too_many or lawlib.why_not(runs, name) for name in lawlib.FAMILIES}


def measured_gap() -> pd.DataFrame:
    """Returns efficiency gaps between the runs of the selection."""
    return _measured_gap(*selected()).copy(deep=False)


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured_gap(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    return lawlib.measured_gap(selection_of(dataset, version, chosen))


def fit(family: str, arch: str = "") -> lawlib.FittedLaw | str:
    """Returns the law fitted to the selection (of one arch only, if given), or the sentence that says why it cannot be."""
    key = (*selected(), family, arch, state.get("objective"), state.get("delta"))
    return _fit(*key, state.get("rule"), state.get("weights"))


@st.cache_resource(max_entries=256, show_spinner=False)
def _fit(
    dataset: str, version: int, chosen: tuple, family: str, arch: str, objective: str, delta: float, rule: str, weights: str
) -> lawlib.FittedLaw | str:
    if why := too_many_of(dataset, version, chosen):
        return why
    found = selection_of(dataset, version, chosen)
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
    """Returns how `fit(name, arch)`, or the published law of this name, was obtained, for exports."""
    if name not in lawlib.FAMILIES:
        return Origin(name)
    dataset = state.get("dataset")
    row = datasets().set_index("dataset").loc[dataset]
    runs = selection()
    filters = filter_arguments(dataset, chosen())
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
    """Returns the law's bootstrap (fits) or print rounding (published), None where there is neither; shows its progress."""
    if not isinstance(law, Fit):
        return _rounding(law.name, seed)

    def make() -> lawlib.Ensemble:
        with progress(f"Bootstrap of {len(law.fit.runs)} runs") as report:
            groups = _groups(law.fit.runs, unit)
            samples = lawlib.bootstrap(law, N_RESAMPLES, seed, groups=groups, progress=report)
            return samples if groups is None else replace(samples, unit=UNITS[unit])

    unit = state.get("unit")
    return remember(law, ("ensemble", seed, unit), make)


def _groups(runs: pd.DataFrame, unit: str) -> Any:
    """Returns what the bootstrap draws: None for single runs, else a label a run; single runs where there are fewer than two groups."""
    labels = None
    if unit == "slices" and runs["flops"].notna().all():
        labels = slice_labels(runs)
    elif unit == "sizes":
        labels = runs["n_active"].to_numpy()
    return labels if labels is not None and len(set(labels)) > 1 else None


def remember(law: lawlib.FittedLaw, key: tuple, make: Callable[[], Any]) -> Any:
    """Returns what `make` gives for this law and key, computed once; laws are cached objects that never change."""
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
    """Returns the law's findings, computed once."""
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

    def __init__(self, words: str) -> None:
        self.words = words

    def __enter__(self) -> Callable[[int, int], None]:
        self.place = on_page.now().waiting or st.empty()

        def report(done: int, total: int) -> None:
            if done < total:
                self.place.progress(done / total, f"{self.words}: {done} of {total}")

        return report

    def __exit__(self, *_: object) -> None:
        self.place.empty()
