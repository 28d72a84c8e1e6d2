"""Downloads a listed public file and nothing else: https only, from listed hosts only, up to a size, with its hash.

    entry = catalogue()[0]
    got = fetch(entry.address, entry.hosts, entry.limit)        # FetchError says what went wrong and what to do instead
    table = ingest.open_files([(got.name, got.content)])

Nothing here is called without a user's click, and nothing but the request for the file leaves the machine.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from ... import seeds
from ...errors import LawlibError

CHUNK = 64 * 2**10
TIMEOUT = 15.0
"""Seconds without a byte after which a download is given up."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
Progress = Callable[[int, int | None], None]


class FetchError(LawlibError):
    """Raised where a file was not fetched; the sentence says why."""


@dataclass(frozen=True)
class Entry:
    """A public data set. address: of the one file to fetch, "" where it must be downloaded by hand from `page` (`how`) and uploaded."""

    key: str
    title: str
    what: str
    licence: str
    licence_note: str
    page: str
    address: str
    hosts: tuple[str, ...]
    limit: int
    reader: str
    how: str


@dataclass(frozen=True, eq=False)
class Fetched:
    """A downloaded file: its content, its SHA-256, its final address, and when it was fetched (UTC)."""

    name: str
    content: bytes
    sha256: str
    address: str
    when: str


def catalogue() -> list[Entry]:
    """Returns the known public data sets, from the seed table `catalogue`."""
    return [
        Entry(
            **{k: row[k] for k in ("key", "title", "what", "licence", "licence_note", "page", "address", "reader", "how")},
            hosts=tuple(row["hosts"].split()),
            limit=int(row["limit_mb"] * 2**20),
        )
        for row in seeds.table("catalogue").to_dict("records")
    ]


def fetch(
    address: str,
    hosts: Iterable[str],
    limit: int,
    progress: Progress | None = None,
    *,
    allow_loopback: bool = False,
    timeout: float = TIMEOUT,
) -> Fetched:
    """Returns the downloaded file at `address`.

    Args:
        hosts: the only ones that are asked; a redirect to another is refused before anything is sent there.
        limit: bytes at most, checked against what the server announces and against what comes.
        progress: called with (bytes so far, bytes announced or None) now and then; an exception it raises cancels the download.
        allow_loopback: plain http to this machine is allowed too, for tests.
    Raises:
        FetchError: no network, another host, too large, cut off, an answer other than 200.
    """
    allowed = tuple(hosts)
    _check(address, allowed, allow_loopback)
    direct = [urllib.request.ProxyHandler({})] if allow_loopback else []
    opener = urllib.request.build_opener(_Redirects(allowed, allow_loopback), *direct)
    request = urllib.request.Request(address, headers={"User-Agent": "lawlib", "Accept-Encoding": "identity"})
    if progress is not None:
        progress(0, None)
    try:
        with closing(opener.open(request, timeout=timeout)) as answer:
            content = _read(answer, limit, progress)
            final = answer.geturl()
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchError(f"{_host(address)} answered {error.code} {error.reason}: the file may have been moved.") from error
    except ssl.SSLError as error:
        raise FetchError(f"{_host(address)} could not be trusted: {error.reason or error}.") from error
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise FetchError(_unreached(address, error)) from error
    name = unquote(PurePosixPath(urlsplit(address).path).name) or "download"
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Fetched(name, content, hashlib.sha256(content).hexdigest(), final, when)


def _read(answer, limit: int, progress: Progress | None) -> bytes:
    announced = answer.headers.get("Content-Length", "")
    total = int(announced) if announced.isdigit() else None
    if total is not None and total > limit:
        raise FetchError(f"The file has {_size(total)}, more than the {_size(limit)} that are fetched: nothing was kept.")
    parts, size = [], 0
    while part := answer.read1(CHUNK):
        size += len(part)
        if size > limit:
            raise FetchError(f"More than {_size(limit)} came, which is more than is fetched: nothing was kept.")
        parts.append(part)
        if progress is not None:
            progress(size, total)
    if total is not None and size != total:
        raise FetchError(f"The download ended early, after {size:,} of {total:,} bytes: nothing was kept. Try again.")
    if not size:
        raise FetchError("The answer was empty: nothing was kept.")
    return b"".join(parts)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to allowed hosts only."""

    max_redirections = 5

    def __init__(self, hosts: tuple[str, ...], allow_loopback: bool) -> None:
        self.hosts, self.allow_loopback = hosts, allow_loopback

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check(newurl, self.hosts, self.allow_loopback)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check(address: str, hosts: tuple[str, ...], allow_loopback: bool) -> None:
    """Raises FetchError unless the address is https on the standard port of a listed host, without a user's name in it."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise FetchError(f"This is no address: {error}.") from error
    host = parts.hostname or ""
    if host not in hosts:
        raise FetchError(f"The file is offered at {host or 'no host'}, which is not on the list for it: nothing was fetched.")
    if parts.username is not None or parts.password is not None:
        raise FetchError("Addresses with a user's name are not asked: nothing was fetched.")
    if allow_loopback and parts.scheme == "http" and host in _LOOPBACK:
        return
    if parts.scheme != "https" or port not in (None, 443):
        raise FetchError(
            f"Only https on its usual port is asked, and this is {parts.scheme or 'no scheme'}: nothing was fetched."
        )


def _unreached(address: str, error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLError):
        return f"{_host(address)} could not be trusted: {reason.reason or reason}."
    if isinstance(reason, TimeoutError):
        return f"{_host(address)} did not answer in time: this machine may have no way to the network."
    if isinstance(reason, socket.gaierror):
        return f"{_host(address)} could not be found: this machine may have no way to the network."
    return f"{_host(address)} could not be reached ({str(reason).rstrip('.') or type(reason).__name__})."


def _host(address: str) -> str:
    return urlsplit(address).hostname or address


def _size(n: int) -> str:
    return f"{n / 2**20:,.3g} MB"
