"""Estimates optimal size and tokens from the runs without a parametric law (Hoffmann 2022, approaches 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..numerics.arrays import Array
from ..runs import usable

SLICE_WIDTH = 0.05
"""Runs whose ln C differ by less belong to one isoFLOP slice."""
MAX_SPAN = 0.2
"""A slice is at most this wide in ln C: runs of scattered compute are cut into bins instead of chained into one slice."""
MIN_SIZES = 4
"""A parabola through fewer sizes has no residual to judge it by."""
MAX_CELLS = 4_000_000
"""Draws times runs times budgets whose envelopes are worked out at once: of many runs they would take gigabytes."""
ENVELOPE_POINTS = 60


@dataclass(frozen=True)
class IsoflopOptima:
    """Optimal size and tokens at several budgets: vertices of isoFLOP parabolas, or points of the envelope.

    slices: a row a budget: flops, n_runs, n_opt, tokens_opt, loss, inside (vertex between the slice's sizes), opens_up.
    n_exponent, d_exponent: of N_opt ~ C^a and D_opt ~ C^b over the usable slices, NaN for fewer than two; *_interval:
    95 %, bootstrap of the runs within each slice.
    """

    slices: pd.DataFrame
    n_exponent: float
    d_exponent: float
    n_interval: tuple[float, float]
    d_interval: tuple[float, float]


def slice_labels(runs: pd.DataFrame) -> Array:
    """Returns the isoFLOP slice of each run: numbers from 0 in order of C, shape `(n_runs,)`; -1 for runs without C."""
    log_c = np.log(runs["flops"].to_numpy(dtype=float))
    known = np.isfinite(log_c)
    labels = np.full(len(runs), -1)
    order = np.argsort(log_c[known], kind="stable")
    x = log_c[known][order]
    chains = np.cumsum(np.r_[0, np.diff(x) > SLICE_WIDTH])[: len(x)]
    starts = x[np.searchsorted(chains, chains)] if len(x) else x
    within = np.floor((x - starts) / MAX_SPAN)
    groups = np.cumsum(np.r_[0, (np.diff(chains) > 0) | (np.diff(within) > 0)])[: len(x)]
    back = np.empty(len(order), dtype=int)
    back[order] = groups
    labels[known] = back
    return labels


def isoflop_optima(runs: pd.DataFrame, n_resamples: int = 400, seed: int = 0) -> IsoflopOptima | None:
    """Approach 2: returns the minimum of a parabola in ln N_active through each slice of four or more sizes; None without a slice.

    D_opt is C over the slice's FLOPs per token, interpolated at N_opt. Runs of different E or G are pooled: select one
    configuration first.
    """
    runs = usable(runs)
    runs = runs[runs[["flops", "n_active", "tokens", "loss"]].notna().all(axis=1)]
    labels = slice_labels(runs)
    rows, draws = [], []
    rng = np.random.default_rng(seed)
    for label in np.unique(labels[labels >= 0]):
        part = runs[labels == label]
        if part["n_active"].nunique() < MIN_SIZES:
            continue
        x, y = np.log(part["n_active"].to_numpy()), part["loss"].to_numpy()
        log_d = np.log(part["tokens"].to_numpy())
        vertex, curvature, bottom = _parabola(x, y, np.ones((1, len(x))))
        order = np.argsort(x)
        rows.append(
            {
                "flops": float(np.exp(np.log(part["flops"]).mean())),
                "n_runs": len(part),
                "n_opt": float(np.exp(vertex[0])),
                "tokens_opt": float(np.exp(_interpolate(vertex[0], x[order], log_d[order]))),
                "loss": float(bottom[0]),
                "inside": bool(x.min() <= vertex[0] <= x.max()),
                "opens_up": bool(curvature[0] > 0),
            }
        )
        weights = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), n_resamples).astype(float)
        again, bent, _ = _parabola(x, y, weights)
        good = (bent > 0) & (again > x.min() - 1) & (again < x.max() + 1)
        n_draw = np.where(good, again, np.nan)
        draws.append((n_draw, np.array([_interpolate(v, x[order], log_d[order]) for v in n_draw])))
    if not rows:
        return None
    slices = pd.DataFrame(rows)
    use = (slices["inside"] & slices["opens_up"]).to_numpy()
    log_c = np.log(slices["flops"].to_numpy())
    exponents = [_slope(log_c[use], np.log(slices.loc[use, c].to_numpy())[None, :])[0] for c in ("n_opt", "tokens_opt")]
    intervals = []
    for which in range(2):
        many = np.stack([d[which] for d in draws], axis=1)[:, use]
        intervals.append(_central(_slope(log_c[use], many)))
    return IsoflopOptima(slices, float(exponents[0]), float(exponents[1]), intervals[0], intervals[1])


def envelope_optima(
    runs: pd.DataFrame, curves: pd.DataFrame | None = None, n_resamples: int = 200, seed: int = 0
) -> IsoflopOptima | None:
    """Approach 1: returns N_opt and D_opt at every compute from the run with the lowest loss there (Hoffmann 2022).

    With training curves (run_id, tokens, flops, loss) each run is a line in ln C, and the envelope is read at up to 60
    budgets between the second lowest and the highest compute that at least three runs reach; runs at the ends of the range of
    sizes are left out there, as the envelope is then cut off by the sweep. Without curves the best run of each isoFLOP slice
    is taken. None where that gives fewer than two points. The interval is a bootstrap of runs.
    Raises ValueError for curves of several splits: a line would jump between training and validation loss.
    """
    if curves is not None and "split" in curves and curves["split"].nunique() > 1:
        names = ", ".join(sorted(map(str, curves["split"].unique())))
        raise ValueError(
            f"The envelope needs one loss of each run, and these curves hold the splits {names}: choose one of them."
        )
    runs = usable(runs)
    runs = runs[runs[["flops", "n_active", "tokens", "loss"]].notna().all(axis=1)].reset_index(drop=True)
    lines = _lines(runs, curves)
    if lines is None:
        return None
    log_c, losses = lines
    size, per_token = np.log(runs["n_active"].to_numpy()), np.log((runs["flops"] / runs["tokens"]).to_numpy())
    rng = np.random.default_rng(seed)
    keep = np.ones((1, len(runs)), dtype=bool)
    draws = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), n_resamples) > 0

    def optima(chosen: Array) -> tuple[Array, Array, Array]:
        masked = np.where(chosen[:, :, None] & np.isfinite(losses), losses, np.inf)
        winner = masked.argmin(axis=1)
        lowest = np.take_along_axis(masked, winner[:, None, :], axis=1)[:, 0]
        n = np.where(np.isfinite(lowest), size[winner], np.nan)
        reach = np.where(np.isfinite(masked), size[None, :, None], np.nan)
        with np.errstate(invalid="ignore"):
            edge = (n <= np.nanmin(np.where(np.isnan(reach), np.inf, reach), axis=1)) | (
                n >= np.nanmax(np.where(np.isnan(reach), -np.inf, reach), axis=1)
            )
        return np.where(edge, np.nan, n), log_c - per_token[winner], lowest

    n_log, d_log, lowest = (a[0] for a in optima(keep))
    good = np.isfinite(n_log)
    if good.sum() < 2 or np.ptp(log_c[good]) == 0:
        return None
    slices = pd.DataFrame(
        {
            "flops": np.exp(log_c[good]),
            "n_opt": np.exp(n_log[good]),
            "tokens_opt": np.exp(d_log[good]),
            "loss": lowest[good],
        }
    )
    n_at_once = max(MAX_CELLS // losses.size, 1)
    many = [optima(draws[i : i + n_at_once]) for i in range(0, n_resamples, n_at_once)]
    many_n, many_d = (np.concatenate([m[k] for m in many]) for k in (0, 1))
    many_d = np.where(np.isfinite(many_n), many_d, np.nan)
    point = [float(_slope(log_c, np.where(good, v, np.nan)[None, :])[0]) for v in (n_log, d_log)]
    intervals = [_central(_slope(log_c, v)) for v in (many_n, many_d)]
    return IsoflopOptima(slices.assign(inside=True, opens_up=True), point[0], point[1], intervals[0], intervals[1])


def _lines(runs: pd.DataFrame, curves: pd.DataFrame | None) -> tuple[Array, Array] | None:
    """Returns (ln C of the budgets, loss of every run there `(n_runs, n_budgets)`, NaN where a run does not reach)."""
    if curves is None or curves.empty or not curves["flops"].notna().any():
        labels = slice_labels(runs)
        names = [k for k in np.unique(labels) if (labels == k).sum() >= 3]
        if not names:
            return None
        log_c = np.array([np.log(runs.loc[labels == k, "flops"]).mean() for k in names])
        return log_c, np.where(labels[:, None] == np.array(names), runs["loss"].to_numpy()[:, None], np.nan)
    points = curves[curves["loss"].notna() & (curves["flops"] > 0)].sort_values("flops")
    by_run = {k: (np.log(p["flops"].to_numpy()), p["loss"].to_numpy()) for k, p in points.groupby("run_id")}
    spans = [by_run[i] for i in runs["run_id"] if i in by_run]
    if len(spans) < 3:
        return None
    low, high = np.sort([x[0] for x, _ in spans])[2], np.sort([x[-1] for x, _ in spans])[-3]
    if high <= low:
        return None
    log_c = np.linspace(low, high, ENVELOPE_POINTS)
    empty = (np.array([0.0]), np.array([np.nan]))
    return log_c, np.stack([np.interp(log_c, *by_run.get(i, empty), left=np.nan, right=np.nan) for i in runs["run_id"]])


def _central(slopes: Array) -> tuple[float, float]:
    slopes = slopes[np.isfinite(slopes)]
    if len(slopes) <= 20:
        return (np.nan, np.nan)
    low, high = np.quantile(slopes, [0.025, 0.975])
    return (float(low), float(high))


def _parabola(x: Array, y: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Returns (vertex, curvature, value there) of weighted least-squares parabolas, a row of weights each."""
    center = x.mean()
    basis = np.stack([np.ones_like(x), x - center, (x - center) ** 2], axis=1)
    gram = np.einsum("sn,np,nq->spq", weights, basis, basis)
    ridge = 1e-12 * np.eye(3) * np.trace(gram, axis1=1, axis2=2)[:, None, None]
    c = np.linalg.solve(gram + ridge, np.einsum("sn,n,np->sp", weights, y, basis)[:, :, None])[:, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = -c[:, 1] / (2 * c[:, 2])
        return center + shift, 2 * c[:, 2], c[:, 0] + c[:, 1] * shift / 2


def _interpolate(at: float, x: Array, y: Array) -> float:
    """Linear in the data, continued by the end slopes."""
    if not np.isfinite(at):
        return np.nan
    if at < x[0]:
        return float(y[0] + (at - x[0]) * (y[1] - y[0]) / (x[1] - x[0])) if x[1] > x[0] else float(y[0])
    if at > x[-1]:
        return float(y[-1] + (at - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])) if x[-1] > x[-2] else float(y[-1])
    return float(np.interp(at, x, y))


def _slope(x: Array, rows: Array) -> Array:
    """Least-squares slope of every row over its finite points, NaN for fewer than two."""
    known = np.isfinite(rows)
    n = known.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mx = np.where(known, x, 0).sum(1) / n
        my = np.where(known, rows, 0).sum(1) / n
        dx = np.where(known, x - mx[:, None], 0.0)
        return np.where(n >= 2, (dx * np.where(known, rows - my[:, None], 0.0)).sum(1) / (dx**2).sum(1), np.nan)


def slice_budgets(runs: pd.DataFrame, most: int = 12) -> list[float]:
    """Returns the budgets of the data's isoFLOP slices: values of C (within 5 %) that at least two different sizes share."""
    known = runs[runs["flops"].notna() & runs["n_active"].notna()]
    labels = slice_labels(known)
    groups = pd.DataFrame({"label": labels, "c": np.log(known["flops"].to_numpy(dtype=float)), "n": known["n_active"].to_numpy()})
    found = groups.groupby("label").agg(c=("c", "median"), sizes=("n", "nunique"))
    budgets = np.exp(found.loc[found["sizes"] >= 2, "c"].to_numpy())
    if len(budgets) > most:
        budgets = budgets[np.linspace(0, len(budgets) - 1, most).astype(int)]
    return [float(b) for b in budgets]
