"""Makes one configuration from a law and limits, with what limits it, its neighbours, and what would change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ..errors import OptimumError
from ..laws import Ensemble, FittedLaw
from ..numerics.arrays import Array
from ..numerics.percentiles import central
from .configuration import Configuration, configure, predicted
from .conflicts import conflict, unreachable
from .continuous import BestSizes, best_sizes, largest_allowed
from .limits import BUDGET, SERVED, TOKENS, Limits, values
from .options import FACTORS, allowed, moved, same
from .recipe import Recipe, law_active, recipe_of

LEVEL = 0.95
CLOSE = 0.004
"""E and G whose real-valued optima are within so many nats are compared as whole numbers."""
SIZES = {"half the size": 0.5, "3/4 of the size": 0.75, "4/3 of the size": 4 / 3, "twice the size": 2.0}
"""Neighbours of a plan at its own E and G."""


@dataclass(frozen=True)
class Plan:
    """What to train under limits.

    options: a row for each allowed (E, G): the best real-valued model's n_active (bare: without embeddings), tokens, loss,
    what limits it, `chosen_in`, the share of the law's samples in which this E and G are the best (NaN without samples), and
    `whole_loss`, that of the best whole numbers (NaN for options too far off to be tried, infinite where none keep the limits).
    loss_low, loss_high: interval of the configuration's loss. bound: what limits it. usage: share of each limit that it takes.
    """

    law: FittedLaw
    limits: Limits
    recipe: Recipe
    options: pd.DataFrame
    best: Configuration
    bound: list[str]
    loss_low: float
    loss_high: float
    largest: dict[str, Array]

    @property
    def usage(self) -> dict[str, float]:
        """Share of every limit that the configuration takes."""
        return usage(self.law, self.limits, self.best)

    @cached_property
    def wider(self) -> tuple[float, float]:
        """(E, nats): twice the largest E allowed, and how much lower its real-valued loss is than that of the plan's E, which is that largest.

        (NaN, 0) where the plan has another E, or the next one is no better.
        """
        e, g = allowed(self.law, self.limits)
        if not self.law.law.has_expansion or self.best.expansion < e.max():
            return np.nan, 0.0
        own, g = self.options["loss"][self.options["expansion"] == e.max()].min(), g[e == e.max()]
        more = np.full(len(g), 2 * e.max())
        found = best_sizes(self.law, self.limits, self.recipe, more, g).log_loss
        gain = float(own - np.exp(np.nanmin(np.where(np.isfinite(found), found, np.inf))))
        return (float(more[0]), gain) if gain > 0 else (np.nan, 0.0)


def plan(
    law: FittedLaw, limits: Limits, recipe: Recipe | None = None, samples: Ensemble | None = None, sequence: int = 4096
) -> Plan:
    """Returns the configuration of lowest predicted loss that keeps the limits.

    Raises OptimumError with a sentence that names the two that conflict, where nothing keeps them all.
    """
    recipe = recipe or recipe_of(law)
    e, g = allowed(law, limits)
    largest = largest_allowed(law, limits, recipe, e, g)
    found = best_sizes(law, limits, recipe, e, g, largest)
    if not np.isfinite(found.log_loss).any():
        raise OptimumError(conflict(law, limits, recipe))
    options = _options(law, recipe, found, e, g)
    if samples is not None:
        many = best_sizes(samples.law, limits, recipe, e, g, largest).log_loss
        best = np.argmin(np.where(np.isnan(many), np.inf, many), axis=-1)
        options["chosen_in"] = np.bincount(best, minlength=len(e)) / len(many)
    ranked = options.dropna(subset="loss").sort_values("loss")
    close = ranked["loss"] <= ranked["loss"].iloc[0] + CLOSE
    for part in (ranked[close], ranked[~close]):
        made = zip(_configured(law, limits, recipe, part, sequence), part.index, strict=True)
        if built := [(config, row) for config, row in made if config is not None]:
            break
    else:
        raise OptimumError(conflict(law, limits, recipe))
    options.loc[part.index, "whole_loss"] = np.inf
    options.loc[[row for _, row in built], "whole_loss"] = [config.loss for config, _ in built]
    config, row = min(built, key=lambda b: b[0].loss)
    low = high = np.nan
    if samples is not None:
        spread = predicted(samples.law, config.shape, np.asarray(float(config.tokens)), config.expansion, config.granularity)
        low, high = (float(v) for v in central(spread, LEVEL))
    if limits.loss < config.loss:
        raise OptimumError(unreachable(law, limits, recipe, config))
    bound = [name for name, holds in found.bound.items() if holds[row]]
    return Plan(law, limits, recipe, options, config, bound, low, high, largest)


def usage(law: FittedLaw, limits: Limits, config: Configuration) -> dict[str, float]:
    """Returns the share of every limit that a configuration takes."""
    served = 2 * float(law_active(law, config.shape)) * limits.served
    out = {BUDGET: (config.flops + served) / limits.flops}
    if np.isfinite(limits.tokens):
        out[TOKENS] = config.tokens / limits.tokens
    return out | {name: float(share(config.shape)) for name, share in limits.usages().items()}


def neighbours(found: Plan) -> pd.DataFrame:
    """Returns what else could be trained under the same limits, and what it costs: a row each, the plan first.

    Smaller and larger at the same E and G, every other E with its best G, every other G, as far as they are built otherwise.
    loss_more: nats above the plan's (of each model's own whole numbers). broken: the limits that it would break, "" for none.
    """
    law, limits, recipe, best = found.law, found.limits, found.recipe, found.best
    free = replace(limits, cluster=None, deployment=None)
    sizes = float(best.shape.n_active) * np.array([*SIZES.values()])
    other_sizes = configure(law, free, recipe, sizes, best.expansion, best.granularity, best.sequence)
    options = found.options[np.isfinite(found.options["loss"])]
    same_e = same(options["expansion"].to_numpy(), best.expansion)
    same_g = same(options["granularity"].to_numpy(), best.granularity)
    other_e = options[~same_e].sort_values("loss").drop_duplicates("expansion").sort_values("expansion")
    others = pd.concat([other_e, options[same_e & ~same_g]])
    names = ["dense" if e == 1 else f"E = {e:g}" for e in other_e["expansion"]]
    names += [f"G = {g:g}" for g in options["granularity"][same_e & ~same_g]]
    built = [*other_sizes, *_configured(law, limits, recipe, others, best.sequence)]
    rows = [
        _row(name, found, c) for name, c in zip([*SIZES, *names], built, strict=True) if c is not None and c.shape != best.shape
    ]
    return pd.DataFrame([_row("this plan", found, best), *rows])


def _configured(
    law: FittedLaw, limits: Limits, recipe: Recipe, options: pd.DataFrame, sequence: int
) -> list[Configuration | None]:
    """Returns the best configuration of whole numbers for each of these options, None where none keeps the limits."""
    return configure(law, limits, recipe, options["bare"], options["expansion"], options["granularity"], sequence)


def changes(found: Plan) -> pd.DataFrame:
    """Returns which limit, moved how far, makes another E or G the best: limit, factor, value, expansion, granularity; nearest first.

    Each limit alone, down to a thousandth and up to a thousand times its value, E and G as allowed. What whole numbers cost each E
    and G here, they are taken to cost them there; those that were not tried, as much as the plan.
    """
    law, limits, recipe = found.law, found.limits, found.recipe
    e, g = allowed(law, limits)
    if len(e) < 2:
        return pd.DataFrame(columns=["limit", "factor", "value", "expansion", "granularity"])
    own = np.argmax(same(e, found.best.expansion) & same(g, found.best.granularity))
    rounding = np.log(found.options["whole_loss"].to_numpy() / found.options["loss"].to_numpy())
    rounding = np.where(np.isnan(rounding), 0.0, rounding - rounding[own])
    rows = []
    for name, value in values(limits).items():
        holds_back = found.options["bound"].str.contains(name, regex=False).any()
        for direction in (1.0, -1.0) if holds_back or name == SERVED else (-1.0,):
            factors, now = FACTORS**direction, None
            for _ in range(2):
                losses = moved(law, limits, recipe, e, g, found.largest, name, np.concatenate([[1.0], factors])) + rounding
                best = np.where(np.isfinite(losses).any(axis=1), np.argmin(losses, axis=1), -1)
                other = np.flatnonzero((best[1:] != best[0]) & (best[1:] >= 0))
                gone = np.flatnonzero(best[1:] < 0)
                if not len(other) or (len(gone) and gone[0] < other[0]):
                    break
                now = int(best[1:][other[0]]), float(factors[other[0]])
                start = factors[other[0] - 1] if other[0] else 1.0
                factors = np.geomspace(start, now[1], 7)[1:]
            if now is not None:
                option, factor = now
                rows.append(
                    {
                        "limit": name,
                        "factor": factor,
                        "value": value * factor,
                        "expansion": e[option],
                        "granularity": g[option],
                    }
                )
    frame = pd.DataFrame(rows, columns=["limit", "factor", "value", "expansion", "granularity"])
    return frame.sort_values("factor", key=lambda f: np.abs(np.log(f.astype(float))), ignore_index=True)


def _options(law: FittedLaw, recipe: Recipe, found: BestSizes, e: Array, g: Array) -> pd.DataFrame:
    bound = [", ".join(name for name, holds in found.bound.items() if holds[i]) for i in range(len(e))]
    return pd.DataFrame(
        {
            "expansion": e,
            "granularity": g,
            "n_active": np.exp(found.u),
            "bare": _bare(law, recipe, np.exp(found.u), e, g),
            "tokens": np.exp(found.v),
            "loss": np.exp(found.log_loss),
            "bound": bound,
            "chosen_in": np.nan,
            "whole_loss": np.nan,
        }
    )


def _bare(law: FittedLaw, recipe: Recipe, n: Array, e: Array, g: Array) -> Array:
    """Returns N_active without embeddings of models of N in the law's count of active parameters."""
    if not law.count.endswith("with_embeddings"):
        return n
    bare = n
    for _ in range(40):  # the count rises with the bare size a little less than in proportion
        bare = bare * n / law_active(law, recipe.sized(bare, e, g))
    return bare


def _row(name: str, found: Plan, config: Configuration) -> dict:
    limits, shape = found.limits, config.shape
    shares = usage(found.law, limits, config)
    row = {
        "model": name,
        "expansion": config.expansion,
        "granularity": config.granularity,
        "n_active": float(shape.n_active),
        "n_total": float(shape.n_total),
        "tokens": float(config.tokens),
        "flops": config.flops,
        "loss": config.loss,
        "loss_more": config.loss - found.best.loss,
        "train_bytes": np.nan,
        "serve_bytes": np.nan,
        "step": np.nan,
        "broken": ", ".join(limit for limit, share in shares.items() if share > 1 + 1e-9),
    }
    if limits.cluster is not None:
        row["train_bytes"] = float(limits.cluster.bytes_per_gpu(shape))
    if limits.deployment is not None:
        row |= {"serve_bytes": float(limits.deployment.bytes(shape)), "step": float(limits.deployment.step(shape))}
    return row
