"""All tables that answer one question about serving, and the two models of the chosen E that the algorithms recommend."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..ensemble import Ensemble
from . import tables
from .tables import Question

N_SAMPLES = 100
"""Samples behind the intervals: every one is served on its own."""


@dataclass(frozen=True)
class Answer:
    """The tables. `picks` are the algorithms' models of the chosen E; `loss` is that of the chosen E's optimum; served in tokens."""

    question: Question
    served: float
    interval: str
    optima: pd.DataFrame
    equal_loss: pd.DataFrame
    equal_cost: pd.DataFrame
    sizes: pd.DataFrame
    at_loss: pd.DataFrame
    lifetimes: pd.DataFrame
    configurations: pd.DataFrame
    loss: float

    def row(self, frame: pd.DataFrame, expansion: float | None = None) -> pd.Series:
        """The row of an E, by default the chosen one."""
        wanted = self.question.expansion if expansion is None else expansion
        return frame.iloc[int(np.flatnonzero(frame["expansion"].to_numpy() == wanted)[0])]

    @property
    def picks(self) -> pd.DataFrame:
        """The chosen E's models by Algorithms 1 and 2."""
        rows = [self.row(self.equal_loss), self.row(self.equal_cost)]
        return pd.DataFrame(rows).assign(kind=["same loss (Alg. 1)", "same price (Alg. 2)"])

    @property
    def region(self) -> tuple[float, float]:
        """Sizes of the chosen E that are both better and cheaper than the reference; NaN where there are none."""
        part = self.sizes[self.sizes["expansion"] == self.question.expansion]
        good = part[part["better"] & part["cheaper"]]
        low, high = self.row(self.equal_loss)["n_active"], self.row(self.equal_cost)["n_active"]
        if good.empty:
            return np.nan, np.nan
        return float(np.nanmax([low, -np.inf])), float(np.nanmin([high, part["n_active"].max()]))


def answer(question: Question, served: float, samples: Ensemble | None = None) -> Answer:
    """Everything about a question. served: tokens to serve; samples: of the question's law, for intervals.

    Raises:
        OptimumError: the law has no optimum at the question's budget.
    """
    few = samples.first(N_SAMPLES) if samples is not None else None
    optima = tables.optima_table(question, few)
    loss = float(optima.loc[optima["expansion"] == question.expansion, "loss"].iloc[0])
    fewest = tables.fewest_flops_of(question, loss)
    lifetimes = tables.lifetime_curves(question, loss, np.unique([*tables.SERVED, served]), fewest)
    return Answer(
        question=question,
        served=served,
        interval=f"95 %, {few.label}" if few is not None else "",
        optima=optima,
        equal_loss=tables.algorithm_table(question, "equal loss", few),
        equal_cost=tables.algorithm_table(question, "equal cost", few),
        sizes=tables.size_curves(question, few),
        at_loss=tables.equal_loss_curves(question, loss, fewest),
        lifetimes=lifetimes,
        configurations=tables.configurations(question, loss, served, fewest, lifetimes),
        loss=loss,
    )
