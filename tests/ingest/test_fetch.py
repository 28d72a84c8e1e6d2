"""Fetch against a file_server on this machine: what is downloaded, and everything that is refused, cut off or cancelled."""

import hashlib
import socket
from urllib.parse import urlsplit

import pytest

from lawlib.ingest.detection.releases import _SIGNATURES
from lawlib.ingest.remote.download import FetchError, catalogue, fetch
from tests.support.http_server import CONTENT


def get(file_server, path, hosts=("127.0.0.1",), limit=10**7, **options):
    file_server.asked.clear()
    address = f"http://127.0.0.1:{file_server.server_port}/{path}"
    return fetch(address, hosts, limit, allow_loopback=True, **options)


class TestDownload:
    def test_the_file_comes_with_its_hash_its_address_and_progress(self, file_server):
        reports = []
        got = get(file_server, "runs.csv", progress=lambda done, total: reports.append((done, total)))
        assert got.content == CONTENT
        assert got.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert got.name == "runs.csv"
        assert urlsplit(got.address).path == "/runs.csv"
        assert got.when.endswith("UTC")
        assert reports[0] == (0, None)
        assert reports[-1] == (len(CONTENT), len(CONTENT))
        assert len(reports) > 3

    def test_a_file_of_unannounced_size(self, file_server):
        assert get(file_server, "unannounced").content == CONTENT

    def test_a_redirect_on_the_same_host_is_followed(self, file_server):
        got = get(file_server, "moved")
        assert (got.content, got.name) == (CONTENT, "moved")
        assert got.address.endswith("/runs.csv")

    def test_a_redirect_to_another_listed_host_is_followed(self, file_server):
        assert get(file_server, "elsewhere", hosts=("127.0.0.1", "localhost")).content == CONTENT

    def test_an_exception_in_the_progress_cancels(self, file_server):
        class Cancelled(BaseException):
            pass

        def stop(done, total):
            if done:
                raise Cancelled

        with pytest.raises(Cancelled):
            get(file_server, "runs.csv", progress=stop)


class TestRefusals:
    def test_a_redirect_to_another_host_is_refused_before_it_is_asked(self, file_server):
        with pytest.raises(FetchError, match="offered at localhost, which is not on the list"):
            get(file_server, "elsewhere")
        assert file_server.asked == ["/elsewhere"]

    def test_a_redirect_to_a_file_of_this_machine_is_refused(self, file_server):
        with pytest.raises(FetchError, match="is not allowed"):
            get(file_server, "to_file")

    @pytest.mark.parametrize(
        ("path", "limit", "sentence"),
        [
            ("runs.csv", 1000, "more than the .* MB that are fetched: nothing was kept"),
            ("huge", 10**7, "The file has 9.54e[+]05 MB, more than"),
            ("unannounced", 1000, "which is more than is fetched"),
            ("cut", 10**7, "ended early, after 5,000 of"),
            ("empty", 10**7, "The answer was empty"),
            ("gone", 10**7, "127.0.0.1 answered 404 Not Found: the file may have been moved"),
            ("round", 10**7, "127.0.0.1 answered 302"),
        ],
    )
    def test_what_comes_wrong_is_told_and_nothing_is_kept(self, file_server, path, limit, sentence):
        with pytest.raises(FetchError, match=sentence):
            get(file_server, path, limit=limit)

    def test_more_than_was_announced_is_not_read(self, file_server):
        assert len(get(file_server, "liar").content) == 10

    @pytest.mark.parametrize("path", ["silent", "stuck"])
    def test_a_server_that_stops_answering_is_given_up(self, file_server, path):
        with pytest.raises(FetchError, match="did not answer in time"):
            get(file_server, path, timeout=0.3)

    def test_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(FetchError, match=r"127.0.0.1 could not be reached"):
            fetch(f"http://127.0.0.1:{port}/x", ("127.0.0.1",), 10, allow_loopback=True)

    @pytest.mark.parametrize(
        ("address", "sentence"),
        [
            ("http://127.0.0.1/x", "Only https"),
            ("http://example.org/x", "Only https"),
            ("https://example.org:8443/x", "Only https on its usual port"),
            ("https://me:secret@example.org/x", "user's name"),
            ("https://example.com/x", "offered at example.com"),
            ("https://example.org.evil.test/x", "offered at example.org.evil.test"),
            ("file:///etc/passwd", "no host"),
            ("ftp://example.org/x", "Only https"),
            ("https://example.org:x/", "no address"),
        ],
    )
    def test_only_https_of_listed_hosts_is_asked(self, address, sentence):
        with pytest.raises(FetchError, match=sentence):
            fetch(address, ("example.org", "127.0.0.1"), 10)

    def test_loopback_is_for_tests_and_only_http_to_this_machine(self):
        with pytest.raises(FetchError, match="Only https"):
            fetch("http://example.org/x", ("example.org",), 10, allow_loopback=True)


class TestCatalogue:
    def test_every_entry_says_what_it_is_under_which_licence_and_how_to_get_it(self):
        entries = catalogue()
        assert [e.key for e in entries] == ["clark2022", "besiroglu2024", "gemstones", "isoflop-pool", "gadre2024"]
        for e in entries:
            assert all((e.title, e.what, e.licence, e.licence_note, e.how))
            assert e.page.startswith("https://")
            assert 0 < e.limit <= 200 * 2**20

    def test_what_is_fetched_is_one_file_of_a_listed_host_and_a_known_licence(self):
        for e in catalogue():
            if e.address:
                assert urlsplit(e.address).scheme == "https"
                assert urlsplit(e.address).hostname in e.hosts
                assert e.licence != "unknown"
            else:
                assert not e.hosts

    def test_readers_are_those_that_there_are(self):
        known = {*_SIGNATURES, "gadre2024"}
        assert {e.reader for e in catalogue()} <= known
