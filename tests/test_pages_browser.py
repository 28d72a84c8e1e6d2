"""Every page in a real browser: what it draws, its sliders and its URL, in light and dark."""

import pytest
from playwright.sync_api import Page

from tests.browser import settle

pytestmark = pytest.mark.browser

PAGES = {  # path: its charts
    "/": ("loss", "isoflop", "allocation"),
    "/runs": ("runs",),
    "/upload": (),
    "/fit": ("residuals", "predicted", "backtest"),
    "/isoflop": ("isoflop", "n_opt", "d_opt"),
    "/granularity": ("excess", "best_g", "router"),
    "/dense_vs_moe": ("gap", "losses"),
    "/reproductions": (),
}
PLOTLY_BLUES = {"rgb(31, 119, 180)", "rgb(99, 110, 250)"}  # what charts show that took no colours from the theme

CHARTS = """() => Object.fromEntries([...document.querySelectorAll('[class*="st-key-"] .js-plotly-plot')].map(chart => {
    const key = [...chart.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7);
    const drawn = chart.querySelectorAll('.trace path, .legend path, text');
    const box = chart.getBoundingClientRect();
    return [key, {
        width: box.width,
        height: box.height,
        right: box.right,
        traces: [...chart.querySelectorAll('.trace path')].filter(p => (p.getAttribute('d') ?? '').length > 5).length,
        ticks: [...chart.querySelectorAll('.xtick text')].map(t => getComputedStyle(t).fill),
        colours: [...new Set([...drawn].flatMap(e => [getComputedStyle(e).fill, getComputedStyle(e).stroke]))],
    }];
}))"""


def answer(page: Page) -> str:
    return page.locator(".st-key-answer").inner_text()


def lightness(colour: str) -> float:
    """0 for black, 1 for white, of "rgb(12, 17, 21)"."""
    return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) / 765


@pytest.mark.parametrize(
    "page",
    [{"color_scheme": scheme, "width": width} for scheme in ("light", "dark") for width in (1440, 1024)],
    indirect=True,
    ids=["light-1440", "light-1024", "dark-1440", "dark-1024"],
)
def test_every_page_is_drawn_in_the_system_s_colours(page, request):
    scheme, width = request.node.callspec.id.split("-")
    for path, keys in PAGES.items():
        page.goto(path)
        settle(page)
        page.guard.check()
        assert answer(page).strip(), path
        charts = page.evaluate(CHARTS)
        assert set(charts) == set(keys), path
        background = page.locator('[data-testid="stApp"]').evaluate("e => getComputedStyle(e).backgroundColor")
        assert (lightness(background) < 0.2) == (scheme == "dark"), background
        for key, chart in charts.items():
            where = f"{path} {key}: {chart}"
            assert chart["width"] > 300, where
            assert chart["height"] > 200, where
            assert chart["right"] <= int(width), where
            assert chart["traces"], where
            assert not PLOTLY_BLUES & set(chart["colours"]), where
            assert chart["ticks"], where
            assert all((lightness(c) > 0.5) == (scheme == "dark") for c in chart["ticks"]), where
