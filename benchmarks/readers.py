"""Times the reading of run logs, beside the tool they come from in the same run: `python -m benchmarks.readers`.

A TensorBoard folder of 200,000 scalars (50 runs of 1,000 steps and four tags, written by tensorboard's own writer) is read and
built into runs and curves, in this process and in the guarded one of the Upload page, beside tensorboard's EventAccumulator,
which only loads the scalars. The target is 5 s.

Then uploads at the limits of what is read: a zip of 10,000 small files, tables of 9,999 columns. Each is read in the guarded process,
detected, built and stored, in seconds of the processor; beside it one table of the same rows, and of ten columns. The target is 10 s each.
"""

from __future__ import annotations

import io
import json
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from lawlib.errors import StoreError
from lawlib.ingest import Import, Table, build, detect, open_table
from lawlib.ingest.guarded import process
from lawlib.store import Addition, open_store

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
    return _built(process.open_files(files))


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


def many(n: int, header: str, other: str = "") -> bytes:
    """A zip of `n` curves of ten steps, every second one with the other header; of one file with all rows for n = 1."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as into:
        for i in range(n):
            rows = [f"{s},{s}e6,{4 - s / 9 + i / 1e5:.5f}" for s in range(1, 11)]
            into.writestr(f"run-{i:05}.csv", "\n".join([other if other and i % 2 else header, *rows]))
    return buffer.getvalue()


def states(n: int) -> bytes:
    """A zip of `n` trainer_state.json of ten steps."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as into:
        for i in range(n):
            history = [{"step": s, "loss": 4 - s / 9 + i / 1e5, "learning_rate": 3e-4} for s in range(1, 11)]
            state = {"global_step": 10, "num_input_tokens_seen": 10**7, "log_history": history}
            into.writestr(f"run-{i:05}/trainer_state.json", json.dumps(state))
    return buffer.getvalue()


def one(n: int) -> bytes:
    """The rows of `many` in one table."""
    rows = [f"run-{i:05},{s},{s}e6,{4 - s / 9 + i / 1e5:.5f}" for i in range(n) for s in range(1, 11)]
    return "\n".join(["run,step,tokens,loss", *rows]).encode()


def wide(n_columns: int, n_rows: int, kind: str) -> bytes:
    """A table of runs with unknown columns of numbers and texts."""
    names = ["name", "N", "D", "loss", *(f"c{i}" for i in range(n_columns - 4))]
    rows = [
        [f"r{i}", 1e8 + i, 1e9 + i, 3 + i / 1e4, *((i * j) % 97 / 10 if j % 3 else f"t{j}" for j in range(n_columns - 4))]
        for i in range(n_rows)
    ]
    if kind == "json":
        return json.dumps([dict(zip(names, row, strict=True)) for row in rows]).encode()
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]).encode()


def _seconds(who: int = resource.RUSAGE_SELF) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def at_the_limits() -> None:
    """Prints what the largest uploads take of the processor, step by step."""
    cases = {
        "one table, the same rows": ("runs.csv", one(10_000)),
        "10,000 files of one header": ("logs.zip", many(10_000, "step,tokens,loss")),
        "10,000 files of two headers": ("logs.zip", many(10_000, "step,tokens,loss", "step,tokens,val_loss")),
        "10,000 trainer states": ("logs.zip", states(10_000)),
        "10 columns, 1,000 rows, CSV": ("wide.csv", wide(10, 1000, "csv")),
    } | {
        f"9,999 columns, {n:,} rows, {kind.upper()}": (f"wide.{kind}", wide(9999, n, kind))
        for kind in ("csv", "json")
        for n in (1, 100, 1000)
    }
    print("Uploads at the limits, seconds of the processor: read in its own process, detected, built, stored")
    for title, file in cases.items():
        child, own = _seconds(resource.RUSAGE_CHILDREN), _seconds()
        table = process.open_files([file])
        laps = [_seconds(resource.RUSAGE_CHILDREN) - child + _seconds() - own]
        own = _seconds()
        mapping = detect(table)
        laps.append(_seconds() - own)
        found = build(table, mapping)
        laps.append(_seconds() - own - laps[1])
        own = _seconds()
        with tempfile.TemporaryDirectory() as folder, open_store(workspace=Path(folder) / "workspace.duckdb") as store:
            derivations = found.derivations.rename(columns={"column": "source"})
            said = f"{len(found.runs):,} runs"
            try:
                store.add_all([Addition(found.runs, "limits", "limits", curves=found.curves, derivations=derivations)])
            except StoreError as error:
                said = f"not stored: {str(error).partition(chr(10))[0]}"
        laps.append(_seconds() - own)
        print(f"  {title:33} {'  '.join(f'{lap:6.2f}' for lap in laps)}   {said}", flush=True)


def main() -> None:
    at_the_limits()
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
