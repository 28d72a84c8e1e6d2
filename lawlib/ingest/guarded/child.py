"""The entry point of the subprocess that parses untrusted uploads; `process` starts it with a private folder and waits for the answer.

The folder has `order.json` (the task, the files' names, limits, where packages are), the files' bytes as `0`, `1`, ...
and takes `answer/` with a parcel, or `error.json` with what went wrong. Limits are set before anything is imported that
reads.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

NICE = 5
"""Niceness of the subprocess, so that pages go before readings."""


def read_table(folder: Path, order: dict[str, Any]) -> None:
    """Carries out the task `lawlib.ingest.guarded.child:read_table`: the files as one table."""
    from ..many import gather
    from . import parcel

    parcel.save_table(folder / "answer", gather.open_files(_files(folder, order), order["name"]))


def read_results(folder: Path, order: dict[str, Any]) -> None:
    """Carries out the task `lawlib.ingest.guarded.child:read_results`: benchmark results of the runs in `runs/`."""
    from .. import evaluations
    from ..many import gather
    from . import parcel

    table = gather.open_files(_files(folder, order), order["name"])
    parcel.save_evaluations(folder / "answer", evaluations.read_evaluations(table, parcel.load_frame(folder / "runs")))


def _files(folder: Path, order: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [(name, (folder / str(i)).read_bytes()) for i, name in enumerate(order["names"])]


def main(folder: Path) -> None:
    """Carries out the task that `order.json` in the folder describes."""
    order = json.loads((folder / "order.json").read_text(encoding="ascii"))
    _limit(order["memory"], order["cpu"])
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    sys.path[:] = order["path"]
    for name, place in (("lawlib", 2), ("lawlib.ingest", 1)):
        package = ModuleType(name)  # without what its own __init__ imports (fits, figures, trackers): half of the time to start
        package.__path__ = [str(Path(__file__).resolve().parents[place])]
        sys.modules[name] = package
    failure = _failure(folder, order)  # what the failed reading held is free again
    if failure is not None:
        (folder / "error.json").write_text(json.dumps(failure), encoding="ascii")


def _failure(folder: Path, order: dict[str, Any]) -> dict[str, str] | None:
    """Returns what went wrong with the task: its kind, and a sentence where the reader has one; None where it succeeded."""
    from lawlib.errors import ReadError

    try:
        module, _, task = order["task"].partition(":")
        getattr(import_module(module), task)(folder, order)
    except BaseException as error:
        if _is_memory(error):
            return {"kind": "memory", "text": ""}
        if isinstance(error, ReadError):
            return {"kind": "sentence", "text": str(error)}
        traceback.print_exc()
        return {"kind": "other", "text": f"{type(error).__name__}: {error}"}
    return None


def _is_memory(error: BaseException | None) -> bool:
    """Whether memory, or room for so large an answer, ran out; a reader may have reported that as a damaged file."""
    while error is not None:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in (errno.EFBIG, errno.ENOMEM)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _limit(memory: int, cpu: int) -> None:
    """Sets the limits of this process, where the platform has them."""
    try:
        import resource
    except ImportError:
        return
    os.nice(NICE)
    limits = {"RLIMIT_AS": memory, "RLIMIT_FSIZE": memory, "RLIMIT_CPU": cpu, "RLIMIT_CORE": 0}
    for name, wanted in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        spare = 5 if name == "RLIMIT_CPU" else 0  # the soft limit says why with SIGXCPU, the hard one kills
        try:
            resource.setrlimit(kind, (soft, soft + spare if hard == resource.RLIM_INFINITY else min(soft + spare, hard)))
        except (ValueError, OSError):  # macOS has no limit of addresses to speak of
            continue


def _end_with_parent(folder: Path) -> None:
    """Waits until the input closes, as it does when the parent process is gone, then deletes the folder and ends."""
    os.read(0, 1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    os._exit(0)  # no tidying up: the answer is written
