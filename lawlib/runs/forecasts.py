"""Forecasts an unfinished training curve: a power law in tokens, fitted to its last part, with an interval.

    L(D) = c + b D^-beta,   c >= 0, b >= 0

Given beta this is linear in (c, b), so every beta of a grid is solved in closed form; the forecast is the mixture over the
grid, each beta weighted by its likelihood with c and b integrated out (Gaussian errors, flat priors; flat in ln beta), each
adding its own Student-t spread of the line and of a point about it. Neighbouring errors are alike in a smooth curve: their
lag-1 correlation reduces the number of points that count. So an interval holds both what the noise leaves open and what
beta, which a short stretch hardly determines, leaves open.

It holds while the learning rate goes on as in the fitted part: a decay bends the curve down, and no forecast from before it
can know how far. On the 223 curves of Clark et al. 2022, cut at 30 to 60 % of their tokens, the ends lay up to 4 % of the loss
per unit of ln D below the interval above, and never above it. So the lower end of the interval is lowered by `DECAY`, and
`forecast` stays the line without it. Coverage on held-out ends: `coverage`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from ..numerics.arrays import Array

BETAS = np.geomspace(0.02, 1.5, 90)
PART = 0.8
"""The last part of the curve's tokens that is fitted."""
MIN_POINTS = 6
DECAY = 0.04
"""Share of the loss per unit of ln D by which a decay of the learning rate may take a curve below its power law."""


@dataclass(frozen=True)
class Forecast:
    """The forecast `loss` with its interval at `tokens`, arrays of one shape; the first point is the curve's end.

    start, end: the tokens between which the curve was fitted. n_points: how many points that were, n_effective: how many
    count with their correlation. beta: the mixture's mean exponent.
    """

    tokens: Array
    loss: Array
    low: Array
    high: Array
    start: float
    end: float
    n_points: int
    n_effective: float
    beta: float
    level: float


def forecast(tokens: ArrayLike, loss: ArrayLike, targets: ArrayLike, part: float = PART, level: float = 0.95) -> Forecast | None:
    """Returns the forecast of a curve at `targets` (tokens); None where fewer than six points are in its last part.

    Args:
        tokens, loss: the curve, shape `(n_points,)`; points without either are left out.
        part: share of the curve's tokens, counted from its end, that is fitted.
        level: of the interval of a logged point, noise included.
    """
    d, y = np.asarray(tokens, dtype=float), np.asarray(loss, dtype=float)
    good = np.isfinite(d) & np.isfinite(y) & (d > 0) & (y > 0)
    d, y = d[good], y[good]
    if len(d):
        order = np.argsort(d, kind="stable")
        d, y = d[order], y[order]
        inside = d >= (1 - part) * d[-1]
        d, y = d[inside], y[inside]
    if len(d) < MIN_POINTS or d[0] == d[-1]:
        return None
    return _mixture(d, y, np.asarray(targets, dtype=float), level)


def _mixture(d: Array, y: Array, targets: Array, level: float) -> Forecast:
    end, n = d[-1], len(d)
    features = (d[None, :] / end) ** -BETAS[:, None]  # (n_betas, n): one at the end of the curve
    mean, y_mean = features.mean(axis=1), y.mean()
    centred = features - mean[:, None]
    spread = (centred**2).sum(axis=1)
    b = np.maximum(centred @ (y - y_mean) / spread, 0.0)
    b = np.minimum(b, y_mean / mean)  # c >= 0
    c = y_mean - b * mean
    errors = y[None, :] - c[:, None] - b[:, None] * features
    squares = (errors**2).sum(axis=1)
    best = errors[squares.argmin()]
    correlation = float(np.clip((best[1:] @ best[:-1]) / max(best @ best, 1e-300), 0.0, 0.98))
    effective = max(n * (1 - correlation) / (1 + correlation), 3.5)
    freedom = effective - 2
    log_weight = -0.5 * freedom * np.log(np.maximum(squares, 1e-300)) - 0.5 * np.log(spread)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    at = (targets[None, :] / end) ** -BETAS[:, None]  # (n_betas, n_targets)
    centre = c[:, None] + b[:, None] * at
    sigma2 = squares / (n - 2)
    variance = sigma2[:, None] * (1 + 1 / effective + (at - mean[:, None]) ** 2 / (spread[:, None] * effective / n))
    scale = np.sqrt(variance)
    middle = weight @ centre
    tail = (1 - level) / 2
    low, high = (_quantile(q, weight, centre, scale, freedom) for q in (tail, 1 - tail))
    low = np.maximum(low - DECAY * middle * np.log(np.maximum(targets / end, 1.0)), 0.0)
    return Forecast(targets, middle, low, high, float(d[0]), float(end), n, float(effective), float(weight @ BETAS), level)


def _quantile(q: float, weight: Array, centre: Array, scale: Array, freedom: float) -> Array:
    """Returns the q-quantile of the mixture of Student's t at every target, by bisection; shape `(n_targets,)`."""
    reach = stdtrit(freedom, 0.9999) * scale
    low, high = (centre - reach).min(axis=0), (centre + reach).max(axis=0)
    for _ in range(40):
        middle = (low + high) / 2
        below = weight @ stdtr(freedom, (middle - centre) / scale)
        low, high = np.where(below < q, middle, low), np.where(below < q, high, middle)
    return (low + high) / 2


def coverage(curves: pd.DataFrame, cut: float, level: float = 0.95, part: float = PART) -> pd.DataFrame:
    """Returns the forecast of each curve's last point from its first `cut`: run_id, loss, forecast, low, high, inside.

    curves: run_id, tokens, loss, of one split. Curves with too few points before the cut are left out.
    """
    rows = []
    for run, curve in curves.dropna(subset=["tokens", "loss"]).sort_values("tokens").groupby("run_id", sort=False):
        last = curve.iloc[-1]
        seen = curve[curve["tokens"] <= cut * last["tokens"] * (1 + 1e-9)]
        found = forecast(seen["tokens"], seen["loss"], [last["tokens"]], part, level)
        if found is not None:
            rows.append((run, last["loss"], found.loss[0], found.low[0], found.high[0]))
    table = pd.DataFrame(rows, columns=["run_id", "loss", "forecast", "low", "high"])
    return table.assign(inside=(table["low"] <= table["loss"]) & (table["loss"] <= table["high"]))
