"""The catalogue on the Upload page: Fetch from a file_server on this machine, through the normal import, and without a network."""

import functools
import hashlib
from dataclasses import replace

import pytest

import lawlib
from lawlib.ingest.remote import download
from tests.support.http_server import CONTENT
from tests.support.pages import answer, captions, clean, open_page

KEY = "clark2022"


@pytest.fixture
def local(file_server, monkeypatch):
    """The catalogue with its first entry at the local file_server; `local(path, limit)` chooses the file."""
    entries, real = download.catalogue(), download.fetch
    chosen = {}

    def point(path="runs.csv", limit=10**7):
        address = f"http://127.0.0.1:{file_server.server_port}/{path}"
        chosen["entries"] = [replace(entries[0], address=address, hosts=("127.0.0.1",), limit=limit), *entries[1:]]
        file_server.asked.clear()

    point()
    monkeypatch.setattr(download, "catalogue", lambda: chosen["entries"])
    monkeypatch.setattr(download, "fetch", functools.partial(real, allow_loopback=True, timeout=2))
    point.file_server = file_server
    return point


def test_nothing_is_asked_before_the_click_and_a_fetched_file_is_imported_like_an_upload(local):
    at = open_page("upload")
    assert local.file_server.asked == []
    assert "Licence: CC\\-BY 4\\.0" in "\n".join(m.value for m in at.markdown)
    assert [b.label for b in at.button if b.key and b.key.startswith("fetch_")] == ["Fetch"] * 3
    clean(at.button(key=f"fetch_{KEY}").click().run())
    assert local.file_server.asked == ["/runs.csv"]
    assert "runs" in answer(at)
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert f"SHA-256 `{sha256}`" in captions(at)
    with lawlib.open_store() as store:
        assert KEY not in store.datasets()["dataset"].tolist()
    clean(store_click(at))
    with lawlib.open_store() as store:
        row = store.datasets().set_index("dataset").loc[KEY]
        assert f"/runs.csv, SHA-256 {sha256}. Licence: CC-BY 4.0" in row["notes"]
        assert row["n_runs"] == 9
    assert local.file_server.asked == ["/runs.csv"], "and it is asked once"
    clean(at.button(key="fetch_away").click().run())
    assert "Drop a run log" in answer(at)


def store_click(at):
    (button,) = [b for b in at.button if b.label.startswith("Store ")]
    return button.click().run()


@pytest.mark.parametrize(
    ("path", "limit", "sentence"),
    [
        ("gone", 10**7, "answered 404"),
        ("runs.csv", 100, "that are fetched"),
        ("elsewhere", 10**7, "not on the list"),
        ("cut", 10**7, "early"),
    ],
)
def test_what_cannot_be_fetched_says_so_and_how_to_upload_it(local, path, limit, sentence):
    at = open_page("upload")
    local(path, limit)
    clean(at.button(key=f"fetch_{KEY}").click().run())
    (error,) = at.error
    assert sentence in error.value
    assert "drop it on the field above" in error.value
    assert "Drop a run log" in answer(at)
    local()
    clean(at.button(key=f"fetch_{KEY}").click().run())
    assert not at.error
    assert "9 runs" in answer(at)


def test_without_a_network_it_says_so(local, monkeypatch):
    def no_network(*_, **__):
        raise download.FetchError("raw.githubusercontent.com could not be found: this machine may have no way to the network.")

    monkeypatch.setattr(download, "fetch", no_network)
    at = open_page("upload")
    clean(at.button(key=f"fetch_{KEY}").click().run())
    assert "no way to the network\\. Open the page above, take data/curves\\.csv\\.gz" in at.error[0].value


def test_a_file_that_is_no_log_is_told(local, monkeypatch):
    got = download.Fetched("a.png", b"\x89PNG\r\n\x1a\n" + bytes(50), "0" * 64, "http://127.0.0.1/a.png", "now")
    monkeypatch.setattr(download, "fetch", lambda *_, **__: got)
    at = open_page("upload")
    clean(at.button(key=f"fetch_{KEY}").click().run())
    assert "picture" in at.error[0].value
    assert "Drop a run log" in answer(at)


def test_entries_without_a_verified_licence_or_a_single_file_say_how_to_upload_them():
    at = open_page("upload")
    keys = {b.key for b in at.button if b.key}
    assert {"fetch_gemstones", "fetch_gadre2024"} & keys == set()
    assert "wandb\\_df\\_for\\_fitting\\_hot\\.jsonl" in captions(at)
    assert "could not be verified" in "\n".join(m.value for m in at.markdown)
