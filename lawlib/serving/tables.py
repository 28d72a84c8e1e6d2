"""The numbers behind the Serving page, as frames. Costs are GPU-hours a million served tokens, prompt and answer together.

Columns ending in _low and _high bound the central 95 % of the ensemble; without one they are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..architecture import Array
from ..ensemble import Ensemble
from ..extrapolation import within
from ..laws import FittedLaw
from ..optimum import compute_optimal, log_tokens_of_budget
from ..percentiles import intervals
from .algorithms import EXPANSIONS, Price, Server, Sized, bounded_cost, bounded_loss, optima, over_training
from .lifetime import Lifetime, at_loss, fewest_flops, lifetime_optimal, training_rate
from .sizes import law_footprint

LEVEL = 0.95
SHARES = np.geomspace(0.03, 2.0, 57)
"""Sizes of the over-training curve, as shares of the loss-optimal one."""
MOST_FLOPS = 30
"""Curves of equal loss end where a small model would take so many times the fewest FLOPs."""
SERVED = np.geomspace(1e8, 1e15, 43)
"""Tokens served along the lifetime chart."""


@dataclass(frozen=True)
class Question:
    """What the page asks: a law, where it is served, a training budget, E, the reference E, and G where the law has one."""

    law: FittedLaw
    server: Server
    budget: float
    expansion: float
    reference: float = 1.0
    granularity: float | None = None
    utilisation: float = 0.4

    @property
    def expansions(self) -> Array:
        """The E that are compared: powers of two up to 64, the chosen one and the reference."""
        return np.array(sorted({*map(float, EXPANSIONS), self.expansion, self.reference}))


def optima_table(q: Question, samples: Ensemble | None = None, expansions: ArrayLike | None = None) -> pd.DataFrame:
    """The loss-optimal model of each E at the budget and what it costs to serve: a row an E, by default of the question's."""
    return _bounded(_optimal, q, samples, expansions, ("n_active", "loss", "gpu_hours"))


def algorithm_table(q: Question, kind: str, samples: Ensemble | None = None, expansions: ArrayLike | None = None) -> pd.DataFrame:
    """Yun 2024's algorithms at the budget against the reference E's loss-optimal model, a row an E, by default of the question's.

    kind: "equal loss" (Algorithm 1) or "equal cost" (Algorithm 2). shrink: size over the loss-optimal one of that E.
    cost_ratio: serving cost over the reference's; gain: nats below the reference's loss.
    """
    bounded = ("n_active", "loss", "gpu_hours", "shrink", "cost_ratio", "gain")
    return _bounded(partial(_sized, kind=kind), q, samples, expansions, bounded)


def size_curves(q: Question, samples: Ensemble | None = None) -> pd.DataFrame:
    """Loss and serving cost against size at the budget, for every E (the chosen one with intervals): a row an (E, share).

    better: whether the loss is below the reference's optimum, cheaper: whether serving costs less than it does.
    """
    target = compute_optimal(q.law, q.budget, q.reference, q.granularity)
    cost = q.server.service(q.law, target.n_active, q.reference, _g(q)).gpu_hours
    found = {name: np.ravel(values) for name, values in _along(q).items()}
    if samples is not None:
        chosen = found["expansion"] == q.expansion
        many = over_training(samples.law, q.budget, SHARES, [q.expansion], q.granularity)
        hours = q.server.price(q.law)(np.log(many.n_active), np.asarray(q.expansion), np.asarray(_g(q)))
        for column, values in intervals({"loss": many.loss[:, 0], "gpu_hours": hours[:, 0]}, LEVEL).items():
            found[column] = np.full(chosen.shape, np.nan)
            found[column][chosen] = values
    slack = 1 + 1e-9
    found |= {"better": found["loss"] <= target.loss * slack, "cheaper": found["gpu_hours"] <= float(cost) * slack}
    return pd.DataFrame(found)


def fewest_flops_of(q: Question, loss: float) -> Array:
    """ln N of the model of each E that reaches `loss` with the fewest FLOPs: what the three tables below start from."""
    return fewest_flops(q.law, loss, q.expansions, q.granularity)


def equal_loss_curves(q: Question, loss: float, fewest: Array | None = None) -> pd.DataFrame:
    """Training FLOPs against serving cost for models that all reach `loss`: a row an (E, size), `optimal` marks the fewest FLOPs.

    fewest: `fewest_flops_of` the question, where it is known.
    """
    shares = np.r_[np.geomspace(0.05, 1.0, 40)[:-1], 1.0]
    e, u = q.expansions[:, None], (fewest_flops_of(q, loss) if fewest is None else fewest)[:, None]
    found = at_loss(q.law, loss, np.exp(u) * shares, e, *_prices(q), q.granularity)
    frame = _lifetime_frame(found).assign(optimal=np.tile(shares == 1.0, len(e)), share=np.tile(shares, len(e)))
    least = frame.groupby("expansion")["flops"].transform("min")
    return frame[np.isfinite(frame["flops"]) & (frame["flops"] < MOST_FLOPS * least)].reset_index(drop=True)


def lifetime_curves(q: Question, loss: float, served: ArrayLike = SERVED, fewest: Array | None = None) -> pd.DataFrame:
    """The cheapest model of each E that reaches `loss`, by tokens served: GPU-hours of training and serving; a row an (E, served)."""
    found = lifetime_optimal(q.law, loss, served, q.expansions, *_prices(q), q.granularity, fewest)
    frame = _lifetime_frame(found)
    best = frame.groupby("served")["total"].transform("min")
    known = np.isfinite(frame["total"])
    return frame.assign(best=known & (frame["total"] == best), ratio=(frame["total"] / best).where(known))


def configurations(
    q: Question, loss: float, served: float, fewest: Array | None = None, lifetimes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Models that reach `loss`, to be compared over their lifetime: of each E the one of fewest FLOPs and the cheapest at `served`.

    fewest: `fewest_flops_of` the question, lifetimes: `lifetime_curves` through `served`, where they are known.
    """
    u = fewest_flops_of(q, loss) if fewest is None else fewest
    trained = _lifetime_frame(at_loss(q.law, loss, np.exp(u), q.expansions, *_prices(q), q.granularity))
    along = lifetime_curves(q, loss, [served], u) if lifetimes is None else lifetimes
    cheapest = along.loc[along["served"] == served, trained.columns]
    frame = pd.concat([trained.assign(kind="fewest FLOPs"), cheapest.assign(kind="lifetime")], ignore_index=True)
    frame["served"] = served
    frame["total"] = frame["train"] + frame["serve"] * served / 1e6
    frame = frame[np.isfinite(frame["total"])]
    return frame.sort_values("total").reset_index(drop=True)


def _bounded(
    compute: Callable[[Question, FittedLaw, Array], dict],
    q: Question,
    samples: Ensemble | None,
    expansions: ArrayLike | None,
    bounded: tuple[str, ...],
) -> pd.DataFrame:
    """What `compute` gives for the law, a row an E, with the intervals of some columns: law and samples in one computation."""
    e = q.expansions if expansions is None else np.asarray(expansions, dtype=float)
    if samples is None:
        return pd.DataFrame(compute(q, q.law, e))
    found = compute(q, samples.with_point, e)
    frame = {name: values[0] if np.ndim(values) == 2 else values for name, values in found.items()}
    return pd.DataFrame(frame | intervals({name: found[name][1:] for name in bounded}, LEVEL))


def _optimal(q: Question, law: FittedLaw, expansions: Array) -> dict:
    e, g, u, log_loss = optima(law, q.budget, expansions, q.granularity)
    tokens = np.exp(log_tokens_of_budget(law, u, np.log(q.budget), e, g))
    service = q.server.service(law, np.exp(u), e, _g(q))
    model = law_footprint(law, np.exp(u), e, _g(q), q.server.queries_per_key)
    return {
        "expansion": e,
        "n_active": np.exp(u),
        "n_total": model.total,
        "tokens": tokens,
        "loss": np.exp(log_loss),
        "gpu_hours": service.gpu_hours,
        "n_gpus": service.n_gpus,
        "batch": service.batch,
        "step": service.step,
        "first_token": service.first_token,
        "inside": _inside(law, q.budget, e, np.exp(u), tokens),
    }


def _sized(q: Question, law: FittedLaw, e: Array, kind: str) -> dict:
    if kind == "equal loss":
        found: Sized = bounded_loss(law, q.budget, e, q.reference, q.granularity)
    elif kind == "equal cost":
        found = bounded_cost(law, q.budget, e, q.reference, q.server.price(law), q.granularity)
    else:
        raise ValueError(f'kind must be "equal loss" or "equal cost"; got {kind!r}.')
    price = q.server.price(law)(np.log(found.reference_n_active)[..., None], np.asarray([q.reference]), np.asarray([_g(q)]))
    service = q.server.service(law, found.n_active, e, _g(q))
    hours = np.where(np.isnan(found.n_active), np.nan, service.gpu_hours)
    with np.errstate(invalid="ignore"):  # neither fits: no ratio
        ratio = hours / price
    return {
        "expansion": e,
        "n_active": found.n_active,
        "tokens": found.tokens,
        "loss": found.loss,
        "shrink": found.shrink,
        "gpu_hours": hours,
        "n_gpus": service.n_gpus,
        "cost_ratio": ratio,
        "gain": found.reference_loss[..., None] - found.loss,
        "inside": _inside(law, q.budget, e, found.n_active, found.tokens),
    }


def _along(q: Question) -> dict:
    """The over-training curve of each E: arrays `(n_expansions, n_shares)`."""
    found = over_training(q.law, q.budget, SHARES, q.expansions, q.granularity)
    e = q.expansions[:, None]
    service = q.server.service(q.law, found.n_active, e, _g(q))
    return {
        "expansion": np.broadcast_to(e, (len(e), len(SHARES))),
        "share": np.broadcast_to(SHARES, (len(e), len(SHARES))),
        "n_active": found.n_active,
        "tokens": found.tokens,
        "loss": found.loss,
        "gpu_hours": service.gpu_hours,
        "n_gpus": service.n_gpus,
        "inside": _inside(q.law, q.budget, e, found.n_active, found.tokens),
    }


def _prices(q: Question) -> tuple[Price, float]:
    """(GPU-hours a million tokens served, GPU-hours a training FLOP)."""
    return q.server.price(q.law), training_rate(q.server.machine, q.utilisation)


def _lifetime_frame(found: Lifetime) -> pd.DataFrame:
    columns = ("expansion", "n_active", "tokens", "flops", "train", "serve", "served", "total")
    return pd.DataFrame({c: np.ravel(getattr(found, c)) for c in columns})


def _inside(law: FittedLaw, budget: float, e: ArrayLike, n_active: Array, tokens: Array) -> np.ndarray:
    """Which models lie within the law's data."""
    column = "n_active" if not law.law.count.startswith("n_total") else "n_total"
    known = {"flops": budget, "expansion": e, "tokens": tokens} | ({column: n_active} if column == "n_active" else {})
    with np.errstate(invalid="ignore"):
        good = within(law, tokens_per_parameter=tokens / n_active, **known)
    return np.broadcast_to(good, np.shape(n_active))


def _g(q: Question) -> float:
    return np.nan if q.granularity is None else q.granularity
