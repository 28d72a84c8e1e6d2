"""Computes all tables that answer one question about serving, and the two models that Yun's algorithms recommend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..laws import Ensemble, interval_words
from ..numerics.arrays import Array
from . import tables
from .tables import Question

N_SAMPLES = 100
"""Samples behind the intervals: for every one both algorithms' models are looked for."""


@dataclass(frozen=True)
class Answer:
    """The tables of the answer. `picks` are the algorithms' models of the chosen E; `loss` is its optimum's; served in tokens.

    samples: the ensemble behind the intervals, as it was given.
    """

    question: Question
    served: float
    samples: Ensemble | None
    optima: pd.DataFrame
    equal_loss: pd.DataFrame
    equal_cost: pd.DataFrame
    sizes: pd.DataFrame
    at_loss: pd.DataFrame
    lifetimes: pd.DataFrame
    configurations: pd.DataFrame
    loss: float
    fewest: Array

    @property
    def interval(self) -> str:
        """What the intervals mean, "" where there are none."""
        return interval_words(self.samples)

    def row(self, frame: pd.DataFrame, expansion: float | None = None) -> pd.Series:
        """Returns the row of an E, by default the chosen one."""
        wanted = self.question.expansion if expansion is None else expansion
        return frame.iloc[int(np.flatnonzero(frame["expansion"].to_numpy() == wanted)[0])]

    @property
    def picks(self) -> pd.DataFrame:
        """The chosen E's models by Algorithms 1 and 2: size, tokens, loss and price. `row` of either table has the rest."""
        names = ("expansion", "n_active", "tokens", "loss", "gpu_hours")
        rows = self.row(self.equal_loss), self.row(self.equal_cost)
        both = {name: [float(row[name]) for row in rows] for name in names}
        return pd.DataFrame(both | {"kind": ["same loss (Alg. 1)", "same price (Alg. 2)"]})

    @property
    def region(self) -> tuple[float, float]:
        """Sizes of the chosen E that are both better and cheaper than the reference; NaN where there are none."""
        e, better, cheaper, n = (self.sizes[c].to_numpy() for c in ("expansion", "better", "cheaper", "n_active"))
        own = e == self.question.expansion
        if not (own & better & cheaper).any():
            return np.nan, np.nan
        low, high = self.row(self.equal_loss)["n_active"], self.row(self.equal_cost)["n_active"]
        return float(np.nanmax([low, -np.inf])), float(np.nanmin([high, n[own].max()]))


def answer(question: Question, served: float, samples: Ensemble | None = None, earlier: Answer | None = None) -> Answer:
    """Returns everything about a question. served: tokens to serve; samples: of the question's law, for intervals.

    earlier: an answer to another question, or for other tokens to serve; what does not depend on the difference is taken from it.

    Raises:
        OptimumError: the law has no optimum at the question's budget.
    """
    few = samples.first(N_SAMPLES) if samples is not None else None
    ladder, sized = _of(earlier, question, samples, "expansion"), _of(earlier, question, samples)

    def every_e(name: str, rows: Callable[[ArrayLike], pd.DataFrame]) -> pd.DataFrame:
        if ladder is None:
            return rows(question.expansions)
        known = getattr(ladder, name)
        known = known[known["expansion"].isin(question.expansions)]
        missing = np.setdiff1d(question.expansions, known["expansion"])
        parts = [known, rows(missing)] if len(missing) else [known]
        return pd.concat(parts).sort_values("expansion", ignore_index=True)

    optima = every_e("optima", lambda e: tables.optima_table(question, few, e))
    loss = float(optima.loc[optima["expansion"] == question.expansion, "loss"].iloc[0])
    fewest = sized.fewest if sized else tables.fewest_flops_of(question, loss)
    lifetimes = _lifetimes(question, loss, served, fewest, sized)
    return Answer(
        question=question,
        served=served,
        samples=samples,
        optima=optima,
        equal_loss=every_e("equal_loss", lambda e: tables.algorithm_table(question, "equal loss", few, e)),
        equal_cost=every_e("equal_cost", lambda e: tables.algorithm_table(question, "equal cost", few, e)),
        sizes=sized.sizes if sized else tables.size_curves(question, few),
        at_loss=sized.at_loss if sized else tables.equal_loss_curves(question, loss, fewest),
        lifetimes=lifetimes,
        configurations=tables.configurations(question, loss, served, fewest, lifetimes),
        loss=loss,
        fewest=fewest,
    )


def _lifetimes(q: Question, loss: float, served: float, fewest: Array, same: Answer | None) -> pd.DataFrame:
    """Returns the lifetime curves, with a point at `served`. same: an answer to the same question."""
    if same is None:
        return tables.lifetime_curves(q, loss, np.union1d(tables.SERVED, served), fewest)
    along = same.lifetimes[same.lifetimes["served"].isin(tables.SERVED)]
    if served not in tables.SERVED:
        along = pd.concat([along, tables.lifetime_curves(q, loss, [served], fewest)])
    return along.sort_values(["expansion", "served"], ignore_index=True)


def _of(earlier: Answer | None, q: Question, samples: Ensemble | None, *but: str) -> Answer | None:
    """Returns `earlier` where it has these samples and its question differs in nothing but these fields."""
    if earlier is None or earlier.samples is not samples or earlier.question.law is not q.law:
        return None
    same = (getattr(earlier.question, f.name) == getattr(q, f.name) for f in fields(q) if f.name not in ("law", *but))
    return earlier if all(same) else None
