"""The live explorer on the server's side: sentences with places for numbers, and the data with which the page fills them in.

A template has its numbers as `{quantity:writer}`, their intervals as `{quantity:writer~}`: the server fills in both, the page's
JavaScript (js/live.js) the numbers alone, as intervals take all refits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlit.components.v2 import component

import lawlib
from lawlib import numbers
from lawlib.figures import live_contract
from lawlib.optimum import portable

from ..session import on_page
from .words import bracket

_JS = Path(__file__).parents[1] / "js"


def _script() -> str:
    """Returns the contract's constants and the three JavaScript files as one module."""
    constants = f"const CONTRACT = {json.dumps(live_contract.constants())};"
    parts = ((_JS / name).read_text("utf-8").replace("export const", "const").replace("export function", "function")
             for name in ("law.js", "numbers.js"))  # fmt: skip
    return "\n".join((constants, *parts, (_JS / "live.js").read_text("utf-8")))


_LIVE = component("live", html='<p class="live-answer" aria-hidden="true"></p>', js=_script(), isolate_styles=False)


def quantities(optimum: lawlib.Optimum, **more: float) -> dict[str, Any]:
    """Returns the values that a template can name: the optimum's quantities and `more`."""
    derived = {"tokens_per_parameter": optimum.tokens_per_parameter, "n_experts": optimum.n_experts}
    return vars(optimum) | {"n_active_bare": optimum.n_active_nonembedding} | derived | more


def filled(template: str, values: Mapping[str, Any], intervals: Mapping[Any, Any]) -> str:
    """Returns the sentence with its numbers, and with the intervals whose ends `intervals` has as `quantity_low` and `quantity_high`.

    Raises ValueError for a template that the page could not follow.
    """
    live_contract.check_template(template)

    def write(match: re.Match) -> str:
        name, writer, interval = match.groups()
        if interval:
            return bracket(intervals, name, numbers.WRITE[writer])
        return numbers.WRITE[writer](values[name])

    return live_contract.FIELD.sub(write, template)


def explorer(template: str) -> None:
    """Makes the page's charts, and this sentence, follow the sliders while they move; for the laws and sliders of this run.

    Raises ValueError for a template that the page could not follow.
    """
    live_contract.check_template(template)
    shown = on_page.now()
    if not shown.sliders or not shown.laws or shown.point is None:
        return
    moe, dense = shown.laws[0][0].law, shown.laws[-1][0].law
    point = shown.point
    data = {
        "law": portable(moe),
        "dense": portable(dense),
        "sliders": shown.sliders,
        "point": {"budget": point.budget, "e": point.expansion, "g": point.granularity},
        "sentence": template,
    }
    _LIVE(key="live", data=data)
