"""Finds the best model under limits of serving: memory, price, latency, and the available training tokens.

At one E and G every limit of serving is one on size, and along a budget the loss has one minimum: so the constrained
optimum is the loss-optimal size, or the largest allowed, or the smallest that the tokens suffice for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..optimum import log_loss_at, log_tokens_of_budget
from .algorithms import SMALLEST, Server, optima
from .memory import kv_bytes, weight_bytes


@dataclass(frozen=True)
class ServingLimits:
    """The limits of serving; None means no limit.

    gpu_hours: of a million tokens (a `Workload.max_step` makes it a limit of latency too). memory_gb: for weights and the
    cache of one sequence of `context` tokens. tokens: training tokens at most.
    """

    gpu_hours: float | None = None
    memory_gb: float | None = None
    context: float = 16_384
    tokens: float | None = None


@dataclass(frozen=True)
class Constrained:
    """The best size of each E under the limits; arrays of the shape of E. NaN where no size is allowed.

    bound: what keeps the model from its loss-optimal size: "nothing", "serving price", "memory" or "tokens".
    """

    expansion: Array
    n_active: Array
    tokens: Array
    loss: Array
    optimal: Array
    bound: np.ndarray

    @property
    def best(self) -> int:
        """Returns the index of the lowest loss. Raises ValueError where no E has an allowed size."""
        return int(np.nanargmin(self.loss))


def best_under(
    law: FittedLaw, budget: float, expansions: ArrayLike, server: Server, limits: ServingLimits, granularity: float | None = None
) -> Constrained:
    """Returns for every E the model of lowest loss at a training budget that the limits allow; largest size by bisection.

    Takes a single law. Where the tokens end before the budget does, the model is grown until they suffice.
    """
    e, g, best_u, _ = optima(law, budget, expansions, granularity)
    log_c = np.log(budget)
    largest = {name: _largest(allowed, best_u) for name, allowed in _allowed(law, server, limits, e, g).items()}
    smallest = np.full(best_u.shape, -np.inf)
    most = np.log(np.inf if limits.tokens is None else limits.tokens)
    if limits.tokens is not None:
        too_many = _largest(lambda u: log_tokens_of_budget(law, u, log_c, e, g) >= most, best_u + 30.0)
        smallest = np.where(log_tokens_of_budget(law, best_u, log_c, e, g) > most, too_many, -np.inf)
    top = np.minimum.reduce([np.full(best_u.shape, np.inf), *largest.values()])
    u = np.minimum(np.maximum(best_u, smallest), top)
    v = np.minimum(log_tokens_of_budget(law, u, log_c, e, g), most)
    bound = np.full(best_u.shape, "nothing", dtype=object)
    bound[u > best_u] = "tokens"
    for name, limit in largest.items():
        bound[(limit == top) & (u == top)] = name
    loss = np.exp(log_loss_at(law, u, v, e, g))
    return Constrained(e, np.exp(u), np.exp(v), np.where(np.isnan(u), np.nan, loss), np.exp(best_u), bound)


def _allowed(law: FittedLaw, server: Server, limits: ServingLimits, e: Array, g: Array) -> dict:
    """Returns name of each limit -> whether sizes u = ln N_active keep it."""
    found = {}
    if limits.gpu_hours is not None:
        price, dearest = server.price(law), limits.gpu_hours
        found["serving price"] = lambda u: price(u, e, g) <= dearest
    if limits.memory_gb is not None:
        machine, room = server.machine, limits.memory_gb * 1e9

        def fits(u: Array) -> np.ndarray:
            model = server.footprint(law, np.exp(u), e, g)
            cache = kv_bytes(model, limits.context, 1, machine.value_bytes)
            return weight_bytes(model, machine.precision) + cache <= room

        found["memory"] = fits
    return found


def _largest(allowed, start: Array) -> Array:
    """Returns the largest u that is allowed, up to `start` + 10 (infinite there); NaN where not even the smallest is."""
    low, high = np.full(start.shape, SMALLEST), start + 10.0
    none, all_ = ~allowed(low), allowed(high)
    for _ in range(46):
        middle = 0.5 * (low + high)
        fine = allowed(middle)
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
    return np.where(none, np.nan, np.where(all_, np.inf, low))
