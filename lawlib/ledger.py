"""What each run is: finished, in flight, diverged, a duplicate, an earlier attempt, cooled down; each mark with its rule.

A mark changes nothing: leaving a run out is the user's choice and has a reason (`Store.exclude`). A status such as
"crashed" is shown and counted as it was logged: published scaling laws rest on runs that are logged as crashed.
"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd

from .laws.law import Array
from .restarts import RULE, find_restarts

RISE = 0.2
"""Nats by which a diverged run ends above its lowest loss."""
UNFINISHED = 0.98
"""A run whose last step is below this share of its planned steps is in flight."""
STEEPER = 1.5
"""A cooled-down run's loss falls so many times faster (in ln D) at its end than before."""
MARKS: dict[str, str] = {
    "in flight": f"the log's status is running, or the last step is below {UNFINISHED:.0%} of the planned steps that the log names",
    "diverged": f"the status says so, the loss is missing or not finite, or the curve ends more than {RISE} nats above its lowest "
    "point (medians of five neighbouring points)",
    "duplicate": "size, experts, tokens, FLOPs, seed and loss (to 9 digits) are those of an earlier run of the data set",
    "restart": RULE,
    "cooled down": "the name or the log's other columns say cooldown, anneal or decay phase; or the curve falls at least "
    f"{STEEPER:g} times as fast per unit of ln D in its last tenth as between 40 and 80 %",
}
RUNNING = ("running", "in progress", "active", "pending", "queued", "preempting", "preempted", "training", "scheduled", "started")
PLANNED = (
    "max_steps", "num_train_steps", "train_iters", "total_steps", "num_steps", "training_steps", "n_steps", "planned_steps",
    "max_iters", "train_steps",
)  # fmt: skip
_SAME = ("arch", "n_active", "n_total", "n_experts", "top_k", "granularity", "tokens", "flops", "loss_name", "seed")
_COOLED = r"(?i)\b(?:cool[\s_-]?down|cooled|anneal(?:ed|ing)?|decay[\s_-]phase)\b"


def ledger(runs: pd.DataFrame, ends: pd.DataFrame | None = None, curves: pd.DataFrame | None = None) -> pd.DataFrame:
    """The marks of every run, in the order of `runs`: columns run_id, mark ("" for none; several joined by ", "), why.

    Args:
        runs: canonical runs; excluded ones are marked too, but have no part in restarts.
        ends: first and last step of each curve (`Store.curve_ends`): needed for restarts and unfinished runs.
        curves: thinned curves, at least a few dozen points each, of one split: needed to see divergence and cooldown in them.
    """
    n = len(runs)
    why: dict[str, list[str]] = {mark: [""] * n for mark in MARKS}
    extras = [_extra(text) for text in runs["extra"]] if "extra" in runs else [{}] * n
    last = _last_steps(runs, ends)
    status = runs["status"].str.strip().str.lower()
    for i in np.flatnonzero(status.isin(RUNNING)):
        why["in flight"][i] = f'logged as "{status.iloc[i]}"'
    for i, extra in enumerate(extras):
        planned = _planned(extra)
        if planned and last[i] < UNFINISHED * planned:
            why["in flight"][i] = why["in flight"][i] or f"step {last[i]:,.0f} of {planned:,.0f} planned"
    for i in np.flatnonzero(status.str.contains("diverg|nan")):
        why["diverged"][i] = f'logged as "{status.iloc[i]}"'
    for i in np.flatnonzero(~np.isfinite(runs["loss"].to_numpy(dtype=float))):
        why["diverged"][i] = why["diverged"][i] or "no finite loss"
    _duplicates(runs, why["duplicate"])
    if ends is not None and len(ends):
        _restarts(runs, ends, why["restart"])
    said = runs["name"].str.contains(_COOLED) | (runs["extra"].str.contains(_COOLED) if "extra" in runs else False)
    for i in np.flatnonzero(said):
        why["cooled down"][i] = "its name or another column of the log says so"
    if curves is not None and len(curves):
        _from_curves(runs, curves, why)
    marks = [", ".join(m for m in MARKS if why[m][i]) for i in range(n)]
    sentences = ["; ".join(f"{m}: {why[m][i]}" for m in MARKS if why[m][i]) for i in range(n)]
    return pd.DataFrame({"run_id": runs["run_id"].to_numpy(), "mark": marks, "why": sentences})


def counts(runs: pd.DataFrame, marks: pd.DataFrame) -> dict[str, int]:
    """How many runs have each mark, each logged status, and how many are excluded: what a page shows of them; no zeros."""
    named = Counter(mark for text in marks["mark"] if text for mark in text.split(", "))
    found = {mark: named[mark] for mark in MARKS}
    found["excluded"] = int(runs["excluded"].sum())
    found |= {f'logged as "{s}"': int(n) for s, n in runs["status"].value_counts().items() if s}
    return {words: n for words, n in found.items() if n}


def _extra(text: str) -> dict:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _planned(extra: dict) -> float:
    for key, value in extra.items():
        if str(key).replace("-", "_").lower().rsplit(".", 1)[-1].rsplit("/", 1)[-1] in PLANNED:
            try:
                return float(value)
            except (TypeError, ValueError):
                continue
    return 0.0


def _last_steps(runs: pd.DataFrame, ends: pd.DataFrame | None) -> Array:
    if ends is None or ends.empty:
        return np.full(len(runs), np.inf)
    return runs["run_id"].map(ends.groupby("run_id")["last_step"].max()).fillna(np.inf).to_numpy(dtype=float)


def _duplicates(runs: pd.DataFrame, why: list[str]) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = runs["loss"].map(lambda v: f"{v:.9g}")
    known = runs["loss"].notna().to_numpy()
    keys = [runs[c] for c in _SAME]
    first = runs["name"].groupby([*keys, digits], dropna=False).transform("first")
    again = known & (runs.groupby([*keys, digits], dropna=False).cumcount() > 0).to_numpy()
    for i in np.flatnonzero(again):
        why[i] = f'as "{first.iloc[i]}"'


def _restarts(runs: pd.DataFrame, ends: pd.DataFrame, why: list[str]) -> None:
    attempts = find_restarts(runs, ends)
    places = dict(zip(runs["run_id"], range(len(runs)), strict=True))
    sizes = attempts.groupby("chain")["run_id"].transform("size")
    for row, n in zip(attempts.itertuples(), sizes, strict=True):
        why[places[row.run_id]] = (
            f'attempt {row.attempt} of {n} at "{row.base}", steps {row.first_step:,.0f} to {row.last_step:,.0f}'
        )


def _from_curves(runs: pd.DataFrame, curves: pd.DataFrame, why: dict[str, list[str]]) -> None:
    places = dict(zip(runs["run_id"], range(len(runs)), strict=True))
    for run, part in curves.groupby("run_id", sort=False):
        i = places.get(run)
        if i is None:
            continue
        loss, tokens = part["loss"].to_numpy(dtype=float), part["tokens"].to_numpy(dtype=float)
        rise = risen(loss)
        if rise > RISE:
            why["diverged"][i] = why["diverged"][i] or f"ends {rise:.2f} nats above its lowest point"
        ratio = steepening(tokens, loss)
        if ratio >= STEEPER:
            why["cooled down"][i] = why["cooled down"][i] or f"its last tenth falls {ratio:.1f} times as fast as before"


def risen(loss: Array) -> float:
    """Nats between the end of a curve and its lowest point, both medians of five neighbouring points; 0 for short curves."""
    loss = loss[np.isfinite(loss)]
    if len(loss) < 10:
        return 0.0
    medians = np.median(np.lib.stride_tricks.sliding_window_view(loss, 5), axis=1)
    return float(medians[-1] - medians.min())


def steepening(tokens: Array, loss: Array) -> float:
    """How many times faster ln L falls per ln D in the last tenth of the tokens than between 40 and 80 %; NaN where unclear.

    Constant learning rates give less than 1 (the curve flattens towards its irreducible loss), a decay to zero more. Unclear:
    fewer than four points in either stretch, or a fall there that is less than three standard errors.
    """
    good = np.isfinite(loss) & (loss > 0) & (tokens > 0)
    if good.sum() < 12:
        return np.nan
    x, y = np.log(tokens[good]), np.log(loss[good])
    share = tokens[good] / tokens[good].max()
    slopes = []
    for low, high in ((0.4, 0.8), (0.9, 1.0)):
        inside = (share >= low) & (share <= high)
        if inside.sum() < 4:
            return np.nan
        u, v = x[inside] - x[inside].mean(), y[inside] - y[inside].mean()
        slope = (u @ v) / (u @ u)
        error = np.sqrt(((v - slope * u) ** 2).sum() / (len(u) - 2) / (u @ u))
        if not -slope > 3 * error:
            return np.nan
        slopes.append(slope)
    return float(slopes[1] / slopes[0])
