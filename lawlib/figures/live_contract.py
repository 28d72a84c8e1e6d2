"""The contract with the page's JavaScript: the quantities that follow a moving slider, and what the recipe of a curve may hold.

Figures and sentences name things here that ui/js/live.js works out in the page. A name that is not in this module fails at once
in Python, with a ValueError; `constants` hands JavaScript what it shares, and tests hold each side to the other.

A trace that follows the sliders carries a `Recipe` in its `meta`, plain data from which the page draws it again. A sentence that
follows them is a template: `{quantity:writer}` is a number, `{quantity:writer~}` its interval, which the server alone fills in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, TypedDict, Unpack, get_args

from .. import numbers

Slider = Literal["budget", "e", "g"]
"""What a page's sliders set: training FLOPs, the expansion E, the granularity G."""

Along = Literal["flops", "n_active", "granularity"]
"""What the x of a curve may be."""

OfOptimum = Literal["n_active", "tokens", "granularity", "expansion", "flops", "loss", "tokens_per_parameter", "n_experts"]
"""Quantities of the compute-optimal model, in the count of N that the law has; losses in nats per token.

Without n_total: for laws whose rule for it needs a whole shape, the page cannot work it out.
"""

OfBest = Literal["best_granularity", "best_n_active", "best_tokens"]
"""The same of the model with the best granularity, whatever G the slider sets."""

Derived = Literal[
    "excess", "coarse_excess", "gain", "gap", "loss_dense", "n_exponent", "d_exponent", "router_share", "n_active_bare"
]
"""What is worked out from optima.

excess, coarse_excess: loss of the chosen G and of the coarsest above the best one's, in nats; gain: compute that the coarsest G
needs for the best one's loss, a ratio; gap: dense over MoE FLOPs at equal loss; loss_dense: the dense law's loss at the budget;
n_exponent, d_exponent: d ln N_opt / d ln C and d ln D_opt / d ln C; router_share: the router's part of the FLOPs; n_active_bare:
active parameters without embeddings.
"""

Quantity = OfOptimum | OfBest | Derived

SLIDERS: tuple[Slider, ...] = get_args(Slider)
ALONG: tuple[Along, ...] = get_args(Along)
OF_OPTIMUM: tuple[str, ...] = get_args(OfOptimum)
OF_BEST: tuple[str, ...] = get_args(OfBest)
QUANTITIES: tuple[str, ...] = (*OF_OPTIMUM, *OF_BEST, *get_args(Derived))

BUDGET_LINE = "live budget"
"""The name of a vertical line at the chosen budget, and of its words: the page moves both."""
HIDDEN_BY = "on "
"""How the names of other words in a chart begin that the page hides while one of the sliders after it moves: "on e g"."""
FIELD = re.compile(r"\{(\w+):(\w+)(~?)\}")
"""A place for a number in a template: quantity, writer, "~" for its interval."""


class Own(TypedDict, total=False):
    """Values that a trace has of its own instead of a slider's.

    budget: training FLOPs, of marks also several, a mark each; times: this multiple of the chosen budget, instead; e: the expansion
    E; g: "best" for the best granularity.
    """

    budget: float | Sequence[float]
    times: float
    e: float
    g: Literal["best"]


class Parts(Own, total=False):
    """What a recipe may say besides its sliders; of sliders alone, it hides what only the server can draw, bands first.

    along, y: of a curve (or of bars along the granularity), what its x is and the quantity drawn there. mark: of a point, the two
    quantities that it is drawn at, instead.
    """

    along: Along
    y: Quantity
    mark: Sequence[Quantity]


class Recipe(Parts):
    """How a trace follows the sliders in `on`."""

    on: Sequence[Slider]


KEYS: tuple[str, ...] = tuple(Recipe.__annotations__)
"""All that a recipe may hold."""


def follow(*sliders: Slider, **parts: Unpack[Parts]) -> dict[str, Any]:
    """Returns the `meta` of a trace that follows these sliders. Raises ValueError where the page could not follow it."""
    return {"live": checked(Recipe(on=list(sliders), **parts))}


def checked(recipe: Recipe) -> Recipe:
    """Returns the recipe itself. Raises ValueError with a sentence where it holds what ui/js/live.js does not know."""
    _known("key of a recipe", recipe, KEYS)
    _known("slider", recipe["on"], SLIDERS)
    _known("x of a curve", [recipe[key] for key in ("along",) if key in recipe], ALONG)
    mark = recipe.get("mark", ())
    _known("quantity", [*mark, *(recipe[key] for key in ("y",) if key in recipe)], QUANTITIES)
    if ("y" in recipe) != ("along" in recipe):
        raise ValueError("A recipe of a curve needs both `along`, what its x is, and `y`, the quantity drawn there.")
    if mark and (len(mark) != 2 or "y" in recipe):
        raise ValueError("A recipe's `mark` takes the two quantities of a point, x and y, and goes without a `y` of its own.")
    if recipe.get("along") == "n_active" and recipe.get("y") != "loss":
        raise ValueError('Along "n_active", at a fixed budget, the page can only draw the loss: `y` must be "loss".')
    if recipe.get("g", "best") != "best":
        raise ValueError('A recipe\'s own `g` can only be "best", the best granularity.')
    if "budget" in recipe and ("times" in recipe or (not mark and not isinstance(recipe["budget"], float | int))):
        raise ValueError("A recipe has one `budget` or is at some `times` of the slider's; only marks may have several.")
    return recipe


def hidden_by(sliders: Sequence[Slider]) -> dict[str, str]:
    """Returns the name that hides words of a chart while one of these sliders moves, as plotly's `name=`; none without sliders."""
    _known("slider", sliders, SLIDERS)
    return {"name": HIDDEN_BY + " ".join(sliders)} if sliders else {}


def check_template(template: str) -> None:
    """Raises ValueError with a sentence where a template has a quantity or a writer that ui/js/live.js does not know."""
    fields = FIELD.findall(template)
    _known("quantity", [name for name, _, _ in fields], QUANTITIES)
    _known("way to write a number", [writer for _, writer, _ in fields], tuple(numbers.WRITE))
    left = FIELD.sub("", template)
    if "{" in left or "}" in left:
        raise ValueError(
            f"A place for a number in a sentence is written {{quantity:writer}} or {{quantity:writer~}}; got “{left}”."
        )


def constants() -> dict[str, Any]:
    """Returns what ui/js/live.js is given of this module, ready for JSON."""
    return {"of_optimum": OF_OPTIMUM, "of_best": OF_BEST, "budget_line": BUDGET_LINE, "hidden_by": HIDDEN_BY}


def _known(what: str, found: Any, known: Sequence[str]) -> None:
    for name in found:
        if name not in known:
            raise ValueError(
                f'ui/js/live.js follows no {what} "{name}"; there are: {", ".join(known)}. See lawlib/figures/live_contract.py.'
            )
