"""Runs the reading of uploads in a subprocess with limits of memory and time, because hostile files are small and look harmless.

    table = guarded.open_files([("runs.csv", content)])     # as `ingest.open_files`, with the same sentences

The process starts without the environment and with no more than the files' bytes in a private folder; the answer comes
back as plain data (`parcel`). Process and folder are gone when the call ends, however it ends, and soon after this
program ends. Limits of memory and processor time hold where Python has `resource` and the system enforces it: on Linux
both, on macOS not that of memory, on Windows neither; the time on the clock holds everywhere.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd

from lawlib.errors import ReadError

from ..core import Table, shown
from ..evaluations import Evaluations
from ..many import whole_name
from . import child, parcel

TICK = 0.1
"""Seconds between two reports."""
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_FEWER = "give fewer or smaller files at a time."

Files = Sequence[tuple[str, bytes]]
Progress = Callable[[float], None]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ReadingLimits:
    """The limits of one reading: bytes of memory, seconds of the processor, seconds on the clock."""

    memory: int = 8 * 2**30
    cpu: int = 120
    wall: float = 240.0


LIMITS = ReadingLimits()


class Passing(ReadError):
    """Raised where a reading failed for a passing reason and may succeed when repeated: no room, no time, ended by the system."""


def open_files(files: Files, name: str = "", progress: Progress | None = None) -> Table:
    """Returns the table in one or several uploads, as `ingest.open_files` reads it.

    Args:
        progress: called with the seconds so far, ten times a second; an exception it raises cancels the reading.
    Raises:
        ReadError: the files cannot be read, or not within the limits.
    """
    return _guarded("lawlib.ingest.guarded.child:read_table", files, parcel.load_table, name, progress)


def read_evaluations(files: Files, runs: pd.DataFrame, progress: Progress | None = None) -> Evaluations:
    """Returns the benchmark results in uploads, of these runs (columns run_id, name), as `ingest.read_evaluations` does.

    Args and raises as `open_files`.
    """
    known = runs[["run_id", "name"]]
    return _guarded("lawlib.ingest.guarded.child:read_results", files, parcel.load_evaluations, "", progress, runs=known)


def _guarded(
    task: str,
    files: Files,
    load: Callable[[Path], Answer],
    name: str = "",
    progress: Progress | None = None,
    limits: ReadingLimits = LIMITS,
    runs: pd.DataFrame | None = None,
) -> Answer:
    """Returns what `load` finds in the answer to a task, "module:function", that the child carries out."""
    name = name or whole_name(files)
    order = {
        "task": task, "names": [given for given, _ in files], "name": name, "memory": limits.memory, "cpu": limits.cpu,
        "path": [str(Path(__file__).resolve().parents[3]), *map(os.path.abspath, filter(None, sys.path))],
    }  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix="lawlib-", ignore_cleanup_errors=True) as made:
            folder = Path(made)
            for i, (_, content) in enumerate(files):
                (folder / str(i)).write_bytes(content)
            (folder / "answer").mkdir()
            (folder / "order.json").write_text(json.dumps(order), encoding="ascii")
            if runs is not None:
                (folder / "runs").mkdir()
                parcel.save_frame(folder / "runs", runs)
            code = _run(folder, name, limits, progress)
            _check(folder, name, limits, code)
            return load(folder / "answer")
    except OSError as error:
        raise Passing(
            f"{name} could not be handed over for reading ({error.strerror or error}): see that {tempfile.gettempdir()} has room."
        ) from error


def _run(folder: Path, name: str, limits: ReadingLimits, progress: Progress | None) -> int:
    """Runs the child to its end; returns its exit code, below zero that of the signal that ended it."""
    environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
    environment |= {"TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-I", child.__file__, str(folder)],
        stdin=subprocess.PIPE,  # nothing is written: its end tells the child that this program is gone
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    begun = time.monotonic()
    try:
        while True:
            try:
                return process.wait(TICK)
            except subprocess.TimeoutExpired:
                passed = time.monotonic() - begun
            if passed > limits.wall:
                raise Passing(f"{name} takes more than {limits.wall:g} s to be read: {_FEWER}")
            if progress is not None:
                progress(passed)
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _check(folder: Path, name: str, limits: ReadingLimits, code: int) -> None:
    """Raises ReadError where there is no answer."""
    if code < 0:
        if -code == signal.SIGXCPU:
            raise ReadError(f"{name} takes more than {limits.cpu:g} s of computing to be read: {_FEWER}")
        if -code == signal.SIGKILL:
            raise Passing(f"{name}: the process that read it was killed, as happens where memory runs out: {_FEWER}")
        why = signal.strsignal(-code) or f"signal {-code}"
        raise ReadError(f"{name}: the process that read it crashed ({why}): the file is damaged or unusual, save it again.")
    try:
        failure = json.loads((folder / "error.json").read_text(encoding="ascii"))
    except FileNotFoundError:
        if code == 0:
            return
        failure = {"kind": "other", "text": f"the process that read it ended with code {code}"}
    if failure["kind"] == "memory":
        raise ReadError(f"{name} needs more than {limits.memory / 2**30:g} GB of memory to be read: {_FEWER}")
    if failure["kind"] == "sentence":
        raise ReadError(failure["text"])
    raise ReadError(f"{name} could not be read ({shown(failure['text'], 200)}): it is damaged or unusual, save it again.")
