"""Refits a law to other draws of its runs, each started from the fit: the bootstrap, and refits without some runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike

from ..laws import Ensemble, FittedLaw, log_variables
from ..numerics.arrays import Array
from ..numerics.threads import one_blas_thread
from .model import Model
from .objective import Objective
from .result import Fit
from .solver import minimise

HUBER_FACTOR = 0.90
"""See `small_sample_factor`."""
LEFT_OUT = "left out"
"""The kind of ensemble whose samples stand for runs, in their order: a failed refit is NaN, not left out."""
CHUNK = 64
"""Replicates refitted by one task: their arrays stay in the processor's cache."""
MAX_CELLS = 400_000
"""Replicates times runs of one task: of many runs fewer replicates at once, or their arrays would take gigabytes."""


def bootstrap(
    fit: FittedLaw,
    n_resamples: int = 1000,
    seed: int = 0,
    groups: str | ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Returns an ensemble of refits to runs drawn with replacement, each started from `fit`.

    Args:
        groups: a column's name or an array `(n_runs,)`; whole groups (isoFLOP slices, sizes) are drawn then.
        progress: called with (done, total) now and then; an exception it raises cancels the work.
    The spread is multiplied by `small_sample_factor`. Chunks run through joblib: `joblib.parallel_config(backend="dask")`
    moves them to a cluster.
    Raises ValueError for a published law, or fewer than two groups.
    """
    if not isinstance(fit, Fit):
        raise ValueError(f"{fit.name} is a published law without runs; use its rounding() instead of a bootstrap.")
    samples = refit(fit, _resample(fit, n_resamples, seed, groups), "bootstrap", progress)
    if groups is not None:
        samples = replace(samples, unit=groups if isinstance(groups, str) else "groups")
    factor = small_sample_factor(fit)
    if factor == 1.0:
        return samples
    theta = fit.theta + factor * (samples.law.theta - fit.theta)
    shapes = fit.shapes + factor * (samples.law.shapes - fit.shapes)
    return replace(samples, law=replace(samples.law, theta=theta, shapes=shapes), refits=samples.law)


def small_sample_factor(fit: Fit) -> float:
    """Returns the factor on a bootstrap's spread: sqrt(n / (n - p)) for squared objectives, `HUBER_FACTOR` for Huber's.

    Least-squares residuals are smaller than the noise by the first, and so is the spread of refits. Huber's objective with a
    small delta is nearly a median, whose bootstrap is too wide in samples of this size; its factor was chosen by the coverage
    measured without it (up to 98.7 % of nominal 95 %). Coverage of both as they are: docs/coverage.md.
    """
    if fit.fit.objective_name == "huber":
        return HUBER_FACTOR
    n = int((fit.fit.weights > 0).sum())
    p = len(fit.phi)
    return float(np.sqrt(n / (n - p))) if n > p else 1.0


def refit(fit: Fit, counts: Array, kind: str, progress: Callable[[int, int], None] | None = None) -> Ensemble:
    """Returns refits with each run counted `counts` times, shape `(n_refits, n_runs)`, each started from the fit, in order.

    Those that end nowhere are left out of the ensemble and counted in `n_failed`.
    """
    size = max(min(CHUNK, MAX_CELLS // counts.shape[1]), 1)
    chunks = [counts[i : i + size] for i in range(0, len(counts), size)]
    parts, done = [], 0
    work = _parallel(delayed(_refit)(fit, c) for c in chunks)
    try:
        for part in work:
            parts.append(part)
            done += len(part[0])
            if progress is not None:
                progress(done, len(counts))
    except BaseException:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # joblib warns of the tasks that a cancellation leaves unused
            work.close()
        raise
    found, good = (np.concatenate(p) for p in zip(*parts, strict=True))
    if kind == LEFT_OUT:
        found, good = np.where(good[:, None], found, np.nan), np.ones(len(good), dtype=bool)
    return Ensemble(fit.at_phi(found[good]), fit, kind, int((~good).sum()))


def _resample(fit: Fit, n_resamples: int, seed: int, groups: str | ArrayLike | None) -> Array:
    """How often each run is drawn, shape `(n_resamples, n_runs)`."""
    rng = np.random.default_rng(seed)
    n = len(fit.fit.runs)
    if groups is None:
        return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(float)
    values = fit.fit.runs[groups] if isinstance(groups, str) else pd.Series(np.asarray(groups))
    if len(values) != n:
        raise ValueError(f"groups must have one value for each of the {n} fitted runs; got {len(values)}.")
    if values.isna().any():
        raise ValueError(f"groups must name a group for every run; {int(values.isna().sum())} of {n} have none.")
    codes, names = pd.factorize(values)
    if len(names) < 2:
        raise ValueError("A bootstrap of groups needs at least two groups.")
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    return draws[:, codes].astype(float)


def _parallel(tasks: Iterable) -> Generator:
    """Yields the tasks' results in order, as they arrive where the joblib backend supports it (Ray's does not)."""
    tasks = list(tasks)
    try:
        results = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(tasks)
    except ValueError:
        results = Parallel(n_jobs=-1, prefer="threads")(tasks)
    yield from results


@one_blas_thread
def _refit(fit: Fit, counts: Array) -> tuple[Array, np.ndarray]:
    """Refitted parameters `(n_chunk, n_parameters)` and which of them are finite."""
    model = fit_model(fit)
    goal = Objective(fit.fit.objective_name, fit.fit.delta)
    found = minimise(model, goal, np.tile(fit.phi, (len(counts), 1)), counts * fit.fit.weights, decrement=1e-8)
    return found.phi, np.isfinite(found.value) & np.isfinite(found.phi).all(axis=1)


def fit_model(fit: Fit) -> Model:
    """Returns the arrays that `fit` was made from."""
    x, expansion = log_variables(fit.law, fit.fit.runs, fit.shapes)
    log_loss = np.log(fit.fit.runs["loss"].to_numpy(dtype=float))
    return Model(fit.law, x, log_loss, expansion if fit.fit.fit_shapes else None)
