"""Installs what a requirements file lists into `.venv`; called by the Makefile with the machine's own Python.

`LAWLIB_VENV` names another folder than `.venv`: the sweep has one of its own.

Each requirements file leaves a stamp in .venv (a digest of it and of the files it includes), so a second call costs
milliseconds. An installation that was interrupted, or a .venv whose Python is gone, is built anew: pip takes a
half-copied package for an installed one.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells the owner of an older Python
    sys.exit(
        f"lawlib needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}: "
        "name another with `make PY=python3.12 ...`."
    )

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / os.environ.get("LAWLIB_VENV", ".venv")
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / ".unfinished"


def requirement_files(path: Path) -> list[Path]:
    """The file and every file it includes by `-r`, innermost first."""
    included = [
        path.parent / line.split(maxsplit=1)[1] for line in path.read_text("utf-8").splitlines() if line.startswith("-r ")
    ]
    return [inner for file in included for inner in requirement_files(file)] + [path]


def digest(path: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in requirement_files(path))).hexdigest()


def stamp(path: Path) -> Path:
    return VENV / f".installed-{path.name}"


def installed(path: Path) -> bool:
    return stamp(path).exists() and stamp(path).read_text("utf-8") == digest(path)


def succeeds(*command: object) -> bool:
    return subprocess.run([str(part) for part in command], capture_output=True).returncode == 0


def usable() -> bool:
    """Whether .venv has a Python that starts and sees the packages of its own version."""
    folder = f"import sys, os; sys.exit(sys.version_info < (3, 11) or sys.prefix != {str(VENV)!r} or not os.path.isdir("
    folder += "os.path.join(sys.prefix, 'lib', 'python%d.%d' % sys.version_info[:2], 'site-packages')))"
    return not UNFINISHED.exists() and PYTHON.exists() and succeeds(PYTHON, "-c", folder)


def create() -> None:
    print(f"Creating {VENV.name} with Python {sys.version.split()[0]}.", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir()
    UNFINISHED.touch()
    # Debian's python3 has no ensurepip without python3-venv; its pip can install into a venv that has none.
    venv = [sys.executable, "-m", "venv", VENV]
    if not succeeds(*venv) and not succeeds(*venv, "--without-pip"):
        sys.exit(f"{sys.executable} -m venv failed: on Debian and Ubuntu `apt install python3-venv` brings it.")


def pip() -> list[str]:
    if succeeds(PYTHON, "-m", "pip", "--version"):
        return [str(PYTHON), "-m", "pip"]
    if succeeds(sys.executable, "-m", "pip", "--python", PYTHON, "--version"):
        return [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    sys.exit(f"{sys.executable} has neither pip (22.3 or newer) nor ensurepip: `apt install python3-pip` brings the first.")


def install(path: Path) -> None:
    print(f"Installing {path.relative_to(ROOT)} (half a minute or more).", flush=True)
    UNFINISHED.touch()
    command = [*pip(), "install", "-qq", "--disable-pip-version-check", "--no-input", "-r", str(path)]
    # A user-wide `user = true` would make pip refuse to install into a venv.
    if subprocess.run(command, cwd=ROOT, env={**os.environ, "PIP_USER": "0"}).returncode != 0:
        sys.exit(f"Could not install {path.name}: see the lines above. The next `make` starts afresh.")
    for file in requirement_files(path):
        stamp(file).write_text(digest(file), "utf-8")
    UNFINISHED.unlink()


def copy_plotly() -> None:
    """static/plotly.min.js, which the live charts load: from the installed plotly, as the repository does not hold it."""
    for source in VENV.glob("lib/python3*/site-packages/plotly/package_data/plotly.min.js"):
        target = ROOT / "static" / source.name
        if not target.exists() or target.stat().st_size != source.stat().st_size:
            target.parent.mkdir(exist_ok=True)
            partial = target.with_suffix(".part")
            shutil.copyfile(source, partial)
            partial.replace(target)


def main() -> None:
    path = ROOT / sys.argv[1]
    with open(ROOT / "requirements.txt") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make run` beside `make test`: the second waits for the first
        if not usable():
            create()
        if not installed(path):
            install(path)
        copy_plotly()


if __name__ == "__main__":
    main()
