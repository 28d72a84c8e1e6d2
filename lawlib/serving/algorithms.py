"""Serving-aware sizes of Yun 2024 (arXiv:2404.02852, section 5): equal loss at the lowest cost, equal cost at the lowest loss.

All at one training budget B, which every model uses up: a smaller one than the loss-optimal sees more tokens and is cheaper
to serve. Everything takes the law's samples as a first axis where it is an ensemble.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..architecture import LUDZIEJEWSKI_VOCABULARY
from ..errors import OptimumError
from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..numerics.roots import root
from ..optimum import Balance, check_law, check_optimum, expansion_of, log_budget_of, log_loss_at, log_tokens_of_budget, solve
from .cost import COUNTS, Service, Workload, cheapest, least_gpu_hours
from .memory import Footprint
from .roofline import Machine
from .sizes import QUERIES_PER_KEY, law_footprint

EXPANSIONS = (1, 2, 4, 8, 16, 32, 64)
"""The expert counts (by E) that are compared."""
SMALLEST = np.log(1e2)
"""ln of the smallest N_active searched."""
NEAR = 1e-3
"""ln N below a loss-optimal size at which the curvature there is taken."""
STEPS = 40
"""Steps of Newton's method for a smaller size; five are usual."""
OFF = 1e-7
"""Relative tolerance of the loss: models further off do not count as having it."""
GRID = 129
"""Sizes between which models of one price are looked for."""
Price = Callable[[Array, Array, Array], Array]
"""(u = ln N_active, E, G) -> serving cost; it must rise with u."""


@dataclass(frozen=True)
class Server:
    """Where and for whom models are served: machine, requests, numbers of GPUs to try, query heads a key head.

    vocabulary: rows of each of the two embedding matrices, which memory and prices count.
    """

    machine: Machine
    work: Workload = Workload()  # noqa: RUF009
    counts: tuple[int, ...] = COUNTS
    queries_per_key: float = QUERIES_PER_KEY
    vocabulary: int = LUDZIEJEWSKI_VOCABULARY

    def footprint(self, law: FittedLaw, n_active: ArrayLike, expansion: ArrayLike, granularity: ArrayLike = np.nan) -> Footprint:
        """Returns the memory footprint of models of these sizes (in the law's count)."""
        return law_footprint(law, n_active, expansion, granularity, self.queries_per_key, self.vocabulary)

    def service(self, law: FittedLaw, n_active: ArrayLike, expansion: ArrayLike, granularity: ArrayLike = np.nan) -> Service:
        """Returns how models of these sizes (in the law's count) are served, at the cheapest number of GPUs."""
        model = self.footprint(law, n_active, expansion, granularity)
        return cheapest(model, self.machine, self.work, self.counts)

    def price(self, law: FittedLaw) -> Price:
        """Returns GPU-hours a million tokens as a function of (ln N_active, E, G)."""

        def hours(u: Array, e: Array, g: Array) -> Array:
            model = self.footprint(law, np.exp(u), e, g)
            return least_gpu_hours(model, self.machine, self.work, self.counts)

        return hours


class Optimal(NamedTuple):
    """The loss-optimal models of several E at a budget: E, G, u = ln N_active and ln L, shape `(n_expansions,)`, samples first."""

    expansion: Array
    granularity: Array
    u: Array
    log_loss: Array

    def of(self, expansions: ArrayLike) -> Optimal:
        """Returns the optima of some of the E, in their order."""
        wanted = np.atleast_1d(np.asarray(expansions, dtype=float))
        same = wanted[:, None] == self.expansion
        if not same.any(axis=1).all():
            raise ValueError(f"Known are E = {self.expansion}; asked for {wanted}.")
        at = same.argmax(axis=1)
        return Optimal(*(a[..., at] for a in self))

    @property
    def point(self) -> Optimal:
        """Sample 0 alone, of `Ensemble.with_point`."""
        return self._replace(u=self.u[0], log_loss=self.log_loss[0])


@dataclass(frozen=True)
class SizedModel:
    """Models at one budget; arrays of the shape of E, samples first. NaN where there is none that meets the demand.

    n_active in the law's count; optimal: that of the loss-optimal model of this E; gap: relative error of the equality that
    the algorithm demands. reference_n_active, reference_loss: the reference E's loss-optimal model, one number or one a sample.
    """

    expansion: Array
    n_active: Array
    tokens: Array
    loss: Array
    optimal: Array
    gap: Array
    reference_n_active: Array = field(default_factory=lambda: np.asarray(np.nan))
    reference_loss: Array = field(default_factory=lambda: np.asarray(np.nan))

    @property
    def shrink(self) -> Array:
        """Size as a share of the loss-optimal one."""
        return self.n_active / self.optimal


def bounded_loss(
    law: FittedLaw,
    budget: float,
    expansions: ArrayLike,
    reference: float,
    granularity: float | None = None,
    optimal: Optimal | None = None,
) -> SizedModel:
    """Algorithm 1: returns for each E the smallest model that at the budget has the loss of the reference E's optimum.

    A root in ln N between 100 parameters and the optimum of each E, where the loss falls with size. NaN where there is none: where
    even the optimum of that E is worse, or 100 parameters are better. optimal: `optima` of these E and the reference, where they are known.
    """
    e, g, best_u, best_loss, known = _optima(law, budget, expansions, reference, granularity, optimal)
    log_c = np.asarray(np.log(budget))
    target = np.log(known["reference_loss"])[..., None]
    same, never, balance = np.abs(best_loss - target) <= 1e-12, best_loss > target, Balance(law, e, g, e.ndim)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = _smaller(balance, log_c, np.where(same | never, np.nan, target), best_u, best_loss)
        u = np.where(same, best_u, below)
        gap = np.expm1(balance.along(u, log_c)[0] - target)
        u, gap = (np.where(np.abs(gap) <= OFF, values, np.nan) for values in (u, gap))
    return replace(_sized(law, u, best_u, log_c, e, g, gap), **known)


def _smaller(balance: Balance, log_c: Array, log_loss: Array, best_u: Array, best_loss: Array) -> Array:
    """Returns u = ln N below the optimum `best_u` at which the budget's ln L is `log_loss`; NaN where there is none.

    Newton's method: ln L is convex in u, so from below the root no step goes too far. It begins where a parabola would have the root.
    """
    curvature = balance.along(best_u - NEAR, log_c)[1] / -NEAR
    u = best_u - np.sqrt(2 * (log_loss - best_loss) / curvature)
    for _ in range(STEPS):
        at, slope = balance.along(u, log_c)
        step = (log_loss - at) / slope
        u = np.clip(u + step, SMALLEST, best_u)
        if not np.any(np.abs(step) > 1e-9):
            break
    return u


def bounded_cost(
    law: FittedLaw,
    budget: float,
    expansions: ArrayLike,
    reference: float,
    price: Price,
    granularity: float | None = None,
    optimal: Optimal | None = None,
) -> SizedModel:
    """Algorithm 2: returns for each E the model that costs as much to serve as the reference E's optimum, all budget to data.

    A root in ln N from 100 parameters up to ten times the reference's size: larger ones cost more. D = B / (FLOPs per
    token). NaN where no size costs as much. optimal: `optima` of these E and the reference, where they are known.
    """
    e, g, best_u, _, known = _optima(law, budget, expansions, reference, granularity, optimal)
    reference_u = np.log(known["reference_n_active"])[..., None]
    target = price(reference_u, np.asarray([reference], dtype=float), g[:1])

    def excess(u: Array) -> Array:
        return np.log(price(u, e, g) / target)

    # A price is the same function for every sample: one grid of it says between which sizes each root lies.
    most = reference_u + np.log(10.0)
    grid = np.linspace(SMALLEST, np.nanmax(most, initial=SMALLEST + 1.0), GRID)
    prices = price(grid, e[:, None], g[:, None])
    cheaper = np.sum(prices < target[..., None], axis=-1)
    inside = np.clip(cheaper, 1, GRID - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (np.log(prices[np.arange(len(e)), at] / target) for at in (inside - 1, inside))
        u = root(excess, grid[inside - 1], grid[inside], (low, high))
        gap = np.expm1(excess(u))
    never = (cheaper != inside) | ~np.isfinite(target) | ~(u < most)
    u, gap = np.where(never, np.nan, u), np.where(never, np.nan, gap)
    return replace(_sized(law, u, best_u, np.log(budget), e, g, gap), **known)


def equal_loss_budget(law: FittedLaw, loss: ArrayLike, expansions: ArrayLike, granularity: float | None = None) -> Array:
    """Returns training FLOPs at which each E's loss-optimal model has this loss, between 1e10 and 1e40.

    `loss`: one number, or one a sample. Shape `(n_expansions,)`, samples first; infinite where E never gets there, NaN where the loss
    is NaN or there is no optimum.
    """
    e, g = expansions_of(law, expansions, granularity)
    target = np.log(np.asarray(loss, dtype=float))[..., None]
    target = np.broadcast_to(target, law.theta.shape[:-1] + e.shape)
    return np.exp(log_budget_of(law, target, e, g, np.log(1e10), np.log(1e40)))


def over_training(
    law: FittedLaw,
    budget: float,
    shares: ArrayLike,
    expansions: ArrayLike,
    granularity: float | None = None,
    optimal: Optimal | None = None,
) -> SizedModel:
    """Returns models of these shares of each E's optimal size at one budget; shape `(n_expansions, n_shares)`, samples first.

    optimal: `optima` of these E, where they are known.
    """
    e, g, best_u, _ = optima(law, budget, expansions, granularity) if optimal is None else optimal.of(expansions)
    e, g, best_u = e[:, None], g[:, None], best_u[..., None]
    u = best_u + np.log(np.asarray(shares, dtype=float))
    best_u, log_c = np.broadcast_to(best_u, u.shape), np.log(budget)
    grid = u.shape[-2:]
    return _sized(law, u, best_u, log_c, np.broadcast_to(e, grid), np.broadcast_to(g, grid), np.zeros(u.shape))


def optima(law: FittedLaw, budget: ArrayLike, expansions: ArrayLike, granularity: float | None) -> Optimal:
    """Returns the loss-optimal model of each E; budgets: one, or one an E."""
    e, g = expansions_of(law, expansions, granularity)
    u, log_loss = solve(law, np.log(np.asarray(budget, dtype=float)), e, g)
    return Optimal(e, g, u, log_loss)


def expansions_of(law: FittedLaw, expansions: ArrayLike, granularity: float | None) -> tuple[Array, Array]:
    """Returns (E, G) as arrays of one shape, checked against the law's range; G is NaN for a law without it."""
    check_law(law, granularity)
    e = expansion_of(law, np.atleast_1d(np.asarray(expansions, dtype=float)))
    if "G" in law.law.variables and granularity is None:
        raise OptimumError("Give a granularity: the sizes compared here are at one G.")
    return e, np.full(e.shape, np.nan if granularity is None else granularity)


def _optima(
    law: FittedLaw,
    budget: float,
    expansions: ArrayLike,
    reference: float,
    granularity: float | None,
    optimal: Optimal | None,
):
    """Returns `optima` of these E, and size and loss of the reference E's, as `SizedModel` has them."""
    wanted = [*np.atleast_1d(np.asarray(expansions, dtype=float)), reference]
    e, g, u, log_loss = optima(law, budget, wanted, granularity) if optimal is None else optimal.of(wanted)
    check_optimum(law, u[..., -1])
    known = {"reference_n_active": np.exp(u[..., -1]), "reference_loss": np.exp(log_loss[..., -1])}
    return e[:-1], g[:-1], u[..., :-1], log_loss[..., :-1], known


def _sized(law: FittedLaw, u: Array, best_u: Array, log_c, e: Array, g: Array, gap: Array) -> SizedModel:
    v = log_tokens_of_budget(law, u, log_c, e, g)
    loss = np.exp(log_loss_at(law, u, v, e, g))
    return SizedModel(np.broadcast_to(e, u.shape), np.exp(u), np.exp(v), loss, np.exp(best_u), gap)
