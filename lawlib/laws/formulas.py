"""Published formulas that are not of the log-sum-exp form: they can be evaluated but not fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..numerics.arrays import Array
from .record import Record


@dataclass(frozen=True)
class FormulaLaw:
    """A published formula with its coefficients. Call it with the formula's own arguments; they broadcast."""

    source: Record
    params: dict[str, float]
    formula: Formula

    @property
    def name(self) -> str:
        return self.source.name

    def __call__(self, *args: ArrayLike) -> Array:
        return self.formula.function(self.params, *(np.asarray(a, dtype=float) for a in args))

    def predict(self, runs: pd.DataFrame) -> Array:
        """Returns the formula's value for every run, shape `(n_runs,)`. Raises ValueError naming missing columns."""
        missing = [c for c in self.formula.columns if c not in runs]
        if missing:
            raise ValueError(f"{self.name} needs the columns {', '.join(self.formula.columns)}; missing: {', '.join(missing)}.")
        return self(*(pd.to_numeric(runs[c], errors="coerce").to_numpy(dtype=float) for c in self.formula.columns))


@dataclass(frozen=True)
class Formula:
    """What a formula computes and from which columns, in the order of its arguments."""

    function: Callable[..., Array]
    columns: tuple[str, ...]
    result: str


def efficiency_leverage(p: dict[str, float], active_share: Array, granularity: Array, flops: Array) -> Array:
    """EL(A, G, C): dense FLOPs over MoE FLOPs at equal loss (arXiv:2507.17702); G = 2 d_model / d_expert, half of Krajewski's.

    EL = Ahat^(alpha + gamma (log2 G)^2 + beta log2 G), alpha = a + d log10 C,
    1 / Ahat = 1 / (A + (1/A_start - 1/A_max)^-1) + 1 / A_max. A = active experts / experts. The bases are inferred.
    """
    ahat = 1 / (1 / (active_share + 1 / (1 / p["A_start"] - 1 / p["A_max"])) + 1 / p["A_max"])
    g = np.log2(granularity)
    return ahat ** (p["a"] + p["d"] * np.log10(flops) + p["gamma"] * g**2 + p["beta"] * g)


def shared_experts_loss(
    p: dict[str, float], n_total: Array, n_active: Array, tokens: Array, active_experts: Array, shared_share: Array
) -> Array:
    """Loss with G activated experts of which a share S is shared (arXiv:2509.23678, coefficients from a secondary source).

    L = (e G + f/G + m S^2 + n S)(1/N^alpha + k/N_a^alpha + h N_a/N) + a/N^alpha + b/D^beta + c/N_a^alpha + eps.
    """
    g, s = active_experts, shared_share
    shape = p["e"] * g + p["f"] / g + p["m"] * s**2 + p["n"] * s
    size = n_total ** -p["alpha"] + p["k"] * n_active ** -p["alpha"] + p["h"] * n_active / n_total
    return (
        shape * size
        + p["a"] * n_total ** -p["alpha"]
        + p["b"] * tokens ** -p["beta"]
        + p["c"] * n_active ** -p["alpha"]
        + p["eps"]
    )


def shared_experts_optimum(p: dict[str, float]) -> tuple[float, float]:
    """Returns the (G, S) that minimise the shape factor: sqrt(f/e) activated experts, a share -n/(2m) of them shared."""
    return float(np.sqrt(p["f"] / p["e"])), float(-p["n"] / (2 * p["m"]))


FORMULAS: dict[str, Formula] = {
    "leverage": Formula(efficiency_leverage, ("active_share", "granularity", "flops"), "efficiency leverage"),
    "granular_shared": Formula(
        shared_experts_loss, ("n_total", "n_active", "tokens", "active_experts", "shared_share"), "loss, nats per token"
    ),
}
