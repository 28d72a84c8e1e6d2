"""Every page in a real browser: what it draws, its sliders and its URL, in light and dark."""

import re

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.support.browser import ROOT, settle
from tests.support.browser_pages import PAGES, TABS, answer, go, press, violations
from tools.screenshots import pages

pytestmark = pytest.mark.browser

TITLES = re.findall(r'st\.Page\("pages/\w+\.py", title="([^"]+)"', (ROOT / "app.py").read_text("utf-8"))
MARIN = "?dataset=marin-moe-v16"
"""The published runs, where a test counts on their numbers."""
PLOTLY_BLUES = {"rgb(31, 119, 180)", "rgb(99, 110, 250)"}  # what charts show that took no colours from the theme
SCHEMES, WIDTHS = ("light", "dark"), (1440, 1024)

FITS = """width => innerWidth === width && [...document.querySelectorAll('.js-plotly-plot')].every(
    chart => Math.abs(chart._fullLayout.width - chart.clientWidth) < 2)"""
"""Whether all charts have taken the room they have now."""
CHARTS = """() => Object.fromEntries([...document.querySelectorAll('[class*="st-key-"] .js-plotly-plot')].map(chart => {
    const key = [...chart.closest('[class*="st-key-"]').classList].find(c => c.startsWith('st-key-')).slice(7);
    const drawn = chart.querySelectorAll('.trace path, .legend path, text');
    const box = chart.getBoundingClientRect();
    return [key, {
        width: box.width,
        height: box.height,
        right: box.right,
        traces: [...chart.querySelectorAll('.trace path')].filter(p => (p.getAttribute('d') ?? '').length > 5).length,
        canvases: chart.querySelectorAll('.gl-container canvas').length,  // many curves are drawn by WebGL
        ticks: [...chart.querySelectorAll('.xtick text')].map(t => getComputedStyle(t).fill),
        colours: [...new Set([...drawn].flatMap(e => [getComputedStyle(e).fill, getComputedStyle(e).stroke]))],
    }];
}))"""


def test_every_page_is_looked_at_here():
    assert sorted(PAGES) == sorted(f"/{name}" for name in pages())
    assert len(TITLES) == len(PAGES)


def lightness(colour: str) -> float:
    """0 for black, 1 for white, of "rgb(12, 17, 21)"."""
    return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) / 765


ARRAYS = """() => {
    // By the schema itself: which attributes of each trace hold an array, beside what js/chart.js remembers of traces like it.
    const { traces } = Plotly.PlotSchema.get();
    return [...document.querySelectorAll('.chart')].flatMap(chart => chart._fullData.map(trace => {
        const found = [];
        const walk = (value, node, path) => Object.keys(node ?? {}).forEach(key => {
            const at = [...path, key].join("."), inner = value?.[key], array = Array.isArray(inner) || ArrayBuffer.isView(inner);
            const arrayed = node[key]?.valType === "data_array" || node[key]?.arrayOk;
            if (array && arrayed && !/colorbar.tick(text|vals)/.test(at)) found.push(at);
            if (!array && !node[key]?.valType && inner && typeof inner === "object") walk(inner, node[key], [...path, key]);
        });
        walk(trace, traces[trace.type].attributes, []);
        return [trace._arrayAttrs.toSorted().join(), [...new Set(found)].toSorted().join()];
    }));
}"""


@pytest.mark.parametrize(
    "page", [{"color_scheme": scheme, "width": WIDTHS[0]} for scheme in SCHEMES], indirect=True, ids=list(SCHEMES)
)
@pytest.mark.parametrize("half", [0, 1], ids=["first half", "second half"])
def test_every_page_is_drawn_in_the_system_s_colours_and_accessible(page, half, request):
    """Opened once a theme, which is what takes the time: as wide and as narrow windows show it, and before axe-core."""
    scheme = request.node.callspec.params["page"]["color_scheme"]
    forms = set()
    for path, keys in list((PAGES | TABS).items())[half::2]:
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        page.goto(path)
        settle(page)
        page.guard.check()
        assert answer(page).strip(), path
        background = page.locator('[data-testid="stApp"]').evaluate("e => getComputedStyle(e).backgroundColor")
        assert (lightness(background) < 0.2) == (scheme == "dark"), background
        assert violations(page) == [], path
        if page.locator(".chart").count():
            for remembered, of_schema in page.evaluate(ARRAYS):
                assert remembered == of_schema, path
                forms.add(remembered)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(FITS, arg=width)
            settle(page)
            charts = page.evaluate(CHARTS)
            assert set(charts) == set(keys), path
            for key, chart in charts.items():
                where = f"{path} {key}: {chart}"
                assert chart["width"] > 300, where
                assert chart["height"] > 200, where
                assert chart["right"] <= width, where
                assert chart["traces"] or chart["canvases"], where
                assert not PLOTLY_BLUES & set(chart["colours"]), where
                assert chart["ticks"], where
                assert all((lightness(c) > 0.5) == (scheme == "dark") for c in chart["ticks"]), where
    assert len(forms) > 4, forms


# Sliders, the URL, pages


@pytest.mark.parametrize(
    ("path", "fields", "charts"),
    [
        ("/", ["budget"], ["loss", "isoflop", "allocation"]),
        ("/isoflop", ["budget"], ["isoflop", "n_opt", "d_opt"]),
        ("/granularity", ["budget", "g"], ["excess", "best_g"]),
        ("/dense_vs_moe", ["budget", "e"], ["gap", "losses"]),
    ],
)
def test_sliders_change_the_answer_the_url_and_the_charts(page, path, fields, charts):
    page.goto(path)
    settle(page)
    assert "?" not in page.url
    answers = [answer(page)]
    for field in fields:
        answers.append(press(page, field))
        expect(page).to_have_url(re.compile(rf"[?&]{field}=[\d.e]+"))
    assert len(set(answers)) == len(answers)
    drawn = page.evaluate(CHARTS)
    assert all(drawn[key]["traces"] for key in charts)
    page.reload()
    settle(page)
    assert answer(page) == answers[-1]


def test_the_backtest_s_cut_moves_by_keyboard(page):
    page.goto(f"/fit{MARIN}")
    settle(page)
    line = page.locator(".st-key-answer_backtest")
    before = line.inner_text()
    page.locator(".st-key-w_cut [role=slider], .st-key-w_cut input[type=range]").first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"[?&]cut=[\d.e]+"))
    expect(line).not_to_have_text(before)
    settle(page)
    after = line.inner_text()
    cuts = [float(re.search(r"Fitted up to (\S+) FLOPs", text)[1]) for text in (before, after)]
    assert cuts[1] < cuts[0]
    page.reload()
    settle(page)
    assert line.inner_text() == after


def test_runs_picked_on_the_chart_are_left_out_and_taken_back(fresh_server, new_page):
    page = new_page(fresh_server(), path=f"/runs{MARIN}")
    page.locator(".st-key-runs [data-title='Box Select']").click()
    area = page.locator(".st-key-runs .nsewdrag").first.bounding_box()
    page.mouse.move(area["x"] + 5, area["y"] + 5)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] / 4, area["y"] + area["height"] - 5, steps=8)
    page.mouse.up()
    form = page.get_by_test_id("stForm")
    field = form.get_by_label("Reason to leave out")
    expect(field).to_be_visible()
    settle(page)
    n = int(re.search(r"leave out the (\d+) chosen runs", form.inner_text())[1])
    assert 3 < n < 30

    form.get_by_role("button", name="Leave out of fits").click()
    expect(page.get_by_test_id("stAlertContentWarning")).to_contain_text("Give the reason")
    field.fill("too small <b>to count</b>")
    form.get_by_role("button", name="Leave out of fits").click()
    expect(page.locator(".st-key-answer")).to_contain_text(f"{47 - n} of 47 selected runs count")
    settle(page)
    go(page, "Fit")
    assert f"law holds {47 - n} runs" in answer(page)
    go(page, "Runs")
    canvas = page.locator(".st-key-run_table canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 18)  # the box that chooses all rows
    back = form.get_by_role("button", name=f"Take {n} back")
    expect(back).to_be_enabled()
    settle(page)
    back.click()
    expect(page.locator(".st-key-answer")).to_contain_text("47 of 47 selected runs count")


def test_runs_chosen_in_the_table_are_forgotten_with_their_table(page):
    """Rows are chosen by position: among other runs they were beyond the end, or other runs than the chosen ones."""
    page.goto(f"/runs{MARIN}")
    settle(page)
    canvas = page.locator(".st-key-run_table canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 18)
    form = page.get_by_test_id("stForm")
    expect(form).to_contain_text("leave out the 47 chosen runs")
    page.locator(".st-key-w_dataset").get_by_role("combobox").click()
    page.get_by_role("option", name="marin-moe-may").click()
    expect(page.locator(".st-key-answer")).to_contain_text("15 of 15 selected runs count")
    settle(page)
    expect(form).to_have_count(0)
    page.guard.check()


@pytest.mark.parametrize("page", [{"width": 390, "height": 800}], indirect=True)
def test_on_a_phone_the_menu_is_a_landmark_that_makes_way_for_the_page(page):
    page.goto("/isoflop")
    settle(page)
    page.get_by_test_id("stExpandSidebarButton").click()
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert len(links.all()) == len(TITLES)
    assert [link.inner_text().split()[-1] for link in links.all() if link.get_attribute("aria-current") == "page"] == ["IsoFLOP"]
    links.filter(has_text="Granularity").click()
    expect(links.first).not_to_be_in_viewport()
    expect(page.get_by_test_id("stHeading").locator("h1")).to_have_text("Granularity")
    settle(page)


def test_the_budget_survives_other_pages_and_a_reload(page):
    page.goto(f"/{MARIN}")
    settle(page)
    press(page, "budget", "Home")
    press(page, "budget")
    chosen = re.search(r"At (\S+) FLOPs", answer(page))[1]
    link = page.url
    go(page, "Granularity")
    assert f"At {chosen} FLOPs" in answer(page)
    press(page, "g", "End")
    assert "G = 256 loses" in answer(page)
    go(page, "Reproductions")
    page.reload()
    settle(page)
    assert re.search(r"/reproductions\?dataset=marin-moe-v16&budget=[\d.e]+&g=256$", page.url)
    go(page, "Granularity")
    assert f"At {chosen} FLOPs" in answer(page)
    assert "G = 256 loses" in answer(page)
    go(page, "Overview")
    assert f"At {chosen} FLOPs" in answer(page)
    page.go_back()
    if "/granularity" not in page.url:  # Streamlit's page change is one entry of the history, the state in the URL another
        page.go_back()
    expect(page).to_have_url(re.compile("/granularity"))
    expect(page.get_by_test_id("stHeading").locator("h1")).to_have_text("Granularity")
    settle(page)
    assert f"At {chosen} FLOPs" in answer(page)
    page.goto(link)
    settle(page)
    assert f"At {chosen} FLOPs" in answer(page)
    assert page.url == link


@pytest.mark.parametrize("path", [f"/granularity{MARIN}&budget=3e22&g=4", f"/fit{MARIN}", f"/dense_vs_moe{MARIN}", "/upload"])
def test_a_deep_link_may_be_the_first_request_of_a_server(fresh_server, new_page, path):
    page = new_page(fresh_server(), path=path)
    links = page.locator(".st-key-menu a")
    expect(links).to_have_text([re.compile(re.escape(t) + "$") for t in TITLES])
    assert page.title() == "Scaling laws"
    said = {"fit": "law holds 47 runs", "dense_vs_moe": "a MoE with E = 8", "upload": "stored only when you say so"}
    if (name := path.strip("/").partition("?")[0]) in said:
        assert said[name] in answer(page)
        return
    assert "At 3e22 FLOPs" in answer(page)
    assert "G = 4 loses" in answer(page)
    assert page.url.endswith(path)


def test_a_chart_s_numbers_can_be_downloaded(page):
    page.goto(f"/isoflop{MARIN}&budget=3e20")
    settle(page)
    with page.expect_download() as download:
        page.locator(".st-key-csv_n_opt button:visible").click()
    assert download.value.suggested_filename == "n_opt.csv"
    table = pd.read_csv(download.value.path())
    assert {"flops", "n_active", "tokens", "loss", "n_active_low", "n_active_high"} <= set(table.columns)
    assert len(table) > 20
    assert table["n_active"].is_monotonic_increasing
    page.goto(f"/runs{MARIN}")
    settle(page)
    with page.expect_download() as download:
        page.locator(".st-key-csv_runs button:visible").click()
    assert len(pd.read_csv(download.value.path())) == 47
    with page.expect_download() as download:
        page.locator(".st-key-all_runs_csv button:visible").click()
    assert len(pd.read_csv(download.value.path())) == 47


def test_exact_values_can_be_typed(page):
    page.goto("/")
    settle(page)
    page.get_by_test_id("stPopover").get_by_role("button", name="Type").click()
    field = page.locator(".st-key-typed_budget input")
    field.fill("3e21")
    field.press("Enter")
    expect(page.locator(".st-key-answer")).to_contain_text("At 3e21 FLOPs")
    expect(page).to_have_url(re.compile(r"\?budget=3e21$"))
    field.fill("abc")
    field.press("Enter")
    expect(page.get_by_test_id("stToast")).to_contain_text("nothing was changed")
    settle(page)
    assert "At 3e21 FLOPs" in answer(page)
    assert page.url.endswith("?budget=3e21")


def test_two_sessions_do_not_see_each_other_s_sliders(server, new_page):
    one, two = (new_page(server, path="/dense_vs_moe") for _ in range(2))
    before = answer(two)
    press(one, "budget")
    press(one, "e")
    go(two, "Overview")
    go(two, "Dense vs MoE")
    assert answer(two) == before
    assert answer(one) != before


def test_a_slider_released_gives_the_answer_at_its_value(page):
    page.goto(f"/{MARIN}")
    settle(page)
    before = answer(page)
    thumb = page.locator(".st-key-w_budget [role=slider], .st-key-w_budget input[type=range]").first.bounding_box()
    page.mouse.move(thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2)
    page.mouse.down()
    page.mouse.move(thumb["x"] - 100, thumb["y"] + thumb["height"] / 2, steps=5)
    page.mouse.up()
    expect(page.locator(".st-key-answer")).not_to_have_text(before)
    settle(page)
    chosen = re.search(r"budget=([\d.e]+)", page.url)[1]
    assert float(re.search(r"At (\S+) FLOPs", answer(page))[1]) == pytest.approx(float(chosen), rel=0.01)
    assert 1e17 < float(chosen) < 1e22
