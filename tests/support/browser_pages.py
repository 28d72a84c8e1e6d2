"""Helpers that open pages in a real browser and read values off them."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import settle

PAGES = {  # path: its charts
    "/": ("loss", "isoflop", "allocation"),
    "/runs": ("runs", "curves"),
    "/byte_models": ("repeats", "rates"),
    "/upload": (),
    "/fit": ("residuals", "predicted", "backtest"),
    "/isoflop": ("isoflop", "n_opt", "d_opt"),
    "/granularity": ("excess", "best_g", "router", "measured_g"),
    "/dense_vs_moe": ("gap", "losses"),
    "/compare": ("compare_a", "compare_b"),
    "/fine_grained": ("reported", "gain", "pair", "speedup"),
    "/serving": ("trilemma", "equal_loss", "over_training", "lifetime"),
    "/planner": ("options",),
    "/reproductions": (),
}
TABS = {
    "/planner?part=launch": ("options",),
    "/planner?part=next": ("options",),
    "/planner?part=released": ("options", "released_ratio", "released_shape"),
}
"""What a page shows where another of its tabs is open."""
GRAVE = {"serious", "critical"}


def answer(page: Page) -> str:
    return page.locator(".st-key-answer").inner_text()


def violations(page: Page) -> list[str]:
    """Returns the grave accessibility violations that axe-core finds, as sentences."""
    found = Axe().run(page).response["violations"]
    return [
        f"{v['impact']} {v['id']}: {n['html'][:120]} {[c['message'] for c in n['any']][:1]}"
        for v in found
        if v["impact"] in GRAVE
        for n in v["nodes"]
    ]


def press(page: Page, field: str, key: str = "ArrowRight") -> str:
    """Presses a key on a slider; returns the answer once it is another."""
    before = answer(page)
    slider = page.locator(f".st-key-w_{field} [role=slider], .st-key-w_{field} input[type=range]").first
    slider.focus()
    page.keyboard.press(key)
    page.wait_for_function("before => document.querySelector('.st-key-answer')?.innerText !== before", arg=before)
    settle(page)
    return answer(page)


def go(page: Page, title: str) -> None:
    """Opens another page, by the sidebar."""
    page.locator(".st-key-menu a").filter(has_text=title).click()
    expect(page.get_by_test_id("stHeading").locator("h1")).to_have_text(title)
    settle(page)


def data_set_name(page: Page) -> Locator:
    """Returns the field for the name under which the runs are stored."""
    return page.get_by_test_id("stForm").get_by_label("Data set", exact=True)


def rows(page: Page, header: str) -> list[list[str]]:
    """Returns the cells of the table on the page that has this column; a table below is drawn when it comes into sight."""
    tables = page.get_by_test_id("stDataFrame")
    for i in range(tables.count()):
        tables.nth(i).scroll_into_view_if_needed()
    table = tables.locator("table").filter(has=page.locator("th", has_text=re.compile(f"^{header}$")))
    table.wait_for(state="attached")
    return table.evaluate(
        "t => [...t.querySelectorAll('tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => c.innerText))"
    )


def by_quantity(page: Page) -> dict[str, list[str]]:
    """Returns what was understood: quantity -> column, unit, rule."""
    return {row[0]: row[1:] for row in rows(page, "quantity")}
