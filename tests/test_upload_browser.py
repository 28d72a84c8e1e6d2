"""Files dropped on the Upload page of a real browser: read, told about, stored, shown on the other pages."""

import gzip
import io
import pickle
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser import settle
from tests.test_pages_browser import answer, go

pytestmark = pytest.mark.browser

PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000") + bytes(40)


def coloured(chart: Locator) -> int:
    """How many pixels of a chart are neither grey nor black nor white: what WebGL draws is in no element."""
    with Image.open(io.BytesIO(chart.screenshot())) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=int)
    return int((np.ptp(pixels, axis=2) > 60).sum())


def drop(page: Page, name: str, content, mime="text/csv") -> None:
    """Drops a file on the opened Upload page and waits until it has been read."""
    file = {"name": name, "mimeType": mime, "buffer": content.encode() if isinstance(content, str) else content}
    page.locator(".st-key-file input[type=file]").set_input_files(file)
    expect(page.locator(".st-key-file")).to_contain_text(name)
    read = page.get_by_text("What was understood").or_(page.get_by_test_id("stAlertContentError"))
    expect(read.first).to_be_visible(timeout=20_000)
    settle(page)


def data_set_name(page: Page) -> Locator:
    """The field for the name under which the runs are stored."""
    return page.get_by_test_id("stForm").get_by_label("Data set", exact=True)


def store(page: Page, name: str = "") -> None:
    """Stores what was read, under another name where one is given; waits for the word that it is stored."""
    if name:
        data_set_name(page).fill(name)
    page.locator(".st-key-store_button button").click()
    expect(page.get_by_test_id("stAlertContentSuccess").first).to_contain_text("Stored")
    settle(page)


def rows(page: Page, header: str) -> list[list[str]]:
    """The cells of the table on the page that has this column; a table below is drawn when it comes into sight."""
    tables = page.get_by_test_id("stDataFrame")
    for i in range(tables.count()):
        tables.nth(i).scroll_into_view_if_needed()
    table = tables.locator("table").filter(has=page.locator("th", has_text=re.compile(f"^{header}$")))
    table.wait_for(state="attached")
    return table.evaluate(
        "t => [...t.querySelectorAll('tbody tr')].map(r => [...r.querySelectorAll('td')].map(c => c.innerText))"
    )


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


SUFFIXES = "name,params,tokens,loss\na,350M,7B,3.41\nb,700M,14B,3.102\nc,1.4B,28B,2.9\nd,350M,many,3.2\ne,2.8B,56B,2.7\n"


def test_a_bad_row_is_left_out_by_consent_and_a_second_upload_adds_nothing(upload):
    page = upload
    drop(page, "suffixes.csv", SUFFIXES)
    assert answer(page).startswith("4 runs: N 350M to 2.8B, D 7B to 56B")
    expect(page.get_by_text("1 row has problems")).to_be_visible()
    assert rows(page, "line") == [["5", "tokens", "many", "The token count must be a number, this is text."]]
    button = page.locator(".st-key-store_button button")
    expect(button).to_be_disabled()
    page.locator(".st-key-consent label").click()
    expect(button).to_be_enabled()
    store(page)
    expect(page.get_by_test_id("stAlertContentSuccess")).to_contain_text("Stored 4 runs as suffixes.")
    page.reload()
    settle(page)
    drop(page, "suffixes.csv", SUFFIXES)
    expect(page.locator(".st-key-store_button button")).to_be_disabled()
    page.locator(".st-key-consent label").click()
    expect(button).to_be_enabled()
    store(page)
    expect(page.get_by_test_id("stAlertContentSuccess")).to_contain_text("4 were there already and were skipped")
    expect(page.get_by_label("suffixes: 4 runs, 0 curve points")).to_be_visible()


def test_consent_holds_for_one_file_only(upload):
    page = upload
    drop(page, "first.csv", SUFFIXES)
    page.locator(".st-key-consent label").click()
    expect(page.locator(".st-key-store_button button")).to_be_enabled()
    drop(page, "second.csv", SUFFIXES.replace("700M", "800M"))
    expect(data_set_name(page)).to_have_value("second")
    settle(page)
    expect(page.locator(".st-key-consent input")).not_to_be_checked()
    expect(page.locator(".st-key-store_button button")).to_be_disabled()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("runs.pkl", pickle.dumps({"loss": [3.0]}), "pickle"),
        ("empty.csv", b"", "empty"),
        ("chart.png", PNG, "picture"),
        ("runs.csv.gz", gzip.compress(SUFFIXES.encode())[:40], "ends too early"),
        ("runs.parquet", b"PAR1" + bytes(40) + b"PAR1", "damaged"),
        ("other.duckdb", bytes(8) + b"DUCK" + bytes(500), "damaged"),
    ],
    ids=["pickle", "empty", "PNG", "cut gzip", "parquet", "DuckDB"],
)
def test_a_broken_file_gets_a_sentence(upload, name, content, sentence):
    page = upload
    drop(page, name, content, "application/octet-stream")
    error = page.get_by_test_id("stAlertContentError").inner_text()
    assert re.search(sentence, error)
    assert "Traceback" not in error
    expect(page.locator(".st-key-store_button")).to_have_count(0)
    page.guard.check()
