"""Runs all tests in three parts and prints how long each took: `python -m tools.run_tests [arguments of pytest]`, as `make test` does.

Side by side where nothing is lost by it, two browsers at a time, and tests that watch the clock alone. One BLAS thread a process: more
of them than cores wait for each other.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNTESTED = ROOT / "build" / "untested"
"""Where the tests leave word of a missing browser (tests/conftest.py)."""
PARTS = {
    "without a browser": ["-n", "auto", "--dist", "worksteal", "-m", "not browser"],
    "in a browser": ["-n", "2", "--dist", "worksteal", "-m", "browser and not clock"],
    "against the clock": ["-m", "clock"],
}
NO_TESTS = 5
"""pytest's status where its arguments leave no test of a part."""


def run(arguments: list[str]) -> int:
    """Runs the parts with these arguments of pytest; returns the first status of a failure, `NO_TESTS` where no part has a test."""
    UNTESTED.unlink(missing_ok=True)
    statuses, lines = [], []
    for words, options in PARTS.items():
        start = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", *options, *arguments]
        statuses.append(subprocess.run(command, cwd=ROOT, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}).returncode)
        lines.append((words, time.monotonic() - start))
    for words, seconds in [*lines, ("in all", sum(seconds for _, seconds in lines))]:
        print(f"Tests {words + ':':20}{minutes(seconds):>12}")
    if UNTESTED.exists():
        print(UNTESTED.read_text("utf-8"), end="")
    failed = [status for status in statuses if status not in (0, NO_TESTS)]
    return failed[0] if failed else min(statuses)


def minutes(seconds: float) -> str:
    """Returns a duration as people read it: 7 min 05 s."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02} s"


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
