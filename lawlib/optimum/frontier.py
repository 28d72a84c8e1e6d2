"""Computes iso-FLOP curves, the granularity frontier, and the budgets at which the best G changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import OptimumError
from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..numerics.roots import root
from .allocation import GRANULARITIES, compute_optimal, expansion_of, granularities_of, log_n, log_total, size_growth
from .balance import log_ratio_of
from .equal_loss import log_budget_of


def granularity_frontier(
    law: FittedLaw, budgets: ArrayLike, expansion: float | None = None, granularities: ArrayLike = GRANULARITIES
) -> pd.DataFrame:
    """Returns the optimum at every (budget, G): columns flops, granularity, n_active, n_total, tokens, loss, best.

    `best` marks the G of lowest loss at its budget. A row for each pair, budgets outer. Raises as `compute_optimal`, and
    OptimumError for a law without granularity.
    """
    if "G" not in law.law.variables:
        raise OptimumError(f"The {law.name} law has no granularity; fine_grained and joint_granular have.")
    budgets, options = np.atleast_1d(np.asarray(budgets, dtype=float)), np.asarray(granularities, dtype=float)
    opt = compute_optimal(law, budgets[:, None], expansion, options[None, :])
    loss = np.asarray(opt.loss)
    frame = {
        "flops": np.broadcast_to(budgets[:, None], loss.shape),
        "granularity": np.broadcast_to(options, loss.shape),
        "n_active": opt.n_active,
        "n_total": opt.n_total,
        "tokens": opt.tokens,
        "loss": loss,
        "best": loss == loss.min(axis=1, keepdims=True),
        "router_share": router_share(law, np.asarray(opt.n_active), opt.expansion, options[None, :]),
    }
    return pd.DataFrame({k: np.broadcast_to(v, loss.shape).ravel() for k, v in frame.items()})


def switching_budgets(law: FittedLaw, expansion: float | None = None, low: float = 1e14, high: float = 1e30) -> pd.DataFrame:
    """Returns the budgets at which the best power-of-two G doubles: columns granularity (the new one), flops, to 1e-8.

    The loss at G and at 2 G cross once, found for all G at once. Pairs that do not cross in [low, high] are left out.
    """
    options = granularities_of(law)
    pairs = np.stack([options[:-1], options[1:]])
    ends = np.log(low), np.log(high)

    def finer_loses(log_c: ArrayLike, pairs: Array) -> Array:
        coarse, fine = np.log(compute_optimal(law, np.exp(log_c), expansion, pairs).loss)
        return np.where(np.isnan(fine - coarse), 1.0, fine - coarse)

    at_ends = np.stack([finer_loses(end, pairs) for end in ends])
    crosses = (at_ends[0] >= 0) & (at_ends[1] < 0)
    pairs, at_ends = pairs[:, crosses], at_ends[:, crosses]
    found = pairs[1]
    if crosses.any():
        low_c, high_c = (np.full(pairs.shape[1], end) for end in ends)
        found = np.exp(root(lambda log_c: finer_loses(log_c, pairs), low_c, high_c, (at_ends[0], at_ends[1])))
    return pd.DataFrame({"granularity": pairs[1], "flops": found})


def router_share(law: FittedLaw, n_active: Array, expansion: ArrayLike, granularity: ArrayLike) -> Array:
    """Returns the router's part of training FLOPs under the law's FLOPs rule (zero for rules that have no router)."""
    if not law.flops_rule.has_router:
        return np.zeros(np.broadcast_shapes(np.shape(n_active), np.shape(granularity)))
    weights = law.flops_rule.flops(n_active, 1.0)
    return 1 - weights / law.flops_rule.flops(n_active, 1.0, expansion, granularity)


def isoflop(
    law: FittedLaw,
    budget: ArrayLike,
    expansion: float | None = None,
    granularity: float | None = None,
    span: float = 1.5,
    n_points: int = 121,
) -> pd.DataFrame:
    """Returns the loss against size at fixed FLOPs: columns flops, n_active, n_total, tokens, loss, optimal; a block a budget.

    Sizes run `span` decades to both sides of the optimum, which is the row marked `optimal`. Granularity is the best one
    of the budget unless given. For an ensemble use `isoflop_losses`.
    """
    return pd.DataFrame(isoflop_columns(law, budget, expansion, granularity, span, n_points))


def isoflop_columns(
    law: FittedLaw, budget: ArrayLike, expansion: float | None, granularity: float | None, span: float, n_points: int
) -> dict[str, Array]:
    """Returns the columns of `isoflop` as arrays, to which others are added before a frame is made of them."""
    budgets = np.atleast_1d(np.asarray(budget, dtype=float))
    opt = compute_optimal(law, budgets, expansion, granularity)
    center = np.log(np.asarray(opt.n_active, dtype=float)).reshape(-1, 1)
    u = center + np.linspace(-span, span, n_points) * np.log(10)
    g = np.reshape(opt.granularity, (-1, 1))
    tokens, loss = isoflop_losses(law, budgets[:, None], np.exp(u), expansion, g)
    e = expansion_of(law, expansion)
    total = np.exp(log_total(law, u, e))
    middle = np.zeros(u.shape, dtype=bool)
    middle[:, n_points // 2] = True
    columns = {"flops": budgets[:, None], "n_active": np.exp(u), "n_total": total, "tokens": tokens, "loss": loss}
    columns |= {"granularity": g, "optimal": middle}
    return {k: np.broadcast_to(v, u.shape).ravel() for k, v in columns.items()}


def isoflop_losses(
    law: FittedLaw,
    budget: ArrayLike,
    n_active: ArrayLike,
    expansion: ArrayLike | None = None,
    granularity: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Returns (tokens, loss) of models of these active sizes that use up the budget; arguments broadcast, samples first in loss."""
    e = expansion_of(law, expansion)
    g = np.asarray(np.nan if granularity is None else granularity, dtype=float)
    u = np.log(np.asarray(n_active, dtype=float))
    log_f, _, _ = law.flops_rule.log_per_token(u, log_ratio_of(law, e, g))
    tokens = np.exp(np.log(np.asarray(budget, dtype=float)) - log_f)
    return tokens, law.loss(np.exp(log_n(law, u, e)), tokens, g, e)


def allocation_exponents(
    law: FittedLaw, budget: ArrayLike, expansion: float | None = None, granularity: float | None = None
) -> tuple[Array, Array]:
    """Returns (d ln N_opt / d ln C, d ln D_opt / d ln C) at a budget and fixed G (by default the best one); samples first.

    The derivative itself (`optimum.size_growth`). They add up to one only where FLOPs are 6 N D.
    """
    if granularity is None and "G" in law.law.variables:
        granularity = float(np.median(np.asarray(compute_optimal(law, budget, expansion).granularity)))
    best = compute_optimal(law, budget, expansion, granularity)
    g = np.asarray(np.nan if granularity is None else granularity, dtype=float)
    return size_growth(law, np.log(best.n_active), np.log(np.asarray(budget, dtype=float)), expansion_of(law, expansion), g)


def granularity_gain(law: FittedLaw, budget: float, expansion: float | None = None, coarse: float = 1.0) -> float | Array:
    """Returns how many times the budget experts of granularity `coarse` need for the loss of the best granularity.

    Infinite where the coarse ones need over a million times the compute. Shape: samples first.
    """
    target = np.log(np.asarray(compute_optimal(law, budget, expansion).loss))
    e, g, low = expansion_of(law, expansion), np.asarray(coarse, dtype=float), np.log(budget)
    gain = np.exp(log_budget_of(law, target, e, g, low, low + np.log(1e6), start=low + np.log(1.2))) / budget
    return float(gain) if gain.ndim == 0 else gain
