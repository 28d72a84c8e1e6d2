"""How long run logs take to be read, in one run with the tool they come from: `python -m benchmarks.readers`.

A TensorBoard folder of 200,000 scalars (50 runs of 1,000 steps and four tags, written by tensorboard's own writer) is read and
built into runs and curves, in this process and in the guarded one of the Upload page, beside tensorboard's EventAccumulator,
which only loads the scalars. The target is 5 s.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lawlib.ingest import Import, Table, build, detect, guarded, open_table

N_RUNS, N_STEPS = 50, 1000
Found = TypeVar("Found")
TAGS = ("train/loss", "val/loss", "tokens", "lr")


def write(folder: Path) -> int:
    """Writes the runs; returns the number of scalars."""
    rng = np.random.default_rng(0)
    for run in range(N_RUNS):
        writer = EventFileWriter(str(folder / f"run-{run:02d}"))
        losses = 2 + (run + 5) / 50 + 3 * np.arange(1, N_STEPS + 1) ** -0.3 + rng.normal(0, 0.01, N_STEPS)
        for step in range(N_STEPS):
            values = (losses[step], losses[step] + 0.02, (step + 1) * 2.0**19, 3e-4)
            summary = summary_pb2.Summary(
                value=[summary_pb2.Summary.Value(tag=tag, simple_value=v) for tag, v in zip(TAGS, values, strict=True)]
            )
            writer.add_event(event_pb2.Event(wall_time=1.7e9 + step, step=step + 1, summary=summary))
        writer.close()
    return N_RUNS * N_STEPS * len(TAGS)


def ours(folder: Path) -> Import:
    """Runs and curves, in this process."""
    return _built(open_table(folder, "logs"))


def by_upload(folder: Path) -> Import:
    """The same in the process that uploads are read in."""
    files = [(p.relative_to(folder).as_posix(), p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()]
    return _built(guarded.open_files(files))


def _built(table: Table) -> Import:
    return build(table, detect(table))


def accumulated(folder: Path) -> int:
    """The scalars as EventAccumulator has them."""
    found = 0
    for run in sorted(folder.iterdir()):
        accumulator = EventAccumulator(str(run), size_guidance={SCALARS: 0})
        accumulator.Reload()
        found += sum(len(accumulator.Scalars(tag)) for tag in accumulator.Tags()[SCALARS])
    return found


def timed(call: Callable[[Path], Found], folder: Path) -> tuple[Found, float]:
    """The call's result and the best of three times, in seconds."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        found = call(folder)
        seconds.append(time.perf_counter() - start)
    return found, min(seconds)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        n = write(folder)
        theirs, base = timed(accumulated, folder)
        assert theirs == n
        print(f"TensorBoard, {n:,} scalars of {N_RUNS} runs")
        print(f"  EventAccumulator, scalars alone   {base:6.2f} s")
        for name, call in (("read and built", ours), ("as an upload, in its own process", by_upload)):
            found, seconds = timed(call, folder)
            assert len(found.runs) == N_RUNS
            print(f"  {name:33} {seconds:6.2f} s, {seconds / base:.2f} of it, {len(found.curves):,} curve points")


if __name__ == "__main__":
    main()
