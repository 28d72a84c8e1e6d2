"""One process of the sweep: takes the next run that no other process has or holds, trains it, appends its record, and repeats."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import torch

from sweep.design import runs
from sweep.text import Text, dictionary
from sweep.train import Run, train

RESULTS = Path(__file__).parents[1] / "lawlib" / "data" / "byte_models" / "runs.jsonl"
LOCKS = Path(__file__).parent.parent / "build" / "sweep"


def finished(results: Path) -> set[str]:
    """Names of the runs on record. A last line that a kill cut short does not count, and the next record starts a new line."""
    names = set()
    for line in results.read_text().splitlines() if results.exists() else ():
        try:
            names.add(json.loads(line)["name"])
        except json.JSONDecodeError:
            continue
    return names


def append(record: dict, results: Path) -> None:
    """Writes one record as one line and has it on the disk before it returns."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        whole = file.seek(0, os.SEEK_END) == 0 or (file.seek(-1, os.SEEK_END), file.read(1))[1] == b"\n"
        file.write((b"" if whole else b"\n") + json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def work(planned: list[Run], text: Text, results: Path, locks: Path = LOCKS) -> None:
    """Trains what is planned and not on record. A lock a run, released when its process ends, however it ends."""
    locks.mkdir(parents=True, exist_ok=True)
    for run in planned:
        with (locks / f"{run.name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            done = finished(results)
            if run.name in done:
                continue
            record = train(run, text)
            append(record, results)
            loss = "-" if record["loss"] is None else f"{record['loss']:.4f}"
            print(
                f"{len(done) + 1}/{len(planned)} {run.name}: {record['status']}, {loss} nats, {record['seconds']:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    work(runs(), dictionary(), RESULTS)
