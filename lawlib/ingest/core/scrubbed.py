"""The record of private text that was removed from a column: which kind and how many values, never the values themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd

from .problem import counted, shown

HEADER = "path in the column's name"


@dataclass(frozen=True)
class Scrubbed:
    """One kind of private text in one column. n: how many distinct values had it; whole: the column was removed entirely."""

    field: str
    kind: str
    n: int
    whole: bool = False


def told(found: Iterable[Scrubbed]) -> str:
    """Returns all of it as one sentence, "" where nothing was removed."""
    found = list(found)
    if not found:
        return ""
    whole = list(dict.fromkeys(s.field for s in found if s.whole))
    parts = [f"{counted(len(whole), 'column')}: {shown(', '.join(whole), 300)}"] if whole else []
    if headers := [s for s in found if s.kind == HEADER]:
        parts.append(f"paths in {counted(len(headers), 'column name')}")
    cut: dict[str, list[str]] = {}
    for s in found:
        if not s.whole and s.kind != HEADER:
            cut.setdefault(s.field, []).append(f"{counted(s.n, 'value')} with {s.kind}")
    parts += [f'"{shown(field)}", {" and ".join(kinds)}' for field, kinds in cut.items()]
    return f"Left out, as it tells of people and machines: {'; '.join(parts)}."


def as_frame(found: Iterable[Scrubbed]) -> pd.DataFrame:
    """Returns one row each, with the columns field, kind, n and whole, as the store keeps them."""
    return pd.DataFrame([asdict(s) for s in found], columns=[f.name for f in fields(Scrubbed)])
