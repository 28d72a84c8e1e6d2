"""Pictures of every page, light and dark, at several widths: `python -m tools.screenshots [--out docs/screenshots] [--pages fit ...]`.

Starts its own server with an empty workspace and stops it again.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import FLAGS, running, settle
from tools.browser import get_browser

PAGES = (
    "",
    "runs",
    "upload",
    "fit",
    "isoflop",
    "granularity",
    "dense_vs_moe",
    "fine_grained",
    "compare",
    "serving",
    "reproductions",
)


def main() -> None:
    """Takes the pictures and prints their names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    parser.add_argument("--widths", nargs="*", type=int, default=[1440])
    parser.add_argument("--schemes", nargs="*", default=["light", "dark"])
    parser.add_argument("--query", default="")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=get_browser(), args=FLAGS)
        for scheme in args.schemes:
            for width in args.widths:
                page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 1000}).new_page()
                page.on("console", lambda m: print("console", m.type, m.text[:200]) if m.type in ("error", "warning") else None)
                for name in args.pages:
                    page.goto(f"{server.url}/{name}?{args.query}")
                    settle(page, 60)
                    page.wait_for_load_state("networkidle")
                    page.wait_for_timeout(1500)
                    height = page.evaluate("document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight")
                    page.set_viewport_size({"width": width, "height": min(max(height + 80, 800), 4000)})
                    page.wait_for_timeout(500)
                    target = args.out / f"{name or 'overview'}-{scheme}-{width}.png"
                    page.screenshot(path=target)
                    page.set_viewport_size({"width": width, "height": 1000})
                    print(target, page.locator('[data-testid="stException"]').count() or "")
        browser.close()
        for line in server.log().splitlines():
            if "Error" in line or "Traceback" in line or "Warning" in line:
                print("server:", line)


if __name__ == "__main__":
    main()
