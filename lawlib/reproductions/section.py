"""One paper's claims beside what comes out here: the table, the verdict and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..laws import FormulaLaw, PublishedLaw, published

LEVEL = 0.90
"""The rounding bands here run from the 5th to the 95th percentile."""


@dataclass(frozen=True)
class Section:
    """One paper's claims. table: a row a figure, with columns ending in "deviation" as fractions or nats; judged by `holds`.

    verdict: one sentence of numbers. note: what is secondary, computed or not printed about it.
    """

    title: str
    arxiv: str
    verdict: str
    table: pd.DataFrame
    note: str = ""

    @property
    def n_held(self) -> int:
        return int(self.table["holds"].sum()) if "holds" in self.table else 0

    @property
    def n_judged(self) -> int:
        return int(self.table["holds"].notna().sum()) if "holds" in self.table else 0


def fitted(name: str) -> PublishedLaw:
    """A published law that has a loss of the log-sum-exp form."""
    law = published(name)
    assert isinstance(law, PublishedLaw)
    return law


def formula(name: str) -> FormulaLaw:
    """A published law that only evaluates."""
    law = published(name)
    assert isinstance(law, FormulaLaw)
    return law
