"""The tables of the Serving page. Costs are GPU-hours a million served tokens, prompt and answer together.

Columns ending in _low and _high bound the central 95 % of the ensemble, those of prices the price at the ends of the sizes'; without
an ensemble they are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..laws import Ensemble, FittedLaw
from ..numerics.arrays import Array
from ..numerics.percentiles import intervals
from ..optimum import check_optimum, log_tokens_of_budget, within
from .algorithms import EXPANSIONS, Optimal, Price, Server, SizedModel, bounded_cost, bounded_loss, optima, over_training
from .lifetime import Lifetime, at_loss, fewest_flops, lifetime_optimal, training_rate

LEVEL = 0.95
SHARES = np.geomspace(0.03, 2.0, 57)
"""Sizes of the over-training curve, as shares of the loss-optimal one."""
MOST_FLOPS = 30
"""Curves of equal loss end where a small model would take so many times the fewest FLOPs."""
SERVED = np.geomspace(1e8, 1e15, 29)
"""Tokens served along the lifetime chart, four a decade."""


@dataclass(frozen=True)
class Question:
    """The question of the page: a law, a server, a training budget, E, the reference E, and G where the law has one."""

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

    @cached_property
    def _found(self) -> list[tuple[FittedLaw, Optimal]]:
        return []

    def optima(self, law: FittedLaw) -> Optimal:
        """Returns the loss-optimal models of all its E by its law, or by samples of it; computed once."""
        for known, found in self._found:
            if known is law:
                return found
        self._found.append((law, optima(law, self.budget, self.expansions, self.granularity)))
        return self._found[-1][1]


def optima_table(q: Question, samples: Ensemble | None = None, expansions: ArrayLike | None = None) -> pd.DataFrame:
    """Returns the loss-optimal model of each E at the budget and what it costs to serve: a row an E.

    expansions: some of the question's, by default all; ValueError for others.
    """
    return _bounded(_optimal, q, samples, expansions, ("n_active", "loss"))


def algorithm_table(q: Question, kind: str, samples: Ensemble | None = None, expansions: ArrayLike | None = None) -> pd.DataFrame:
    """Returns the models of Yun 2024's algorithms at the budget against the reference E's optimum, a row an E.

    expansions: some of the question's, by default all; ValueError for others.
    kind: "equal loss" (Algorithm 1) or "equal cost" (Algorithm 2). shrink: size over the loss-optimal one of that E.
    cost_ratio: serving cost over the reference's, NaN where that does not fit; gain: nats below the reference's loss.
    """
    bounded = ("n_active", "loss", "shrink", "cost_ratio", "gain")
    return _bounded(partial(_sized, kind=kind), q, samples, expansions, bounded)


def size_curves(q: Question, samples: Ensemble | None = None) -> pd.DataFrame:
    """Returns loss and serving cost against size at the budget, for every E (the chosen one with intervals): a row an (E, share).

    better: whether the loss is below the reference's optimum, cheaper: whether serving costs less than it does.
    """
    law = q.law if samples is None else samples.with_point
    optimal = q.optima(law)
    known = optimal if samples is None else optimal.point
    reference = known.of(q.reference)
    check_optimum(law, reference.u)
    found = {name: np.ravel(values) for name, values in _along(q, known).items()}
    if samples is not None:
        chosen = found["expansion"] == q.expansion
        many = over_training(law, q.budget, SHARES, [q.expansion], q.granularity, optimal)
        sizes, losses = (intervals({name: getattr(many, name)[1:, 0]}, LEVEL) for name in ("n_active", "loss"))
        for column, values in (losses | _price_bounds(q, sizes, np.asarray(q.expansion))).items():
            found[column] = np.full(chosen.shape, np.nan)
            found[column][chosen] = values
    cost, slack = _hours(q, reference.u, q.reference), 1 + 1e-9
    found |= {"better": found["loss"] <= np.exp(reference.log_loss) * slack, "cheaper": found["gpu_hours"] <= cost * slack}
    return pd.DataFrame(found)


def fewest_flops_of(q: Question, loss: float) -> Array:
    """Returns ln N of the model of each E that reaches `loss` with the fewest FLOPs, where the three tables below start."""
    return fewest_flops(q.law, loss, q.expansions, q.granularity)


def equal_loss_curves(q: Question, loss: float, fewest: Array | None = None) -> pd.DataFrame:
    """Returns training FLOPs against serving cost for models that all reach `loss`: a row an (E, size), `optimal` marks fewest.

    fewest: `fewest_flops_of` the question, where it is known.
    """
    shares = np.r_[np.geomspace(0.05, 1.0, 40)[:-1], 1.0]
    e, u = q.expansions[:, None], (fewest_flops_of(q, loss) if fewest is None else fewest)[:, None]
    found = at_loss(q.law, loss, np.exp(u) * shares, e, *_prices(q), q.granularity)
    with np.errstate(invalid="ignore"):
        near = found.flops < MOST_FLOPS * np.min(found.flops, axis=1, keepdims=True)
    optimal, share = np.broadcast_to(shares == 1.0, near.shape), np.broadcast_to(shares, near.shape)
    columns = _lifetime_columns(found) | {"optimal": optimal, "share": share}
    return pd.DataFrame({name: values[near] for name, values in columns.items()})


def lifetime_curves(q: Question, loss: float, served: ArrayLike = SERVED, fewest: Array | None = None) -> pd.DataFrame:
    """Returns the cheapest model of each E that reaches `loss`, by tokens served: GPU-hours to train and serve, a row each."""
    found = lifetime_optimal(q.law, loss, served, q.expansions, *_prices(q), q.granularity, fewest)
    total = np.where(np.isfinite(found.total), found.total, np.nan)
    least = np.fmin.reduce(total, axis=0)
    columns = _lifetime_columns(found) | {"best": total == least, "ratio": total / least}
    return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})


def configurations(
    q: Question, loss: float, served: float, fewest: Array | None = None, lifetimes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Returns models that reach `loss`, to be compared over their lifetime: of each E the fewest FLOPs, the cheapest at `served`.

    fewest: `fewest_flops_of` the question, lifetimes: `lifetime_curves` through `served`, where they are known.
    """
    u = fewest_flops_of(q, loss) if fewest is None else fewest
    trained = _lifetime_columns(at_loss(q.law, loss, np.exp(u), q.expansions, *_prices(q), q.granularity))
    along = lifetime_curves(q, loss, [served], u) if lifetimes is None else lifetimes
    here = along["served"].to_numpy() == served
    both = {name: np.r_[values, along[name].to_numpy()[here]] for name, values in trained.items()}
    both["served"] = np.full(len(both["train"]), served)
    both["total"] = both["train"] + both["serve"] * served / 1e6
    both["kind"] = np.repeat(["fewest FLOPs", "lifetime"], [len(u), int(here.sum())])
    known = np.flatnonzero(np.isfinite(both["total"]))
    order = known[np.argsort(both["total"][known], kind="stable")]
    return pd.DataFrame({name: values[order] for name, values in both.items()})


def _bounded(
    compute: Callable[[Question, FittedLaw, Array], dict],
    q: Question,
    samples: Ensemble | None,
    expansions: ArrayLike | None,
    bounded: tuple[str, ...],
) -> pd.DataFrame:
    """Returns what `compute` gives for the law, a row an E, with intervals of some columns; law and samples computed together."""
    e = q.expansions if expansions is None else np.asarray(expansions, dtype=float)
    if samples is None:
        return pd.DataFrame(compute(q, q.law, e))
    found = compute(q, samples.with_point, e)
    frame = {name: values[0] if np.ndim(values) == 2 else values for name, values in found.items()}
    bounds = intervals({name: found[name][1:] for name in bounded}, LEVEL)
    return pd.DataFrame(frame | bounds | _price_bounds(q, bounds, e))


def _price_bounds(q: Question, bounds: dict[str, Array], e: Array) -> dict[str, Array]:
    """Returns the interval of serving prices from that of sizes: at one E a larger model costs more."""
    return {f"gpu_hours_{end}": _hours(q, np.log(bounds[f"n_active_{end}"]), e) for end in ("low", "high")}


def _hours(q: Question, u: Array, e: ArrayLike) -> Array:
    """GPU-hours a million tokens of models of these ln N_active; NaN where there is no model."""
    return np.where(np.isnan(u), np.nan, q.server.price(q.law)(u, np.asarray(e), np.asarray(_g(q))))


def _optimal(q: Question, law: FittedLaw, expansions: Array) -> dict:
    e, g, u, log_loss = q.optima(law).of(expansions)
    n = np.exp(u)
    point = _of_point(law, n)
    tokens = np.exp(log_tokens_of_budget(law, np.log(point), np.log(q.budget), e, g))
    return {
        "expansion": e,
        "n_active": n,
        "n_total": q.server.footprint(law, point, e, _g(q)).total,
        "tokens": tokens,
        "loss": np.exp(log_loss),
        **_served(q, point, e, ("gpu_hours", "n_gpus", "batch", "step", "first_token")),
        "inside": _inside(law, q.budget, e, point, tokens),
    }


def _of_point(law: FittedLaw, values: Array) -> Array:
    """The values of the law itself: sample 0, where it is an `Ensemble.with_point`."""
    return values if law.n_samples is None else values[0]


def _served(q: Question, n_active: Array, e: Array, columns: tuple[str, ...]) -> dict[str, Array]:
    service = q.server.service(q.law, n_active, e, _g(q))
    return {name: getattr(service, name) for name in columns}


def _sized(q: Question, law: FittedLaw, e: Array, kind: str) -> dict:
    optimal = q.optima(law)
    if kind == "equal loss":
        found: SizedModel = bounded_loss(law, q.budget, e, q.reference, q.granularity, optimal)
        reference = _hours(q, np.log(found.reference_n_active), q.reference)[..., None]
        ratio = _hours(q, np.log(found.n_active), e) / np.where(np.isfinite(reference), reference, np.nan)
    elif kind == "equal cost":
        found = bounded_cost(law, q.budget, e, q.reference, q.server.price(law), q.granularity, optimal)
        ratio = 1 + found.gap
    else:
        raise ValueError(f'kind must be "equal loss" or "equal cost"; got {kind!r}.')
    n, tokens = _of_point(law, found.n_active), _of_point(law, found.tokens)
    served = _served(q, n, e, ("gpu_hours", "n_gpus"))
    return {
        "expansion": e,
        "n_active": found.n_active,
        "tokens": tokens,
        "loss": found.loss,
        "shrink": found.shrink,
        **served,
        "gpu_hours": np.where(np.isnan(n), np.nan, served["gpu_hours"]),
        "cost_ratio": ratio,
        "gain": found.reference_loss[..., None] - found.loss,
        "inside": _inside(law, q.budget, e, n, tokens),
    }


def _along(q: Question, optimal: Optimal) -> dict:
    """The over-training curve of each E: arrays `(n_expansions, n_shares)`."""
    found = over_training(q.law, q.budget, SHARES, q.expansions, q.granularity, optimal)
    e = q.expansions[:, None]
    return {
        "expansion": np.broadcast_to(e, (len(e), len(SHARES))),
        "share": np.broadcast_to(SHARES, (len(e), len(SHARES))),
        "n_active": found.n_active,
        "tokens": found.tokens,
        "loss": found.loss,
        **_served(q, found.n_active, e, ("gpu_hours", "n_gpus")),
        "inside": _inside(q.law, q.budget, e, found.n_active, found.tokens),
    }


def _prices(q: Question) -> tuple[Price, float]:
    """(GPU-hours a million tokens served, GPU-hours a training FLOP)."""
    return q.server.price(q.law), training_rate(q.server.machine, q.utilisation)


def _lifetime_columns(found: Lifetime) -> dict[str, Array]:
    names = ("expansion", "n_active", "tokens", "flops", "train", "serve", "served", "total")
    return {name: getattr(found, name) for name in names}


def _inside(law: FittedLaw, budget: float, e: ArrayLike, n_active: Array, tokens: Array) -> np.ndarray:
    """Which models lie within the law's data."""
    column = "n_active" if not law.law.count.startswith("n_total") else "n_total"
    known = {"flops": budget, "expansion": e, "tokens": tokens} | ({column: n_active} if column == "n_active" else {})
    with np.errstate(invalid="ignore"):
        good = within(law, tokens_per_parameter=tokens / n_active, **known)
    return np.broadcast_to(good, np.shape(n_active))


def _g(q: Question) -> float:
    return np.nan if q.granularity is None else q.granularity
