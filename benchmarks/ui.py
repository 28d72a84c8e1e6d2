"""Measures the page in use: frames while a slider is dragged, and how soon the exact answer is there after it is let go.

    make bench-ui                      # both variants of the charts in one run, ratios at the end
    python -m benchmarks.ui --sliders  # every slider of these pages, moved only

A real pointer drags a slider for two seconds in headless Chromium; frames come from its trace events. Then the slider is moved
again and again: from the message that the page sends to the last change on the screen; then, on another page, to the last byte of
the server's answer, both seen on the wire between them, where a busy page delays nothing. Two rounds, as what watches the wire takes
its share of the processor. The plain variant shows the same figures by st.plotly_chart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.support.browser import FLAGS, find_browser, running, settle

FRAME = 1000 / 60
SMALL = 40
"""Bytes below which what passes the wire is no answer and no moved slider, but a sign of life."""
PAGES = {
    "/": ("budget", "e", "g"),
    "/isoflop": ("budget", "e", "g"),
    "/dense_vs_moe": ("e", "budget"),
    "/granularity": ("budget", "e", "g"),
    "/serving": ("budget", "e", "served", "prompt", "output", "peak", "reach", "mfu"),
    "/planner": ("budget", "mfu"),
}
"""A page's sliders; the first one is dragged. Serving has four charts and no live curves, the Planner one chart and none.

What is not on the page stands behind its button "Options".
"""
WATCH = """
window.sent = 0; window.changed = 0; window.unseen = new Set();
const Socket = WebSocket;
window.WebSocket = class extends Socket {
  send(data) { window.sent = performance.now(); return super.send(data); }
};
document.addEventListener("DOMContentLoaded", () => new MutationObserver((all) => {
  // What lies in a canvas is not on the screen: a table's copy for screen readers, which follows a tenth of a second later. Nor is
  // where plotly measures its labels, 10,000 pixels to the left, nor elements below the fold, whose charts are drawn when those in
  // sight are done.
  const onScreen = (e) => e?.isConnected && !e.closest("canvas, #js-plotly-tester") && !window.unseen.has(e.closest('[data-testid="stElementContainer"]'));
  // An attribute that is written as it was changes nothing.
  const differs = ({ type, target, attributeName, oldValue }) => type !== "attributes" || target.getAttribute(attributeName) !== oldValue;
  if (all.some((change) => differs(change) && onScreen(change.target.closest ? change.target : change.target.parentElement)))
    window.changed = performance.now();
}).observe(document.body, { subtree: true, childList: true, attributes: true, attributeOldValue: true, characterData: true }));
"""


FOLD = """() => { window.sent = 0; window.unseen = new Set([...document.querySelectorAll('[data-testid="stElementContainer"]')].filter((e) => {
  const { top, bottom } = e.getBoundingClientRect();
  return bottom < 0 || top > innerHeight; })); }"""
"""Before each move: which elements lie outside of the window."""


class Wire:
    """A relay on loopback between page and server, which knows when a message last passed each way."""

    def __init__(self, url: str):
        self.to = urlsplit(url)
        self.asked = self.answered = 0.0

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asks: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                writer.write(chunk)
                if len(chunk) <= SMALL:
                    continue
                if asks:
                    self.asked = time.perf_counter()
                else:
                    self.answered = time.perf_counter()
            writer.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection(self.to.hostname, self.to.port)
        await asyncio.gather(self._pass(reader, asks, True), self._pass(answers, writer, False))

    @contextlib.contextmanager
    def url(self) -> Iterator[str]:
        """The address to open instead of the server's."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._meet, "127.0.0.1", 0))
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


def frames(page: Page, field: str) -> tuple[float, float]:
    """(share of frames in time, longest interval in ms between main-thread frames) while the slider is dragged for two seconds.

    In time is a frame of the compositor's 60 a second that was not dropped and whose main-thread frame began within 16.7 ms (to the nearest
    frame) after the one before, those left out in which nothing was to be drawn: the pointer stood between two steps of the slider.
    """
    track = page.locator(f".st-key-w_{field} [role=group]").bounding_box()
    thumb = page.locator(f".st-key-w_{field} input[type=range]").locator("xpath=../..").bounding_box()
    assert track
    assert thumb
    x, y = thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 3, y)
    page.wait_for_timeout(300)
    browser = page.context.browser
    assert browser
    browser.start_tracing(page=page, categories=["cc", "benchmark", "disabled-by-default-devtools.timeline.frame"])
    for i in range(120):
        along = 0.5 - 0.45 * np.cos(2 * np.pi * i / 120)
        page.mouse.move(track["x"] + track["width"] * along, y)
        page.wait_for_timeout(FRAME)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    said = page.locator(".live-answer").inner_text() if page.locator(".live-answer").count() else ""
    page.mouse.up()
    times = np.sort([e["ts"] / 1000 for e in events if e["name"] == "BeginMainThreadFrame"])
    reports = [e for e in events if e["name"] == "PipelineReporter" and e["ph"] == "b"]
    states = [e["args"]["frame_reporter"]["state"] for e in reports]
    unwanted = [e["ts"] / 1000 for e, state in zip(reports, states, strict=True) if state == "STATE_NO_UPDATE_DESIRED"]
    gaps = np.diff(times)
    late = np.maximum(np.round(gaps / FRAME) - 1 - np.histogram(unwanted, times)[0], 0).sum() + states.count("STATE_DROPPED")
    no_live_curves = "serving" in page.url or "planner" in page.url or page.locator(".chart").count() == 0
    assert said or no_live_curves, "the sentence did not follow"
    return float(1 - late / (len(states) - len(unwanted))), float(gaps.max())


def moves(page: Page, field: str, n: int) -> Iterator[float]:
    """Moves the slider n times; each time, when all has come to rest, milliseconds from its message to the last change on the screen.

    Each move is to a value that was not there before, as far as the slider has that many: nothing of the answer is remembered.
    """
    slider = page.locator(f".st-key-w_{field} input[type=range]")
    slider.focus()
    key, other = (
        ("ArrowRight", "ArrowLeft") if slider.evaluate("e => e.value - e.min < e.max - e.value") else ("ArrowLeft", "ArrowRight")
    )
    for i in range(n + 2):
        if slider.evaluate("(e, end) => e.value === e[end]", "max" if key == "ArrowRight" else "min"):
            key, other = other, key
        page.evaluate(FOLD)
        page.keyboard.press(key)
        page.wait_for_timeout(1800)
        sent, changed = page.evaluate("[window.sent, window.changed]")
        assert sent, "the slider stands at its end"
        if i >= 2:
            yield changed - sent


BARE = """
import streamlit as st
budget = st.select_slider("Budget", list(range(100)), 50, key="w_budget")
st.markdown(f"Budget **{budget}**")
"""
"""A page that does nothing: what a slider costs at least on this machine."""


def bare(n: int) -> None:
    """Prints what a slider and one line of text take, to read the other figures by."""
    folder = Path(tempfile.mkdtemp())
    (folder / "bare.py").write_text(BARE, "utf-8")
    with running(folder, folder / "bare.py") as server, opened(server.url) as open_page:
        page = open_page("/")
        page.locator(".st-key-w_budget").wait_for()
        page.wait_for_timeout(1500)
        on_screen = list(moves(page, "budget", n))
        start = time.process_time()
        sum(i * i for i in range(1_000_000))
        print(
            f"a slider and one line of text: screen p50 {np.median(on_screen):.0f} ms · "
            f"a million squares in Python {1e3 * (time.process_time() - start):.0f} ms",
            flush=True,
        )


@contextlib.contextmanager
def opened(url: str) -> Iterator[Callable[[str], Page]]:
    """Opens pages of a server, each watched for changes of its screen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)

        def open_page(path: str) -> Page:
            page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 900})
            page.add_init_script(WATCH)
            page.goto(path)
            return page

        yield open_page
        browser.close()


def rested(page: Page) -> None:
    """Waits until a page has come to rest."""
    settle(page)
    page.wait_for_timeout(1500)


def measure(variant: str, n: int, chosen: list[str]) -> dict[str, dict[str, float]]:
    """Every page of one variant, its first slider dragged and moved; printed as it goes."""
    environment = {"LAWLIB_PLOTLY": os.devnull + ".js"} if variant == "plain" else {}
    found: dict[str, dict[str, float]] = {}
    for path in chosen:
        field = PAGES[path][0]
        with running(Path(tempfile.mkdtemp()), **environment) as server, opened(server.url) as open_page:
            page = open_page(path)
            rested(page)
            share, longest = frames(page, field)
            rested(page)
            on_screen = list(moves(page, field, n))
        with wired(path, **environment) as (page, wire):
            at_server = [1e3 * (wire.answered - wire.asked) for _ in moves(page, field, n)]
        found[path] = {"frames": share, "server": tail(at_server), "screen": tail(on_screen)}
        print(
            f"{variant:9} {path:14} frames in time {share:6.1%} (longest {longest:5.1f} ms) · {times(at_server, on_screen)}",
            flush=True,
        )
    return found


def every_slider(n: int, chosen: list[str]) -> None:
    """Moves every slider of the pages: server and screen in one round, so the screen's times include the wire's."""
    for path in chosen:
        with wired(path) as (page, wire):
            for field in PAGES[path]:
                if not page.locator(f".st-key-w_{field}").count():
                    page.get_by_role("button", name="Options").last.click()
                    rested(page)
                both = [(1e3 * (wire.answered - wire.asked), screen) for screen in moves(page, field, n)]
                print(f"{path:14} {field:8} {times(*zip(*both, strict=True))}", flush=True)


@contextlib.contextmanager
def wired(path: str, **environment: str) -> Iterator[tuple[Page, Wire]]:
    """An open page of a server of its own, and the wire between them."""
    with (
        running(Path(tempfile.mkdtemp()), **environment) as server,
        (wire := Wire(server.url)).url() as url,
        opened(url) as open_page,
    ):
        page = open_page(path)
        rested(page)
        yield page, wire


def tail(times: Sequence[float]) -> float:
    """The 95th percentile."""
    return float(np.percentile(times, 95))


def times(at_server: Sequence[float], on_screen: Sequence[float]) -> str:
    """Both in words, milliseconds."""
    parts = (("server", at_server), ("screen", on_screen))
    return " · ".join(f"{name} p50 {np.median(values):4.0f} p95 {tail(values):4.0f} ms" for name, values in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=20, help="slider moves a page")
    parser.add_argument("--pages", nargs="*", default=list(PAGES), choices=list(PAGES))
    parser.add_argument(
        "--sliders", action="store_true", help="every slider of the pages, moved only, charts by our own component"
    )
    given = parser.parse_args()
    bare(given.moves)
    if given.sliders:
        every_slider(given.moves, given.pages)
        return
    ours, plain = (measure(variant, given.moves, given.pages) for variant in ("component", "plain"))
    for path in ours:
        print(f"{path:14} screen p95: component {ours[path]['screen'] / plain[path]['screen']:.2f} of st.plotly_chart")


if __name__ == "__main__":
    main()
