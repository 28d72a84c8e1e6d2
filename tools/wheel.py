"""Builds the wheel, installs it into an empty environment outside the checkout, and uses it there as its owner would.

    python -m tools.wheel [--keep]      # build/wheel/lawlib-*.whl; --keep leaves the environment and says where it is

Tried are the README's example, `lawlib read`, `lawlib fit` and `lawlib app`; none of them may write into the installed packages.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.environment import ROOT, pip

WHEEL = ROOT / "build" / "wheel"
PATIENCE = 120
"""Seconds in which the dashboard must answer."""
RUNS = "name,params,tokens,loss\n" + "".join(
    f"run {i}-{j},{10 ** (7 + i / 4):.6g},{10 ** (9 + j / 4):.6g},{1.7 + 400 / 10 ** (0.34 * (7 + i / 4)) + 410 / 10 ** (0.28 * (9 + j / 4)):.6f}\n"
    for i in range(6)
    for j in range(6)
)
"""A table of runs of Hoffmann et al.'s law without noise, for the commands."""


def main() -> int:
    """Builds and tries the wheel; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.wheel", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave the environment, to look at it")
    options = parser.parse_args()
    wheel = build()
    folder = Path(tempfile.mkdtemp(prefix="lawlib-wheel-"))
    try:
        try_out(wheel, folder)
    finally:
        if options.keep:
            print(f"The environment is kept in {folder}.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.1f} MB, installed and used outside the checkout.")
    return 0


def build() -> Path:
    """The wheel of this checkout, built anew."""
    shutil.rmtree(WHEEL, ignore_errors=True)
    run(*pip(), "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", WHEEL, ROOT)
    (wheel,) = WHEEL.glob("lawlib-*.whl")
    return wheel


def try_out(wheel: Path, folder: Path) -> None:
    """Installs the wheel below `folder` and uses it from an empty folder beside it."""
    environment, here = folder / "venv", folder / "here"
    here.mkdir()
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", ROOT / "requirements.txt", f"{wheel}[app]")
    env = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "",
    }
    env = {key: value for key, value in env.items() if key != "LAWLIB_WORKSPACE"}
    packages = next(environment.glob("lib/python3*/site-packages"))
    before = contents(packages)

    (here / "example.py").write_text(example(), "utf-8")
    (here / "runs.csv").write_text(RUNS, "utf-8")
    run(python, "example.py", cwd=here, env=env)
    lawlib = environment / "bin" / "lawlib"
    said = run(lawlib, "read", "runs.csv", cwd=here, env=env)
    assert "36 runs" in said, said
    found = json.loads(run(lawlib, "fit", "runs.csv", "--law", "chinchilla", "--budget", "1e21", "--json", cwd=here, env=env))
    assert abs(found["parameters"]["alpha"] - 0.34) < 1e-3, found["parameters"]
    assert found["optimum"]["n_active"] > 0, found
    with dashboard(lawlib, here, env) as address:
        page = urllib.request.urlopen(address, timeout=10).read()
        assert b"<title>" in page
        drawing = urllib.request.urlopen(f"{address}/app/static/plotly.min.js", timeout=10).read()
        assert len(drawing) > 10**6
    assert contents(packages) == before, "something was written among the installed packages"
    assert (folder / "data" / "lawlib").is_dir(), "the workspace is not in the user's data folder"


def example() -> str:
    """The README's first Python example."""
    found = re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, "README.md has no Python example"
    return found[1]


def contents(folder: Path) -> dict[str, int]:
    """Every file below a folder with its size."""
    return {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


@contextmanager
def dashboard(lawlib: Path, here: Path, env: dict[str, str]) -> Iterator[str]:
    """`lawlib app` on a free port, ended afterwards; gives its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([lawlib, "app", "--port", str(port)], cwd=here, env=env, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, f"`lawlib app` ended with {server.returncode}"
                assert time.monotonic() < end, f"`lawlib app` did not answer within {PATIENCE} seconds"
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def run(*command: object, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """What a command prints; ends the program with its output where it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
