"""Next runs on the Planner page: the cheapest runs that make the planned decision most certain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers, planner
from lawlib.fitting import Fit

from .. import cached
from ..explorer import Choice
from ..session import state
from ..session.markup import plain
from . import plan_inputs
from .plan_inputs import number_input

AIMS: dict[str, str] = {"n_active": "the optimal size", "loss": "the loss"}
SHARE = 0.1
"""Of the FLOPs of all runs so far: what is spent where nothing is typed."""


def next_runs(choice: Choice, found: planner.Plan) -> None:
    """Shows the compute to spend, the runs, and how much more certain they make the decision than a grid of the same cost."""
    law = choice.law
    if not isinstance(law, Fit):
        st.caption("A published law has no runs of its own to add to. Choose a law that is fitted to your runs.")
        return
    left, right, _ = st.columns([2, 2, 4])
    with left:
        number_input("FLOPs for experiments", "spend", numbers.flops, numbers.flops(_default(law)))
    with right:
        st.selectbox("Make surer", list(AIMS), format_func=AIMS.__getitem__, **state.bound("aim", state.get("aim")))
    chosen = _chosen(law, found)
    if isinstance(chosen, str):
        st.warning(plain(chosen))
        return
    st.markdown(
        f"**{len(chosen.runs)} runs** of together **{numbers.flops(chosen.flops)} FLOPs** ({_hours(chosen.flops)}) take the standard error of "
        f"{AIMS[state.get('aim')]} at {numbers.flops(found.limits.flops)} FLOPs from **{_percent(chosen.error_now)}** to "
        f"**{_percent(chosen.error_then)}**; an isoFLOP grid of the same cost to {_percent(chosen.error_grid)}, so they are worth "
        f"**{numbers.times(chosen.advantage)}** its variance."
    )
    st.dataframe(_table(chosen), hide_index=True, width="stretch", key="next_runs")
    st.caption(
        "Linearised about the fit: what the law's own parameters leave open, not whether the law holds. Measured on planted laws in "
        "docs/next_runs.md. Greedy choice with exchange (Fedorov); no run is larger than the grid's largest."
    )


def _chosen(law: Fit, found: planner.Plan) -> planner.NextRuns | str:
    """Returns the runs for the compute to spend, or the sentence that says why there are none; shared work is done once."""
    spend, aim, target = float(state.get("spend") or _default(law)), state.get("aim"), found.limits.flops
    e, g = (None if np.isnan(v) else float(v) for v in (found.best.expansion, found.best.granularity))

    def make() -> planner.NextRuns | str:
        try:
            experiments = cached.remember(law, ("experiments", spend, e, g), lambda: planner.Experiments(law, spend, e, g))
            return experiments.chosen(_quantity(aim, target, e, g))
        except (ValueError, lawlib.LawlibError) as error:
            return str(error)

    return cached.remember(law, ("next", spend, aim, target, e, g), make)


def _quantity(aim: str, target: float, e: float | None, g: float | None) -> Callable[[lawlib.FittedLaw], object]:
    def ask(law: lawlib.FittedLaw) -> object:
        return getattr(lawlib.compute_optimal(law, target, e, g), aim)

    return ask


def _default(law: Fit) -> float:
    total = float(np.nansum(law.fit.runs["flops"])) if "flops" in law.fit.runs else np.nan
    return float(f"{SHARE * total:.2g}") if np.isfinite(total) and total > 0 else 1e19


def _hours(flops: float) -> str:
    machines = plan_inputs.cluster()
    hours = 24 * float(machines.days(flops)) * machines.n_gpus
    return f"{numbers.count(hours) if hours >= 0.01 else numbers.plain(hours, 2)} GPU-hours of {machines.gpu.name} at {machines.mfu:.0%} MFU"


def _percent(error: float) -> str:
    return f"{error:.1%}" if error < 1 else numbers.times(float(np.exp(error)))


def _table(chosen: planner.NextRuns) -> pd.DataFrame:
    """Returns the runs, the most valuable first, as text."""
    machines, runs = plan_inputs.cluster(), chosen.runs
    columns = {
        "N active": [numbers.count(v) for v in runs["n_active"]],
        "tokens": [numbers.count(v) for v in runs["tokens"]],
        "E": [numbers.plain(v, 3) for v in runs["expansion"]],
        "G": [numbers.plain(v, 3) for v in runs["granularity"]],
        "FLOPs": [numbers.flops(v) for v in runs["flops"]],
        "GPU-hours": [numbers.plain(24 * float(machines.days(v)) * machines.n_gpus, 3) for v in runs["flops"]],
        "loss expected": [numbers.loss(v) for v in runs["loss"]],
        "error without it": [_percent(v) for v in runs["error_without"]],
    }
    shown = {c: words for c, words in columns.items() if any(w != "–" for w in words)}
    return pd.DataFrame(shown)
