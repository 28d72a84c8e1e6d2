"""In a real browser: links in fresh profiles, exports that download, pages that screen readers and narrow screens can use."""

import contextlib
import io
import os
import random
import re
import zipfile
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

import lawlib
from lawlib.runs.selection import content_hashes
from tests.support.browser import FLAGS, settle
from tests.support.browser_pages import PAGES, TABS, answer, press, violations
from tests.support.views import random_view
from tools.browser import find_browser
from ui.session import url_fields

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_what_opens_beside_the_title(page):
    page.goto("/")
    settle(page)
    for name in ("Export", "Share"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
        settle(page)  # its contents are made when it is opened
        page.wait_for_function("document.getAnimations().every((one) => one.playState !== 'running')")  # it fades in
        assert violations(page) == [], name
        page.keyboard.press("Escape")


@pytest.mark.parametrize("page", [{"width": 375, "height": 800}], indirect=True)
def test_a_phone_s_width_is_enough_to_read_every_page(page):
    for path in PAGES | TABS:
        page.goto(path)
        settle(page)
        wide = page.evaluate(
            """() => [...document.querySelectorAll('[data-testid="stMainBlockContainer"] :is(p, h1, button, .js-plotly-plot)')]
            .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.stDataFrame, .stCode'))
            .map(e => e.outerHTML.slice(0, 100))"""
        )
        assert wide == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
        size = page.locator(".st-key-answer p").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        assert size >= 14, path


SHOWN = """() => JSON.stringify([
    [...document.querySelectorAll('[data-testid="stMainBlockContainer"] :is(.st-key-answer p, [data-testid="stCaptionContainer"])')]
        .map(e => e.innerText),
    [...document.querySelectorAll('.js-plotly-plot')].map(e => e.data.map(t => [t.name, t.x, t.y])),
])"""


def test_random_views_open_in_fresh_profiles_of_another_machine_on_the_same_numbers(fresh_server, new_page, browser, tmp_path):
    """As `test_round_trips`, with all of a browser in between: each link is opened by a browser that has just been installed, on a
    server that has answered no request yet. LAWLIB_VIEWS is how many views; 50 take six minutes. Where it was made must be new too:
    the welcome is not shown where something was uploaded before."""
    with lawlib.open_store(workspace=":memory:") as store:
        hashes = {d: content_hashes(store.runs(d)) for d in ("marin-moe-v16", "marin-moe-may")} | {"mine": ["a"] * 3}
    rng, here, elsewhere = random.Random(20260302), fresh_server(), fresh_server()
    page = new_page(here)
    views = (random_view(rng, hashes) for _ in range(10_000))
    views = [(path, chosen) for path, chosen in views if chosen["dataset"] != "mine"][: int(os.environ.get("LAWLIB_VIEWS", "4"))]
    seen = set()
    for number, (path, chosen) in enumerate(views):
        fields = {
            n: url_fields.FIELDS[n].write(v) for n, v in chosen.items() if v is not None and v != url_fields.FIELDS[n].default
        }
        page.goto(f"/{'' if path == 'overview' else path}?{urlencode(fields)}")
        settle(page)
        page.locator(".st-key-toolbar").get_by_role("button", name="Share").click()
        link = page.get_by_test_id("stPopoverBody").locator("code").inner_text().replace("\n", "")
        assert "data=" in link
        profile = browser.browser_type.launch_persistent_context(
            tmp_path / f"profile-{number}", executable_path=find_browser(), args=FLAGS, viewport={"width": 1280, "height": 900}
        )
        with contextlib.closing(profile):
            other = profile.new_page()
            other.goto(link.replace(here.url, elsewhere.url))
            settle(other)
            assert other.evaluate(SHOWN) == page.evaluate(SHOWN), (path, chosen)
        seen.add(page.evaluate(SHOWN))
    assert len(seen) > 0.8 * len(views)


def test_exports_are_downloaded_and_pictures_drawn_by_the_page(page):
    page.goto("/isoflop?dataset=marin-moe-v16&budget=3e20")
    settle(page)
    press(page, "budget")  # what stands beside the title is of the slider as it is now
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Everything, one zip").click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        assert {"reproduce.py", "coefficients.tex", "fit.json", "figures.html", "tables/n_opt.csv"} <= set(archive.namelist())
        assert "budget, expansion, granularity = 3.16e+20, None, None" in archive.read("reproduce.py").decode()
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Loss against size at fixed compute as {kind}").click()
        assert download.value.suggested_filename == f"isoflop.{kind.lower()}"
        assert download.value.path().read_bytes().startswith(start)


def test_a_saved_analysis_is_opened_from_the_sidebar(fresh_server, new_page):
    page = new_page(fresh_server(), path="/granularity?dataset=marin-moe-v16&budget=7e20")
    line = answer(page)
    page.get_by_role("button", name="Share").click()
    page.get_by_label("Keep it under a name").fill("Fine experts")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved: it is in the sidebar")).to_be_visible()
    page.goto("/")
    settle(page)
    page.get_by_role("button", name="Saved analyses").click()
    page.get_by_role("button", name="Fine experts").click()
    expect(page).to_have_url(re.compile(r"/granularity\?.*budget=7e20"))
    settle(page)
    assert answer(page) == line
