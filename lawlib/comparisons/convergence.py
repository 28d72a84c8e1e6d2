"""How much faster one training curve falls than another: the tokens, steps and FLOPs that each needs to reach a loss.

    pairs = pair_runs(runs, coarse_ids, fine_ids, HELD["G"])
    found = speedups(pairs, store.curves(dataset, split="loss"))
    mean_ratio(found.pairs["tokens"], found.pairs["a"])      # speed-up at the lowest loss that both reach

The speed-up at loss l is x_a(l) / x_b(l): 2 means that b gets there with half. x(l) is where the curve, made monotone by
isotonic regression, first reaches l, interpolated by a monotone cubic in (l, ln x). Nothing is extrapolated: a loss that
only one of the two reaches has no speed-up. Between runs with decaying learning rates a comparison in mid-curve is like for
like only where both were planned for the same number of tokens; `finished_curves` compares finished runs instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression
from scipy.special import stdtrit

from ..laws import FittedLaw, run_arrays
from ..numerics.arrays import Array
from .pairing import SAME

ALONG: tuple[str, ...] = ("tokens", "step", "flops")
"""What a curve can be measured along."""
N_LEVELS = 48
LEVEL = 0.95


@dataclass(frozen=True)
class Envelope:
    """A monotone curve: `losses` strictly falling, shape `(n_points,)`, and ln x of each along `ALONG`, `(n_points, 3)`."""

    losses: Array
    log_x: Array

    def reach(self, losses: ArrayLike) -> Array:
        """Returns ln x at which the curve reaches these losses, shape `(n_losses, 3)`; NaN where it does not."""
        wanted = np.asarray(losses, dtype=float)
        if len(self.losses) == 1:
            return np.where(np.isclose(wanted, self.losses[0], rtol=1e-12)[:, None], self.log_x, np.nan)
        found = np.full((len(wanted), len(ALONG)), np.nan)
        known = np.isfinite(self.log_x).all(axis=0)
        found[:, known] = PchipInterpolator(-self.losses, self.log_x[:, known], extrapolate=False)(-wanted)
        return found

    def at_progress(self, start: float, end: float, n: int) -> Array:
        """Returns `n` losses between `start` and `end`, evenly spaced in the logarithm of the axis the curve is measured along."""
        if len(self.losses) == 1 or start == end:
            return np.array([end])
        column = int(np.flatnonzero(np.isfinite(self.log_x).all(axis=0))[0])
        x = self.log_x[:, column]
        first, last = self.reach([start, end])[:, column]
        losses = np.interp(np.linspace(first, last, n), x, self.losses)
        losses[0], losses[-1] = start, end
        return np.minimum.accumulate(losses)


def envelope(curve: pd.DataFrame) -> Envelope | None:
    """The monotone curve through a run's points: columns tokens, step, flops (any may be NaN) and loss; None without points.

    Isotonic regression (least squares under the order, pool adjacent violators): noise does not bias it downwards as a
    running minimum would be. Points that are pooled become one, at the mean of their ln x. Points at x = 0 are left out.
    """
    x = np.column_stack([curve[c].to_numpy(dtype=float) if c in curve else np.full(len(curve), np.nan) for c in ALONG])
    loss = curve["loss"].to_numpy(dtype=float)
    there = np.isfinite(loss)[:, None] & (x > 0)
    n_points = there.sum(axis=0)
    known = (n_points == n_points.max()) & (n_points > 0)  # what is given at fewer points than the rest is not used
    good = there[:, known].all(axis=1) if known.any() else np.zeros(len(loss), dtype=bool)
    if not good.any():
        return None
    x, loss = np.where(known, x, np.nan)[good], loss[good]
    order = np.argsort(x[:, np.flatnonzero(known)[0]], kind="stable")
    x, loss = np.log(x[order]), loss[order]
    fit = isotonic_regression(loss, increasing=False)
    starts = np.asarray(fit.blocks)[:-1]
    sizes = np.diff(fit.blocks)
    level = np.asarray(fit.x)[starts]
    mean_x = np.add.reduceat(x, starts, axis=0) / sizes[:, None]
    fresh = np.r_[True, np.diff(level) < 0]
    return Envelope(level[fresh], mean_x[fresh])


@dataclass(frozen=True)
class Speedups:
    """The speed-ups of all pairs of runs.

    pairs: the pairs given, with the lowest loss that both curves reach (`level`) and the speed-up there along tokens, step
    and flops (NaN where they share no loss; `why` says so). points: along the curves, one row a pair and loss: pair (row of
    `pairs`), loss, progress (share of a's training at that loss) and, for each of `ALONG`, x_a, x_b and the speed-up. crossings: where a and
    b have the same loss at the same number of tokens: pair, loss, tokens.
    """

    pairs: pd.DataFrame
    points: pd.DataFrame
    crossings: pd.DataFrame


def speedups(pairs: pd.DataFrame, curves: pd.DataFrame, n_levels: int = N_LEVELS) -> Speedups:
    """Returns the speed-up of run b over run a for every pair, at every loss that both curves reach.

    Args:
        pairs: columns a and b, run ids of `curves` (from `pair_runs`).
        curves: run_id, step, tokens, flops, loss; of one split.
    """
    wanted = set(pairs["a"]) | set(pairs["b"])
    mine = curves[curves["run_id"].isin(wanted)]
    found = {str(i): envelope(c) for i, c in mine.groupby("run_id", sort=False)}
    blocks, ends = [], []
    for number, (a, b) in enumerate(zip(pairs["a"], pairs["b"], strict=True)):
        points, why = _pair(found.get(a), found.get(b), n_levels)
        blocks.append(points.assign(pair=number))
        last = points.iloc[-1] if len(points) else pd.Series(dtype=float)
        ends.append({"level": last.get("loss", np.nan), "why": why} | {c: last.get(c, np.nan) for c in ALONG})
    ended = pairs.reset_index(drop=True)
    ended = ended.join(pd.DataFrame(ends, columns=["level", *ALONG, "why"], index=ended.index))
    columns = ["pair", "loss", "progress", *(f"{c}_{side}" for c in ALONG for side in "ab"), *ALONG]
    table = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame(columns=columns)
    table = table.reindex(columns=columns)
    return Speedups(ended, table, _crossings(table))


def _pair(a: Envelope | None, b: Envelope | None, n_levels: int) -> tuple[pd.DataFrame, str]:
    if a is None or b is None:
        return pd.DataFrame(columns=["loss"]), "no curve"
    start, end = min(a.losses[0], b.losses[0]), max(a.losses[-1], b.losses[-1])
    if start < end:
        ahead = "b" if b.losses[0] < a.losses[-1] else "a"
        return pd.DataFrame(columns=["loss"]), f"{ahead} is below the other's last loss at its first point"
    losses = a.at_progress(start, end, n_levels)
    log_a, log_b = a.reach(losses), b.reach(losses)
    with np.errstate(invalid="ignore"):
        column = int(np.flatnonzero(np.isfinite(a.log_x).all(axis=0))[0])
        frame = {"loss": losses, "progress": np.exp(log_a[:, column] - a.log_x[-1, column])}
        for k, column in enumerate(ALONG):
            frame |= {f"{column}_a": np.exp(log_a[:, k]), f"{column}_b": np.exp(log_b[:, k])}
            frame[column] = np.exp(log_a[:, k] - log_b[:, k])
    return pd.DataFrame(frame), ""


def _crossings(points: pd.DataFrame) -> pd.DataFrame:
    """Where the speed-up in tokens passes 1 along a pair, linear in ln between the two losses around it."""
    ratio = np.log(points["tokens"].to_numpy(dtype=float))
    pair = points["pair"].to_numpy()
    i = np.flatnonzero((pair[1:] == pair[:-1]) & (np.sign(ratio[1:]) * np.sign(ratio[:-1]) < 0)) if len(points) > 1 else []
    share = ratio[i] / (ratio[i] - ratio[np.add(i, 1)]) if len(i) else np.empty(0)

    def between(values: Array) -> Array:
        return values[i] + share * (values[np.add(i, 1)] - values[i]) if len(i) else np.empty(0)

    tokens = np.exp(between(np.log(points["tokens_a"].to_numpy(dtype=float))))
    return pd.DataFrame({"pair": pair[i] if len(i) else [], "loss": between(points["loss"].to_numpy(float)), "tokens": tokens})


def finished_curves(runs: pd.DataFrame, groups: Mapping[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns (runs, curves) in which the finished runs of one configuration form one curve: final loss against tokens.

    Every point has gone through its whole learning-rate schedule, so these curves compare like with like where runs were
    planned for different token counts. Runs that share group, n_active, E, G, top_k / G and loss_name make a curve; repeats at
    the same number of tokens are averaged. groups: run_id -> group; other runs are left out. In `runs` each
    curve is a row, the one of its longest run, with a run_id of its own.
    """
    mine = runs[runs["run_id"].isin(list(groups))].sort_values("tokens", kind="stable").reset_index(drop=True)
    keys: list = [mine["run_id"].map(dict(groups)), mine["loss_name"]]
    for column in ("n_active", "expansion", "granularity"):
        keys.append(_kinds(mine[column]))
    keys.append(_kinds(mine["top_k"] / mine["granularity"]))
    cell = mine.groupby(keys, dropna=False, sort=False).ngroup()
    last = mine.groupby(cell, sort=False).tail(1)
    ids = {number: f"curve of {run}" for number, run in zip(cell[last.index], last["run_id"], strict=True)}
    frames = last.assign(run_id=cell[last.index].map(ids))
    points = mine.assign(curve=cell.map(ids), at=_kinds(mine["tokens"]), step=np.nan)
    points = points.groupby(["curve", "at"], sort=False)[["tokens", "flops", "step", "loss"]].mean().reset_index()
    points = points.rename(columns={"curve": "run_id"})[["run_id", "step", "tokens", "flops", "loss"]]
    return frames.reset_index(drop=True), points


def _kinds(values: pd.Series) -> pd.Series:
    """Numbers that differ by less than `SAME` get one label, NaN for missing ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = pd.Series(np.log(values.to_numpy(dtype=float)), index=values.index)
    steps = logs.sort_values().diff() > SAME
    return steps.cumsum().reindex(values.index).where(logs.notna())


@dataclass(frozen=True)
class Ratio:
    """A geometric mean over pairs: value, its interval (NaN with fewer than two clusters), how many of both it rests on."""

    value: float
    low: float
    high: float
    n_pairs: int
    n_clusters: int


def mean_ratio(ratios: ArrayLike, clusters: ArrayLike, level: float = LEVEL) -> Ratio:
    """Returns the geometric mean of ratios `(n_pairs,)` with Student's t interval of ln ratio between clusters `(n_clusters,)`.

    Pairs that share a run a are not independent: they are averaged first, and every cluster counts alike. NaN is left out.
    """
    values = pd.Series(np.log(np.asarray(ratios, dtype=float)), dtype=float)
    mean, low, high = (float(np.exp(v)) for v in _student(values, clusters, level))
    known = values.notna().to_numpy()
    return Ratio(mean, low, high, int(known.sum()), int(pd.Series(clusters)[known].nunique()))


def mean_difference(values: ArrayLike, clusters: ArrayLike, level: float = LEVEL) -> Ratio:
    """Returns the arithmetic mean of differences, such as gains in nats, with Student's t interval between clusters."""
    series = pd.Series(np.asarray(values, dtype=float), dtype=float)
    mean, low, high = _student(series, clusters, level)
    known = series.notna().to_numpy()
    return Ratio(mean, low, high, int(known.sum()), int(pd.Series(clusters)[known].nunique()))


def _student(values: pd.Series, clusters: ArrayLike, level: float) -> tuple[float, float, float]:
    means = values.groupby(np.asarray(clusters)).mean().dropna().to_numpy()
    if not len(means):
        return np.nan, np.nan, np.nan
    centre = float(means.mean())
    if len(means) < 2:
        return centre, np.nan, np.nan
    half = float(stdtrit(len(means) - 1, 0.5 + level / 2) * means.std(ddof=1) / np.sqrt(len(means)))
    return centre, centre - half, centre + half


def along_training(found: Speedups, along: str = "tokens", n: int = 25, level: float = LEVEL) -> pd.DataFrame:
    """Returns the mean speed-up of all pairs at equal shares of run a's training: progress, value, low, high, n_pairs.

    Clusters as in `mean_ratio`: runs a. Shares that fewer than half of the pairs reach are left out.
    """
    points = found.points[found.points["progress"] > 0]
    columns = ["progress", "value", "low", "high", "n_pairs"]
    if points.empty:
        return pd.DataFrame(columns=columns)
    grid = np.geomspace(max(points["progress"].min(), 0.01), 1.0, n)
    rows = np.full((len(found.pairs), n), np.nan)
    for pair, part in points.groupby("pair"):
        x, y = np.log(part["progress"].to_numpy(float)), np.log(part[along].to_numpy(float))
        x = np.where(x > -1e-9, 0.0, x)
        rows[int(pair)] = np.interp(np.log(grid), x, y, left=np.nan, right=np.nan)  # type: ignore[call-overload]
    n_known = np.isfinite(rows).sum(axis=0)
    kept = np.flatnonzero(n_known >= max(1, 0.5 * np.isfinite(rows).any(axis=1).sum()))
    ratios = [mean_ratio(np.exp(rows[:, i]), found.pairs["a"], level) for i in kept]
    values = [(grid[i], r.value, r.low, r.high, r.n_pairs) for i, r in zip(kept, ratios, strict=True)]
    return pd.DataFrame(values, columns=columns)


def predicted_gain(law: FittedLaw, a: pd.DataFrame, b: pd.DataFrame) -> Array:
    """Returns L(a) - L(b) by the law in nats per token, for runs matched row by row; shape `(n_pairs,)`, samples first."""
    return np.asarray(law.predict(a)) - np.asarray(law.predict(b))


def predicted_speedup(law: FittedLaw, a: pd.DataFrame, b: pd.DataFrame) -> Array:
    """Returns the tokens of run a over the tokens that run b needs for a's loss, by the law; shape `(n_pairs,)`.

    Solved by bisection in ln D, as every law with D falls in it. Where b never gets there the ratio is 0; NaN for a law
    without D and for runs that miss a quantity.
    """
    target = np.asarray(law.predict(a))
    if "D" not in law.law.variables:
        return np.full(target.shape, np.nan)
    n, _, granularity, expansion = run_arrays(law.law, b)
    low, high = np.full(target.shape, np.log(1e3)), np.full(target.shape, np.log(1e30))
    floor = law.loss(n, np.exp(high), granularity, expansion)
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = law.loss(n, np.exp(middle), granularity, expansion) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    start = pd.to_numeric(a["tokens"], errors="coerce").to_numpy(dtype=float)
    ratio = np.where(floor <= target, start / np.exp(0.5 * (low + high)), 0.0)
    return np.where(np.isnan(target) | np.isnan(floor), np.nan, ratio)


def gain_curves(law: FittedLaw, n: ArrayLike, granularities: ArrayLike) -> pd.DataFrame:
    """Returns what G is worth at equal size and tokens by a law with G alone: L(G = 1) - L(G) against the law's own N.

    Columns n, granularity, gain and inside: within the law's range of N, False throughout where that is not on record. In
    `fine_grained` the gain does not depend on tokens.
    """
    sizes, g = (x.ravel() for x in np.meshgrid(np.asarray(n, float), np.asarray(granularities, float), indexing="ij"))
    gain = law.loss(sizes, 1e12, 1.0) - law.loss(sizes, 1e12, g)
    low, high = law.ranges.get(law.law.count, (np.nan, np.nan))
    return pd.DataFrame({"n": sizes, "granularity": g, "gain": gain, "inside": (sizes >= low) & (sizes <= high)})
