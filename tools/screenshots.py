"""Pictures of every page in both themes: `python -m tools.screenshots [--out docs/screenshots] [--pages fit ...]`.

Starts its own server with an empty workspace and stops it again. Pictures have 256 colours, so that all of them together stay
below 3 MB. Ends with an error if a page showed one.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser import BASE_PATH_PROBE, FLAGS, Server, running, settle
from tools.browser import get_browser

ROOT = Path(__file__).resolve().parent.parent
PAGE_SECONDS = 60
MAX_HEIGHT = 2600
"""Pixels; longer pages are cut there."""
CHARTS = {"isoflop": "isoflop", "granularity": "measured_g", "dense_vs_moe": "gap"}
"""The chart of a page that is pictured alone too, light: those of docs/byte_models.md."""
FREQUENT = 128
"""Colours of a picture that are kept exactly."""
_STILL = """() => {
  const seen = `${document.documentElement.innerHTML.length} ${document.querySelector('[data-testid="stMainBlockContainer"]').scrollHeight}`;
  const same = window.__seen === seen;
  window.__seen = seen;
  return same;
}"""


def pages() -> list[str]:
    """Every page of app.py as addresses call it, in its order; the first one is ""."""
    names = re.findall(r'st\.Page\("pages/(\w+)\.py"', (ROOT / "app.py").read_text("utf-8"))
    return ["" if name == "overview" else name for name in names]


def main() -> None:
    """Takes the pictures and prints their names and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--pages", nargs="*", default=pages())
    parser.add_argument("--widths", nargs="*", type=int, default=[1280])
    parser.add_argument("--schemes", nargs="*", default=["light", "dark"])
    parser.add_argument("--query", default="", help="parameters of the pages' addresses, as in dataset=marin-moe-may&budget=1e22")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    troubles = []
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=get_browser(), args=FLAGS)
        for scheme in args.schemes:
            for width in args.widths:
                for name, picture, seen in _pictures(browser, server, args.pages, args.query, scheme, width):
                    suffix = "" if args.widths == [1280] else f"-{width}"
                    target = args.out / f"{name or 'overview'}-{scheme}{suffix}.png"
                    target.write_bytes(picture)
                    print(f"{target}  {len(picture) / 1024:.0f} KB", *seen, flush=True)
                    troubles += seen
        browser.close()
        if "Traceback" in server.log():
            troubles.append(server.log())
    if troubles:
        sys.exit("\n".join(["Pages showed errors:", *troubles]))


def _pictures(
    browser: Browser, server: Server, names: list[str], query: str, scheme: str, width: int
) -> Iterator[tuple[str, bytes, list[str]]]:
    """(page, its picture, errors seen on it) one after the other."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 1000})  # type: ignore[arg-type]
    page, seen = context.new_page(), []
    page.on("pageerror", lambda error: seen.append(f"JavaScript error: {error}"))
    page.on(
        "console",
        lambda m: (
            seen.append(f"console: {m.text[:200]}")
            if m.type == "error" and not BASE_PATH_PROBE.fullmatch(m.location["url"].removeprefix(server.url))
            else None
        ),
    )
    for name in names:
        seen.clear()
        page.goto(f"{server.url}/{name}?{query}")
        _wait(page)
        height = page.evaluate("document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight")
        page.set_viewport_size({"width": width, "height": min(max(height, 720), MAX_HEIGHT)})
        _wait(page)
        shown = page.locator('[data-testid="stException"]').all_inner_texts()
        yield name, small(page.screenshot()), [f"{name or 'overview'}: {text}" for text in [*seen, *shown]]
        if name in CHARTS and scheme == "light":
            yield f"{name}-chart", small(page.locator(f".st-key-{CHARTS[name]}").first.screenshot()), []
        page.set_viewport_size({"width": width, "height": 1000})
    context.close()


def _wait(page: Page) -> None:
    """Until the script has run and nothing on the page has changed for half a second."""
    settle(page, PAGE_SECONDS)
    page.evaluate("window.__seen = ''")
    page.wait_for_function(_STILL, polling=500, timeout=1000 * PAGE_SECONDS)


def small(png: bytes) -> bytes:
    """The picture in 256 colours, a third of the bytes: its most frequent ones as they are, the others by the nearest of a spread."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3).astype(np.int32) @ (1 << 16, 1 << 8, 1)  # as one number, which sorts faster
    codes, place, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    spread = np.array(picture.quantize(256 - FREQUENT, Image.Quantize.MAXCOVERAGE).getpalette(), np.uint8).reshape(-1, 3)
    palette = np.concatenate([colors[np.argsort(-counts)[:FREQUENT]], spread])[:256].astype(np.uint8)
    distance = ((colors[:, None, :] - palette.astype(np.int32)) ** 2).sum(axis=2)
    reduced = Image.fromarray(distance.argmin(axis=1)[place].reshape(picture.height, picture.width).astype(np.uint8), "P")
    reduced.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    reduced.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
