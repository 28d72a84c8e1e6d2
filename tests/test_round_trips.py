"""50 random views -> address -> a fresh session with empty caches -> the same words, numbers and charts.

Sessions of AppTest, as 100 pages in a browser take minutes: a new session, empty caches, another workspace are all that a fresh
profile has. `test_sharing_browser` does the same through a browser with a profile of its own for each link.
"""

import random

import pytest
import streamlit
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import lawlib
from lawlib.selection import content_hashes
from tests.test_app import ROOT, add, answer, captions, charts, clean, dense_and_moe, few_resamples, navigation, open_page, unfold  # noqa: F401
from ui import state

N_VIEWS = 50
PAGES = ("overview", "isoflop", "granularity", "dense_vs_moe", "fit", "serving", "planner", "fine_grained", "compare")
PUBLISHED = ("krajewski2024-moe-e64", "krajewski2024-moe-e16", "ludziejewski2025", "besiroglu2024", "abnar2025")
SERVED = {
    "gpu": lambda rng: rng.choice(("H100 SXM", "H200 SXM")),
    "precision": lambda rng: rng.choice(("bf16", "fp8")),
    "served": lambda rng: 10 ** rng.uniform(9, 15),
    "price": lambda rng: rng.uniform(0.5, 9),
    "prompt": lambda rng: float(rng.randrange(16, 9000)),
    "output": lambda rng: float(rng.randrange(16, 900)),
    "reference": lambda rng: rng.choice((1.0, 4.0)),
    "mfu": lambda rng: rng.uniform(0.1, 0.9),
    "peak": lambda rng: rng.uniform(0.1, 0.9),
    "reach": lambda rng: rng.uniform(0.1, 0.9),
    "vocabulary": lambda rng: rng.choice((None, 256.0, 32000.0)),
    "most": lambda rng: float(rng.randrange(1, 512)),
    "pace": lambda rng: rng.choice((None, rng.uniform(1, 40))),
}
"""What is drawn on the Serving page alone."""
PLANNED = {
    "given": lambda rng: rng.choice(("flops", "time")),
    "trainers": lambda rng: rng.choice((None, 64.0, 1024.0)),
    "days": lambda rng: rng.uniform(1, 90),
    "have": lambda rng: rng.choice((None, 10 ** rng.uniform(11, 13))),
    "life": lambda rng: rng.choice((None, 10 ** rng.uniform(9, 11))),
    "goal": lambda rng: rng.choice((None, 9.5)),
    "copy": lambda rng: rng.choice((None, 8.0)),
    "at_once": lambda rng: float(rng.randrange(1, 64)),
    "step_ms": lambda rng: rng.choice((None, 250.0)),
    "sequence": lambda rng: rng.choice((2048.0, 8192.0)),
    "multiple": lambda rng: rng.choice(("64", "128")),
    "plan_e": lambda rng: rng.choice(((), (1.0, 4.0))),
    "plan_g": lambda rng: rng.choice(((), (4.0, 8.0))),
    "spend": lambda rng: rng.choice((None, 10 ** rng.uniform(20, 21))),
    "aim": lambda rng: rng.choice(("n_active", "loss")),
    "style": lambda rng: rng.choice(("qwen3_moe", "olmoe")),
    "part": lambda rng: rng.choice(("neighbours", "next", "released")),
}
"""What is drawn on the Planner page alone."""


def random_view(rng: random.Random, hashes: dict[str, list[str]]) -> tuple[str, dict]:
    """A page and what is chosen on it; every field is drawn in some of the views."""
    page = rng.choice(PAGES)
    dataset = rng.choice(("marin-moe-v16", "marin-moe-v16", "marin-moe-may", "mine"))
    law = rng.choice(("chinchilla", *PUBLISHED)) if rng.random() < 0.7 else ""
    chosen = {
        "dataset": dataset,
        "budget": 10 ** rng.uniform(18, 25) if rng.random() < 0.8 else None,
        "e": rng.choice((2.0, 8.0, 1 + 20 * rng.random(), None)),
        "g": rng.choice((1.0, 4.0, 64.0, None)),
        "law": law,
        "law_g": rng.choice(("", "krajewski2024-moe-e64", "krajewski2024-moe-e16")),
        "law_e": rng.choice(("", "ludziejewski2025", "krajewski2024-moe-e64")),
        "objective": rng.choice(("huber", "squared_log", "squared")),
        "delta": rng.choice((1e-3, 1e-2, 10 ** rng.uniform(-4, -1))),
        "unit": rng.choice(("runs", "slices", "sizes")),
        "weights": rng.choice(("equal", "compute")),
        "rule": rng.choice(("", "6ND")),
        "cmin": rng.choice((None, 2e18 * rng.random() + 1e17)),
        "cmax": rng.choice((None, 9e20)),
        "arch": rng.choice(("", "dense")) if dataset == "mine" else "",
        "cut": rng.choice((None, 1e20)),
        "backtest": rng.choice(((), ("chinchilla",))),
        "optimum": rng.choice(("n_active", "tokens")),
        "against": rng.choice(("", "n_active", "tokens")),
        "by": rng.choice(("", "G", "E")),
        "along": rng.choice(("tokens", "flops")),
        "law_f": rng.choice(("", "joint_granular")),
        **{name: draw(rng) for name, draw in SERVED.items() if page == "serving"},
        **{name: draw(rng) for name, draw in PLANNED.items() if page == "planner"},
    }
    if rng.random() < 0.3:
        chosen["out"] = tuple(rng.sample(hashes[dataset], 3))
    return page, chosen


def chosen_page(page: str, chosen: dict) -> AppTest:
    """A session in which this was chosen, as by its widgets."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    unfold(at)
    at.session_state["chosen"] = {name: field.default for name, field in state.FIELDS.items()} | chosen
    if page != "overview":
        at._page_hash = calc_hash(page)
    return clean(at.run())


def everything_said(at: AppTest) -> dict:
    """All numbers of a page: its words, tables and charts."""
    tables = [t.value.to_csv() for t in at.dataframe]
    return {"answer": answer(at), "captions": captions(at), "tables": tables, "charts": charts(at)}


def test_fifty_views_open_elsewhere_on_the_same_numbers(monkeypatch, tmp_path):
    monkeypatch.setattr("ui.data.N_RESAMPLES", 10)
    runs = dense_and_moe()
    add(runs, "mine")
    with lawlib.open_store() as store:
        hashes = {d: content_hashes(store.runs(d)) for d in ("marin-moe-v16", "marin-moe-may", "mine")}
    rng = random.Random(20260301)
    views = [random_view(rng, hashes) for _ in range(N_VIEWS)]
    first = []
    for page, chosen in views:
        at = chosen_page(page, chosen)
        address = {name: value if isinstance(value, str) else value[0] for name, value in at.query_params.items()}
        first.append((address, everything_said(at)))
    assert len({str(said) for _, said in first}) > 0.9 * N_VIEWS

    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
    monkeypatch.setenv("LAWLIB_WORKSPACE", str(tmp_path / "elsewhere.duckdb"))
    add(runs, "mine")
    for (page, chosen), (address, said) in zip(views, first, strict=True):
        again = open_page(page, **address)
        assert everything_said(again) == said, (page, chosen)
        assert not [w.value for w in again.warning if "link" in w.value]


@pytest.mark.parametrize("field", state.FIELDS)
def test_every_field_of_the_state_is_drawn_or_tested_elsewhere(field):
    drawn = {
        name
        for seed in range(80)
        for name in random_view(random.Random(seed), {d: ["a"] * 9 for d in ("marin-moe-v16", "marin-moe-may", "mine")})[1]
    }
    elsewhere = {"data", "a", "b", "split", "extra", "experts", "grans"}  # test_state, test_links, test_compare, test_export
    elsewhere |= {"side_a", "side_b", "hand_a", "hand_b", "basis", "metric", "x", "color"}  # test_fine_grained_page, test_app
    assert field in drawn | elsewhere
