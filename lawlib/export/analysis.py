"""Data classes that describe what a page shows: laws with their origin, the sliders' values, the answer and the charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..laws import Ensemble, FittedLaw
from ..serving import Answer


@dataclass(frozen=True)
class Origin:
    """How a law was obtained (published, or fitted to which runs with which options), so that a script can do it again.

    Args:
        law: the family, or the published law's name (then nothing else is needed).
        dataset, title: the data set; bundled: whether it comes with the program, else its runs travel in a file.
        runs: the selected runs, excluded ones too; filters: arguments of `lawlib.select` that chose them.
        arch: "moe" or "dense" where the law was fitted to these of the runs alone.
        options: arguments of `lawlib.fit`. unit: what the bootstrap drew: "runs", "slices" or "sizes".
    """

    law: str
    dataset: str = ""
    title: str = ""
    bundled: bool = True
    runs: pd.DataFrame | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    arch: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    unit: str = "runs"

    @property
    def published(self) -> bool:
        return not self.dataset


@dataclass(frozen=True)
class Part:
    """One law of an analysis with the ensemble behind its intervals (None: it has none) and the ensemble's seed.

    name: what a script calls it, where that is not `law` (the first) or `dense` (the second). at: its own budget, expansion and
    granularity, where the laws of an analysis stand at different points.
    """

    law: FittedLaw
    origin: Origin
    label: str
    samples: Ensemble | None = None
    seed: int = 0
    name: str = ""
    at: tuple[float, float | None, float | None] | None = None


@dataclass(frozen=True)
class Chart:
    """A figure as it was shown, and the table it was drawn from."""

    key: str
    title: str
    figure: go.Figure
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Analysis:
    """A page: its title, its answer (as plain words) and address, its laws (the first is the chosen one), sliders, charts.

    budget in training FLOPs, None on a page without sliders; expansion and granularity None where the law has none. serving: what
    a page about serving answers, and the price of a GPU-hour in USD.
    """

    title: str
    parts: tuple[Part, ...]
    answer: str = ""
    link: str = ""
    budget: float | None = None
    expansion: float | None = None
    granularity: float | None = None
    charts: tuple[Chart, ...] = ()
    serving: tuple[Answer, float] | None = None
