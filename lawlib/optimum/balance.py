"""A law along a budget: its terms as powers of N_active, and the size at which its loss stops falling and begins to rise.

At fixed E and G every term of the loss is exp(const + slope_n ln N + slope_d ln D). With D = C / FLOPs(N) some terms rise with
u = ln N_active and some fall; the optimum is where both balance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..laws import FittedLaw
from ..numerics.arrays import Array

BRACKET = (np.log(1e1), np.log(1e30))
"""ln N_active searched."""
BLOCK = 25_000
"""Block size in numbers, over all terms of the law, chosen so that a block fits the CPU cache (more than twice as fast)."""


class Slopes(NamedTuple):
    """ln L and the balance of its slope (`Balance.__call__`) at (u, ln C), each with its derivatives in u and in ln C."""

    log_loss: Array
    loss_u: Array
    loss_c: Array
    log_balance: Array
    log_balance_u: Array
    log_balance_c: Array


class Balance:
    """ln L along a budget at fixed E and G, as a function of u = ln N_active and ln C; the law's samples are the first axis.

    ndim: axes of u beside the samples'. Terms with equal exponents are merged; constant terms are kept as one offset without slopes.
    """

    def __init__(self, law: FittedLaw, e: Array, g: Array, ndim: int) -> None:
        const, slope_n, slope_d = affine_in_active(law, e, g, ndim)
        moving, still = law.law.bundles
        firsts = [terms[0] for terms in moving]
        with np.errstate(invalid="ignore"):  # NaN in, NaN out
            self._const = np.stack([np.logaddexp.reduce(const[[*terms]]) for terms in (*moving, still) if terms])
        self._slope_n, self._slope_d = slope_n[firsts], slope_d[firsts]
        self._rule, self._log_ratio = law.flops_rule, log_ratio_of(law, e, g)

    def __call__(self, u: Array, log_c: Array) -> tuple[Array, Array, Array]:
        """Returns ln L, and ln(rising / falling part of its derivative) with its slope: nearly a line in u, so Newton is quick."""
        log_loss, _, weight, dz, f2 = self._at(u, log_c)
        slope_parts = weight * dz
        curvature = slope_parts * dz - weight * (self._slope_d * f2)
        (rise, fall), (rise_u, fall_u) = _parts(dz > 0, slope_parts, curvature)
        with np.errstate(divide="ignore", invalid="ignore"):
            return log_loss, np.log(rise / fall), rise_u / rise - fall_u / fall

    def along(self, u: Array, log_c: Array) -> tuple[Array, Array]:
        """Returns ln L and its derivative in u."""
        log_loss, total, weight, dz, _ = self._at(u, log_c)
        return log_loss, (weight * dz).sum(axis=0) / total

    def slopes(self, u: Array, log_c: Array) -> Slopes:
        """Returns the same with all derivatives, for problems in which the budget is to be found."""
        log_loss, total, weight, dz, f2 = self._at(u, log_c)
        slope_parts = weight * dz
        curvature = slope_parts * dz - weight * (self._slope_d * f2)
        (rise, fall), (rise_u, fall_u), (rise_c, fall_c) = _parts(dz > 0, slope_parts, curvature, slope_parts * self._slope_d)
        with np.errstate(divide="ignore", invalid="ignore"):
            return Slopes(
                log_loss, (rise - fall) / total, (weight * self._slope_d).sum(axis=0) / total,
                np.log(rise / fall), rise_u / rise - fall_u / fall, rise_c / rise - fall_c / fall,
            )  # fmt: skip

    def _at(self, u: Array, log_c: Array) -> tuple[Array, Array, Array, Array, Array | float]:
        """Returns ln L, the sum of all terms and the size-dependent terms (relative to the largest), their slopes, and f2 of the FLOPs."""
        log_f, f1, f2 = self._rule.log_per_token(u, self._log_ratio)
        log_d = log_c - log_f
        moving = len(self._slope_n)
        z = np.empty((len(self._const), *np.broadcast_shapes(self._const.shape[1:], log_d.shape)))
        z[:moving], z[moving:] = self._slope_n * u, 0.0
        z[:moving] += self._slope_d * log_d
        z += self._const
        top = z.max(axis=0)
        z -= top
        np.exp(z, out=z)
        total = z.sum(axis=0)
        return top + np.log(total), total, z[:moving], self._slope_n - self._slope_d * f1, f2


def _parts(up: np.ndarray, slope_parts: Array, *others: Array) -> list[tuple[Array, Array]]:
    """Returns (sum over the terms that rise, minus that over those that fall) of each array."""
    found = []
    for values in (slope_parts, *others):
        rise = np.where(up, values, 0.0).sum(axis=0)
        found.append((rise, rise - values.sum(axis=0)))
    return found


def blocks(law: FittedLaw, shape: tuple[int, ...]) -> list[slice]:
    """Returns slices of an ensemble's samples of about `BLOCK` numbers each, for arrays of this shape with the samples first."""
    each = (len(law.law.bundles[0]) + 1) * int(np.prod(shape[1:]))
    n = max(BLOCK // max(each, 1), 1)
    return [slice(i, i + n) for i in range(0, max(shape[0], 1), n)]


def first_guess(log_c: Array) -> Array:
    """Returns a first guess of u = ln N_active: Chinchilla's 20 tokens a parameter."""
    return np.clip(0.5 * (log_c - np.log(120.0)), *BRACKET)


def log_ratio_of(law: FittedLaw, e: Array, g: Array) -> Array:
    """Returns ln(E·G) for the router's FLOPs; minus infinity (no router) for dense models."""
    if not law.flops_rule.has_router:
        return np.asarray(0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(e > 1, np.log(e * np.where(np.isnan(g), 1.0, g)), -np.inf)


def affine_in_active(law: FittedLaw, e: Array, g: Array, ndim: int) -> tuple[Array, Array, Array]:
    """Returns `affine` with ln N_active in the place of the law's ln N."""
    r0, r1 = law.total_rule.affine(e) if law.law.count == "n_total" else (0.0, 1.0)
    const, slope_n, slope_d = affine(law, e, g, ndim)
    return const + slope_n * r0, slope_n * r1, slope_d


def affine(law: FittedLaw, e: Array, g: Array, ndim: int) -> tuple[Array, Array, Array]:
    """Returns each term as const + slope_n ln N + slope_d ln D at fixed E and G: three arrays `(n_terms, *samples, *ones or shape)`."""
    pad = law.theta.shape[:-1] + (1,) * ndim
    with np.errstate(divide="ignore", invalid="ignore"):
        x: dict[str, Array] = {"G": np.log(g), "A": -np.log(e)}
    if law.law.has_shapes:
        x["Ehat"] = law.log_ehat(e, ndim)
    parts: list[list[tuple[int, Array]]] = [[], [], []]
    for entry in law.law.entries:
        value = entry.scale * law.theta[..., entry.parameter].reshape(pad)
        target = 0
        for v in entry.variables:
            if v in ("N", "D"):
                target = 1 if v == "N" else 2
            else:
                value = value * x[v]
        parts[target].append((entry.term, value))
    const, slope_n, slope_d = (_of_terms(values, len(law.law.terms), pad) for values in parts)
    return const, slope_n, slope_d


def _of_terms(values: list[tuple[int, Array]], n: int, pad: tuple[int, ...]) -> Array:
    """Their sums for each of n terms."""
    found = np.zeros((n, *np.broadcast_shapes(pad, *(value.shape for _, value in values))))
    for term, value in values:
        found[term] += value
    return found
