"""From a law and limits to one configuration, with what limits it, what its neighbours cost and what would change it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .. import numbers
from ..ensemble import Ensemble
from ..errors import OptimumError
from ..laws import FittedLaw
from ..laws.law import Array
from ..optimum import granularities_of
from ..percentiles import central
from .configuration import SMALLEST, Configuration, configure, flops_per_token, predicted
from .continuous import Sized, best_sizes, largest_allowed
from .limits import ALLOWED, BUDGET, LATENCY, LOSS, SERVED, SERVING, TOKENS, TRAINING, Limits
from .recipe import Recipe, law_active, recipe_of

EXPANSIONS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""E that are tried where none are asked for, for a law that has E."""
LEVEL = 0.95
CLOSE = 0.004
"""E and G whose real-valued optima are within so many nats are compared as whole numbers."""
SIZES = {"half the size": 0.5, "3/4 of the size": 0.75, "4/3 of the size": 4 / 3, "twice the size": 2.0}
"""Neighbours of a plan at its own E and G."""
FACTORS = np.geomspace(1.0, 1000.0, 25)[1:]
"""How far a limit is moved in search of another decision."""


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


def plan(
    law: FittedLaw, limits: Limits, recipe: Recipe | None = None, samples: Ensemble | None = None, sequence: int = 4096
) -> Plan:
    """The configuration of lowest predicted loss that keeps the limits.

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
        raise OptimumError(_unreachable(law, limits, recipe, config))
    bound = [name for name, holds in found.bound.items() if holds[row]]
    return Plan(law, limits, recipe, options, config, bound, low, high, largest)


def allowed(law: FittedLaw, limits: Limits) -> tuple[Array, Array]:
    """Every allowed (E, G) as two arrays `(n_options,)`; NaN for what the law does not know. Dense models come once."""
    e = np.array(limits.expansions or EXPANSIONS) if law.law.has_expansion else np.array([_single(law.expansion)])
    g = np.array(limits.granularities) if limits.granularities else granularities_of(law)
    g = g if "G" in law.law.variables else np.array([np.nan])
    e, g = (np.ravel(a) for a in np.meshgrid(e, g, indexing="ij"))
    keep = ~((e <= 1) & (g > np.nanmin(g))) if "G" in law.law.variables and len(g) > 1 else np.ones(len(e), dtype=bool)
    return e[keep], g[keep]


def usage(law: FittedLaw, limits: Limits, config: Configuration) -> dict[str, float]:
    """Share of every limit that a configuration takes."""
    served = 2 * float(law_active(law, config.shape)) * limits.served
    out = {BUDGET: (config.flops + served) / limits.flops}
    if np.isfinite(limits.tokens):
        out[TOKENS] = config.tokens / limits.tokens
    return out | {name: float(share(config.shape)) for name, share in limits.usages().items()}


def neighbours(found: Plan) -> pd.DataFrame:
    """What else could be trained under the same limits, and what it costs: a row each, the plan first.

    Smaller and larger at the same E and G, every other E with its best G, every other G, as far as they are built otherwise.
    loss_more: nats above the plan's (of each model's own whole numbers). broken: the limits that it would break, "" for none.
    """
    law, limits, recipe, best = found.law, found.limits, found.recipe, found.best
    free = replace(limits, cluster=None, deployment=None)
    sizes = float(best.shape.n_active) * np.array([*SIZES.values()])
    other_sizes = configure(law, free, recipe, sizes, best.expansion, best.granularity, best.sequence)
    options = found.options[np.isfinite(found.options["loss"])]
    same_e = _same(options["expansion"].to_numpy(), best.expansion)
    same_g = _same(options["granularity"].to_numpy(), best.granularity)
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
    """The best configuration of whole numbers for each of these options, None where none keeps the limits."""
    return configure(law, limits, recipe, options["bare"], options["expansion"], options["granularity"], sequence)


def changes(found: Plan) -> pd.DataFrame:
    """Which limit, moved how far, makes another E or G the best: limit, factor, value, expansion, granularity; nearest first.

    Each limit alone, down to a thousandth and up to a thousand times its value, E and G as allowed. What whole numbers cost each E
    and G here, they are taken to cost them there; those that were not tried, as much as the plan.
    """
    law, limits, recipe = found.law, found.limits, found.recipe
    e, g = allowed(law, limits)
    if len(e) < 2:
        return pd.DataFrame(columns=["limit", "factor", "value", "expansion", "granularity"])
    own = np.argmax(_same(e, found.best.expansion) & _same(g, found.best.granularity))
    rounding = np.log(found.options["whole_loss"].to_numpy() / found.options["loss"].to_numpy())
    rounding = np.where(np.isnan(rounding), 0.0, rounding - rounding[own])
    rows = []
    for name, value in values(limits).items():
        holds_back = found.options["bound"].str.contains(name, regex=False).any()
        for direction in (1.0, -1.0) if holds_back or name == SERVED else (-1.0,):
            factors, now = FACTORS**direction, None
            for _ in range(2):
                losses = _moved(law, limits, recipe, e, g, found.largest, name, np.concatenate([[1.0], factors])) + rounding
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


def values(limits: Limits) -> dict[str, float]:
    """The limits that can be moved, in their units: FLOPs, tokens, bytes, seconds."""
    out = {BUDGET: limits.flops}
    if np.isfinite(limits.tokens):
        out[TOKENS] = limits.tokens
    if limits.served:
        out[SERVED] = limits.served
    if limits.cluster is not None:
        out[TRAINING] = limits.cluster.room
    if limits.deployment is not None:
        out[SERVING] = limits.deployment.room
        if np.isfinite(limits.deployment.max_step):
            out[LATENCY] = limits.deployment.max_step
    return out


def described(limits: Limits, name: str, factor: float = 1.0) -> str:
    """A limit with its value, or with `factor` times its value: "training budget (1e22 FLOPs)"."""
    value = values(limits)[name] * factor
    words = {
        BUDGET: f"{numbers.flops(value, 3)} FLOPs",
        TOKENS: numbers.count(value),
        SERVED: numbers.count(value),
        LATENCY: f"{numbers.plain(value * 1e3, 3)} ms a token",
    }.get(name)
    if words is None and factor != 1:
        words = f"{value / 1e9:,.0f} GB"
    if words is None:
        which = limits.cluster if name == TRAINING else limits.deployment
        gpu = limits.cluster.gpu if name == TRAINING and limits.cluster else limits.deployment.machine.gpu  # type: ignore[union-attr]
        words = f"{which.n_gpus} x {gpu.name}"  # type: ignore[union-attr]
    return f"{name} ({words})"


def _moved(
    law: FittedLaw, limits: Limits, recipe: Recipe, e: Array, g: Array, largest: dict[str, Array], name: str, factors: Array
) -> Array:
    """ln L of every (E, G) with one limit moved by each factor, infinite where none is allowed; shape `(n_factors, n_options)`."""
    column = factors[:, None]
    field = {BUDGET: "flops", TOKENS: "tokens", SERVED: "served"}.get(name)
    if field is None:
        moved = largest | {name: largest_allowed(law, limits, recipe, e, g, {name: column})[name]}
        losses = best_sizes(law, limits, recipe, np.broadcast_to(e, (len(factors), len(e))), g, moved).log_loss
    else:
        losses = best_sizes(law, replace(limits, **{field: getattr(limits, field) * column}), recipe, e, g, largest).log_loss
    return np.where(np.isnan(losses), np.inf, losses)


def _same(values: Array, value: float) -> np.ndarray:
    """Which of them are this E or G, NaN where there is none."""
    return (values == value) | (np.isnan(values) & np.isnan(value))


def conflict(law: FittedLaw, limits: Limits, recipe: Recipe) -> str:
    """The sentence that names the two that conflict: a limit that even the smallest configuration breaks, and why it does."""
    e, g = allowed(law, limits)
    shapes = [recipe.whole(*SMALLEST, float(a), float(b)) for a, b in zip(e, g, strict=True)]
    dense = recipe.whole(*SMALLEST, 1.0, 1.0)
    size = f"{numbers.count(min(float(s.n_total) for s in shapes))} parameters"
    served = min(2 * float(law_active(law, s)) * limits.served for s in shapes)
    if served >= limits.flops:
        return (
            f"The {BUDGET} ({numbers.flops(limits.flops)} FLOPs) and the {SERVED} ({numbers.count(limits.served)}) conflict: serving them "
            f"takes {numbers.flops(served)} FLOPs with the smallest model that is built here ({size}). Raise the budget or serve less."
        )
    partner = _partners(limits)
    for name, share in limits.usages().items():
        least = min(float(share(s)) for s in shapes)
        if least > 1:
            if len(e) and e.min() > 1 and float(share(dense)) <= 1:
                return (
                    f"The limit of {name} and the {ALLOWED} (E from {e.min():g} on) conflict: the smallest such model ({size}) takes "
                    f"{numbers.times(least)} what there is, a dense one {numbers.times(float(share(dense)))}. Allow a smaller E."
                )
            first, second, remedy = partner[name]
            return (
                f"{first} and {second} conflict: the smallest model that is built here ({size}) takes {numbers.times(least)} "
                f"what there is. {remedy}"
            )
    cheap = min(float(flops_per_token(law, s)) for s in shapes)
    return (
        f"The {BUDGET} ({numbers.flops(limits.flops)} FLOPs) and the {ALLOWED} conflict: the smallest model that is built here "
        f"({size}) sees {numbers.count(limits.flops / cheap)} tokens with it, and no configuration of whole numbers keeps every limit. "
        "Raise the budget."
    )


def _partners(limits: Limits) -> dict[str, tuple[str, str, str]]:
    """Each limit on the shape with what it is up against, and what to do."""
    out = {}
    if (c := limits.cluster) is not None:
        out[TRAINING] = (
            f"Memory at training ({c.n_gpus} x {c.gpu.name})",
            f"the tokens of a GPU's forward pass ({c.micro_tokens:,.0f})",
            "Take more or larger GPUs, or fewer tokens at once.",
        )
    if (d := limits.deployment) is not None:
        out[SERVING] = (
            f"Memory at serving ({d.n_gpus} x {d.machine.gpu.name}, {d.room / 1e9:,.0f} GB)",
            f"the sequences to serve at once ({d.sequences:,} of {d.context:,.0f} tokens)",
            "Take more or larger GPUs, or serve fewer or shorter sequences at once.",
        )
        out[LATENCY] = (
            f"Latency ({numbers.plain(d.max_step * 1e3, 3)} ms a token)",
            f"the rates of {d.n_gpus} x {d.machine.gpu.name} for {d.sequences:,} sequences of {d.context:,.0f} tokens",
            "Allow more time, or serve fewer or shorter sequences at once.",
        )
    return out


def _unreachable(law: FittedLaw, limits: Limits, recipe: Recipe, config: Configuration) -> str:
    """The loss to reach against the limit that keeps it away: the first that, moved alone, lets it be reached."""
    e, g = allowed(law, limits)
    largest = largest_allowed(law, limits, recipe, e, g)
    start = f"The {LOSS} ({numbers.loss(limits.loss)}) and the"
    reached = f"{numbers.loss(config.loss)} is the lowest loss under these limits"
    for name in values(limits):
        factors = FACTORS ** (-1.0 if name == SERVED else 1.0)
        losses = _moved(law, limits, recipe, e, g, largest, name, factors)
        enough = np.flatnonzero(np.min(losses, axis=1) <= np.log(limits.loss))
        if len(enough):
            change = numbers.times(float(factors[enough[0]])) if name != SERVED else f"{factors[enough[0]]:.0%} of"
            return f"{start} {described(limits, name)} conflict: {reached}; with {change} the {name} it could be reached."
    floor = float(np.exp(np.nanmin(best_sizes(law, Limits(1e40), recipe, e, g).log_loss)))
    return (
        f"{start} law conflict: {reached}, moving no limit alone lets it be reached, and with all the compute there is the law ends "
        f"at {numbers.loss(floor)}."
    )


def _options(law: FittedLaw, recipe: Recipe, found: Sized, e: Array, g: Array) -> pd.DataFrame:
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
    """N_active without embeddings of models of N in the law's count of active parameters."""
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


def _single(expansion: float | None) -> float:
    return np.nan if expansion is None else expansion
