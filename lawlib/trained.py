"""Facts of the runs that this repository trained: what they cost, how they differ between seeds, how rates were chosen.

What they are is in `sweep/README.md`; their data set is `sweep.DATASET` of `lawlib.seeds`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .runs import included
from .seeds import sweep
from .weights import configurations

DATASET = sweep.DATASET


@dataclass(frozen=True)
class Effort:
    """runs, diverged: how many; flops: of all together, router included; hours: of one processor core, evaluation apart in
    `evaluation`; first, last: days (ISO) on which runs ended; dropped: largest share of a run's choices that an expert had no room for; router: largest share of a run's FLOPs that is not 6 N_active D."""

    runs: int
    diverged: int
    flops: float
    hours: float
    evaluation: float
    first: str
    last: str
    dropped: float
    router: float


def effort(runs: pd.DataFrame) -> Effort:
    """What training `runs` took, by their records."""
    kept = pd.DataFrame([json.loads(extra) for extra in runs["extra"]])
    ended = kept["finished"].str[:10]
    return Effort(
        len(runs),
        int((runs["status"] == "diverged").sum()),
        float(runs["flops"].sum()),
        float(kept["seconds"].sum() / 3600),
        float(kept["evaluation_seconds"].sum() / 3600),
        str(ended.min()),
        str(ended.max()),
        float(kept["dropped"].max()),
        float((1 - 6 * runs["n_active"] * runs["tokens"] / runs["flops"]).max()),
    )


def repeats(runs: pd.DataFrame) -> pd.DataFrame:
    """Configurations with more than one seed, a row each: n_active, expansion, granularity, flops, seeds, mean, sd, spread.

    mean, sd (with n - 1) and spread (largest less smallest) are of the final loss, in nats per byte.
    """
    counted = runs[included(runs) & runs["loss"].notna()]
    groups = counted.groupby(configurations(counted), sort=False)
    first = groups[["n_active", "expansion", "granularity", "flops"]].first()
    loss = groups["loss"]
    found = first.assign(seeds=loss.size(), mean=loss.mean(), sd=loss.std(), spread=loss.max() - loss.min())
    return found[found["seeds"] > 1].sort_values(["flops", "expansion", "granularity"]).reset_index(drop=True)


def pooled_sd(repeated: pd.DataFrame) -> float:
    """Standard deviation between seeds in nats, pooled over the configurations of `repeats`."""
    freedom = repeated["seeds"] - 1
    return float(np.sqrt((repeated["sd"] ** 2 * freedom).sum() / freedom.sum()))


def by_kind(runs: pd.DataFrame) -> pd.DataFrame:
    """How many runs there are of each E (rows) and G (columns); dense is E = 1, G = 1."""
    return runs.pivot_table(index="expansion", columns="granularity", values="loss", aggfunc="size", fill_value=0)


def rate_search() -> pd.DataFrame:
    """The search for learning rates: d_model, n_layers, steps, learning_rate, flops, loss (held out, nats per byte)."""
    lines = (sweep.FOLDER / "results" / "learning_rates.jsonl").read_text("utf-8").splitlines()
    found = pd.DataFrame([json.loads(line) for line in lines])
    columns = ["d_model", "n_layers", "steps", "learning_rate", "flops", "loss"]
    return found[columns].sort_values(["d_model", "flops", "learning_rate"]).reset_index(drop=True)


def beyond(runs: pd.DataFrame, budget: float) -> float:
    """Decades that a budget (FLOPs) lies beyond the largest run; negative below it."""
    return float(np.log10(budget / runs["flops"].max()))
