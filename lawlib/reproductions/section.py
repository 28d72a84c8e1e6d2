"""A section of the Reproductions page: one paper's claims beside the recomputed values, and whether they agree."""

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
    """Returns a published law of the log-sum-exp form."""
    law = published(name)
    assert isinstance(law, PublishedLaw)
    return law


def formula(name: str) -> FormulaLaw:
    """Returns a published law that can only be evaluated."""
    law = published(name)
    assert isinstance(law, FormulaLaw)
    return law
