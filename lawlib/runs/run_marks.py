"""Marks each run as in flight, diverged, duplicate, earlier attempt or cooled down, by a rule for each mark.

A mark changes nothing: leaving a run out is the user's choice and has a reason (`Store.exclude`). A status such as
"crashed" is shown and counted as it was logged: published scaling laws rest on runs that are logged as crashed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..numerics.arrays import Array
from .canonical import among
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
_SAYS_PLANNED = "(?i)" + "|".join(PLANNED).replace("_", "[_-]")
_COOLED = r"(?i)\b(?:cool[\s_-]?down|cooled|anneal(?:ed|ing)?|decay[\s_-]phase)\b"


def ledger(runs: pd.DataFrame, ends: pd.DataFrame | None = None, curves: pd.DataFrame | None = None) -> pd.DataFrame:
    """Returns the marks of every run, in the order of `runs`: columns run_id, mark ("" for none; several joined by ", "), why.

    Args:
        runs: canonical runs; excluded ones are marked too, but have no part in restarts.
        ends: first and last step of each curve (`Store.curve_ends`): needed for restarts and unfinished runs.
        curves: thinned curves, at least a few dozen points each, of one split: needed to see divergence and cooldown in them.
    """
    parts = []
    if curves is not None and len(curves):
        known = curves.assign(place=pd.Index(runs["run_id"]).get_indexer(curves["run_id"])).query("place >= 0")
        parts = [known.sort_values("place", kind="stable")]
    found = reasons(runs, ends, parts)
    if ends is not None and len(ends):
        found = with_restarts(found, find_restarts(runs, ends), runs)
    marked = texts(found, runs).set_index(found.index).reindex(range(len(runs)), fill_value="")
    return marked.assign(run_id=runs["run_id"].to_numpy())


def reasons(runs: pd.DataFrame, ends: pd.DataFrame | None, curves: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Returns why each run has which mark, restarts aside: a row a marked run (its place in `runs`), a column a mark, "" where none.

    Which runs are excluded has no part in it.

    Args:
        runs, ends: as of `ledger`.
        curves: as of `Store.curve_parts`: in parts, as those of a million runs are too many at once.
    """
    why: dict[str, dict[int, str]] = {mark: {} for mark in MARKS}
    status = runs["status"].str.strip().str.lower()
    for i in np.flatnonzero(status.isin(RUNNING)).tolist():
        why["in flight"][i] = f'logged as "{status.iloc[i]}"'
    for i, last, planned in _unfinished(runs, ends):
        why["in flight"].setdefault(i, f"step {last:,.0f} of {planned:,.0f} planned")
    for i in np.flatnonzero(status.str.contains("diverg|nan")).tolist():
        why["diverged"][i] = f'logged as "{status.iloc[i]}"'
    for i in np.flatnonzero(~np.isfinite(runs["loss"].to_numpy(dtype=float))).tolist():
        why["diverged"].setdefault(i, "no finite loss")
    why["duplicate"] = _duplicates(runs)
    said = runs["name"].str.contains(_COOLED) | (runs["extra"].str.contains(_COOLED) if "extra" in runs else False)
    why["cooled down"] = dict.fromkeys(np.flatnonzero(said).tolist(), "its name or another column of the log says so")
    for part in curves:
        tokens, loss, place = part["tokens"].to_numpy(dtype=float), part["loss"].to_numpy(dtype=float), part["place"].to_numpy()
        first = np.diff(place, prepend=-1) > 0
        places, run = place[first].tolist(), np.cumsum(first) - 1
        rise, ratio = risen(loss, run), steepening(tokens, loss, run)
        for i in np.flatnonzero(rise > RISE).tolist():
            why["diverged"].setdefault(places[i], f"ends {rise[i]:.2f} nats above its lowest point")
        for i in np.flatnonzero(ratio >= STEEPER).tolist():
            why["cooled down"].setdefault(places[i], f"its last tenth falls {ratio[i]:.1f} times as fast as before")
    rows = pd.Index(sorted(set().union(*why.values())), dtype=int)
    return pd.DataFrame({mark: pd.Series(found, dtype="str").reindex(rows, fill_value="") for mark, found in why.items()})


def with_restarts(found: pd.DataFrame, attempts: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns `reasons` with the mark of a restart for each of these attempts (`find_restarts`)."""
    sizes = attempts.groupby("chain")["run_id"].transform("size")
    words = {
        row.run_id: f'attempt {row.attempt} of {n} at "{row.base}", steps {row.first_step:,.0f} to {row.last_step:,.0f}'
        for row, n in zip(attempts.itertuples(), sizes, strict=True)
    }
    restart = pd.Series(dict(_placed(runs, words)), dtype="str")
    rows = found.index.union(restart.index.astype(int))
    return found.reindex(rows, fill_value="").assign(restart=restart.reindex(rows, fill_value=""))


def texts(found: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Returns `reasons` as text, for the marked runs only: columns run_id, mark, why as in `ledger`."""
    rows = [[(m, w) for m, w in zip(MARKS, row, strict=True) if w] for row in zip(*(found[m] for m in MARKS), strict=True)]
    marks = pd.Series([", ".join(m for m, _ in row) for row in rows], dtype="str")
    why = pd.Series(["; ".join(f"{m}: {w}" for m, w in row) for row in rows], dtype="str")
    return pd.DataFrame({"run_id": runs["run_id"].iloc[found.index].reset_index(drop=True), "mark": marks, "why": why})


def has(marks: pd.DataFrame, mark: str) -> pd.Series:
    """Whether each run of `ledger` has this mark, alone or among others."""
    return marks["mark"].isin([text for text in marks["mark"].unique() if mark in text.split(", ")])


def counts(runs: pd.DataFrame, marks: pd.DataFrame) -> dict[str, int]:
    """Returns how many runs have each mark and each logged status, and how many are excluded, without zeros."""
    found = {mark: int(has(marks, mark).sum()) for mark in MARKS}
    found["excluded"] = int(runs["excluded"].sum())
    found |= {f'logged as "{s}"': int(n) for s, n in runs["status"].value_counts().items() if s}
    return {words: n for words, n in found.items() if n}


def _placed(runs: pd.DataFrame, by_id: dict[str, Any]) -> list[tuple[int, Any]]:
    """Returns (place in `runs`, value) of the runs that `by_id` has a value for, in order."""
    rows = np.flatnonzero(among(runs["run_id"], by_id))
    return [(int(i), by_id[run]) for i, run in zip(rows, runs["run_id"].iloc[rows], strict=True)]


def _unfinished(runs: pd.DataFrame, ends: pd.DataFrame | None) -> list[tuple[int, float, float]]:
    """Returns (place, last step, planned steps) of the runs whose curve ends before the planned steps."""
    if "extra" not in runs or ends is None or ends.empty:
        return []
    steps = planned(runs)
    last = ends[among(ends["run_id"], steps)].groupby("run_id")["last_step"].max().to_dict()
    short = {run: (last[run], goal) for run, goal in steps.items() if last.get(run, np.inf) < UNFINISHED * goal}
    return [(i, *both) for i, both in _placed(runs, short)]


def planned(runs: pd.DataFrame) -> dict[str, float]:
    """Returns run_id -> the planned steps that the log's other columns give, of the runs where they do."""
    said = runs[runs["extra"].str.contains(_SAYS_PLANNED)]
    return {run: steps for run, text in zip(said["run_id"], said["extra"], strict=True) if (steps := _planned(text))}


def _planned(text: str) -> float:
    extra = json.loads(text)
    for key, value in extra.items() if isinstance(extra, dict) else ():
        if str(key).replace("-", "_").lower().rsplit(".", 1)[-1].rsplit("/", 1)[-1] in PLANNED:
            try:
                return float(value)
            except (TypeError, ValueError):
                continue
    return 0.0


def _duplicates(runs: pd.DataFrame) -> dict[int, str]:
    rows = np.flatnonzero(runs["loss"].notna() & runs[list(_SAME)].duplicated(keep=False))
    alike = runs.iloc[rows].reset_index(drop=True)
    alike["digits"] = alike["loss"].map(lambda v: f"{v:.9g}").astype("str")
    keys = [*_SAME, "digits"]
    alike, rows = alike[(again := alike.duplicated(keys, keep=False))], rows[again]
    groups = alike.groupby(keys, dropna=False)
    later = (groups.cumcount() > 0).to_numpy()
    first = groups["name"].transform("first")[later]
    return {int(i): f'as "{name}"' for i, name in zip(rows[later], first, strict=True)}


def risen(loss: Array, run: np.ndarray) -> Array:
    """Returns nats between each curve's end and its lowest point, both medians of five neighbouring points; 0 for short curves.

    Args:
        loss: the curves one after the other, shape `(n_points,)`.
        run: the number of each point's curve, from 0, not falling.
    """
    n_runs = int(run[-1]) + 1
    good = np.isfinite(loss)
    loss, run = loss[good], run[good]
    long = np.bincount(run, minlength=n_runs) >= 10
    loss, run = loss[long[run]], run[long[run]]
    whole = np.flatnonzero(run[:-4] == run[4:])  # five points of one curve
    medians = _median_of_five(*(loss[i : len(loss) - 4 + i][whole] for i in range(5))) if len(whole) else np.empty(0)
    found = np.zeros(n_runs)
    if len(whole):
        first = np.flatnonzero(np.diff(run[whole], prepend=-1))
        found[long] = medians[np.append(first[1:], len(whole)) - 1] - np.minimum.reduceat(medians, first)
    return found


def _median_of_five(a: Array, b: Array, c: Array, d: Array, e: Array) -> Array:
    """Returns the median of e, the larger of the two pairs' lower values, and the smaller of their higher ones."""
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.maximum(np.minimum(e, low), np.minimum(np.maximum(e, low), high))


def steepening(tokens: Array, loss: Array, run: np.ndarray) -> Array:
    """Returns how many times faster ln L falls per ln D in a curve's last tenth than between 40 and 80 %; NaN where unclear.

    Constant learning rates give less than 1 (the curve flattens towards its irreducible loss), a decay to zero more. Unclear:
    fewer than twelve points, fewer than four in either stretch, or a fall there that is less than three standard errors.
    Arguments as of `risen`.
    """
    n_runs = int(run[-1]) + 1
    good = np.isfinite(loss) & (loss > 0) & (tokens > 0)
    tokens, loss, run = tokens[good], loss[good], run[good]
    if not len(run):
        return np.full(n_runs, np.nan)
    first = np.flatnonzero(np.diff(run, prepend=-1))
    most = np.full(n_runs, np.nan)
    most[run[first]] = np.maximum.reduceat(tokens, first)
    share = tokens / most[run]
    before, after = (
        _slope(np.log(tokens[inside]), np.log(loss[inside]), run[inside], n_runs)
        for inside in ((share >= low) & (share <= high) for low, high in ((0.4, 0.8), (0.9, 1.0)))
    )
    return np.where(np.bincount(run, minlength=n_runs) < 12, np.nan, after / before)


def _slope(x: Array, y: Array, run: np.ndarray, n_runs: int) -> Array:
    """Returns each curve's slope of y in x, shape `(n_runs,)`; NaN where it does not fall by three standard errors."""

    def total(values: Array | None = None) -> Array:
        return np.bincount(run, values, n_runs)

    with np.errstate(divide="ignore", invalid="ignore"):
        n = total()
        u, v = x - (total(x) / n)[run], y - (total(y) / n)[run]
        square = total(u * u)
        slope = total(u * v) / square
        error = np.sqrt(total((v - slope[run] * u) ** 2) / (n - 2) / square)
        return np.where((n >= 4) & (-slope > 3 * error), slope, np.nan)
