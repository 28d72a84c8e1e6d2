"""A law as data: plain, and evaluated by the page's JavaScript to the same numbers, in the real browser."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import numbers, portable
from lawlib.laws import FittedLaw
from lawlib.laws.saturation import to_free
from tests.support import planted

JS = Path(__file__).resolve().parents[2] / "ui" / "js"
N_POINTS = 1000
MOST_LINES = {"law.js": 200}


def form(name: str) -> FittedLaw:
    """A family with its planted parameters, counts and FLOPs as the planted runs have them."""
    return lawlib.fit(planted.grid(name), name) if name != "routed" else _unfitted(name)


def _unfitted(name: str) -> FittedLaw:
    law, params = lawlib.FAMILIES[name], planted.PARAMS[name]
    return FittedLaw(law, law.theta(params), to_free(params["E_start"], params["E_max"]))


@lru_cache(maxsize=1)
def every_law() -> dict[str, FittedLaw]:
    found = {name: form(name) for name in lawlib.FAMILIES}
    found |= {n: law for n in lawlib.published_names() if isinstance(law := lawlib.published(n), FittedLaw)}
    with lawlib.open_store() as store:
        found["marin, measured FLOPs"] = lawlib.fit(store.runs("marin-moe-v16"), "chinchilla")
    return found


def points(seed: int, n: int = N_POINTS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "n": 10 ** rng.uniform(6, 13, n),
            "d": 10 ** rng.uniform(8, 15, n),
            "g": 2 ** rng.uniform(-1, 8, n),
            "e": 2 ** rng.uniform(0, 9, n),
            "c": 10 ** rng.uniform(17, 27, n),
        }
    )


def test_a_law_as_data_is_plain_json_and_gives_the_law_s_loss():
    """The sum written out once more, in the paper's order, from the JSON alone."""
    for name, law in every_law().items():
        found = json.loads(json.dumps(portable(law), allow_nan=False))
        n, d, g, e = 3e9, 2e11, 4.0, 8.0
        x = {"N": np.log(n), "D": np.log(d), "G": np.log(g), "A": -np.log(e)}
        if found["shapes"]:
            q, top = found["shapes"]
            x["Ehat"] = -np.log(1 / (e - 1 + np.exp(q)) + np.exp(-top))
        terms = [sum(s * found["theta"][j] * np.prod([x[v] for v in vs]) for j, s, vs in term) for term in found["terms"]]
        assert np.sum(np.exp(terms)) == pytest.approx(float(law.loss(n, d, g, e)), rel=1e-12), name


def test_only_the_router_s_flops_take_the_number_of_experts():
    assert portable(lawlib.published("besiroglu2024"))["flops"] == [[np.log(6.0), 1.0, False]]
    assert [router for *_, router in portable(lawlib.published("krajewski2024-moe-e64"))["flops"]] == [False, True]


def test_an_ensemble_has_no_portable_form():
    with pytest.raises(ValueError, match=r"ensemble\.law\.at\(i\)"):
        portable(lawlib.published("krajewski2024-moe-e64").rounding(3).law)


def test_all_javascript_is_short():
    lines = {file.name: len(file.read_text("utf-8").splitlines()) for file in JS.glob("*.js")}
    assert sum(lines.values()) <= 600, lines
    assert all(lines[name] <= most for name, most in MOST_LINES.items()), lines


@pytest.fixture(scope="module")
def evaluate(browser):
    """`evaluate(file, body, argument)`: runs the body of a JavaScript function of (m, argument), m the module, in the browser."""
    page = browser.new_page()
    script = """async ([source, body, argument]) => {
        const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
        return Function("m", "argument", body)(await import(url), argument);
    }"""
    yield lambda file, body, argument: page.evaluate(script, [(JS / file).read_text("utf-8"), body, argument])
    page.close()


def relative(found, wanted) -> float:
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    assert np.array_equal(np.isfinite(found), np.isfinite(wanted))
    known = np.isfinite(wanted)
    return float(np.max(np.abs(found[known] / wanted[known] - 1), initial=0.0))


@pytest.mark.browser
def test_javascript_and_python_agree_on_the_loss_of_every_law(evaluate):
    at = points(0)
    argument = [[portable(law) for law in every_law().values()], at.to_numpy().tolist()]
    found = evaluate(
        "law.js", "return argument[0].map(law => argument[1].map(([n, d, g, e]) => m.loss(law, n, d, g, e)))", argument
    )
    for (name, law), losses in zip(every_law().items(), found, strict=True):
        assert relative(losses, law.loss(at["n"], at["d"], at["g"], at["e"])) <= 1e-12, name


@pytest.mark.browser
def test_javascript_and_python_agree_on_every_optimum(evaluate):
    """Size, tokens and loss at random budgets, E and G; and at the best G."""
    at = points(1)
    body = """return argument[0].map(law => argument[1].map(([n, d, g, e, c]) => {
        const e0 = law.has_e ? e : law.expansion, fixed = m.optimum(law, c, e0, law.has_g ? g : null), best = m.optimum(law, c, e0);
        return [fixed.n_active, fixed.tokens, fixed.loss, best.granularity, best.n_active, best.loss];
    }))"""
    laws = {name: law for name, law in every_law().items() if "D" in law.law.variables}
    found = evaluate("law.js", body, [[portable(law) for law in laws.values()], at.to_numpy().tolist()])
    for (name, law), values in zip(laws.items(), found, strict=True):
        values = np.array(values, dtype=float)  # None (JSON's NaN) becomes NaN
        has_g = "G" in law.law.variables
        e = at["e"].to_numpy() if law.law.has_expansion else None
        fixed = lawlib.compute_optimal(law, at["c"].to_numpy(), e, at["g"].to_numpy() if has_g else None)
        best = lawlib.compute_optimal(law, at["c"].to_numpy(), e)
        wanted = [fixed.n_active, fixed.tokens, fixed.loss, best.granularity, best.n_active, best.loss]
        for i, column in enumerate(wanted):
            assert relative(values[:, i], column) <= 1e-12, (name, i)


@pytest.mark.browser
def test_javascript_and_python_agree_on_what_pages_derive(evaluate):
    """Iso-FLOP losses, exponents, the gap to the dense law and what fine experts are worth."""
    at = points(2, 40)
    laws = every_law()
    pairs = [("krajewski2024-moe-e64", "krajewski2024-dense"), ("joint_granular", "joint_granular"), ("joint", "joint")]
    for moe, dense in pairs:
        body = """const [moe, dense, rows] = argument;
        return rows.map(([n, d, g, e, c]) => {
            const fixed = moe.has_g ? g : null, e0 = moe.has_e ? e : moe.expansion;
            return [m.gap(moe, dense, c, e0, fixed), ...m.exponents(moe, c, e0, fixed), m.onBudget(moe, c, n, e0, g).loss,
                    moe.has_g ? m.gain(moe, c, e0, 1) : 1, m.routerShare(moe, Math.log(n), e0, moe.has_g ? g : NaN)];
        })"""
        found = np.array(
            evaluate("law.js", body, [portable(laws[moe]), portable(laws[dense]), at.to_numpy().tolist()]), dtype=float
        )
        for row, (n, _, g, e, c) in zip(found, at.itertuples(index=False), strict=True):
            law, has_g = laws[moe], "G" in laws[moe].law.variables
            e0, fixed = (e if law.law.has_expansion else law.expansion), (g if has_g else None)
            gap = lawlib.efficiency_gap(law, laws[dense], c, e0, fixed)
            assert relative(np.nan_to_num(row[0], nan=np.inf), gap) <= 1e-9, (moe, c)
            assert relative(row[1:3], lawlib.allocation_exponents(law, c, e0, fixed)) <= 1e-8, (moe, c)
            assert relative(row[3], lawlib.isoflop_losses(law, c, n, e0, fixed)[1]) <= 1e-12, (moe, c)
            assert row[5] == pytest.approx(float(lawlib.router_share(law, np.asarray(n), e0, fixed or 1.0)), abs=1e-12)
            if has_g:
                assert relative(np.nan_to_num(row[4], nan=np.inf), lawlib.granularity_gain(law, c, e0, 1.0)) <= 1e-8, (moe, c)


@pytest.mark.browser
def test_javascript_writes_numbers_as_python_does(evaluate):
    rng = np.random.default_rng(3)
    values = [*(10 ** rng.uniform(-5, 26, 400)), *rng.uniform(0, 100, 200), 0.0, 1.0, 999.6, 1e3, 2e9, 1e21, 9.999e20]
    found = evaluate("numbers.js", "return argument.map(v => Object.values(m.WRITE).map(write => write(v)))", values)
    writers = tuple(numbers.WRITE.values())
    assert evaluate("numbers.js", "return Object.keys(m.WRITE)", None) == list(numbers.WRITE)
    for value, texts in zip(values, found, strict=True):
        if value < 1e9:  # beyond, digits that no page shows
            assert texts == [write(value) for write in writers], value
        else:
            assert texts[:2] == [write(value) for write in writers[:2]], value
