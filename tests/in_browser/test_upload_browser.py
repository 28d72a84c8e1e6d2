"""Files dropped on the Upload page of a real browser are read, explained, stored, and shown on the other pages."""

import gzip
import io
import pickle
import re

import duckdb
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from lawlib.ingest.core.scrubbing import without_private
from tests.support.browser import settle
from tests.support.browser_pages import answer, by_quantity, data_set_name, go, rows
from tests.support.processes import readers

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
    page.locator(".st-key-file").get_by_title(name, exact=True).wait_for()
    read = page.get_by_text("What was understood").or_(page.get_by_test_id("stAlertContentError"))
    read.first.wait_for(timeout=20_000)
    settle(page)


def store(page: Page, name: str = "") -> None:
    """Stores what was read, under another name where one is given; waits for the word that it is stored."""
    if name:
        data_set_name(page).fill(name)
    page.locator(".st-key-store_button button").click()
    stored = page.get_by_test_id("stAlertContentSuccess").first
    stored.wait_for()
    expect(stored).to_contain_text("Stored")
    settle(page)


def hovered(page: Page, chart: str) -> list[str]:
    """The first line of what a chart says of each of its points under the mouse."""
    points = page.locator(f".st-key-{chart} .trace .point")
    points.first.scroll_into_view_if_needed()
    said = []
    for box in [point.bounding_box() for point in points.all()]:
        page.mouse.move(0, 0)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        label = page.locator(f".st-key-{chart} .hoverlayer .hovertext .nums")
        expect(label.first).to_be_visible()
        said.append(label.first.locator("tspan").first.text_content())
    return said


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


def test_consent_holds_for_these_files_only(upload):
    page = upload
    drop(page, "first.csv", SUFFIXES)
    page.locator(".st-key-consent label").click()
    expect(page.locator(".st-key-store_button button")).to_be_enabled()
    drop(page, "second.csv", SUFFIXES.replace("700M", "800M"))
    expect(page.get_by_text("2 rows have problems")).to_be_visible()
    expect(data_set_name(page)).to_have_value("first")
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


@pytest.mark.clock
def test_a_long_reading_is_cancelled_begun_again_and_ended_by_leaving(fresh_server, new_page, tmp_path):
    page = new_page(fresh_server(TMPDIR=str(tmp_path)), path="/upload")
    content = gzip.compress(b"name,loss\n" + b'a,"3"\nb,3"\n' * 2**23, 1)  # stray quotes: line by line
    file = {"name": "long.csv.gz", "mimeType": "application/gzip", "buffer": content}
    page.locator(".st-key-file input[type=file]").set_input_files(file)
    cancel = page.locator(".st-key-file_cancel button")
    expect(page.get_by_text(re.compile(r"Reading: \d+ s, at most 240 s"))).to_be_visible(timeout=20_000)
    assert len(readers(tmp_path)) == 1
    cancel.click()
    expect(page.get_by_text("The reading was cancelled")).to_be_visible()
    settle(page)
    expect(cancel).to_have_count(0)
    assert readers(tmp_path) == []
    page.locator(".st-key-file_again button").click()
    expect(cancel).to_be_visible()
    assert len(readers(tmp_path)) == 1
    go(page, "Overview")
    assert readers(tmp_path) == []
    assert list(tmp_path.glob("lawlib-*")) == []
    go(page, "Upload")
    drop(page, "short.csv", "name,params,tokens,loss\na,1e8,2e9,3.3\nb,2e8,4e9,3.1\n")
    assert answer(page).startswith("2 runs")


def test_a_perplexity_is_logged_on_a_click_only(upload):
    page = upload
    drop(page, "ppl.csv", "name,n,d,loss\na,1e8,2e9,30.0\nb,2e8,4e9,25.0\nc,4e8,8e9,20.0\n")
    offer = page.locator('[class*="st-key-fix_perplexity"] button')
    expect(page.get_by_text("looks like perplexity")).to_contain_text("its median is 25")
    assert by_quantity(page)["loss"][1] == "nats per token"
    offer.click()
    expect(offer).to_have_count(0)
    settle(page)
    for _ in range(50):  # what a table says to screen readers follows what it shows
        if by_quantity(page)["loss"][1] == "perplexity":
            break
        page.wait_for_timeout(100)
    assert by_quantity(page)["loss"][1] == "perplexity"
    store(page)
    go(page, "Runs")
    assert "losses 2.996 to 3.401 nats per token" in answer(page)


NAMES = ["<img src=x onerror=alert(1)>", "**bold**", "[link](http://127.0.0.1:9/x)", "$x^2$ :red[hot]"]


def test_names_stay_text(upload):
    page = upload
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    names = [*NAMES, *(f"{name} again" for name in NAMES)]
    lines = "".join(
        f"{name},{2 ** (i % 4)}e8,{2**i}e9,{6 * 2 ** (i % 4 + i)}e17,{step},{3 - i / 10 - step / 100}\n"
        for i, name in enumerate(names)
        for step in (1, 2, 3)
    )
    drop(page, "<img src=x onerror=alert(1)> **b**.csv", "run name,params,tokens,flops,step,loss\n" + lines)
    names = [without_private(name) for name in names]  # an address is cut to its last part, the markup around it stays
    assert "8 runs" in answer(page)
    store(page, "odd **names** <b>x</b>")
    expect(page.get_by_test_id("stAlertContentSuccess")).to_contain_text("Stored 8 runs")
    go(page, "Runs")
    legend = page.locator(".st-key-curves .legendtext")
    expect(legend).to_have_count(len(names))
    assert [re.sub(r"\s+", " ", t) for t in legend.all_text_contents()] == names
    assert sorted({r[0] for r in rows(page, "excluded")}) == sorted(names)
    assert set(hovered(page, "runs")) == set(names)
    for title in ("Overview", "Fit", "Upload"):
        go(page, title)
        expect(page.get_by_test_id("stSidebar")).to_contain_text("odd **names** <b>x</b>")
        if title == "Overview":
            assert set(hovered(page, "loss")) == set(names)
    assert not dialogs
    assert page.locator("img[onerror], img[src=x]").count() == 0


def test_rename_delete_undo_back_up_and_restore(fresh_server, new_page, tmp_path):
    page = new_page(fresh_server(), path="/upload")
    drop(page, "mine.csv", "name,params,tokens,loss\na,350M,7B,3.41\nb,700M,14B,3.102\n")
    store(page)
    sidebar = page.get_by_test_id("stSidebar")
    title = page.get_by_label("mine: 2 runs, 0 curve points")
    title.fill("Mine & **yours**")
    title.press("Enter")
    expect(sidebar).to_contain_text("Mine & **yours** · uploaded")
    settle(page)  # while a run replaces elements, the button is there twice
    with page.expect_download() as download:
        page.locator(".st-key-backup button:visible").click()
    backup = tmp_path / "backup.duckdb"
    download.value.save_as(backup)

    page.locator(".st-key-delete_mine button").click()
    expect(page.get_by_text("Deleted: Mine & **yours** (2 runs)")).to_be_visible()
    expect(sidebar).not_to_contain_text("Mine & **yours**")
    page.locator(".st-key-undo_mine button").click()
    expect(title).to_have_value("Mine & **yours**")
    page.locator(".st-key-delete_mine button").click()
    expect(page.get_by_text("Deleted: Mine & **yours** (2 runs)")).to_be_visible()

    page.get_by_role("button", name="Restore a backup").click()
    chooser = page.locator(".st-key-restore_file input[type=file]")
    button = page.get_by_test_id("stPopoverBody").get_by_role("button", name="Restore")
    expect(button).to_be_disabled()
    chooser.set_input_files({"name": "no.duckdb", "mimeType": "application/octet-stream", "buffer": b"no backup"})
    expect(button).to_be_enabled()
    button.click()
    expect(page.get_by_test_id("stAlertContentError")).to_be_visible()
    with page.expect_response(lambda response: response.request.method == "PUT"):
        chooser.set_input_files(backup)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)  # it is of the file before
    settle(page)
    button.click()
    expect(title).to_have_value("Mine & **yours**")
    page.reload()
    settle(page)
    expect(title).to_have_value("Mine & **yours**")
    expect(page.locator(".st-key-undo_mine")).to_have_count(0)


def test_a_table_of_a_duckdb_file_is_chosen_and_stored(upload, tmp_path):
    page = upload
    path = tmp_path / "own.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create table notes as select unnest(['x', 'y']) as note")
        connection.execute(
            "create table runs as select 'r' || i as name, 1e8 * i as params, 2e9 * i as tokens, 4 - 0.1 * i as loss "
            "from range(1, 6) t(i)"
        )
        connection.execute("create view small as select * from runs where params < 3e8")
    page.locator(".st-key-file input[type=file]").set_input_files(path)
    menu = page.locator(".st-key-duckdb_table").get_by_role("combobox")
    expect(menu).to_have_value("notes (2 rows)")
    expect(page.locator(".st-key-answer")).to_contain_text("no runs were found")
    menu.click()
    page.get_by_role("option", name="runs (5 rows)").click()
    expect(page.locator(".st-key-answer")).to_contain_text("5 runs: N 100M to 500M, D 2B to 10B")
    settle(page)
    store(page, "from duckdb")
    expect(page.get_by_test_id("stAlertContentSuccess")).to_contain_text("Stored 5 runs as from-duckdb")
    go(page, "Runs")
    assert "5 of 5 selected runs" in answer(page)
