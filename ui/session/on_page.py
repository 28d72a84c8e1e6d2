"""What a page has shown in this run, in the order of showing: its laws, sliders, answer and charts. Exports are made of it."""

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

_KEY = "collected"


@dataclass
class Collected:
    """One run of a page. toolbar: the place beside the title; sliders: the values of each, by its field.

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
        """All of it, for `lawlib.export`; the laws' intervals come from the cache."""
        parts = tuple(replace(part, samples=samples()) for part, samples in self.laws)
        at = self.point
        where = (at.budget, at.expansion, at.granularity) if at else (None, None, None)
        self.exported = Analysis(self.title, parts, self.answer, link, *where, tuple(self.charts), self.serving)
        return self.exported


def begin(title: str, toolbar: Any) -> None:
    """A new run of a page."""
    st.session_state[_KEY] = Collected(title, toolbar)


def wait_here() -> None:
    """Progress bars of what follows stand here."""
    now().waiting = st.empty()


def restart(before: Collected) -> None:
    """The part of the page that follows its sliders begins again: what was collected before it stays."""
    st.session_state[_KEY] = replace(before, laws=[*before.laws], sliders={}, charts=[], exported=None)
    wait_here()


def now() -> Collected:
    """What this run has shown so far."""
    if _KEY not in st.session_state:
        begin("", None)
    return st.session_state[_KEY]


def law(
    law: lawlib.FittedLaw, label: str, origin: Origin, samples: Callable[[], lawlib.Ensemble | None], seed: int = 0, **more: Any
) -> None:
    """A law that the page speaks of; `samples` gives the ensemble behind its intervals. more: of `lawlib.export.Part`."""
    now().laws.append((Part(law, origin, label, seed=seed, **more), samples))


def point(point: Point) -> None:
    """Where the sliders stand."""
    now().point = point


def slider(field: Slider, values: list) -> None:
    """A slider that the page's charts follow, with the values along it."""
    now().sliders[field] = values


def serving(found: Answer, price: float) -> None:
    """What the page says about serving, at this price of a GPU-hour in USD."""
    now().serving = found, price


def answer(sentence: str) -> None:
    """The page's answer line."""
    now().answer = unmarked(sentence)


def chart(key: str, title: str, figure: figures.Figure, table: pd.DataFrame | None) -> None:
    """A figure and the table under it."""
    now().charts.append(Chart(key, unmarked(title), figure, table))
