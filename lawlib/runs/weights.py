"""Weights of the runs in a fit, by name, and the noise estimated from repeats of one configuration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..numerics.arrays import Array
from .canonical import included, usable

WEIGHTS: dict[str, str] = {
    "equal": "every run alike",
    "compute": "by training FLOPs: the large runs lead",
    "seed_variance": "by the inverse variance of repeats: noisy configurations count less",
}
PRIOR_REPEATS = 4.0
"""A configuration's variance is drawn towards the pooled one as if that came from this many more repeats."""
_CONFIGURATION = ("n_active", "n_total", "tokens", "n_experts", "top_k", "granularity", "arch", "loss_name")


@dataclass(frozen=True)
class SeedNoise:
    """The noise between seeds. sigma: pooled standard deviation of ln L; configurations, repeats: how many it rests on."""

    sigma: float
    configurations: int
    repeats: int

    @property
    def sentence(self) -> str:
        return (
            f"Repeats of {self.configurations} configuration{'s' * (self.configurations != 1)} ({self.repeats} runs) differ by {self.sigma:.2%} of the loss "
            "(standard deviation)."
        )


def seed_noise(runs: pd.DataFrame) -> SeedNoise | None:
    """Returns the noise between runs that differ in nothing but their seed, pooled over configurations; None without repeats.

    Excluded runs and those without a positive loss do not count.
    """
    table = _log_losses(usable(runs)).dropna()
    stats = table.groupby("group")["y"].agg(["count", "var"])
    repeated = stats[stats["count"] > 1]
    if repeated.empty:
        return None
    freedom = repeated["count"] - 1
    sigma = float(np.sqrt((repeated["var"] * freedom).sum() / freedom.sum()))
    return SeedNoise(sigma, len(repeated), int(repeated["count"].sum()))


def run_weights(runs: pd.DataFrame, name: str) -> Array:
    """Returns weights `(n_runs,)` by one of `WEIGHTS`: of mean 1 over the runs that are not excluded, 1 for the others.

    "compute": proportional to C. "seed_variance": inverse variance of ln L among runs of the run's configuration, drawn
    towards the pooled variance; configurations without repeats take the pooled one.
    Raises ValueError for an unknown name, runs without FLOPs, or no repeats.
    """
    weights = np.ones(len(runs))
    counted = included(runs)
    if counted.any():
        weights[counted] = _weights(runs[counted], name)
    return weights


def _weights(runs: pd.DataFrame, name: str) -> Array:
    if name == "equal":
        return np.ones(len(runs))
    if name == "compute":
        flops = (
            pd.to_numeric(runs["flops"], errors="coerce").to_numpy(dtype=float) if "flops" in runs else np.full(len(runs), np.nan)
        )
        if not np.isfinite(flops).any():
            raise ValueError("Weights by compute need the runs' flops, and these runs have none.")
        flops = np.where(np.isfinite(flops), flops, 0.0)
        return flops / flops.mean()
    if name == "seed_variance":
        noise = seed_noise(runs)
        if noise is None or noise.sigma == 0:
            raise ValueError("Weights by seed variance need repeats: runs that differ in nothing but their seed. There are none.")
        table = _log_losses(runs)
        stats = table.groupby("group")["y"].agg(["count", "var"])
        freedom = (stats["count"] - 1).clip(lower=0)
        variance = (freedom * stats["var"].fillna(0.0) + PRIOR_REPEATS * noise.sigma**2) / (freedom + PRIOR_REPEATS)
        weights = (1 / variance).reindex(table["group"]).to_numpy()
        return weights / weights.mean()
    raise ValueError(f"There are no weights {name!r}; known are {', '.join(WEIGHTS)}, or a column of the runs.")


def _log_losses(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the configuration (group) and ln L (y) of every run, NaN where there is no positive loss.

    NaN also for a run whose seed its configuration has already: two such runs differ in something that is not known here,
    such as the router's type, and are no repeats.
    """
    loss = runs["loss"].to_numpy(dtype=float)
    table = pd.DataFrame({"group": configurations(runs), "y": np.log(np.where(loss > 0, loss, np.nan))})
    if "seed" in runs:
        seeds = table.assign(seed=pd.to_numeric(runs["seed"], errors="coerce").to_numpy(dtype=float))
        table["y"] = table["y"].where(seeds["seed"].isna() | ~seeds.duplicated(["group", "seed"]))
    return table


def configurations(runs: pd.DataFrame) -> Array:
    """Returns a number for each configuration: runs with equal numbers differ in nothing known but their seed."""
    keys = []
    for column in _CONFIGURATION:
        if column in runs:
            values = runs[column]
            keys.append(np.round(np.log(values.to_numpy(dtype=float)), 6) if pd.api.types.is_numeric_dtype(values) else values)
    frame = pd.DataFrame({i: np.asarray(k) for i, k in enumerate(keys)})
    return frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup().to_numpy()
