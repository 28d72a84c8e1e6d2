"""Training and serving cost together: the model that reaches a loss at the lowest total, and where two configurations break even.

Sardana et al. 2024 (arXiv:2401.00448): min over N of train(6 N D) + serve(N) · tokens, with L(N, D) fixed. There both are
FLOPs (2 N a token served); with a `Server` they are GPU-hours. Tokens served are prompt and answer tokens together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..optimum import log_ratio_of, log_tokens_of_loss
from .algorithms import Price, expansions_of
from .roofline import Machine

SPAN = 4.5
"""ln N searched below the loss-optimal size: down to a ninetieth of it."""
_POINTS = 481
"""Sizes of a first grid; the best of them is then looked at closer, with `_ZOOM_POINTS` between its neighbours each time."""
_ZOOMS, _ZOOM_POINTS = 2, 15
_SIZES = (np.log(1e2), np.log(1e14))
"""Ends of ln N searched for the model of a loss that takes the fewest FLOPs."""


@dataclass(frozen=True)
class Lifetime:
    """Configurations that reach one loss, with their costs of training and serving; arrays of one shape.

    n_active in the law's count; tokens: training tokens; flops: training FLOPs; train: what training costs, serve: what a
    million served tokens cost, in the same unit; served: tokens served.
    """

    expansion: Array
    n_active: Array
    tokens: Array
    flops: Array
    train: Array
    serve: Array
    served: Array

    @property
    def total(self) -> Array:
        """Training and serving, in the unit of both."""
        with np.errstate(invalid="ignore"):
            return self.train + np.where(self.served > 0, self.serve * self.served / 1e6, 0.0)


def training_rate(machine: Machine, utilisation: float) -> float:
    """Returns GPU-hours a training FLOP at a share `utilisation` (MFU) of the GPU's dense bf16 peak."""
    if not 0 < utilisation <= 1:
        raise ValueError(f"The utilisation in training (MFU) is a share between 0 and 1; got {utilisation:g}.")
    return 1 / (machine.gpu.flops("bf16") * utilisation * 3600)


def inference_flops(u: Array, e: Array, g: Array) -> Array:
    """Returns 2 N_active FLOPs a token served, for a million of them: Sardana's price, with `train_rate=1`."""
    return np.broadcast_to(2e6 * np.exp(u), np.broadcast_shapes(np.shape(u), np.shape(e), np.shape(g)))


def lifetime_optimal(
    law: FittedLaw,
    loss: float,
    served: ArrayLike,
    expansions: ArrayLike,
    price: Price = inference_flops,
    train_rate: float = 1.0,
    granularity: float | None = None,
    fewest: Array | None = None,
) -> Lifetime:
    """Returns for every (E, tokens served) the size that reaches `loss` at the lowest total; shape `(n_expansions, n_served)`.

    train_rate: cost of a training FLOP; price: cost of a million tokens served (GPU-hours, or FLOPs as by default). A grid of
    sizes below the loss-optimal one, refined twice round its best point, in steps of 2e-4: prices have kinks. NaN where E cannot reach
    the loss. fewest: `fewest_flops` of these E, where it is known. Takes a single law, not an ensemble.
    """
    served = np.atleast_1d(np.asarray(served, dtype=float))
    e, g = expansions_of(law, expansions, granularity)
    top = fewest_flops(law, loss, expansions, granularity) if fewest is None else fewest
    e, g, top = e[:, None, None], g[:, None, None], top[:, None, None]
    tokens = served[None, :, None]

    training = _training(law, loss, e, g)

    def total(u: Array, steps: Array) -> Array:
        flops, _ = training(u)
        cost = train_rate * flops + price(u, e, g) * steps / 1e6
        return np.where(np.isfinite(cost), cost, np.inf)

    u = top + np.linspace(-SPAN, 0.5, _POINTS)
    width = (SPAN + 0.5) / (_POINTS - 1)
    costs = total(u, tokens)
    best = np.take_along_axis(np.broadcast_to(u, costs.shape), np.argmin(costs, axis=-1)[..., None], -1)
    for _ in range(_ZOOMS):
        u = best + np.linspace(-width, width, _ZOOM_POINTS)
        best = np.take_along_axis(u, np.argmin(total(u, tokens), axis=-1)[..., None], -1)
        width *= 2 / (_ZOOM_POINTS - 1)
    return _lifetime(law, best[..., 0], loss, e[..., 0], g[..., 0], price, train_rate, served)


def at_loss(
    law: FittedLaw,
    loss: float,
    n_active: ArrayLike,
    expansions: ArrayLike,
    price: Price = inference_flops,
    train_rate: float = 1.0,
    granularity: float | None = None,
) -> Lifetime:
    """Returns configurations of these sizes trained until they reach `loss`, nothing served yet; infinite where they never do."""
    u, e = np.broadcast_arrays(np.log(np.asarray(n_active, dtype=float)), np.asarray(expansions, dtype=float))
    g = np.full(e.shape, np.nan if granularity is None else granularity)
    return _lifetime(law, u, loss, e, g, price, train_rate, np.zeros(u.shape))


def break_even(train: ArrayLike, serve: ArrayLike) -> Array:
    """Returns tokens served from which configuration i (row) is cheaper in total than j (column); shape `(n, n)`.

    train: cost of training, serve: cost of a million tokens, both `(n,)`. 0 where i is cheaper from the start and stays so,
    infinite where it never is (or only below j's number: then row j, column i has it), NaN on the diagonal.
    """
    train, serve = np.asarray(train, dtype=float), np.asarray(serve, dtype=float)
    more, saved = train[:, None] - train[None, :], serve[None, :] - serve[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        tokens = np.where(saved > 0, np.maximum(more / saved * 1e6, 0.0), np.where((saved == 0) & (more < 0), 0.0, np.inf))
    np.fill_diagonal(tokens, np.nan)
    return tokens


def fewest_flops(law: FittedLaw, loss: float, expansions: ArrayLike, granularity: float | None) -> Array:
    """Returns ln N of the model of each E that reaches the loss with the fewest FLOPs, of the shape of E; NaN where none does.

    Along sizes these FLOPs have one minimum (they are convex in ln N where the loss is reached): a grid, refined round its best.
    """
    e, g = expansions_of(law, expansions, granularity)
    e, g = e[:, None], g[:, None]
    training = _training(law, loss, e, g)
    sizes = np.linspace(*_SIZES, 121)
    u, width = np.broadcast_to(sizes, (len(e), len(sizes))), sizes[1] - sizes[0]
    for _ in range(6):
        flops, _ = training(u)
        best = np.take_along_axis(u, np.argmin(flops, axis=-1)[:, None], axis=-1)
        u, width = best + np.linspace(-width, width, _ZOOM_POINTS), 2 * width / (_ZOOM_POINTS - 1)
    return np.where(np.isfinite(training(best)[0]), best, np.nan)[:, 0]


def _training(law: FittedLaw, loss: float, e: Array, g: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Returns (FLOPs, tokens) that bring models to the loss, as a function of u = ln N_active with as many axes as E."""
    log_tokens, log_loss, log_ratio = log_tokens_of_loss(law, e, g, e.ndim), np.log(loss), log_ratio_of(law, e, g)

    def flops_and_tokens(u: Array) -> tuple[Array, Array]:
        v = log_tokens(u, log_loss)
        with np.errstate(over="ignore"):
            return np.exp(law.flops_rule.log_per_token(u, log_ratio)[0] + v), np.exp(v)

    return flops_and_tokens


def _lifetime(
    law: FittedLaw, u: Array, loss: float, e: Array, g: Array, price: Price, train_rate: float, served: Array
) -> Lifetime:
    flops, tokens = _training(law, loss, e, g)(u)
    flops, tokens = (np.where(np.isnan(u), np.nan, a) for a in (flops, tokens))
    columns = (e, np.exp(u), tokens, flops, train_rate * flops, price(u, e, g), served)
    return Lifetime(*np.broadcast_arrays(*columns))
