"""Computes the efficiency gap: how much more compute a dense model needs than a mixture of experts for the same loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..laws import Ensemble, FittedLaw, PublishedLaw
from ..numerics.arrays import Array
from ..runs import usable
from .allocation import compute_optimal, expansion_of
from .equal_loss import log_budget_of


def efficiency_gap(
    moe_law: FittedLaw,
    dense_law: FittedLaw,
    budget: ArrayLike,
    expansion: float | None = None,
    granularity: float | None = None,
) -> float | Array:
    """Returns dense FLOPs over MoE FLOPs at equal loss: how many times the budget a dense model needs to match the MoE.

    The MoE trains at `budget`, compute-optimal (best granularity unless given); the dense law, taken at E = 1, is
    compute-optimal at the FLOPs where its loss is the same. Infinite where the dense law never gets there. Two ensembles
    are paired sample by sample; with one, the other is kept. Shape: that of `budget`, samples first.
    """
    if moe_law.n_samples and dense_law.n_samples and moe_law.n_samples != dense_law.n_samples:
        shorter = slice(min(moe_law.n_samples, dense_law.n_samples))  # bootstraps of which different numbers failed
        moe_law, dense_law = moe_law.part(shorter), dense_law.part(shorter)
    dense_e, dense_g = dense_point(dense_law)
    log_c = np.log(np.asarray(budget, dtype=float))
    moe_loss = np.asarray(compute_optimal(moe_law, budget, expansion, granularity).loss)
    target = np.log(moe_loss)
    samples = dense_law.n_samples
    if samples is not None and moe_law.n_samples is None:
        target = np.broadcast_to(target, (samples, *target.shape))
    e, g = expansion_of(dense_law, dense_e), np.asarray(np.nan if dense_g is None else dense_g)
    x = log_budget_of(dense_law, target, e, g, log_c - np.log(1e8), log_c + np.log(1e12), start=log_c + np.log(4.0))
    gap = np.exp(x - log_c)
    return float(gap) if gap.ndim == 0 else gap


def dense_point(law: FittedLaw) -> tuple[float | None, float | None]:
    """Returns (E, G) at which a law describes dense models: 1 where the law has them, None where it has not."""
    return (1.0 if law.law.has_expansion else None, 1.0 if "G" in law.law.variables else None)


def shared_rounding(moe_law: PublishedLaw, dense_law: PublishedLaw, n: int, seed: int = 0) -> tuple[Ensemble, Ensemble]:
    """Returns rounding samples of a MoE law and its dense law with one irreducible loss c, drawn once for both.

    Krajewski 2024 fit the MoE law first and share its c with the dense one. Raises ValueError for laws without rounding.
    """
    moe, dense = moe_law.rounding(n, seed), dense_law.rounding(n, seed + 1)
    theta = dense.law.theta.copy()
    theta[:, dense_law.law.linear.index("L_inf")] = moe.law.theta[:, moe_law.law.linear.index("c")]
    return moe, replace(dense, law=replace(dense.law, theta=theta))


def measured_gap(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the gap between runs, without a law: columns expansion, flops, loss, gap; a row a MoE budget that dense runs span.

    At every E only runs on the lower envelope count (no run of that E with less compute has a lower loss); the dense runs'
    lower envelope, interpolated in ln C, says which compute reaches the same loss. Nothing is extrapolated.
    """
    runs = usable(runs)
    runs = runs[runs[["flops", "loss", "expansion"]].notna().all(axis=1)]
    dense = runs[runs["expansion"] == 1].sort_values(["flops", "loss"])
    rows = []
    if dense["flops"].nunique() >= 2:
        lowest = np.minimum.accumulate(dense["loss"].to_numpy())
        falls = np.r_[True, np.diff(lowest) < 0]
        log_c, envelope = np.log(dense["flops"].to_numpy())[falls], lowest[falls]
        for e, group in runs[runs["expansion"] > 1].groupby("expansion"):
            group = group.sort_values(["flops", "loss"])
            for best in group[group["loss"] < group["loss"].cummin().shift(fill_value=np.inf)].itertuples():
                if envelope[-1] <= best.loss <= envelope[0]:
                    matched = np.exp(np.interp(-best.loss, -envelope, log_c))
                    rows.append({"expansion": e, "flops": best.flops, "loss": best.loss, "gap": matched / best.flops})
    return pd.DataFrame(rows, columns=["expansion", "flops", "loss", "gap"])
