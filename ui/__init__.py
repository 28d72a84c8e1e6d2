"""What all pages share: the frame, the choice of law, sliders, results, charts and cached calls, in one namespace.

A page calls `ui.begin`, `ui.choose`, `ui.point_of`, results such as `ui.path`, `ui.controls`, `ui.answer`, `ui.chart`, `ui.finish`.

Pieces of one page only come from its own folder: `from ui.decisions import plan_results`.
"""

from .cached import N_RESAMPLES, datasets, ensemble, fit, health, passing, progress, runs, selection, store, too_many
from .charts import chart, style
from .explorer import (
    Choice,
    active,
    approaches,
    at_expansion,
    at_granularity,
    at_point,
    beyond,
    budget_range,
    choose,
    compared_paths,
    controls,
    decades,
    experts,
    exponents,
    facts,
    filled,
    finest_note,
    gain,
    gaps,
    has,
    isoflop_optima,
    isoflops,
    meaning,
    optimum,
    path,
    point_of,
    quantities,
    switches,
)
from .frame import ICON, answer, begin, explore, finish, menu
from .session.point import Point
