"""Cached calls: the store, its runs, fits and ensembles. Keyed by the store's version, never by a frame's content.

Frames are kept as they are and handed out as shallow copies: under pandas' copy-on-write, what a page changes in one stays
its own, and no page waits for a frame to be unpickled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
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
MANY = 20_000
"""Runs up to which laws are fitted and runs compared: a law's refits take seconds then."""
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
def _stored(dataset: str, runs_version: int) -> pd.DataFrame:
    return store().runs(dataset)


@st.cache_resource(max_entries=16, show_spinner=False)
def _runs(dataset: str, version: int) -> pd.DataFrame:
    """After another exclusion all other columns are the ones that were there."""
    return _stored(dataset, store().runs_version).assign(**store().exclusions(dataset))


def runs(dataset: str) -> pd.DataFrame:
    """All runs of a data set, excluded ones too."""
    return _all_runs(dataset, store().version, state.get("out")).copy(deep=False)


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
    key = selected()
    return (_selection if len(_runs(*key[:2])) <= MANY else _large_selection)(*key).copy(deep=False)


def selection() -> pd.DataFrame:
    """`passing`, for laws and comparisons: none of them where they are too many (`too_many`)."""
    found = passing()
    return found.head(0) if len(found) > MANY else found


def too_many() -> str:
    """The sentence that says so where more runs pass the filters than laws are fitted to; "" elsewhere."""
    n = len(passing())
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


def split_of(runs: pd.DataFrame) -> str:
    """The split of the curves of the loss that these runs of the chosen data set report, else the first there is, "" without any."""
    known = splits(state.get("dataset"))
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


def selected() -> tuple:
    """The key of the selection: data set, the store's version, filters."""
    return state.get("dataset"), store().version, _chosen()


def reasons() -> dict[str, str | None]:
    """Every family -> why the selection cannot identify it, None where it can."""
    return _reasons(*selected())


@st.cache_resource(max_entries=32, show_spinner=False)
def _reasons(dataset: str, version: int, chosen: tuple) -> dict[str, str | None]:
    return {name: too_many() or lawlib.why_not(selection(), name) for name in lawlib.FAMILIES}


def measured_gap() -> pd.DataFrame:
    """Efficiency gaps between the runs of the selection."""
    return _measured_gap(*selected()).copy(deep=False)


@st.cache_resource(max_entries=32, show_spinner=False)
def _measured_gap(dataset: str, version: int, chosen: tuple) -> pd.DataFrame:
    return lawlib.measured_gap(selection())


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
    if why := too_many():
        return why
    found = selection()
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
