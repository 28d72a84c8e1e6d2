"""Laws as printed in the papers, with their source. Their figures are read from the seeds `published_laws` and `law_sources`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .. import seeds
from .ensemble import Ensemble, rounding
from .families import FAMILIES
from .fitted import FittedLaw
from .flops import DENSE, KRAJEWSKI_TOTAL, FlopsRule, TotalRule
from .formulas import FORMULAS, FormulaLaw
from .record import Record
from .saturation import to_free


@dataclass(frozen=True)
class PublishedLaw(FittedLaw):
    """A law with the coefficients printed in a paper; `source` describes that paper."""

    source: Record = field(kw_only=True)

    def rounding(self, n: int = 1000, seed: int = 0) -> Ensemble:
        """Returns `n` laws drawn within the print rounding of the coefficients. Raises ValueError where none are printed."""
        return rounding(self, self.source.half_units, n, seed)


def published_names() -> list[str]:
    """Returns the names that `published` knows, in the order of the seeds."""
    return seeds.table("law_sources")["law"].tolist()


@lru_cache(maxsize=32)
def published(name: str) -> PublishedLaw | FormulaLaw:
    """Returns the published law of this name; `ling2025` and `zhao2025` can be evaluated but have no optimum of their own.

    Raises ValueError with the known names.
    """
    sources = seeds.table("law_sources").set_index("law")
    if name not in sources.index:
        raise ValueError(f"There is no published law {name!r}; known are {', '.join(sources.index)}.")
    row = sources.loc[name]
    table = seeds.table("published_laws")
    table = table[table["law"] == name].set_index("parameter")
    values = {p: float(v) for p, v in table["value"].items()}
    record = Record(
        name=name,
        title=_text(row["title"]),
        authors=_text(row["authors"]),
        year=int(row["year"]),
        arxiv=_text(row["arxiv"]),
        location=_text(row["location"]),
        count=_text(row["n_count"]),
        mark=_text(row["mark"]),
        note=_text(row["note"]),
        loss_data=_text(row["loss_data"]),
        half_units={p: float(v) for p, v in table["half_unit"].items() if _number(v) > 0},
        standard_errors={p: float(v) for p, v in table["standard_error"].items() if _number(v) > 0},
    )
    if row["family"] in FORMULAS:
        return FormulaLaw(record, values, FORMULAS[row["family"]])
    law = FAMILIES[row["family"]]
    fixed_e = _number(row["e_min"]) if _number(row["e_min"]) == _number(row["e_max"]) else None
    has_e = law.has_expansion
    return PublishedLaw(
        law=law,
        theta=law.theta(values),
        shapes=to_free(values["E_start"], values["E_max"]) if law.has_shapes else np.empty(0),
        flops_rule=FlopsRule(_text(row["flops_rule"]) or "6ND"),
        total_rule=_total_rule(law.name, record.count),
        expansion=None if has_e else fixed_e,
        rmse=_number(row["rmse"]),
        held={"E_start": f"published: {record.citation}", "E_max": f"published: {record.citation}"} if law.has_shapes else {},
        ranges=_ranges(row, record.count),
        source=record,
    )


def _total_rule(law: str, count: str) -> TotalRule:
    if law == "fine_grained":
        return KRAJEWSKI_TOTAL
    if law == "sparsity":
        return TotalRule("share", 1.0, source="N_active = N_total (1 - S)")
    if law == "chinchilla":
        return DENSE
    if count == "n_active_with_embeddings":
        return TotalRule("ludziejewski", source="N_total = 2 d V + (4 + 9 E) n d², d = 64 n, V = 50257")
    return TotalRule("unknown")


def _ranges(row, count: str) -> dict[str, tuple[float, float]]:
    columns = {count.removesuffix("_with_embeddings"): "n", "tokens": "d", "expansion": "e", "granularity": "g"}
    pairs = {q: (_number(row[f"{k}_min"]), _number(row[f"{k}_max"])) for q, k in columns.items()}
    return {q: pair for q, pair in pairs.items() if np.isfinite(pair).all()}


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _number(value: object) -> float:
    return float(value) if value not in (None, "") else np.nan  # type: ignore[arg-type]
