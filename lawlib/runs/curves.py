"""Compares training curves: smooths them and reads them at equal compute."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..numerics.arrays import Array

MAX_POINTS = 600
"""Points of one curve that are smoothed at once; the work grows with their square."""


def smooth(curves: pd.DataFrame, along: str, width: float, log: bool = True) -> pd.DataFrame:
    """Returns the curves with `loss` replaced by a local line under a Gaussian kernel, unbiased at the ends unlike a running mean.

    Args:
        curves: run_id, loss and the column `along`, one split, at most 600 points a run.
        width: the kernel's standard deviation as a share of the curve's span in x (ln x where `log`). 0 changes nothing.
    Raises:
        ValueError: a curve has more points: thin it first (`Store.curves(max_points=)`).
    """
    if not width or curves.empty:
        return curves
    loss = curves["loss"].to_numpy(dtype=float, copy=True)
    x = curves[along].to_numpy(dtype=float)
    usable = np.isfinite(loss) & np.isfinite(x) & ((x > 0) | (not log))
    for rows in curves.groupby("run_id", sort=False).indices.values():
        rows = rows[usable[rows]]
        if len(rows) > MAX_POINTS:
            raise ValueError(f"A curve has {len(rows)} points; smoothing takes at most {MAX_POINTS}: thin it first.")
        if len(rows) > 2:
            loss[rows] = _local_line(np.log(x[rows]) if log else x[rows], loss[rows], width)
    return curves.assign(loss=loss)


def _local_line(x: Array, y: Array, width: float) -> Array:
    """Fits a line about each x by weighted least squares and returns its value there; shape `(n,)`."""
    span = np.ptp(x)
    if span == 0:
        return np.full(len(y), y.mean())
    away = (x[None, :] - x[:, None]) / span  # (n, n): row i holds the distances from x_i
    weight = np.exp(-0.5 * (away / width) ** 2)
    s0, s1, s2 = weight.sum(axis=1), (weight * away).sum(axis=1), (weight * away**2).sum(axis=1)
    t0, t1 = weight @ y, (weight * away) @ y
    bottom = s0 * s2 - s1**2
    lonely = bottom < 1e-12 * s0 * np.maximum(s2, 1e-300)
    return np.where(lonely, t0 / s0, (s2 * t0 - s1 * t1) / np.where(lonely, 1.0, bottom))


def losses_at(curves: pd.DataFrame, along: str, values: Array) -> pd.DataFrame:
    """Returns the loss of each curve at these values of `along` (tokens, flops, step or hours): run_id, the value, loss.

    Linear in ln x between a curve's points; NaN beyond its ends: nothing is extrapolated. Smooth a noisy curve first.
    """
    wanted = np.atleast_1d(np.asarray(values, dtype=float))
    parts = []
    for run, part in curves.groupby("run_id", sort=False):
        x, y = part[along].to_numpy(dtype=float), part["loss"].to_numpy(dtype=float)
        good = np.isfinite(x) & np.isfinite(y) & (x > 0)
        found = np.full(len(wanted), np.nan)
        if good.any():
            order = np.argsort(x[good], kind="stable")
            x, y = x[good][order], y[good][order]
            inside = (wanted >= x[0] * (1 - 1e-9)) & (wanted <= x[-1] * (1 + 1e-9))
            found[inside] = np.interp(np.log(wanted[inside]), np.log(x), y)
        parts.append(pd.DataFrame({"run_id": run, along: wanted, "loss": found}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run_id", along, "loss"])


def common_value(curves: pd.DataFrame, along: str) -> float:
    """Returns the largest x that every curve reaches, where they can be compared; NaN without any."""
    known = curves[np.isfinite(curves["loss"].to_numpy(dtype=float)) & (curves[along].to_numpy(dtype=float) > 0)]
    return float(known.groupby("run_id")[along].max().min()) if len(known) else np.nan
