"""Many versions of one law at once: bootstrap refits of a fit, or a published law within its print rounding.

Everything that takes a `FittedLaw` takes an ensemble's `law` too and answers for all samples in one array operation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import ArrayLike

from .errors import OptimumError
from .laws import FittedLaw, log_variables
from .laws.saturation import to_free
from .numerics.arrays import Array
from .objective import Objective
from .percentiles import central
from .solver import Model, minimise
from .threads import one_blas_thread

HUBER_FACTOR = 0.90
"""See `small_sample_factor`."""
LEFT_OUT = "left out"
"""The kind of ensemble whose samples stand for runs, in their order: a failed refit is NaN, not left out."""
CHUNK = 64
"""Replicates refitted by one task: their arrays stay in the processor's cache."""
MAX_CELLS = 400_000
"""Replicates times runs of one task: of many runs fewer replicates at once, or their arrays would take gigabytes."""
Quantity = str | Callable[[FittedLaw], ArrayLike]


@dataclass(frozen=True)
class Ensemble:
    """Samples of a law.

    Args:
        law: all samples as one law, theta `(n_samples, n_linear)`.
        point: the law they vary around.
        kind: "bootstrap" (runs resampled), "left out" (runs left out one by one or by group) or "rounding" (coefficients
            within half of their last printed digit).
        n_failed: replicates that could not be refitted and are left out.
        refits: the refits as they came out, where `law` has their spread multiplied by `small_sample_factor`.
        unit: what the bootstrap drew: "runs", or the name of the groups.
    """

    law: FittedLaw
    point: FittedLaw
    kind: str
    n_failed: int = 0
    unit: str = "runs"
    refits: FittedLaw | None = None

    def __len__(self) -> int:
        return len(self.law.theta)

    def __iter__(self) -> Iterator[FittedLaw]:
        return (self.law.at(i) for i in range(len(self)))

    def first(self, n: int) -> Ensemble:
        """The first `n` samples, for what is slow to compute."""
        refits = None if self.refits is None else self.refits.part(slice(n))
        return replace(self, law=self.law.part(slice(n)), refits=refits)

    @cached_property
    def with_point(self) -> FittedLaw:
        """The point as sample 0 and the samples behind it, as one law: both in one computation."""
        theta = np.concatenate([self.point.theta[None], self.law.theta])
        return replace(self.law, theta=theta, shapes=np.concatenate([self.point.shapes[None], self.law.shapes]))

    @property
    def params(self) -> pd.DataFrame:
        """The paper's letters, a row a sample: of a bootstrap, the refits as they came out."""
        return pd.DataFrame((self.refits or self.law).params)

    @property
    def label(self) -> str:
        """What the intervals mean, in three words."""
        return f"bootstrap of {self.unit}" if self.kind == "bootstrap" else "print rounding"

    def values(self, what: Quantity) -> Array:
        """A parameter (by letter) or anything computed from a law, for every sample: shape `(n_samples, ...)`.

        A function is first given all samples at once and, where it cannot take arrays, one law after the other; samples
        that have no optimum are NaN.
        """
        if isinstance(what, str):
            params = self.law.params
            if what not in params:
                raise ValueError(f"There is no parameter {what!r}; the {self.law.law.name} law has {', '.join(params)}.")
            return np.asarray(params[what])
        try:
            together = np.asarray(what(self.law), dtype=float)
        except (TypeError, ValueError, IndexError):
            together = np.empty(0)
        if together.ndim and len(together) == len(self):
            return together
        answers: list[Array | None] = []
        for law in self:
            try:
                answers.append(np.asarray(what(law), dtype=float))
            except OptimumError:
                answers.append(None)
        known = next((a for a in answers if a is not None), None)
        if known is None:
            return np.full(len(self), np.nan)
        return np.array([np.full(known.shape, np.nan) if a is None else a for a in answers])

    def interval(self, what: Quantity, level: float = 0.95) -> tuple:
        """(low, high) percentiles of `values(what)`: floats, or arrays for array quantities. NaN samples are left out."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1; got {level}.")
        low, high = central(self.values(what), level)
        return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def interval_words(samples: Ensemble | None) -> str:
    """What the bands and brackets of pages and figures are; "" where there are none."""
    return f"95 %, {samples.label}" if samples is not None else ""


def bootstrap(
    fit: FittedLaw,
    n_resamples: int = 1000,
    seed: int = 0,
    groups: str | ArrayLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Refits of `fit` to runs drawn with replacement, each started from the fit.

    Args:
        groups: a column's name or an array `(n_runs,)`; whole groups (isoFLOP slices, sizes) are drawn then.
        progress: called with (done, total) now and then; an exception it raises cancels the work.
    The spread is multiplied by `small_sample_factor`. Chunks run through joblib: `joblib.parallel_config(backend="dask")`
    moves them to a cluster.
    Raises ValueError for a published law, or fewer than two groups.
    """
    if fit.fit is None:
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


def small_sample_factor(fit: FittedLaw) -> float:
    """sqrt(n / (n - p)) for squared objectives, `HUBER_FACTOR` for Huber's: what a bootstrap's spread is multiplied by.

    Least-squares residuals are smaller than the noise by the first, and so is the spread of refits. Huber's objective with a
    small delta is nearly a median, whose bootstrap is too wide in samples of this size; its factor was chosen by the coverage
    measured without it (up to 98.7 % of nominal 95 %). Coverage of both as they are: docs/coverage.md.
    """
    assert fit.fit is not None
    if fit.fit.objective_name == "huber":
        return HUBER_FACTOR
    n = int((fit.fit.weights > 0).sum())
    p = len(fit.phi)
    return float(np.sqrt(n / (n - p))) if n > p else 1.0


def refit(fit: FittedLaw, counts: Array, kind: str, progress: Callable[[int, int], None] | None = None) -> Ensemble:
    """Refits with each run counted `counts` times, shape `(n_refits, n_runs)`, each started from the fit; in their order.

    Those that end nowhere are left out of the ensemble and counted in `n_failed`.
    """
    assert fit.fit is not None
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


def rounding(law: FittedLaw, n: int = 1000, seed: int = 0) -> Ensemble:
    """`n` laws with every printed coefficient drawn evenly within half a unit of its last printed digit.

    Raises ValueError for a law that is not printed (a fit, or a set moved inside the rounding already).
    """
    if law.source is None or not law.source.half_units:
        raise ValueError(f"{law.name} has no printed coefficients, so it has no print rounding.")
    rng = np.random.default_rng(seed)
    centers = np.array([law.params[p] for p in law.law.parameters])
    halves = np.array([law.source.half_units.get(p, 0.0) for p in law.law.parameters])
    drawn = pd.DataFrame(centers + halves * rng.uniform(-1, 1, (n, len(centers))), columns=list(law.law.parameters))
    raw = drawn[list(law.law.linear)].to_numpy()
    positive = law.law.positive
    theta = np.where(positive, np.log(np.where(positive, raw, 1.0)), raw)
    shapes = to_free(drawn["E_start"].to_numpy(), drawn["E_max"].to_numpy()) if law.law.has_shapes else np.empty((n, 0))
    return Ensemble(replace(law, theta=theta, shapes=shapes), law, "rounding")


def _resample(fit: FittedLaw, n_resamples: int, seed: int, groups: str | ArrayLike | None) -> Array:
    """How often each run is drawn, shape `(n_resamples, n_runs)`."""
    assert fit.fit is not None
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
    """The tasks' results in their order, as they come where the joblib backend can say so (Ray's cannot)."""
    tasks = list(tasks)
    try:
        results = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(tasks)
    except ValueError:
        results = Parallel(n_jobs=-1, prefer="threads")(tasks)
    yield from results


@one_blas_thread
def _refit(fit: FittedLaw, counts: Array) -> tuple[Array, np.ndarray]:
    """Refitted parameters `(n_chunk, n_parameters)` and which of them are finite."""
    assert fit.fit is not None
    model = fit_model(fit)
    goal = Objective(fit.fit.objective_name, fit.fit.delta)
    found = minimise(model, goal, np.tile(fit.phi, (len(counts), 1)), counts * fit.fit.weights, decrement=1e-8)
    return found.phi, np.isfinite(found.value) & np.isfinite(found.phi).all(axis=1)


def fit_model(fit: FittedLaw) -> Model:
    """The arrays that `fit` was made from."""
    assert fit.fit is not None
    x, expansion = log_variables(fit.law, fit.fit.runs, fit.shapes)
    log_loss = np.log(fit.fit.runs["loss"].to_numpy(dtype=float))
    return Model(fit.law, x, log_loss, expansion if fit.fit.fit_shapes else None)
