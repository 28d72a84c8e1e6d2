"""Reads the runs of a live MLflow tracking server into a table equal to the one its database would give.

    found = experiments("http://127.0.0.1:5000")
    table = read("http://127.0.0.1:5000", found[:1])      # then `detect` and `build`, as of a file

Nothing is asked before one of the two is called. Failures are sentences: see `mlflow_client`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from lawlib.errors import ReadError

from ..core import Table, counted, scrub, shown, without_private
from ..readers import RUN, Scalars, label, run_settings
from .mlflow_client import NEEDED, address, ask, connect, installed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

__all__ = ["NEEDED", "Experiment", "experiments", "installed", "read"]

EXPERIMENTS = 1_000
RUNS = 1_000
POINTS = 2_000_000
"""What is read at most: experiments that are listed, runs, and values of their metrics."""
PAGE = 100
"""Runs asked for at once: each comes with all its params and tags."""
WORKERS = 4
"""Questions under way at once; a metric's history is a question of its own."""
_OF_THE_MACHINE = "system/"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Experiment:
    """An experiment of a server: its id there and its name."""

    key: str
    name: str


def experiments(uri: str) -> list[Experiment]:
    """Returns the experiments of the server that are not deleted, the last changed first; at most `EXPERIMENTS`.

    Raises:
        ReadError: the server cannot be asked, or has none.
    """
    client, uri = connect(uri), address(uri)
    found: list[Experiment] = []
    token = None
    while len(found) < EXPERIMENTS:
        page = ask(uri, lambda token=token: client.search_experiments(max_results=EXPERIMENTS, page_token=token))
        found += [Experiment(str(e.experiment_id), str(e.name)) for e in page]
        token = page.token
        if not token:
            break
    if not found:
        raise ReadError("The server answers that it has no experiment. Is this an MLflow tracking server, and the right one?")
    return found[:EXPERIMENTS]


def read(
    uri: str,
    chosen: Sequence[Experiment],
    progress: Progress | None = None,
    *,
    max_runs: int = RUNS,
    max_points: int = POINTS,
) -> Table:
    """Returns the runs of these experiments with their params, tags and every logged value; the last started ones where there are too many.

    Args:
        progress: called with (runs read, runs to read) before each; an exception it raises ends the reading.
    Raises:
        ReadError: the server cannot be asked, or the experiments hold no metric of any run.
    """
    if not chosen:
        raise ReadError("Choose at least one experiment.")
    client, uri = connect(uri), address(uri)
    names = {e.key: e.name for e in chosen}
    runs, notes = _runs(client, uri, list(names), max_runs)
    read_runs: list[tuple[Run, dict[str, list[Metric]]]] = []
    n_points = n_passed = 0
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, run in enumerate(runs):
            if progress is not None:
                progress(number, len(runs))
            keys = [key for key in run.data.metrics if not key.startswith(_OF_THE_MACHINE)]
            n_passed += len(run.data.metrics) - len(keys)
            found = dict(zip(keys, pool.map(lambda key, run=run: _history(client, uri, run, key), keys), strict=True))
            n_points += sum(map(len, found.values()))
            if n_points > max_points:
                notes.append(
                    f"Only the last {number:,} of {len(runs):,} runs were read: with the next one it would be more than {max_points:,} "
                    "logged values. Choose fewer experiments at a time."
                )
                break
            read_runs.append((run, found))
    if n_passed:
        notes.append(f"{counted(n_passed, 'metric')} of the machine ({_OF_THE_MACHINE}...) passed over.")
    scalars = _scalars(read_runs, names)
    if not scalars.n:
        whole = f" {notes[0]}" if notes else ""
        raise ReadError(f"The chosen experiments give no metric of any run, so there is no loss in them.{whole}")
    return _table(scalars, list(names.values()), len(read_runs), notes)


def _runs(client: MlflowClient, uri: str, keys: list[str], limit: int) -> tuple[list[Run], list[str]]:
    """Returns the runs, the last started first, and a note where there are more."""
    found: list[Run] = []
    token = None
    while len(found) <= limit:
        page = ask(
            uri,
            lambda token=token: client.search_runs(
                keys, max_results=min(PAGE, limit + 1), order_by=["attributes.start_time DESC"], page_token=token
            ),
        )
        found += page
        token = page.token
        if not token:
            break
    if not found:
        raise ReadError("The chosen experiments hold no run.")
    if len(found) <= limit:
        return found, []
    return found[:limit], [f"The experiments hold more than {limit:,} runs: the last {limit:,} started were read."]


def _history(client: MlflowClient, uri: str, run: Run, key: str) -> list[Metric]:
    """Returns every value of one metric in the order of logging; the client requests page after page."""
    found = ask(uri, lambda: client.get_metric_history(run.info.run_id, key))
    return sorted(found, key=lambda m: m.timestamp)


def _scalars(runs: list[tuple[Run, dict[str, list[Metric]]]], names: dict[str, str]) -> Scalars:
    """The runs in the order of their starts, as the database gives them."""
    scalars = Scalars()
    taken: set[str] = set()
    for run, found in sorted(runs, key=lambda r: (r[0].info.start_time or 0, r[0].info.run_id)):
        name = label(str(run.info.run_name or run.info.run_id), taken)
        taken.add(name)
        experiment = names.get(str(run.info.experiment_id), "")
        scalars.settings[name] = run_settings(run.info.status, experiment, run.data.params.items(), run.data.tags.items())
        for key, metrics in found.items():
            for metric in metrics:
                if math.isfinite(metric.value):
                    scalars.add(name, float(metric.step), f"metrics.{key}", metric.value)
    return scalars


def _table(scalars: Scalars, experiment_names: list[str], n_runs: int, notes: list[str]) -> Table:
    """Returns the table; its origin is given without the server's name, which identifies a machine."""
    frame = scalars.frame(RUN, notes)
    when = datetime.now(UTC)
    listed = [without_private(name) or "experiment" for name in experiment_names]
    told = f"Read from an MLflow server, {when:%Y-%m-%d %H:%M} UTC: {counted(n_runs, 'run')} of {shown(', '.join(listed), 200)}."
    name = listed[0] + (f" and {len(listed) - 1} more" if len(listed) > 1 else "")
    sha256 = hashlib.sha256(f"{when.timestamp()} {experiment_names} {frame.shape}".encode()).hexdigest()
    return scrub(Table(name, frame, np.arange(1, len(frame) + 1), "mlflow", [told, *notes], sha256=sha256, sparse=True))
