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
from lawlib.runs.selection import content_hashes
from tests.support.pages import ROOT, add, answer, captions, charts, clean, dense_and_moe, open_page, unfold
from tests.support.views import random_view
from ui.session import url_fields

N_VIEWS = 50


def chosen_page(page: str, chosen: dict) -> AppTest:
    """A session in which this was chosen, as by its widgets."""
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    unfold(at)
    at.session_state["chosen"] = {name: field.default for name, field in url_fields.FIELDS.items()} | chosen
    if page != "overview":
        at._page_hash = calc_hash(page)
    return clean(at.run())


def everything_said(at: AppTest) -> dict:
    """All numbers of a page: its words, tables and charts."""
    tables = [t.value.to_csv() for t in at.dataframe]
    return {"answer": answer(at), "captions": captions(at), "tables": tables, "charts": charts(at)}


def test_fifty_views_open_elsewhere_on_the_same_numbers(monkeypatch, tmp_path):
    monkeypatch.setattr("ui.cached.fits.N_RESAMPLES", 10)
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


@pytest.mark.parametrize("field", url_fields.FIELDS)
def test_every_field_of_the_state_is_drawn_or_tested_elsewhere(field):
    drawn = {
        name
        for seed in range(80)
        for name in random_view(random.Random(seed), {d: ["a"] * 9 for d in ("marin-moe-v16", "marin-moe-may", "mine")})[1]
    }
    elsewhere = {"data", "a", "b", "split", "extra", "experts", "grans"}  # test_state, test_links, test_compare, test_export
    elsewhere |= {"side_a", "side_b", "hand_a", "hand_b", "basis", "metric", "x", "color"}  # test_fine_grained_page, test_app
    assert field in drawn | elsewhere
