"""The tables behind the charts: a law along budgets, sizes, granularities and expansions, with intervals.

Columns ending in _low and _high bound the central `level` of the ensemble; without one they are missing. `inside` says
whether the row lies within the law's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..laws import Ensemble, FittedLaw
from ..numerics.percentiles import intervals
from .allocation import Optimum, check_optimum, compute_optimal, granularities_of
from .extrapolation import inside, within
from .frontier import isoflop_columns, isoflop_losses, router_share
from .gap import dense_point, efficiency_gap

LEVEL = 0.95


def optimal_path(
    law: FittedLaw,
    budgets: ArrayLike,
    expansion: float | None = None,
    granularity: float | None = None,
    samples: Ensemble | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Returns the compute-optimal model along budgets: flops, n_active, n_total, tokens, granularity, loss, intervals, inside."""
    opt, many = _optima(law, samples, np.asarray(budgets, dtype=float), expansion, granularity)
    frame = _frame(opt) | {"inside": inside(law, opt)}
    if many is not None:
        columns = ["tokens_per_parameter", *(["granularity"] if "G" in law.law.variables else []), "n_active", "tokens", "loss"]
        frame |= intervals({c: np.asarray(getattr(many, c))[1:] for c in columns}, level)
    return pd.DataFrame(frame)


def isoflop_curves(
    law: FittedLaw,
    budgets: Iterable[float],
    expansion: float | None = None,
    granularity: float | None = None,
    samples: Ensemble | None = None,
    span: float = 1.0,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Returns `frontier.isoflop` for several budgets, with the interval of the loss at every size."""
    columns = isoflop_columns(law, np.asarray(list(budgets), dtype=float), expansion, granularity, span, n_points=61)
    known = {q: columns[q] for q in ("flops", "n_active", "granularity")}
    good = within(law, expansion=np.nan if expansion is None else expansion, **known)
    columns["inside"] = np.broadcast_to(good, len(columns["flops"]))
    if samples is not None:
        g = columns["granularity"] if "G" in law.law.variables else None
        _, losses = isoflop_losses(samples.law, columns["flops"], columns["n_active"], expansion, g)
        columns |= intervals({"loss": losses}, level)
    return pd.DataFrame(columns)


def granularity_curves(
    law: FittedLaw,
    budgets: ArrayLike,
    expansion: float | None = None,
    samples: Ensemble | None = None,
    granularities: ArrayLike | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Returns the optimum at every (budget, G): loss with interval, excess over the budget's best G, the router's share."""
    budgets = np.atleast_1d(np.asarray(budgets, dtype=float))
    options = granularities_of(law) if granularities is None else np.asarray(granularities, dtype=float)
    opt, all_of = _optima(law, samples, budgets[:, None], expansion, options[None, :])
    loss = np.asarray(opt.loss)
    best = _least(loss)
    frame = {k: np.broadcast_to(v, loss.shape).ravel() for k, v in _frame(opt).items()}
    frame["best"] = (loss == best).ravel()
    frame["excess"] = (loss - best).ravel()
    frame["router_share"] = router_share(law, np.asarray(opt.n_active), opt.expansion, options[None, :]).ravel()
    frame["inside"] = inside(law, opt).ravel()
    if all_of is not None:
        many = np.asarray(all_of.loss)[1:]
        bounds = intervals({"loss": many, "excess": many - _least(many)}, level)
        frame |= {name: bound.ravel() for name, bound in bounds.items()}
    return pd.DataFrame(frame)


def gap_curves(
    pairs: Mapping[float, tuple[FittedLaw, FittedLaw]],
    budgets: ArrayLike,
    samples: Mapping[float, tuple[Ensemble, Ensemble]] | None = None,
    granularity: float | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Returns dense over MoE FLOPs at equal loss, for each E -> (MoE law, dense law): expansion, flops, loss_moe, loss_dense, gap."""
    budgets = np.asarray(budgets, dtype=float)
    blocks = []
    for e, (moe, dense) in pairs.items():
        g = granularity if "G" in moe.law.variables else None
        opt = compute_optimal(moe, budgets, e, g)
        frame = {"expansion": np.full(len(budgets), e), "flops": budgets, "loss_moe": opt.loss, "granularity": opt.granularity}
        frame["loss_dense"] = compute_optimal(dense, budgets, *dense_point(dense)).loss
        frame["gap"] = efficiency_gap(moe, dense, budgets, e, g)
        frame["inside"] = inside(moe, opt)
        if samples is not None and e in samples:
            many_moe, many_dense = samples[e]
            gaps = np.asarray(efficiency_gap(many_moe.law, many_dense.law, budgets, e, g))
            frame |= intervals({"gap": gaps}, level)
        blocks.append(pd.DataFrame(frame))
    return pd.concat(blocks, ignore_index=True)


def _optima(law: FittedLaw, samples: Ensemble | None, *question: ArrayLike | None) -> tuple[Optimum, Optimum | None]:
    """Returns the law's optimum, and that of law and samples (the law first) computed together; None without samples.

    The law is the point that the samples vary around.
    """
    if samples is None:
        return compute_optimal(law, *question), None  # type: ignore[arg-type]
    many = compute_optimal(samples.with_point, *question)  # type: ignore[arg-type]
    opt = many.sample(0)
    check_optimum(law, np.asarray(opt.n_active))
    return opt, many


def _least(loss: np.ndarray) -> np.ndarray:
    """Returns the lowest loss along the last axis, among granularities that have an optimum; infinite where none has."""
    return np.where(np.isnan(loss), np.inf, loss).min(axis=-1, keepdims=True)


def _frame(opt: Optimum) -> dict:
    columns = ("flops", "expansion", "granularity", "n_active", "n_total", "tokens", "loss")
    return {c: np.asarray(getattr(opt, c)) for c in columns}


def stacked(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Returns several tables below each other, with the name of each in the column `law`."""
    return pd.concat([frame.assign(law=name) for name, frame in frames.items()], ignore_index=True)
