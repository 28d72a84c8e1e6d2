"""Finds the compute-optimal model: one convex problem in ln N_active, solved for all budgets, E, G and samples at once.

At fixed E and G, ln L is convex in u = ln N_active along a budget (FLOPs per token is a posynomial), so Newton's method in
a bracket is certain, and its optimum unique.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import without_embeddings
from ..errors import OptimumError
from ..laws import FittedLaw
from ..numerics.arrays import Array
from .balance import BRACKET, Balance, affine, blocks, first_guess, log_ratio_of

GRANULARITIES: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""The granularities searched when none is asked for."""
TOLERANCE = 2e-6
"""Newton's method stops at a step in ln N below this: it converges quadratically, so the errors left in ln N and ln L are about its square."""
FEW = 12
"""Newton steps after which the search checks whether there is an optimum at all; five or six are usual."""


@dataclass(frozen=True)
class Optimum:
    """The model with the lowest loss at a budget; floats, or arrays of the shape asked for (samples first).

    n_active, n_total: in the count that `count` names; where that count has embeddings, `n_active_nonembedding` and
    `n_total_nonembedding` are converted (NaN where the shape is unknown), else they are the same numbers. tokens:
    training tokens; flops: training FLOPs; loss: nats per token.
    """

    n_active: float
    n_total: float
    tokens: float
    granularity: float
    expansion: float
    flops: float
    loss: float
    n_active_nonembedding: float
    n_total_nonembedding: float
    count: str = "n_active"

    @property
    def tokens_per_parameter(self) -> float:
        """D / N_active, in the count that `count` names."""
        return self.tokens / self.n_active

    @property
    def n_experts(self) -> float:
        """E·G; G counts as 1 where the law has none."""
        return self.expansion * np.where(np.isnan(self.granularity), 1.0, self.granularity)  # type: ignore[return-value]

    def sample(self, i: int) -> Optimum:
        """Returns one sample of an ensemble's optimum."""
        return Optimum(**{name: value[i] if name != "count" else value for name, value in vars(self).items()})


def compute_optimal(
    law: FittedLaw, budget: ArrayLike, expansion: ArrayLike | None = None, granularity: ArrayLike | None = None
) -> Optimum:
    """Returns the compute-optimal model for each budget: argmin of L(N, D, G, E) subject to FLOPs(N, D, G, E) = budget.

    Krajewski et al. 2024, section 5.4 (arXiv:2402.07871). Without `granularity` the best power of two from 1 to 256 (or of
    `law.granularities`) is taken (NaN for a law without G).

    Args:
        budget: training FLOPs; expansion: E; granularity: G. They broadcast.
    Raises:
        OptimumError: the law has no D, does not hold at this E, has no G to choose, or has no interior optimum.
    """
    check_law(law, granularity)
    e = expansion_of(law, expansion)
    c = np.asarray(budget, dtype=float)
    if not np.all((c > 0) & np.isfinite(c)):
        raise OptimumError(f"The budget must be positive training FLOPs; got {budget}.")
    if "G" in law.law.variables and granularity is None:
        options = granularities_of(law)
        c_b, e_b = np.broadcast_arrays(c, e)
        u, log_loss = solve(law, np.log(c_b)[..., None], e_b[..., None], options)
        best = np.argmin(np.where(np.isnan(log_loss), np.inf, log_loss), axis=-1)
        pick = best[..., None]
        u, log_loss = (np.take_along_axis(a, pick, axis=-1)[..., 0] for a in (u, log_loss))
        g = options[best]
    else:
        g = np.asarray(np.nan if granularity is None else granularity, dtype=float)
        u, log_loss = solve(law, np.log(c), e, g)
    check_optimum(law, u)
    return _optimum(law, u, log_loss, c, e, g)


def check_optimum(law: FittedLaw, u: Array) -> None:
    """Raises OptimumError where none of these optima exists."""
    if np.all(np.isnan(u)):
        raise OptimumError(
            f"The {law.name} law has no compute-optimal size between 1e1 and 1e30 parameters at this budget: "
            "its loss does not trade size against tokens there."
        )


def best_loss(law: FittedLaw, budget: ArrayLike, expansion: ArrayLike | None = None) -> Array:
    """Returns the loss of the compute-optimal model at each budget, at the best granularity; samples first."""
    return np.asarray(compute_optimal(law, budget, expansion).loss)


def granularities_of(law: FittedLaw) -> Array:
    """Returns the granularities among which the best one is searched."""
    return np.array(law.granularities or GRANULARITIES, dtype=float)


def check_law(law: FittedLaw, granularity: ArrayLike | None) -> None:
    if "D" not in law.law.variables:
        raise OptimumError(f"The {law.name} law has no training tokens D, so it has no compute optimum; choose a law with D.")
    if granularity is not None and "G" not in law.law.variables:
        raise OptimumError(
            f"The {law.name} law has no granularity; leave granularity out or choose fine_grained or joint_granular."
        )
    if granularity is not None and not np.all(np.asarray(granularity, dtype=float) > 0):
        raise OptimumError(f"granularity must be positive; got {granularity}.")


def expansion_of(law: FittedLaw, expansion: ArrayLike | None) -> Array:
    """Returns E as asked, checked against the law's range; NaN where none is needed and none is known.

    A law without E that was fitted to runs of several still needs it where its N is the total size.
    """
    has_e = law.law.has_expansion
    if expansion is None:
        if has_e:
            raise OptimumError(f"The {law.name} law depends on the expansion rate: give expansion=.")
        if law.expansion is None and law.law.count == "n_total" and law.total_rule.kind == "share" and law.total_rule.value:
            raise OptimumError(
                f"The {law.name} law takes the total size, and its runs do not have one expansion rate that relates it to the "
                "active size: give expansion=."
            )
        return np.asarray(np.nan if law.expansion is None else law.expansion)
    e = np.asarray(expansion, dtype=float)
    if not np.all(e >= 1):
        raise OptimumError(f"The expansion rate is at least 1 (dense); got {expansion}.")
    if not has_e and law.expansion is not None and not np.allclose(e, law.expansion):
        raise OptimumError(
            f"The {law.name} law holds at E = {law.expansion:g} only; asked for E = {expansion}. "
            "Laws with E: joint, joint_granular, inference_optimal, sparsity."
        )
    return e


def log_total(law: FittedLaw, u: Array, e: Array) -> Array:
    rule = law.total_rule
    if rule.kind == "unknown":
        return np.full(np.broadcast_shapes(np.shape(u), np.shape(e)), np.nan)
    if rule.kind == "ludziejewski":
        return np.log(without_embeddings(np.exp(u), e)[2])
    r0, r1 = rule.affine(e)
    return r0 + r1 * u


def log_n(law: FittedLaw, u: Array, e: Array) -> Array:
    """Returns ln of the law's N at u = ln N_active."""
    return log_total(law, u, e) if law.law.count == "n_total" else u


def solve(law: FittedLaw, log_c: Array, e: Array, g: Array, batch_in_front: bool = False) -> tuple[Array, Array]:
    """Returns (u, ln L) at the optimum of every (ln C, E, G), samples first; NaN where there is no interior optimum.

    `batch_in_front`: log_c has the samples as its first axis already.
    """
    shape = np.broadcast_shapes(np.shape(log_c), np.shape(e), np.shape(g))
    ndim = len(shape) - (1 if batch_in_front else 0)
    lead = law.theta.shape[:-1]
    full = shape if batch_in_front else lead + shape
    if law.law.count == "n_total" and law.total_rule.kind == "unknown":
        raise OptimumError(
            f"The {law.name} law takes the total size, FLOPs need the active one, and the data do not relate them: "
            "add n_active, or expansion, to the runs."
        )
    log_c = np.asarray(log_c, dtype=float)
    guess = first_guess(log_c)
    if law.n_samples is None:
        return _newton(Balance(law, e, g, ndim), log_c, np.broadcast_to(guess, full))
    if not batch_in_front:  # the samples of a law lie close together
        one = _newton(Balance(law.part(slice(1)), e, g, ndim), log_c, np.broadcast_to(guess, (1, *shape)))[0]
        guess = np.where(np.isnan(one), guess, one)
    guess, found = np.broadcast_to(guess, full), []
    for rows in blocks(law, full):
        balance = Balance(law.part(rows), e, g, ndim)
        found.append(_newton(balance, log_c[rows] if batch_in_front else log_c, guess[rows]))
    u, log_loss = (np.concatenate(a) for a in zip(*found, strict=True))
    return u, log_loss


def _newton(balance: Balance, log_c: Array, guess: Array) -> tuple[Array, Array]:
    """Returns (u, ln L) at the minimum of the loss over size; NaN where no size searched is one. guess: u to begin with."""
    u, shape = guess, guess.shape
    lo, hi = np.full(shape, BRACKET[0]), np.full(shape, BRACKET[1])
    inside = np.ones(shape, dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        for step in range(80):
            if step == FEW:  # what is not found by now may not be there
                inside = (balance(np.full(shape, BRACKET[0]), log_c)[1] < 0) & (balance(np.full(shape, BRACKET[1]), log_c)[1] > 0)
            log_loss, log_balance, slope = balance(u, log_c)
            lo, hi = np.where(log_balance < 0, u, lo), np.where(log_balance < 0, hi, u)
            newton = u - log_balance / slope
            found = np.abs(newton - u) <= TOLERANCE
            often = step < FEW or step % 2 == 0  # from there on every other step halves, or it may go to and fro for ever
            quick = (newton >= lo) & (newton <= hi) & (found | often)
            u = np.where(quick, newton, 0.5 * (lo + hi))
            if np.all(found | ~inside):
                break
    return np.where(inside, u, np.nan), np.where(inside, log_loss, np.nan)


def size_growth(law: FittedLaw, u: Array, log_c: Array, e: Array, g: Array) -> tuple[Array, Array]:
    """Returns (d ln N_opt / d ln C, d ln D_opt / d ln C) at the optima u = ln N_active of `solve`, E and G held; samples first.

    The optimum stays where rise and fall balance: u moves with ln C by minus the ratio of the balance's slopes.
    """
    slopes = Balance(law, e, g, np.ndim(u) - law.theta.ndim + 1).slopes(u, np.asarray(log_c, dtype=float))
    n = -slopes.log_balance_c / slopes.log_balance_u
    return n, 1 - law.flops_rule.log_per_token(u, log_ratio_of(law, e, g))[1] * n


def log_loss_at(law: FittedLaw, u: Array, v: Array, e: Array, g: Array) -> Array:
    """Returns ln L at u = ln N_active and v = ln D, both with the law's samples (if any) as their first axis."""
    const, slope_n, slope_d = affine(law, e, g, np.ndim(u) - law.theta.ndim + 1)
    with np.errstate(invalid="ignore"):  # NaN in, NaN out
        z = const + slope_n * log_n(law, u, e) + slope_d * v
        top = z.max(axis=0)
        return top + np.log(np.exp(z - top).sum(axis=0))


def log_tokens_of_budget(law: FittedLaw, u: Array, log_c: ArrayLike, e: Array, g: Array) -> Array:
    """Returns v = ln D that uses up the budget at u = ln N_active."""
    return np.asarray(log_c, dtype=float) - law.flops_rule.log_per_token(u, log_ratio_of(law, e, g))[0]


def log_tokens_of_loss(law: FittedLaw, e: Array, g: Array, ndim: int) -> Callable[[Array, ArrayLike], Array]:
    """Returns the function of (u, ln L) that gives v = ln D at which that loss is reached; infinite where it never is.

    Samples first; ndim: axes of u beside theirs. Closed form: one term holds D, what the others leave of the loss is its.
    Raises OptimumError for a law with more.
    """
    with_d = {entry.term for entry in law.law.entries if "D" in entry.variables}
    if len(with_d) != 1:
        raise OptimumError(f"The {law.name} law has D in {len(with_d)} terms; the tokens for a loss need exactly one.")
    (term,) = with_d
    const, slope_n, slope_d = affine(law, e, g, ndim)

    def log_tokens(u: Array, log_loss: ArrayLike) -> Array:
        z = const + slope_n * log_n(law, u, e)
        others = np.logaddexp.reduce(np.delete(z, term, axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.log(np.exp(np.asarray(log_loss, dtype=float)) - np.exp(others))
            found = (left - z[term]) / slope_d[term]
        return np.where(np.isfinite(left), found, np.inf)

    return log_tokens


def _optimum(law: FittedLaw, u: Array, log_loss: Array, c: Array, e: Array, g: Array) -> Optimum:
    log_ratio = log_ratio_of(law, e, g)
    log_f, _, _ = law.flops_rule.log_per_token(u, log_ratio)
    n_active, n_total = np.exp(u), np.exp(log_total(law, u, e))
    bare_active, bare_total = n_active, n_total
    if law.count == "n_active_with_embeddings":
        bare_active, bare_total, _ = without_embeddings(n_active, e)
    elif law.count == "n_total_with_embeddings":
        bare_active = bare_total = np.full(np.shape(u), np.nan)
    shape = np.shape(u)
    values = {
        "n_active": n_active,
        "n_total": n_total,
        "tokens": np.exp(np.log(c) - log_f),
        "granularity": np.broadcast_to(g, shape),
        "expansion": np.broadcast_to(e, shape),
        "flops": np.broadcast_to(c, shape),
        "loss": np.exp(log_loss),
        "n_active_nonembedding": bare_active,
        "n_total_nonembedding": bare_total,
    }
    scalar = not shape
    return Optimum(**{f.name: float(values[f.name]) if scalar else values[f.name] for f in fields(Optimum)[:-1]}, count=law.count)
