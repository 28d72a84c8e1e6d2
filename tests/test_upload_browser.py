"""Files dropped on the Upload page of a real browser: read, told about, stored, shown on the other pages."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser import settle
from tests.test_pages_browser import answer, go

pytestmark = pytest.mark.browser


def coloured(chart: Locator) -> int:
    """How many pixels of a chart are neither grey nor black nor white: what WebGL draws is in no element."""
    with Image.open(io.BytesIO(chart.screenshot())) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=int)
    return int((np.ptp(pixels, axis=2) > 60).sum())


def drop(page: Page, name: str, content, mime="text/csv") -> None:
    """Drops a file on the opened Upload page and waits until it has been read."""
    file = {"name": name, "mimeType": mime, "buffer": content.encode() if isinstance(content, str) else content}
    page.locator(".st-key-file input[type=file]").set_input_files(file)
    expect(page.get_by_test_id("stFileUploaderFile")).to_be_visible()
    expect(page.locator(".st-key-understood, [data-testid=stAlertContentError]").first).to_be_visible()
    settle(page)


def store(page: Page, name: str = "") -> None:
    """Stores what was read, under another name where one is given; waits for the word that it is stored."""
    if name:
        page.get_by_test_id("stForm").get_by_label("Data set", exact=True).fill(name)
    page.locator(".st-key-store_button button").click()
    expect(page.get_by_test_id("stAlertContentSuccess").first).to_contain_text("Stored")
    settle(page)


@pytest.fixture
def upload(page) -> Page:
    """The Upload page of the shared server."""
    page.goto("/upload")
    settle(page)
    return page


def test_clark_s_runs_are_stored_with_their_curves(upload, test_data):
    page = upload
    page.locator(".st-key-file input[type=file]").set_input_files(test_data / "clark2022_curves.csv.gz")
    expect(page.locator(".st-key-answer")).to_contain_text("223 runs", timeout=60_000)
    settle(page)
    assert "5,799 curve points" in answer(page)
    assert "(8 without a value), 34,794 with 5 other losses" in answer(page)
    store(page, "clark")
    stored = page.get_by_test_id("stAlertContentSuccess")
    expect(stored).to_contain_text("Stored 223 runs, 34,794 curve points as clark")
    go(page, "Runs")
    assert "of 223 selected runs" in answer(page)
    curves = page.locator(".st-key-curves .js-plotly-plot")
    curves.scroll_into_view_if_needed()
    expect(curves.locator("canvas").first).to_be_visible()
    settle(page)
    assert coloured(curves) > 5000


def test_the_chinchilla_extraction_brings_its_refit(fresh_server, new_page, test_data):
    page = new_page(fresh_server(), path="/upload")
    page.locator(".st-key-file input[type=file]").set_input_files(test_data / "chinchilla_extracted.csv")
    expect(page.locator(".st-key-answer")).to_contain_text("245 runs")
    settle(page)
    store(page)
    expect(page.get_by_test_id("stAlertContentSuccess")).to_contain_text("Stored 245 runs as chinchilla_extracted")
    go(page, "Reproductions")
    expect(page.get_by_test_id("stHeading").filter(has_text="Besiroglu 2024, refit")).to_be_visible()
    expect(page.get_by_text("carry no licence")).to_have_count(0)
    go(page, "Fit")
    assert "law holds 245 runs" in answer(page)
