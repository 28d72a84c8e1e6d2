"""The contract between figures, sentences and ui/js/live.js, held to from both sides; JavaScript runs in Node."""

import re
from typing import Any

import numpy as np
import pytest

import lawlib
from lawlib import figures, numbers, portable
from lawlib.figures import live_contract as contract
from lawlib.figures.live_contract import follow
from lawlib.optimum import tables
from tests.support.node import evaluate
from ui.explorer import live

MOE, DENSE, EXPANDED = "krajewski2024-moe-e64", "krajewski2024-dense", "ludziejewski2025"
STYLE = figures.LIGHT

PAGE = """
globalThis.window = globalThis;
globalThis.addEventListener = () => {};
globalThis.getComputedStyle = () => ({ fill: "red" });
const drawn = {}, read = new Set(), lawKeys = new Set();
const watched = (value, keys) => value && new Proxy(value, { get: (of, key) => (typeof key === "string" && keys.add(key), of[key]) });
const shape = (kind) => ({
  kind, dataset: {}, style: {}, attributes: {}, children: [],
  setAttribute(name, value) { this.attributes[name] = value; if (this.dataset.of) drawn[this.dataset.of] = this; },
  removeAttribute() {}, append(child) { this.children.push(child); },
  querySelector(query) { return this.children.find((child) => query === `[data-of="${child.dataset.of}"]`) ?? null; },
  querySelectorAll() { return this.points ?? []; }, getBBox: () => ({ x: 0, width: 1 }),
});
globalThis.document = { createElementNS: (_, kind) => shape(kind), createElement: shape };
const open = ({ law, dense, point }) => {
  live = { data: { law: watched(law, lawKeys), dense: watched(dense, lawKeys), sliders: {}, point, sentence: "" }, models: new Map() };
};
"""
FOLLOWED = """
open(argument);
const place = shape("g"), bars = shape("g"), axis = { d2p: Number };
bars.points = [shape("path"), shape("path")];
const data = argument.traces.map((trace, i) => ({ visible: true, uid: `u${i}`, ...trace, meta: { live: watched(trace.meta.live, read) } }));
const chart = {
  _fullLayout: { xaxis: axis, yaxis: axis, shapes: [], annotations: [] }, _fullData: data,
  querySelector: (query) => (query === ".live" ? place : null), querySelectorAll: () => [bars],
};
[...follow(chart, argument.at)];
return { read: [...read], laws: [...lawKeys], drawn: Object.fromEntries(Object.entries(drawn).map(([of, at]) => [of, at.attributes])) };
"""


def page() -> str:
    """The page's script, as a script whose inner names a test can use, in a page with nothing on it."""
    return PAGE + live._script().replace("export default function", "function mount")


def opened(law: str, dense: str, **point: float | None) -> dict[str, Any]:
    return {"law": portable(published(law)), "dense": portable(published(dense)), "point": point}


def published(name: str) -> lawlib.FittedLaw:
    law = lawlib.published(name)
    assert isinstance(law, lawlib.FittedLaw)
    return law


# ---------------------------------------------------------------- Python


@pytest.mark.parametrize(
    ("sliders", "parts", "sentence"),
    [
        (("batch",), {}, 'follows no slider "batch"; there are: budget, e, g'),
        (("e",), {"colour": "red"}, 'follows no key of a recipe "colour"; there are: budget, times, e, g, along, y, mark, on'),
        (("e",), {"along": "flops", "y": "perplexity"}, 'follows no quantity "perplexity"'),
        (("e",), {"mark": ["n_active", "price"]}, 'follows no quantity "price"'),
        (("e",), {"along": "tokens", "y": "loss"}, 'follows no x of a curve "tokens"; there are: flops, n_active, granularity'),
        (("e",), {"y": "loss"}, "needs both `along`"),
        (("e",), {"along": "flops"}, "needs both `along`"),
        (("e",), {"mark": ["loss"]}, "takes the two quantities of a point"),
        (("e",), {"mark": ["n_active", "loss"], "along": "flops", "y": "loss"}, "goes without a `y` of its own"),
        (("e",), {"along": "n_active", "y": "tokens"}, "can only draw the loss"),
        (("e",), {"along": "flops", "y": "loss", "g": 4.0}, 'can only be "best"'),
        (("e",), {"along": "n_active", "y": "loss", "budget": [1e20, 1e21]}, "only marks may have several"),
        (("e",), {"mark": ["n_active", "loss"], "budget": 1e20, "times": 2.0}, "only marks may have several"),
    ],
)
def test_a_recipe_that_the_page_could_not_follow_fails_with_a_sentence(sliders, parts, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        follow(*sliders, **parts)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("loss {perplexity:loss}", 'follows no quantity "perplexity"'),
        ("loss {loss:euros}", f'follows no way to write a number "euros"; there are: {", ".join(numbers.WRITE)}'),
        ("loss {loss}", "is written {quantity:writer}"),
    ],
)
def test_a_sentence_that_the_page_could_not_follow_fails_with_a_sentence(template, sentence):
    for use in (live.explorer, lambda text: live.filled(text, {}, {})):
        with pytest.raises(ValueError, match=re.escape(sentence)):
            use(template)


def test_words_are_hidden_by_sliders_that_there_are():
    assert contract.hidden_by(("e", "g")) == {"name": "on e g"}
    assert contract.hidden_by(()) == {}
    with pytest.raises(ValueError, match='follows no slider "size"'):
        contract.hidden_by(("size",))  # pyright: ignore[reportArgumentType]


# ---------------------------------------------------------------- JavaScript


def test_live_js_knows_every_quantity_of_the_contract_and_none_else():
    assert sorted(evaluate(page(), "return Object.keys(QUANTITIES)")) == sorted(contract.QUANTITIES)


def test_live_js_has_a_writer_for_every_one_of_the_contract_and_none_else():
    assert evaluate(page(), "return Object.keys(WRITE)") == list(numbers.WRITE)


@pytest.mark.parametrize(("name", "dense"), [(MOE, DENSE), (EXPANDED, EXPANDED)])
@pytest.mark.parametrize("budget", [3e19, 2e22])
def test_every_quantity_is_the_same_in_python_and_in_the_page(name, dense, budget):
    law, g = published(name), 4.0 if name == MOE else None
    e = 64.0 if name == MOE else 8.0
    body = """open(argument);
    return Object.fromEntries(Object.keys(QUANTITIES).map((name) => [name, quantity(name, argument.at)]));"""
    found = evaluate(page(), body, opened(name, dense, budget=budget, e=e, g=g) | {"at": {"c": budget, "e": e, "g": g}})
    wanted = _quantities(law, published(dense), budget, e, g)
    assert set(wanted) == set(contract.QUANTITIES)
    for quantity, value in wanted.items():
        if np.isfinite(value):
            assert found[quantity] == pytest.approx(value, rel=1e-6, abs=1e-9), quantity


def _quantities(law: lawlib.FittedLaw, dense: lawlib.FittedLaw, budget: float, e: float, g: float | None) -> dict[str, float]:
    """Every quantity of the contract by the library; NaN for those that have no meaning for a law without G."""
    here, best = lawlib.compute_optimal(law, budget, e, g), lawlib.compute_optimal(law, budget, e)
    other = lawlib.compute_optimal(dense, budget, 1.0 if dense.law.has_expansion else None)
    n_exponent, d_exponent = lawlib.allocation_exponents(law, budget, e, g)
    coarsest = 1.0 if g else np.nan
    found = {name: getattr(here, name) for name in contract.OF_OPTIMUM}
    found |= {f"best_{name}": getattr(best, name) for name in ("granularity", "n_active", "tokens")}
    found |= {
        "excess": here.loss - best.loss,
        "coarse_excess": lawlib.compute_optimal(law, budget, e, 1.0).loss - best.loss if g else np.nan,
        "gain": lawlib.granularity_gain(law, budget, e, coarsest) if g else np.nan,
        "gap": lawlib.efficiency_gap(law, dense, budget, e, g),
        "loss_dense": other.loss,
        "n_exponent": n_exponent,
        "d_exponent": d_exponent,
        "router_share": lawlib.router_share(law, np.asarray(here.n_active), e, g) if g else np.nan,
        "n_active_bare": here.n_active_nonembedding if law.count.endswith("with_embeddings") else np.nan,
    }
    return {name: float(value) for name, value in found.items()}


def trace(meta: dict[str, Any], x: list[float], **more: Any) -> dict[str, Any]:
    look = {
        "marker": {"symbol": "diamond", "size": 10, "color": "red", "line": {"color": "red"}},
        "line": {"width": 2, "color": "red"},
    }
    return {"type": "scatter", "x": x, "meta": meta} | look | more


def places(attributes: dict[str, Any]) -> np.ndarray:
    """The points of drawn lines, as (x, y)."""
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML]([-\d.e+]+),([-\d.e+]+)", attributes["d"])])


def followed(traces: list[dict[str, Any]], at: dict[str, float | None], law: str = MOE, dense: str = DENSE) -> dict[str, Any]:
    start = {"budget": 1e20, "e": 64.0, "g": 4.0}
    return evaluate(page(), FOLLOWED, opened(law, dense, **start) | {"traces": traces, "at": start | at})


def test_live_js_reads_every_key_of_a_recipe_and_none_else():
    traces = [
        trace(follow("budget", along="n_active", y="loss"), [1e8, 1e9, 1e10]),
        trace(follow("budget", along="flops", y="loss", e=64.0, g="best"), [1e20, 1e21]),
        trace(follow("budget", along="granularity", y="excess", times=10.0), [1.0, 2.0]),
        trace(follow("budget", along="granularity", y="router_share"), [1.0, 2.0], type="bar"),
        trace(follow("budget", mark=["n_active", "loss"], budget=[1e20, 1e21]), [1e9, 1e9]),
        trace(follow("budget"), [1.0]),
    ]
    assert set(followed(traces, {"budget": 1e21})["read"]) == set(contract.KEYS)


def test_live_js_reads_of_a_law_only_what_its_data_have():
    traces = [trace(follow("budget", along="flops", y=y), [1e20]) for y in ("loss", "gap", "n_exponent", "gain", "n_experts")]
    for name, dense in ((MOE, DENSE), (EXPANDED, EXPANDED)):
        assert set(followed(traces, {"budget": 1e21}, name, dense)["laws"]) <= set(portable(published(name)))


def test_a_curve_along_each_x_of_the_contract_is_the_law_s():
    """Drawn in a page whose pixels are the axes' own units."""
    law, budgets, sizes, options = published(MOE), [1e19, 1e20, 1e21], [1e8, 1e9, 1e10], [1.0, 2.0, 8.0]
    traces = {
        "flops": trace(follow("budget", along="flops", y="loss"), budgets),
        "n_active": trace(follow("budget", along="n_active", y="loss", budget=1e20), sizes),
        "granularity": trace(follow("budget", along="granularity", y="excess", times=10.0), options),
    }
    assert set(traces) == set(contract.ALONG)
    drawn = followed([*traces.values()], {"budget": 1e21})["drawn"]
    best = lawlib.compute_optimal(law, 1e22, 64.0).loss
    wanted = {
        "flops": (budgets, lawlib.compute_optimal(law, np.array(budgets), 64.0, 4.0).loss),
        "n_active": (sizes, lawlib.isoflop_losses(law, 1e20, np.array(sizes), 64.0, 4.0)[1]),
        "granularity": (options, np.asarray(lawlib.compute_optimal(law, 1e22, 64.0, np.array(options)).loss) - best),
    }
    for i, name in enumerate(traces):
        points = np.concatenate([places(drawn[f"{part}{i}"]) for part in ("line", "dash")])
        points = points[points[:, 0] > 0]  # without an empty path's corner
        found = dict(points.tolist())
        for x, y in zip(*wanted[name], strict=True):
            assert found[x] == pytest.approx(float(y), rel=1e-6, abs=1e-7), (name, x)


def test_marks_stand_at_their_own_budgets():
    traces = [trace(follow("e", mark=["n_active", "loss"], budget=[1e19, 1e21], g="best"), [1.0, 1.0])]
    drawn = followed(traces, {"e": 65.0})["drawn"]
    for k, budget in enumerate((1e19, 1e21)):
        wanted = lawlib.compute_optimal(published(MOE), budget, 64.0)  # this law holds at one E
        assert places(drawn[f"mark0_{k}"])[0, 0] == pytest.approx(float(wanted.n_active), rel=1e-6)


def test_every_figure_s_recipes_keep_to_the_contract():
    """Figures say what follows through `follow` alone: what stands in their traces' meta passes its check once more."""
    law = published(MOE)
    path = tables.optimal_path(law, np.geomspace(1e19, 1e22, 7), 64.0)
    curves = tables.isoflop_curves(law, [1e19, 1e20], 64.0)
    ladder = tables.granularity_curves(law, np.array([1e19, 1e20]), 64.0)
    gaps = tables.gap_curves({64.0: (law, published(DENSE))}, np.geomspace(1e19, 1e22, 7), None, None)
    made = [
        figures.loss_frontier(path, None, STYLE, 1e20, ""),
        figures.allocation({MOE: path}, MOE, STYLE, 1e20),
        figures.isoflop_figure(curves, None, STYLE, 1e20),
        figures.excess_figure(ladder, STYLE, 1e20),
        figures.best_figure(path, lawlib.switching_budgets(law, 64.0), STYLE, 1e20),
        figures.router_figure(ladder, STYLE, 1e20),
        figures.gap_figure(gaps, STYLE, 1e20, 64.0),
        figures.losses_figure(gaps, STYLE, 1e20, 64.0),
    ]
    for figure in made:
        recipes = [trace["meta"]["live"] for trace in figure.parts["data"] if "meta" in trace]
        assert recipes
        for recipe in recipes:
            contract.checked(recipe)
        names = {item.get("name", "") for kind in ("shapes", "annotations") for item in figure.parts["layout"].get(kind, [])}
        for name in names - {"", contract.BUDGET_LINE}:
            assert name in {contract.hidden_by(name.removeprefix(contract.HIDDEN_BY).split(" "))["name"]}
