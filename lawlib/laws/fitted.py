"""A law with its numbers, fitted to runs or published: what optima, figures and exports take as input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..numerics.arrays import Array
from .finding import Finding
from .flops import FlopsRule, TotalRule
from .law import Law
from .record import Record
from .saturation import from_free, log_ehat


@dataclass(frozen=True)
class FittedLaw:
    """A law's form with its parameters, its FLOPs rule, and the range of the data behind it.

    Args:
        theta: the parameters the terms are affine in, shape `(n_linear,)`, or `(n_samples, n_linear)` for a whole
            ensemble at once: every method then has the samples as its first axis.
        shapes: (ln q, ln E_max) of Ehat, shape `(2,)` or `(n_samples, 2)`; empty for a law without Ehat.
        expansion: the one E the law holds at, if it has no E of its own and the data have one; else None.
        objective: sum of the objective's terms. rmse: root mean square residual of ln L.
        status: "converged", or what went wrong; "published" for a law without data.
        held: parameters that were not fitted, with their value's origin.
        ranges: lowest and highest of each quantity in the data.
        granularities: the G that a search for the best one tries; empty for powers of two from 1 to 256.
    """

    law: Law
    theta: Array
    shapes: Array = field(default_factory=lambda: np.empty(0))
    flops_rule: FlopsRule = field(default_factory=FlopsRule)
    total_rule: TotalRule = field(default_factory=lambda: TotalRule("unknown"))
    expansion: float | None = None
    objective: float = np.nan
    rmse: float = np.nan
    status: str = "published"
    held: Mapping[str, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    source: Record | None = None
    fit: FitDetails | None = None
    granularities: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The published law's name, or the form's."""
        return self.source.name if self.source else self.law.name

    @property
    def n_samples(self) -> int | None:
        """How many samples this law holds; None for a single law."""
        return None if self.theta.ndim == 1 else len(self.theta)

    @property
    def params(self) -> dict[str, float]:
        """The paper's letters in the paper's base; arrays `(n_samples,)` for an ensemble."""
        letters = self.law.letters(self.theta)
        values = {p: letters[..., i] for i, p in enumerate(self.law.linear)}
        if self.law.has_shapes:
            values["E_start"], values["E_max"] = from_free(self.shapes)
        if self.n_samples is None:
            return {p: float(values[p]) for p in self.law.parameters}
        return {p: values[p] for p in self.law.parameters}  # type: ignore[return-value]

    def log_variables(self, n: ArrayLike, tokens: ArrayLike, granularity: ArrayLike, expansion: ArrayLike) -> tuple[dict, int]:
        """Returns the logarithms that the terms take, and how many dimensions they have. Unused quantities may be NaN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            x = {
                "N": np.log(np.asarray(n, dtype=float)),
                "D": np.log(np.asarray(tokens, dtype=float)),
                "G": np.log(np.asarray(granularity, dtype=float)),
                "A": -np.log(np.asarray(expansion, dtype=float)),
            }
            ndim = max(np.ndim(v) for v in (n, tokens, granularity, expansion))
            if self.law.has_shapes:
                x["Ehat"] = self.log_ehat(expansion, ndim)
        return x, ndim

    def log_ehat(self, expansion: ArrayLike, ndim: int | None = None) -> Array:
        """Returns ln Ehat at E, in the shape of E (widened to `ndim` dimensions) with the samples in front."""
        return log_ehat(np.asarray(expansion, dtype=float), self.shapes, ndim)

    def loss(
        self, n: ArrayLike, tokens: ArrayLike = np.nan, granularity: ArrayLike = np.nan, expansion: ArrayLike = np.nan
    ) -> Array:
        """Returns the loss in nats per token at N (the law's own count, `law.count`), D, G and E; the arguments broadcast.

        Shape: the broadcast shape, with the samples in front for an ensemble.
        """
        x, ndim = self.log_variables(n, tokens, granularity, expansion)
        with np.errstate(over="ignore"):  # a sample far beyond its data may have no finite loss
            first, *others = (np.exp(z) for z in self.law.term_logs(self.theta, x, ndim))
            return np.asarray(sum(others, first))[()]

    def predict(self, runs: pd.DataFrame) -> Array:
        """Returns the predicted loss of every run, shape `(n_runs,)`.

        N is read from n_active or n_total (`law.law.count`) as it stands: for a published law that counts embeddings
        (`law.count` says so) the column must hold that count, since runs do not tell their vocabulary.
        Raises ValueError naming a missing column.
        """
        return self.loss(*run_arrays(self.law, runs))

    def at(self, index: int) -> FittedLaw:
        """Returns one sample of an ensemble as a law of its own."""
        return replace(self, theta=self.theta[index], shapes=self.shapes[index] if self.law.has_shapes else self.shapes)

    def part(self, samples: slice) -> FittedLaw:
        """Returns these samples of an ensemble."""
        return replace(self, theta=self.theta[samples], shapes=self.shapes[samples])

    def health(self) -> list[Finding]:
        """Returns what speaks against trusting a fit, warnings first; empty for a law that was not fitted to runs."""
        return []

    def rounding(self, n: int = 1000, seed: int = 0) -> Iterable[FittedLaw]:
        """Returns `n` laws drawn within the print rounding of a published law. Raises ValueError for any other law."""
        raise ValueError(f"{self.name} has no printed coefficients, so it has no print rounding.")

    @property
    def count(self) -> str:
        """Which N the law takes: n_active, n_total (both non-embedding), or with embeddings where its source says so."""
        return self.source.count if self.source else self.law.count


@dataclass(frozen=True)
class FitDetails:
    """What a fit was made from, and how its search went.

    runs: the runs used; weights `(n_runs,)`; objective_name and delta as asked; n_starts polished, n_agreeing of them
    ended in the same optimum; iterations of the longest; residuals ln L_pred - ln L, shape `(n_runs,)`; n_dropped runs
    missed a quantity; start: the parameters that the best fit started from, shape `(n_parameters,)`.
    """

    runs: pd.DataFrame
    weights: Array
    objective_name: str
    delta: float
    n_starts: int
    n_agreeing: int
    iterations: int
    residuals: Array
    fit_shapes: bool
    n_dropped: int = 0
    start: Array | None = None


def log_variables(law: Law, runs: pd.DataFrame, shapes: Array) -> tuple[dict[str, Array], Array]:
    """Returns (logarithms of the law's variables, E) of the runs, each `(n_runs,)`; ln Ehat at the given shapes of Ehat."""
    n, tokens, granularity, expansion = run_arrays(law, runs)
    with np.errstate(invalid="ignore"):
        x = {"N": np.log(n), "D": np.log(tokens), "G": np.log(granularity), "A": -np.log(expansion)}
    if law.has_shapes:
        x["Ehat"] = log_ehat(expansion, shapes)
    return {v: x[v] for v in law.variables}, expansion


def run_arrays(law: Law, runs: pd.DataFrame) -> tuple[Array, Array, Array, Array]:
    """Returns (N, D, G, E) of the runs, NaN for what the law does not take. 1/E is top_k / n_experts where both are given."""
    missing = [c for c in law.columns if c not in runs and not (c == "expansion" and {"top_k", "n_experts"} <= set(runs))]
    if missing:
        raise ValueError(f"The {law.name} law needs the columns {', '.join(law.columns)}; missing: {', '.join(missing)}.")

    def column(name: str) -> Array:
        if name not in runs:
            return np.full(len(runs), np.nan)
        return pd.to_numeric(runs[name], errors="coerce").to_numpy(dtype=float)

    expansion = column("expansion")
    if "A" in law.variables:
        share = column("n_experts") / column("top_k")
        expansion = np.where(np.isfinite(share), share, expansion)
    return column(law.count), column("tokens"), column("granularity"), expansion
