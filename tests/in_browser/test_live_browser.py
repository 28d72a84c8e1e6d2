"""The live explorer in a real browser: what is drawn while a slider is held is what the library says at its value."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import lawlib
from tests.support.browser import settle
from tests.support.browser_pages import answer, go, press

pytestmark = pytest.mark.browser

LAW = "ludziejewski2025"


def hold(page: Page, field: str, along: float) -> float:
    """Drags a slider to a place along its track and keeps it there; gives its value there."""
    track = page.locator(f".st-key-w_{field} [role=group]").bounding_box()
    thumb = page.locator(f".st-key-w_{field} input[type=range]").locator("xpath=../..").bounding_box()
    y = thumb["y"] + thumb["height"] / 2
    page.mouse.move(thumb["x"] + thumb["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * along, y, steps=12)
    expect(page.locator(".live-answer")).to_be_visible()
    page.wait_for_timeout(300)  # frames in which the curves are drawn
    return float(page.locator(f".st-key-w_{field} input[type=range]").get_attribute("aria-valuetext"))


def live(page: Page) -> str:
    return page.locator(".live-answer").inner_text()


def without_intervals(text: str) -> str:
    return re.sub(r" \[[^\]]*\]", "", text)


PATH = """([key, of]) => {
    const chart = document.querySelector(`.st-key-${key} .chart`), { xaxis, yaxis } = chart._fullLayout;
    const d = [...chart.querySelectorAll(`.live [data-of^="${of}"]`)].map(e => e.getAttribute('d')).join('');
    return [...d.matchAll(/[ML]([-\\d.e+]+),([-\\d.e+]+)/g)].map(m => [xaxis.p2d(Number(m[1])), yaxis.p2d(Number(m[2]))]);
}"""


@pytest.mark.clock
@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"/?law={LAW}", "budget"),
        (f"/isoflop?law={LAW}", "e"),
        ("/granularity", "budget"),
        ("/granularity?g=4", "g"),
        ("/dense_vs_moe", "budget"),
        ("/dense_vs_moe", "e"),
        ("/isoflop", "budget"),
    ],
)
def test_the_sentence_follows_a_held_slider_and_the_server_says_the_same_after(page, path, field):
    page.goto(path)
    settle(page)
    before = answer(page)
    hold(page, field, 0.8 if field == "g" else 0.3)
    said = live(page)
    assert "e=" not in page.url.partition("?")[2].replace(f"law={LAW}", "")  # nothing was sent yet
    assert said != without_intervals(before).partition("\n")[0]
    page.mouse.up()
    expect(page.locator(".live-answer")).to_be_hidden()
    page.wait_for_function("said => document.querySelector('.st-key-answer').innerText !== said", arg=before)
    settle(page)
    assert without_intervals(answer(page)).strip() == said.removesuffix(" Extrapolated.").strip()
    page.wait_for_timeout(600)
    assert page.locator(".chart .live").count() == 0
    assert page.evaluate("[...document.querySelectorAll('.chart .trace')].every(e => e.style.visibility !== 'hidden')")


@pytest.mark.clock
def test_curves_and_the_optimum_of_a_held_slider_are_the_law_s(page):
    """What is drawn, read back from its pixels, against the library."""
    page.goto("/isoflop?dataset=marin-moe-v16")
    settle(page)
    budget = hold(page, "budget", 0.4)
    with lawlib.open_store() as store:
        law = lawlib.fit(store.runs("marin-moe-v16"), "chinchilla")
    drawn = np.array(page.evaluate(PATH, ["isoflop", "line"]) + page.evaluate(PATH, ["isoflop", "dash"]))
    optimum = lawlib.compute_optimal(law, budget)
    (name,) = page.locator(".st-key-isoflop .live text").all_text_contents()
    assert name == lawlib.numbers.count(optimum.n_active)
    left, top = page.evaluate(PATH, ["isoflop", "mark"])[0]
    assert left == pytest.approx(optimum.n_active, rel=0.01)
    drawn = drawn[drawn[:, 0] < 1e14]  # without the empty paths' corner
    assert len(drawn) > 40
    wanted = lawlib.isoflop_losses(law, np.full(len(drawn), budget), drawn[:, 0])[1]
    assert np.max(np.abs(drawn[:, 1] - wanted)) < 2e-3  # a hundredth of a pixel of rounding in either
    assert top < optimum.loss + 0.1
    page.mouse.up()


@pytest.mark.clock
def test_a_slider_taken_back_leaves_the_page_as_it_was(page):
    page.goto("/isoflop?dataset=marin-moe-v16")
    settle(page)
    before = answer(page)
    thumb = page.locator(".st-key-w_budget input[type=range]").locator("xpath=../..").bounding_box()
    x, y = thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2
    hold(page, "budget", 0.3)
    page.mouse.move(x, y, steps=5)
    page.mouse.up()
    expect(page.locator(".live-answer")).to_be_hidden()
    page.wait_for_timeout(500)
    assert answer(page) == before
    assert page.locator(".chart .live").count() == 0


@pytest.mark.clock
def test_a_page_that_does_not_follow_its_slider_keeps_its_answer_in_sight(page):
    """The Planner has the budget's slider too: after a page that follows it, nothing may be left of that page."""
    page.goto("/isoflop?dataset=marin-moe-v16")
    settle(page)
    hold(page, "budget", 0.4)
    page.mouse.up()
    expect(page.locator(".live-answer")).to_be_hidden()
    settle(page)
    go(page, "Planner")
    thumb = page.locator(".st-key-w_budget input[type=range]").locator("xpath=../..").bounding_box()
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
    page.mouse.down()
    page.mouse.move(thumb["x"] + 60, thumb["y"] + thumb["height"] / 2, steps=5)
    page.wait_for_timeout(200)
    expect(page.locator(".st-key-answer [data-testid=stMarkdown]")).to_be_visible()
    page.mouse.up()
    settle(page)
    expect(page.locator(".st-key-answer [data-testid=stMarkdown]")).to_be_visible()
    go(page, "IsoFLOP")
    hold(page, "budget", 0.6)
    assert live(page).startswith("At ")
    page.mouse.up()


RANGE = "key => [...document.querySelector(`.st-key-${key} .chart`)._fullLayout.xaxis.range]"


def test_zoom_and_legend_survive_a_slider_change_and_not_another_data_set(page):
    page.goto("/isoflop?dataset=marin-moe-v16")
    settle(page)
    chart = page.locator(".st-key-n_opt .chart")
    whole = page.evaluate(RANGE, "n_opt")
    chart.focus()
    for key in ("+", "+", "ArrowRight"):
        chart.press(key)
    zoomed = page.evaluate(RANGE, "n_opt")
    assert zoomed[1] - zoomed[0] == pytest.approx(0.64 * (whole[1] - whole[0]))
    hidden = "document.querySelector('.st-key-n_opt .chart').data.filter(t => t.visible === 'legendonly').length"
    page.locator(".st-key-n_opt .legendtoggle").first.click()
    page.wait_for_function(f"{hidden} > 0")
    n_hidden = page.evaluate(hidden)
    press(page, "budget", "ArrowLeft")
    assert page.evaluate(RANGE, "n_opt") == zoomed
    assert page.evaluate(hidden) == n_hidden
    chart.focus()
    chart.press("0")
    assert page.evaluate(RANGE, "n_opt") == pytest.approx(whole)
    chart.press("+")
    page.locator(".st-key-w_dataset").get_by_role("combobox").click()
    page.get_by_role("option", name="marin-moe-may").click()
    expect(page).to_have_url(re.compile("marin-moe-may"))
    settle(page)
    assert page.evaluate("document.querySelector('.st-key-n_opt .chart').layout.uirevision.startsWith('marin-moe-may')")


COUNT = """() => {
    window.made = { react: 0, animate: 0 };
    for (const name of Object.keys(window.made)) {
        const draw = Plotly[name];
        Plotly[name] = (...all) => { window.made[name]++; return draw(...all); };
    }
}"""
ANEW = """async () => {
    const drawn = chart => [...chart.querySelectorAll(
        '.scatterlayer path, .scatterlayer text, .annotation-text, .annotation .bg, .shapelayer path, .xtick text, .ytick text, .legendtext',
    )].map(e => [e.tagName, e.getAttribute('d'), e.textContent, e.getAttribute('transform'), e.getAttribute('x'), e.getAttribute('y'),
        e.parentNode.getAttribute('transform'), e.style.stroke, e.style.fill, e.style.visibility].join(' ')).sort();
    const differ = [];
    for (const chart of document.querySelectorAll('.chart')) {
        const other = document.createElement('div'), { data, layout } = JSON.parse(chart.spec);
        other.style = `position:absolute;visibility:hidden;width:${chart.clientWidth}px;height:${chart.clientHeight}px`;
        chart.parentElement.append(other);
        await Plotly.newPlot(other, data, layout, chart._context);
        const [one, two] = [chart, other].map(drawn);
        if (one.length < 10 || one.join() !== two.join()) differ.push([one.find(e => !two.includes(e)), two.find(e => !one.includes(e))]);
        Plotly.purge(other);
        other.remove();
    }
    return differ;
}"""


def test_what_is_drawn_again_of_a_chart_makes_it_the_chart_drawn_anew(page):
    page.goto("/isoflop?dataset=marin-moe-v16")
    settle(page)
    page.evaluate(COUNT)
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight", "ArrowRight"):
        press(page, "budget", key)
        assert page.evaluate(ANEW) == []
    assert page.evaluate("window.made.react") == 0  # the axes hold every budget: nothing else moves
    assert page.evaluate("window.made.animate") == 4  # the curve of the budget; the other two charts change a line and its words


def test_a_chart_says_what_it_is_to_those_who_cannot_see_it(page):
    page.goto("/isoflop?dataset=marin-moe-v16")
    settle(page)
    expect(page.get_by_role("figure", name="Loss against size at fixed compute")).to_have_attribute("tabindex", "0")


def test_without_the_drawing_library_charts_are_streamlit_s_own(fresh_server, new_page):
    page = new_page(fresh_server(LAWLIB_PLOTLY="none.js"), path="/isoflop?dataset=marin-moe-v16")
    expect(page.locator(".st-key-isoflop .js-plotly-plot")).to_be_visible()
    assert page.locator(".chart").count() == 0
