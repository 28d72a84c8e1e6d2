"""An ensemble: many versions of one law, from refits of a fit or from the print rounding of a published law.

Everything that takes a `FittedLaw` takes an ensemble's `law` too and answers for all samples in one array operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import OptimumError
from ..numerics.arrays import Array
from ..numerics.percentiles import central
from .fitted import FittedLaw
from .saturation import to_free

Quantity = str | Callable[[FittedLaw], ArrayLike]


@dataclass(frozen=True)
class Ensemble:
    """Samples of a law, with intervals of its parameters and of anything computed from it.

    Args:
        law: all samples as one law, theta `(n_samples, n_linear)`.
        point: the law they vary around.
        kind: "bootstrap" (runs resampled), "left out" (runs left out one by one or by group) or "rounding" (coefficients
            within half of their last printed digit).
        n_failed: replicates that could not be refitted and are left out.
        refits: the refits as they came out, where `law` has their spread multiplied by `small_sample_factor`.
        unit: what the bootstrap drew: "runs", or the name of the groups.
    """

    law: FittedLaw
    point: FittedLaw
    kind: str
    n_failed: int = 0
    unit: str = "runs"
    refits: FittedLaw | None = None

    def __len__(self) -> int:
        return len(self.law.theta)

    def __iter__(self) -> Iterator[FittedLaw]:
        return (self.law.at(i) for i in range(len(self)))

    def first(self, n: int) -> Ensemble:
        """Returns the first `n` samples, for what is slow to compute."""
        refits = None if self.refits is None else self.refits.part(slice(n))
        return replace(self, law=self.law.part(slice(n)), refits=refits)

    @cached_property
    def with_point(self) -> FittedLaw:
        """Returns the law itself as sample 0 and the samples behind it as one law, so that both are computed together."""
        theta = np.concatenate([self.point.theta[None], self.law.theta])
        return replace(self.law, theta=theta, shapes=np.concatenate([self.point.shapes[None], self.law.shapes]))

    @property
    def params(self) -> pd.DataFrame:
        """The paper's letters, a row a sample; of a bootstrap, the refits before any factor on their spread."""
        return pd.DataFrame((self.refits or self.law).params)

    @property
    def label(self) -> str:
        """What the intervals mean, in a few words."""
        return f"bootstrap of {self.unit}" if self.kind == "bootstrap" else "print rounding"

    def values(self, what: Quantity) -> Array:
        """Returns a parameter (by letter) or anything computed from a law, for every sample: shape `(n_samples, ...)`.

        A function is first given all samples at once and, where it cannot take arrays, one law after the other; samples
        that have no optimum are NaN.
        """
        if isinstance(what, str):
            params = self.law.params
            if what not in params:
                raise ValueError(f"There is no parameter {what!r}; the {self.law.law.name} law has {', '.join(params)}.")
            return np.asarray(params[what])
        try:
            together = np.asarray(what(self.law), dtype=float)
        except (TypeError, ValueError, IndexError):
            together = np.empty(0)
        if together.ndim and len(together) == len(self):
            return together
        answers: list[Array | None] = []
        for law in self:
            try:
                answers.append(np.asarray(what(law), dtype=float))
            except OptimumError:
                answers.append(None)
        known = next((a for a in answers if a is not None), None)
        if known is None:
            return np.full(len(self), np.nan)
        return np.array([np.full(known.shape, np.nan) if a is None else a for a in answers])

    def interval(self, what: Quantity, level: float = 0.95) -> tuple:
        """Returns (low, high) percentiles of `values(what)`: floats, or arrays for array quantities; NaN samples are left out."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1; got {level}.")
        low, high = central(self.values(what), level)
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def interval_words(samples: Ensemble | None) -> str:
    """Returns what the bands and brackets of pages and figures mean; "" where there are none."""
    return f"95 %, {samples.label}" if samples is not None else ""


def rounding(law: FittedLaw, half_units: Mapping[str, float], n: int = 1000, seed: int = 0) -> Ensemble:
    """Returns `n` laws with every printed coefficient drawn evenly within half a unit of its last printed digit.

    Raises ValueError for a law that is not printed (a fit, or a set moved inside the rounding already).
    """
    if not half_units:
        raise ValueError(f"{law.name} has no printed coefficients, so it has no print rounding.")
    rng = np.random.default_rng(seed)
    centers = np.array([law.params[p] for p in law.law.parameters])
    halves = np.array([half_units.get(p, 0.0) for p in law.law.parameters])
    drawn = pd.DataFrame(centers + halves * rng.uniform(-1, 1, (n, len(centers))), columns=list(law.law.parameters))
    raw = drawn[list(law.law.linear)].to_numpy()
    positive = law.law.positive
    theta = np.where(positive, np.log(np.where(positive, raw, 1.0)), raw)
    shapes = to_free(drawn["E_start"].to_numpy(), drawn["E_max"].to_numpy()) if law.law.has_shapes else np.empty((n, 0))
    return Ensemble(replace(law, theta=theta, shapes=shapes), law, "rounding")
