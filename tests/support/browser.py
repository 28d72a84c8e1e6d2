"""Fixtures for tests in a real browser: a server of the app, and pages that fail the test on any trouble they see.

    @pytest.mark.browser
    def test_the_budget_is_in_the_url(page, server):
        page.goto("/granularity")                                   # relative to the server
        settle(page)

    @pytest.mark.parametrize("page", [{"color_scheme": "dark", "width": 400}], indirect=True)

    @pytest.mark.browser
    def test_a_deep_link_is_the_first_request(fresh_server, new_page):
        server = fresh_server()
        page = new_page(server, path="/fit?law=joint", color_scheme="dark")

`page` and `new_page` watch the page: see `Guard`.
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tools.browser import find_browser

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BASE_PATH_PROBE = re.compile(r"/\w+/_stcore/(health|host-config)")
"""What Streamlit's page asks for first when it is opened at /runs: it tries whether the server lies there. The 404 is its no."""
WATCH_PLACES = """(() => {
    window.twice = new Set();
    new MutationObserver((changes) => {
        if (!changes.some((c) => [...c.addedNodes].some((e) => e.dataset?.testid?.startsWith("st")))) return;
        const seen = new Map();
        for (const e of document.querySelectorAll('[class*="st-key-"]')) {
            const key = [...e.classList].find((c) => c.startsWith("st-key-"));
            const block = e.parentElement.closest('[data-testid$="Block"]');
            if ((seen.get(key) ?? block) !== block) window.twice.add(key);
            seen.set(key, block);
        }
    }).observe(document, { childList: true, subtree: true });
})()"""
"""Notes the keys that stand in two blocks of the page, even for a moment. Where a part that came or went moves what follows, Streamlit shows
that beside its old self until the run ends, and sometimes for good."""
START_SECONDS = 60
PAGE_SECONDS = 60
"""What a page may take before a test gives up waiting, no measure of its speed: the first one of a new server is slow where two
browsers share two busy cores."""
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Server:
    """A running `streamlit run`: its address, its log so far, its workspace file."""

    url: str
    log_file: Path
    workspace: Path
    process: subprocess.Popen

    def log(self) -> str:
        return self.log_file.read_text("utf-8", errors="replace")


@contextlib.contextmanager
def running(folder: Path, app: Path = ROOT / "app.py", **environment: str) -> Iterator[Server]:
    """Serves `app` with the checkout's own settings on a free port of 127.0.0.1; log and workspace lie in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workspace, log_file = folder / "workspace.duckdb", folder / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port), "--server.headless", "true"]
    with (
        open(log_file, "wb") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "LAWLIB_WORKSPACE": str(workspace), "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        server = Server(f"http://127.0.0.1:{port}", log_file, workspace, process)
        try:
            wait_for_health(server)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_health(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError(f"The server did not start within {START_SECONDS} s. Its log:\n{server.log()}")


@dataclass
class Guard:
    """What went wrong on a page since it was opened; `check` raises it as one AssertionError.

    Counted: console errors, uncaught JavaScript errors, requests and websockets to anywhere but the page's own server,
    lost WebGL contexts, exceptions shown on the page, elements that stood there twice, tracebacks in the server's log.
    `allow(pattern)` lets through what a test provokes on purpose.
    """

    server: Server
    page: Page
    problems: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    log_start: int = 0
    listeners: dict[Any, Callable[..., Any]] = field(default_factory=dict)

    def allow(self, pattern: str) -> None:
        self.allowed.append(pattern)

    def watch(self, context: BrowserContext) -> None:
        self.log_start = len(self.server.log())
        self.listeners = {
            "console": lambda message: self.console(message.type, message.text, message.location["url"]),
            "weberror": lambda error: self.problems.append(f"JavaScript error: {error.error}"),
            "request": lambda request: self.request(request.url),
        }
        for event, listener in self.listeners.items():
            context.on(event, listener)
        self.page.on("websocket", lambda socket: self.request(socket.url))
        self.page.add_init_script(WATCH_PLACES)

    def leave(self, context: BrowserContext) -> None:
        """Looks no longer; the context is another test's next."""
        for event, listener in self.listeners.items():
            context.remove_listener(event, listener)

    def console(self, kind: str, text: str, source: str) -> None:
        if BASE_PATH_PROBE.fullmatch(source.removeprefix(self.server.url)):
            return
        if kind == "error" or "WebGL context" in text:
            self.problems.append(f"console {kind}: {text} ({source})")

    def request(self, url: str) -> None:
        own = (self.server.url + "/", self.server.url.replace("http", "ws", 1) + "/", "data:", "blob:", "about:")
        if not url.startswith(own):
            self.problems.append(f"request that leaves the app: {url}")

    def check(self) -> None:
        if not self.page.is_closed():
            self.page.wait_for_timeout(50)  # lets the last events arrive
            shown = self.page.locator('[data-testid="stException"]').all_inner_texts()
            self.problems += [f"exception on the page: {text}" for text in shown]
            twice = self.page.evaluate("[...(window.twice ?? [])]")  # none on a page that was never opened
            self.problems += [f"stood there twice: {key}" for key in twice]
        log = self.server.log()[self.log_start :]
        if "Traceback (most recent call last)" in log:
            self.problems.append(f"traceback in the server's log:\n{log}")
        left = [text for text in self.problems if not any(re.search(pattern, text) for pattern in self.allowed)]
        assert not left, "\n".join([f"{self.page.url}:", *left])


def settle(page: Page, seconds: float = PAGE_SECONDS) -> None:
    """Waits until the script has run to its end and the page has drawn what came: no skeleton, no spinner is left.

    For a page just opened. After a click wait for what it should change (`expect(...)`, `page.wait_for_url`): the rerun
    may not have begun when this looks.
    """
    page.evaluate("window.calm = 0")
    page.wait_for_function(
        """() => {
            const calm = document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'
                 && document.querySelector('[data-testid="stElementContainer"]')  // before the first run there are none
                 && !document.documentElement.dataset.live  // a slider's exact answer is still to come
                 && !document.querySelector('[data-testid="stSkeleton"], [data-testid="stSpinner"], [data-stale="true"], .chart:not([data-drawn])');
            window.calm = calm ? (window.calm ?? 0) + 1 : 0;
            return window.calm > 3;  // frames: a chart is told of its new data after the frame in which the script is said to be done
        }""",
        timeout=1000 * seconds,
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """One server of app.py for the whole test run."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def fresh_server(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """`fresh_server(app=..., **environment)`: a server that has answered no request yet, ended with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **wanted: stack.enter_context(running(tmp_path_factory.mktemp("fresh"), **wanted))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip("no browser: install Chromium or Chrome, or set BROWSER_PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser, server) -> Iterator[BrowserContext]:
    """One browser context for all pages of the shared server: a fresh one loads Streamlit's scripts anew, half of a page's time."""
    context = browser.new_context(base_url=server.url, locale="en-US")
    context.set_default_timeout(1000 * PAGE_SECONDS)
    yield context
    context.close()


@pytest.fixture
def new_page(browser) -> Iterator[Callable[..., Page]]:
    """`new_page(server, path=None, color_scheme="light", width=1280, height=900)`: a guarded page.

    Where `path` is given the page is opened there and has settled. Each page has cookies and storage of its own; its
    guard is `page.guard`.
    """
    contexts, guards = [], []

    def open_page(server: Server, path: str | None = None, *, color_scheme="light", width=1280, height=900) -> Page:
        context = browser.new_context(
            base_url=server.url, color_scheme=color_scheme, viewport={"width": width, "height": height}, locale="en-US"
        )
        contexts.append(context)
        context.set_default_timeout(1000 * PAGE_SECONDS)
        page = context.new_page()
        page.guard = Guard(server, page)
        page.guard.watch(context)
        guards.append(page.guard)
        if path is not None:
            page.goto(path)
            settle(page)
        return page

    yield open_page
    try:
        for guard in guards:
            guard.check()
    finally:
        for context in contexts:
            context.close()


@pytest.fixture
def page(request, context, server) -> Iterator[Page]:
    """A guarded, still empty page of the shared server, without cookies and storage; indirect parameters are those of `new_page`."""
    wanted = {"color_scheme": "light", "width": 1280, "height": 900} | getattr(request, "param", {})
    page = context.new_page()
    page.emulate_media(color_scheme=wanted["color_scheme"])
    page.set_viewport_size({"width": wanted["width"], "height": wanted["height"]})
    page.guard = Guard(server, page)
    page.guard.watch(context)
    yield page
    try:
        page.guard.check()
    finally:
        page.guard.leave(context)
        kept = {"origin": server.url, "storageTypes": "cookies,local_storage,indexeddb,service_workers,cache_storage"}
        context.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)
        page.close()
