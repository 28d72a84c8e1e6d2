"""Explains why no plan keeps all limits, in sentences that name the two that conflict."""

from __future__ import annotations

import numpy as np

from .. import numbers
from ..laws import FittedLaw
from .configuration import SMALLEST, Configuration, flops_per_token
from .continuous import best_sizes, largest_allowed
from .limits import ALLOWED, BUDGET, LATENCY, LOSS, SERVED, SERVING, TRAINING, Limits, described, values
from .options import FACTORS, allowed, moved
from .recipe import Recipe, law_active


def conflict(law: FittedLaw, limits: Limits, recipe: Recipe) -> str:
    """Returns the sentence that names the two conflicting limits: one that even the smallest configuration breaks, and why it does."""
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
    cheap = min(float(flops_per_token(law, s, a, b)) for s, a, b in zip(shapes, e, g, strict=True))
    return (
        f"The {BUDGET} ({numbers.flops(limits.flops)} FLOPs) and the {ALLOWED} conflict: the smallest model that is built here "
        f"({size}) sees {numbers.count(limits.flops / cheap)} tokens with it, and no configuration of whole numbers keeps every limit. "
        "Raise the budget."
    )


def _partners(limits: Limits) -> dict[str, tuple[str, str, str]]:
    """Returns each limit on the shape with the setting it conflicts with, and what to do."""
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


def unreachable(law: FittedLaw, limits: Limits, recipe: Recipe, config: Configuration) -> str:
    """Returns the loss to reach against the limit that prevents it: the first that, moved alone, lets it be reached."""
    e, g = allowed(law, limits)
    largest = largest_allowed(law, limits, recipe, e, g)
    start = f"The {LOSS} ({numbers.loss(limits.loss)}) and the"
    reached = f"{numbers.loss(config.loss)} is the lowest loss under these limits"
    for name in values(limits):
        factors = FACTORS ** (-1.0 if name == SERVED else 1.0)
        losses = moved(law, limits, recipe, e, g, largest, name, factors)
        enough = np.flatnonzero(np.min(losses, axis=1) <= np.log(limits.loss))
        if len(enough):
            change = numbers.times(float(factors[enough[0]])) if name != SERVED else f"{factors[enough[0]]:.0%} of"
            return f"{start} {described(limits, name)} conflict: {reached}; with {change} the {name} it could be reached."
    floor = float(np.exp(np.nanmin(best_sizes(law, Limits(1e40), recipe, e, g).log_loss)))
    return (
        f"{start} law conflict: {reached}, moving no limit alone lets it be reached, and with all the compute there is the law ends "
        f"at {numbers.loss(floor)}."
    )
