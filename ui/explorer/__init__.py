"""The explorer: choice of law, sliders, results of the law at them, phrases, and the live part in the page."""

from .law_choice import Choice, choose, facts, has
from .live import filled, quantities
from .results import (
    LawPair,
    approaches,
    at_point,
    compared_paths,
    decades,
    exponents,
    gain,
    gaps,
    isoflop_optima,
    isoflops,
    optimum,
    path,
    switches,
)
from .sliders import budget_range, budget_slider, chosen_budget, chosen_expansion, controls, point_of
from .words import active, at_expansion, at_granularity, beyond, bracket, experts, finest_note, meaning

__all__ = [
    "Choice",
    "LawPair",
    "active",
    "approaches",
    "at_expansion",
    "at_granularity",
    "at_point",
    "beyond",
    "bracket",
    "budget_range",
    "budget_slider",
    "choose",
    "chosen_budget",
    "chosen_expansion",
    "compared_paths",
    "controls",
    "decades",
    "experts",
    "exponents",
    "facts",
    "filled",
    "finest_note",
    "gain",
    "gaps",
    "has",
    "isoflop_optima",
    "isoflops",
    "meaning",
    "optimum",
    "path",
    "point_of",
    "quantities",
    "switches",
]
