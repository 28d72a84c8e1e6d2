"""The values of the three sliders: a budget, an expansion and a granularity."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """The sliders' values: budget in FLOPs; expansion and granularity, None where the law has none or picks the best."""

    budget: float
    expansion: float | None
    granularity: float | None
