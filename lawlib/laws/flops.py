"""Rules for FLOPs per token and for total parameters, as sums of powers of N_active, the form that optima need.

A FLOPs rule gives FLOPs per token = sum_j c_j N_active^p_j; with positive c_j this is convex in ln N_active, so the
compute-optimal problem stays convex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from ..architecture import KRAJEWSKI_ASPECT, krajewski_flops
from ..numerics.arrays import Array

RULES = ("6ND", "krajewski", "router", "measured")
_POWERS = (1.0, 2 / 3, 1 / 3)
"""N (weights), N^(2/3) (attention and router at a fixed aspect ratio), N^(1/3) (head)."""


@dataclass(frozen=True)
class FlopsRule:
    """FLOPs per training token from N_active (and E, G for the router).

    name: "6ND", "krajewski", "router" or "measured"; `measured` holds (coefficient, power) pairs of the last two, of which
    "router" multiplies the second by E·G for mixtures of experts and leaves it out for dense models; `rms` is the relative
    error at the runs.
    """

    name: str = "6ND"
    measured: tuple[tuple[float, float], ...] = ()
    rms: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise ValueError(f"There is no FLOPs rule {self.name!r}; known are {', '.join(RULES)}.")

    @property
    def has_router(self) -> bool:
        """Whether finer or more experts cost FLOPs."""
        return self.name in ("krajewski", "router")

    def terms(self, log_ratio: ArrayLike = 0.0) -> list[tuple[Array, float]]:
        """(ln coefficient, power) of every monomial in N_active. `log_ratio` = ln(E·G), used by the router's term only."""
        if self.name == "6ND":
            return [(np.log(6.0), 1.0)]  # type: ignore[list-item]
        if self.name == "krajewski":
            router = 14 * KRAJEWSKI_ASPECT / (12 * KRAJEWSKI_ASPECT**2) ** (2 / 3)
            return [(np.log(6.0), 1.0), (np.log(router) + np.asarray(log_ratio, dtype=float), 2 / 3)]  # type: ignore[list-item]
        if self.name == "router":
            (weights, one), (router, power) = self.measured
            return [(np.log(weights), one), (np.log(router) + np.asarray(log_ratio, dtype=float), power)]  # type: ignore[list-item]
        if self.name == "measured":
            return [(np.log(c), p) for c, p in self.measured]  # type: ignore[misc]
        raise AssertionError(self.name)

    def log_per_token(self, u: Array, log_ratio: ArrayLike = 0.0) -> tuple[Array, Array, Array]:
        """Returns ln(FLOPs per token) at u = ln N_active, with its first and second derivative in u, broadcast to it."""
        (c, p), *others = self.terms(log_ratio)
        log_first = c + p * u
        if not others:
            return log_first, np.asarray(p), np.asarray(0.0)
        ratios = [np.exp(log_c - c + (q - p) * u) for log_c, q in others]
        total = 1 + np.add.reduce(ratios)
        mean = (p + np.add.reduce([r * q for r, (_, q) in zip(ratios, others, strict=True)])) / total
        square = (p * p + np.add.reduce([r * (q * q) for r, (_, q) in zip(ratios, others, strict=True)])) / total
        return log_first + np.log(total), mean, square - mean**2

    def flops(self, n_active: ArrayLike, tokens: ArrayLike, expansion: ArrayLike = 1.0, granularity: ArrayLike = 1.0) -> Array:
        """Returns the training FLOPs of a run. A dense model (E = 1) has no router."""
        e, g = np.asarray(expansion, dtype=float), np.asarray(granularity, dtype=float)
        with np.errstate(divide="ignore"):
            ratio = np.where(e > 1, np.log(e * g), -np.inf)
            return np.exp(self.log_per_token(np.log(np.asarray(n_active, dtype=float)), ratio)[0]) * np.asarray(
                tokens, dtype=float
            )

    @property
    def sentence(self) -> str:
        return {
            "6ND": "C = 6·N_active·D",
            "krajewski": "C = (72 d² + 14 d E G)·n_blocks·D with d = 64·n_blocks, router included",
            "router": f"C = 6·N_active·D and a router whose cost grows with E·G, as in the runs (rms {self.rms:.1%})",
            "measured": f"C from the data's own FLOPs per token, a sum of powers of N_active (rms {self.rms:.1%})",
        }[self.name]


def rule_of(runs: pd.DataFrame) -> FlopsRule:
    """Returns the rule that the runs' own FLOPs follow: 6ND, Krajewski's formula, 6ND with the runs' own router, else a fitted one.

    6ND where it holds within 5 % for nine runs in ten, or in the median where E and G do not explain the rest; Krajewski's within
    2 % for nine runs in ten, the runs' own router within 2 % in the median. Over the runs that have C, N_active and D; without any, 6ND.
    """
    numbers = {c: _column(runs, c) for c in ("n_active", "tokens", "flops", "expansion", "granularity")}
    known = np.isfinite(numbers["flops"]) & np.isfinite(numbers["n_active"]) & np.isfinite(numbers["tokens"])
    if not known.any():
        return FlopsRule()
    n, d, c, e, g = (numbers[k][known] for k in ("n_active", "tokens", "flops", "expansion", "granularity"))
    error = np.abs(c / (6 * n * d) - 1)
    if np.quantile(error, 0.9) <= 0.05:
        return FlopsRule()
    if np.isfinite(e).all() and np.isfinite(g).all() and (e > 1).any():
        formula = np.where(e > 1, krajewski_flops(n, d, e, g), 6 * n * d)
        if np.quantile(np.abs(c / formula - 1), 0.9) <= 0.02:
            return FlopsRule("krajewski")
        with_router = router_rule(n, c / d, e, g)
        if with_router is not None and np.median(np.abs(c / with_router.flops(n, d, e, g) - 1)) <= 0.02:
            return with_router
    return FlopsRule() if np.median(error) <= 0.05 else measured_rule(n, c / d)


def router_rule(
    n_active: ArrayLike, flops_per_token: ArrayLike, expansion: ArrayLike, granularity: ArrayLike
) -> FlopsRule | None:
    """Returns 6 N_active + c N_active^p E·G per token; c and p by least squares in logarithms of the FLOPs beyond 6 N_active.

    p lies between 0 and 1, so FLOPs stay convex in ln N. None where no run with experts has anything beyond. Shapes `(n_runs,)`.
    """
    n, f, e, g = (np.asarray(v, dtype=float) for v in (n_active, flops_per_token, expansion, granularity))
    beyond = (f - 6 * n) / (e * g)
    routed = (e > 1) & (beyond > 0)
    if not routed.any():
        return None
    x, y = np.log(n[routed]), np.log(beyond[routed])
    spread = np.var(x)
    power = float(np.clip(np.mean((x - x.mean()) * (y - y.mean())) / spread, 0.0, 1.0)) if spread > 1e-12 else 2 / 3
    rule = FlopsRule("router", ((6.0, 1.0), (float(np.exp(y.mean() - power * x.mean())), power)))
    error = rule.flops(n, 1.0, e, g) / f - 1
    return FlopsRule("router", rule.measured, float(np.sqrt(np.mean(error**2))))


def measured_rule(n_active: ArrayLike, flops_per_token: ArrayLike) -> FlopsRule:
    """Returns FLOPs per token as c1 N + c2 N^(2/3) + c3 N^(1/3), c >= 0, by non-negative least squares of the relative error.

    Shapes `(n_runs,)` both.
    """
    n, f = np.asarray(n_active, dtype=float), np.asarray(flops_per_token, dtype=float)
    center = np.exp(np.mean(np.log(n)))
    design = np.stack([(n / center) ** p / f for p in _POWERS], axis=1) * np.mean(f)
    coefficients, _ = nnls(design, np.ones(len(n)))
    rms = float(np.sqrt(np.mean((design @ coefficients - 1) ** 2)))
    kept = tuple((float(c * np.mean(f) / center**p), p) for c, p in zip(coefficients, _POWERS, strict=True) if c > 0)
    return FlopsRule("measured", kept, rms)


@dataclass(frozen=True)
class TotalRule:
    """N_total from N_active: N_active (1 - s + s E) for a share s of expert parameters, or a fitted power law.

    kind: "share" (value s), "power" (ln N_total = value + power · ln N_active), "unknown".
    """

    kind: str
    value: float = np.nan
    power: float = 1.0
    source: str = ""

    def affine(self, expansion: ArrayLike) -> tuple[Array, float]:
        """Returns (r0, r1) of ln N_total = r0 + r1 ln N_active at this expansion."""
        if self.kind == "share" and self.value == 0:
            return np.zeros(np.shape(expansion)), 1.0  # dense at any E, an unknown one too
        if self.kind == "share":
            return np.log1p(self.value * (np.asarray(expansion, dtype=float) - 1)), 1.0
        return np.asarray(self.value, dtype=float), self.power


DENSE = TotalRule("share", 0.0, source="dense: N_total = N_active")
KRAJEWSKI_TOTAL = TotalRule("share", 2 / 3, source="two thirds of a block are feed-forward (d_ff = 4 d_model, two matrices)")


def total_rule_of(runs: pd.DataFrame) -> TotalRule:
    """Returns how the runs' N_total follows from N_active: equal for dense runs, a share of E, or a power law."""
    n, total, e = (_column(runs, c) for c in ("n_active", "n_total", "expansion"))
    known = np.isfinite(n) & np.isfinite(total)
    if not known.any():
        return KRAJEWSKI_TOTAL if np.isfinite(e).any() else TotalRule("unknown")
    if np.allclose(total[known], n[known], rtol=1e-6):
        return DENSE
    routed = known & (e > 1)
    if routed.any():
        share = (total[routed] / n[routed] - 1) / (e[routed] - 1)
        if np.std(share) <= 0.05 * abs(np.mean(share)) or len(np.unique(e[routed])) > 1:
            return TotalRule("share", float(np.median(share)), source="median over the runs")
    x, y = np.log(n[known]), np.log(total[known])
    if np.ptp(x) < 1e-9:
        return TotalRule("power", float(np.mean(y - x)), 1.0, "one size in the data")
    power = float(np.cov(x, y, bias=True)[0, 1] / np.var(x))
    return TotalRule("power", float(np.mean(y) - power * np.mean(x)), power, "power law through the runs")


def _column(runs: pd.DataFrame, name: str) -> Array:
    if name not in runs:
        return np.full(len(runs), np.nan)
    return pd.to_numeric(runs[name], errors="coerce").to_numpy(dtype=float)
