"""Training curves on the Runs page: along any axis, smoothed, compared at equal compute, unfinished ones forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from lawlib import figures, numbers
from lawlib.runs import among, common_value, losses_at, run_marks, smooth
from lawlib.runs.forecasts import forecast

from .. import cached
from ..charts import chart, style
from ..session import state
from ..session.markup import plain

MAX_CURVES = 40
MAX_POINTS = 400
ALONG = {"step": "step", "tokens": "tokens", "flops": "FLOPs", "hours": "hours"}
WRITE = {"step": numbers.count, "tokens": numbers.count, "flops": numbers.flops, "hours": numbers.plain}
SMOOTH = (0.0, 0.01, 0.02, 0.05, 0.1)
"""The kernel's width as a share of the curve."""
MOST_FORECAST = 12


def curves(runs: pd.DataFrame, chosen: list[str], marks: pd.DataFrame) -> None:
    """Shows the training curves of the chosen runs, or of the first ones."""
    splits = cached.splits(state.get("dataset"))
    st.subheader("Training curves", anchor=False)
    if not splits:
        st.caption("This data set has no training curves: upload a log with a step column to see them here.")
        return
    ids = (chosen or runs["run_id"].head(MAX_CURVES).tolist())[:MAX_CURVES]
    more = f", the first {MAX_CURVES} of {len(runs)} runs" if not chosen and len(runs) > MAX_CURVES else ""
    columns = st.columns([3, 2, 3, 2], vertical_alignment="bottom")
    with columns[0]:
        shown = state.get("split") if state.get("split") in splits else _own_split(*cached.selected())
        split = st.selectbox("Loss", splits, **state.bound("split", shown))
    points = cached.store().curves(state.get("dataset"), ids, split=split, max_points=MAX_POINTS)
    known = [x for x in ALONG if points[x].notna().any()]
    if not known:
        st.caption("These curves have neither steps nor tokens, FLOPs or hours.")
        return
    with columns[1]:
        x = st.selectbox("Along", known, format_func=ALONG.__getitem__, key="curves_x")
    with columns[2]:
        width = st.select_slider(
            "Smoothing, share of the curve", SMOOTH, format_func=lambda v: f"{v:.0%}" if v else "none", key="curves_smooth"
        )
    with columns[3]:
        log_x = st.toggle("Logarithmic", value=True, key="curves_log")
    points = smooth(points[points[x].notna()], x, width, log_x)
    runs = runs[among(runs["run_id"], ids)] if chosen else runs.head(MAX_CURVES)
    names = dict(zip(runs["run_id"], runs["name"], strict=True))
    ahead = _forecasts(points, runs, marks) if x == "tokens" else None
    figure = figures.curves_figure(points, names, x, style(), log_x, ahead)
    if len(ids) > 12:
        figure.update_layout(showlegend=False, margin_t=14)
    chart(figure, "curves", f"{plain(split)} along {ALONG[x]}{more}", points)
    if ahead is not None:
        st.caption(
            "Dashes: unfinished runs to their planned tokens or to twice what they have, by a power law in tokens through their last part; bands: 95 %, "
            "a decay of the learning rate included. Checked on finished curves cut short: it held 69 to 100 % of their ends."
        )
    _equal(points, names, x)


@st.cache_resource(max_entries=32, show_spinner=False)
def _own_split(dataset: str, version: int, chosen: tuple) -> str:
    return cached.split_of(dataset, cached.passing_of(dataset, version, chosen))


def _forecasts(points: pd.DataFrame, runs: pd.DataFrame, marks: pd.DataFrame) -> pd.DataFrame | None:
    """Returns run_id, tokens, loss, low, high of the runs in flight among these curves; None without any."""
    in_flight = marks.loc[run_marks.has(marks, "in flight"), "run_id"]
    goals = runs.set_index("run_id")["tokens"]
    parts = []
    for run, part in points[points["run_id"].isin(in_flight)].groupby("run_id", sort=False):
        end = float(part["tokens"].max())
        goal = max(float(goals.get(run, np.nan)), end) if np.isfinite(goals.get(run, np.nan)) else end
        goal = goal if goal > 1.02 * end else 2 * end
        found = forecast(part["tokens"], part["loss"], np.geomspace(end, goal, 24))
        if found is not None:
            parts.append(
                pd.DataFrame({"run_id": run, "tokens": found.tokens, "loss": found.loss, "low": found.low, "high": found.high})
            )
    return pd.concat(parts[:MOST_FORECAST], ignore_index=True) if parts else None


def _equal(points: pd.DataFrame, names: dict[str, str], x: str) -> None:
    """Returns the losses where all of these curves can be compared: at the largest x that every one reaches."""
    if points["run_id"].nunique() < 2:
        return
    at = common_value(points, x)
    if not np.isfinite(at):
        return
    table = losses_at(points, x, np.array([at])).dropna(subset="loss").sort_values("loss")
    best = float(table["loss"].min())
    shown = pd.DataFrame(
        {
            "run": table["run_id"].map(names),
            "loss": table["loss"].map(numbers.loss),
            "nats above the lowest": (table["loss"] - best).map("{:.4f}".format),
        }
    )
    st.markdown(f"**At equal {ALONG[x]}: {WRITE[x](at)}**, the most that all {len(table)} curves reach")
    st.dataframe(shown, hide_index=True, width="stretch", height=240, key="equal")
