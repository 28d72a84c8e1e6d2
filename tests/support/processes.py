"""Helpers that look at processes: which are running, and how much memory they have taken."""

import resource
from pathlib import Path


def readers(folder: Path) -> list[int]:
    """Returns the processes that have a folder of this place among their arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"child.py" in said and f"{folder}/lawlib-".encode() in said:
            found.append(int(process.name))
    return found


def peak() -> int:
    """Returns the most bytes of memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
