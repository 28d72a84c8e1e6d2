"""Record of what the current run of a page has shown (laws, sliders, answer, charts); exports are built from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import streamlit as st

import lawlib
from lawlib import figures
from lawlib.export import Analysis, Chart, Origin, Part
from lawlib.figures.live_contract import Slider
from lawlib.serving import Answer

from .markup import unmarked
from .point import Point

_KEY = "shown"


@dataclass
class Shown:
    """What one run of a page has shown. toolbar: the place beside the title; sliders: the values of each, by its field.

    waiting: the place at the page's head for a progress bar; explored: whether a part of the page follows sliders of its own (`page.explore`).
    """

    title: str
    toolbar: Any
    waiting: Any = None
    laws: list[tuple[Part, Callable[[], lawlib.Ensemble | None]]] = field(default_factory=list)
    point: Point | None = None
    sliders: dict[Slider, list] = field(default_factory=dict)
    answer: str = ""
    serving: tuple[Answer, float] | None = None
    charts: list[Chart] = field(default_factory=list)
    exported: Analysis | None = None
    explored: bool = False

    def analysis(self, link: str) -> Analysis:
        """Returns all of it, for `lawlib.export`; the laws' intervals come from the cache."""
        parts = tuple(replace(part, samples=samples()) for part, samples in self.laws)
        at = self.point
        where = (at.budget, at.expansion, at.granularity) if at else (None, None, None)
        self.exported = Analysis(self.title, parts, self.answer, link, *where, tuple(self.charts), self.serving)
        return self.exported


def begin(title: str, toolbar: Any) -> None:
    """Starts the record of a new run of a page."""
    st.session_state[_KEY] = Shown(title, toolbar)


def wait_here() -> None:
    """Marks the place where progress bars of what follows are shown."""
    now().waiting = st.empty()


def restart(before: Shown) -> None:
    """Starts the record of the part that follows the sliders again, keeping what was shown before it."""
    st.session_state[_KEY] = replace(before, laws=[*before.laws], sliders={}, charts=[], exported=None)
    wait_here()


def now() -> Shown:
    """Returns what this run has shown so far."""
    if _KEY not in st.session_state:
        begin("", None)
    return st.session_state[_KEY]


def law(
    law: lawlib.FittedLaw, label: str, origin: Origin, samples: Callable[[], lawlib.Ensemble | None], seed: int = 0, **more: Any
) -> None:
    """Records a law that the page uses; `samples` gives the ensemble behind its intervals. more: of `lawlib.export.Part`."""
    now().laws.append((Part(law, origin, label, seed=seed, **more), samples))


def point(point: Point) -> None:
    """Records the sliders' values."""
    now().point = point


def slider(field: Slider, values: list) -> None:
    """Records a slider that the page's charts follow, with the values along it."""
    now().sliders[field] = values


def serving(found: Answer, price: float) -> None:
    """Records what the page says about serving, at this price of a GPU-hour in USD."""
    now().serving = found, price


def answer(sentence: str) -> None:
    """Records the page's answer line."""
    now().answer = unmarked(sentence)


def chart(key: str, title: str, figure: figures.Figure, table: pd.DataFrame | None) -> None:
    """Records a figure and the table under it."""
    now().charts.append(Chart(key, unmarked(title), figure, table))
