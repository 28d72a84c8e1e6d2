"""Finds a Chromium for the browser tests and the screenshots, and can get one.

`python -m tools.browser [--get]` prints its path.

Looked at in this order: BROWSER_PATH (`BROWSER_PATH=none` means: do without), the machine's own browsers, Playwright's
own download. `--get` downloads Playwright's where there is none, and where that fails installs Debian's package, but
only for root. A browser counts only if it starts: a download may lack libraries, and Ubuntu's chromium-browser may be
nothing but a pointer to a snap.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
DOWNLOAD_SECONDS = 180
PACKAGE_SECONDS = 600


def starts(path: str | Path) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def playwright_browser() -> Path:
    """Returns where this version of Playwright keeps its own Chromium, whether or not it has been downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def find_browser() -> str | None:
    """Returns the path of a Chromium that starts, or None.

    Raises:
        FileNotFoundError: BROWSER_PATH is set and is not a browser that starts.
    """
    chosen = os.environ.get("BROWSER_PATH")
    if chosen == "none":
        return None
    if chosen:
        if not starts(chosen):
            raise FileNotFoundError(
                f'BROWSER_PATH is "{chosen}", which does not start: name a Chromium or Chrome there, '
                '"none" to do without a browser, or unset it.'
            )
        return chosen
    for name in NAMES:
        path = shutil.which(name)
        if path and starts(path):
            return path
    own = playwright_browser()
    return str(own) if own.exists() and starts(own) else None


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def attempt(*command: str, seconds: float) -> bool:
    """Runs a command without input, ends it and its children when the time is up, and shows why it failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # A session of its own: Playwright's download runs in a child, which would outlive the command and hold its pipe.
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        say(f"  {error}")
        return False
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGTERM)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            say(f"  not done within {seconds:.0f} s")
            return False
    if process.returncode != 0:
        reasons = [line.strip() for line in output.splitlines() if "rror:" in line or line.startswith("E:")]
        say(f"  {reasons[0] if reasons else 'failed'}")
    return process.returncode == 0


def get_browser() -> str | None:
    """Returns the path of a Chromium that starts, downloaded or installed if the machine has none; None where neither works."""
    path = find_browser()
    if path or os.environ.get("BROWSER_PATH") == "none":
        return path
    say(f"No browser on this machine: downloading Playwright's (up to {DOWNLOAD_SECONDS} s).")
    attempt(sys.executable, "-m", "playwright", "install", "--no-shell", "chromium", seconds=DOWNLOAD_SECONDS)
    path = find_browser()
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing the system's package chromium.")
        attempt("apt-get", "update", "-qq", seconds=PACKAGE_SECONDS)
        attempt("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", seconds=PACKAGE_SECONDS)
        path = find_browser()
    if path is None:
        say("No browser could be had. Install Chromium or Chrome, or set BROWSER_PATH to one.")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the path of a browser for the tests.")
    parser.add_argument("--get", action="store_true", help="download or install one if there is none")
    try:
        path = get_browser() if parser.parse_args().get else find_browser()
    except FileNotFoundError as error:
        sys.exit(str(error))
    if path is None:
        sys.exit(1)
    print(path)


if __name__ == "__main__":
    main()
