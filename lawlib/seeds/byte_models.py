"""The runs that this repository trained itself (`lawlib/data/byte_models/runs.jsonl`) as canonical runs and curves.

Loss: cross-entropy in nats per byte on held-out text. C = (6 N_active + 14 router parameters) · D, the router included, as
`lawlib.architecture` counts it; N non-embedding, router excluded; a token is a byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from lawlib.runs import as_runs, configurations, included

DATASET = "byte-moe-sweep"
VOCABULARY = 256
"""Of its models, which read bytes."""
FOLDER = Path(__file__).parents[1] / "data" / "byte_models"
"""Where the trainer (`sweep/`) writes its results."""
HELD_OUT, TRAINING = "held_out", "train"
"""Names of the final loss, and of the curve's: the mean over the bytes since the last point, each before it is learned from."""
KEPT = (
    "batch", "steps", "learning_rate", "n_router", "dropped", "seconds", "evaluation_seconds", "finished",
)  # fmt: skip
"""What of a record becomes the run's `extra`."""


@cache
def records() -> tuple[dict, ...]:
    """Returns every finished run, by compute, kind and name; a last line cut short by a kill does not count."""
    found = {}
    for line in (FOLDER / "runs.jsonl").read_text("utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        found.setdefault(record["name"], record)
    kind = ("budget", "expansion", "granularity", "n_active", "seed")
    return tuple(sorted(found.values(), key=lambda r: [r[k] for k in kind]))


def text() -> dict[str, str]:
    """Returns what the models were trained on: title, Debian package with its version, SHA-256 of the unpacked text."""
    return json.loads((FOLDER / "text.json").read_text("utf-8"))


def runs() -> pd.DataFrame:
    """Returns canonical runs, one row each. A diverged run has no loss and is excluded with its reason."""
    frame = pd.DataFrame(records())
    lost = frame["status"] == "diverged"
    frame = frame.assign(
        arch=np.where(frame["n_experts"] > 1, "moe", "dense"),
        loss=frame["loss"].astype(float),
        loss_name=HELD_OUT,
        excluded=lost,
        exclude_reason=np.where(lost, "diverged", ""),
        extra=[json.dumps({key: record[key] for key in KEPT}) for record in records()],
    )
    return as_runs(frame, DATASET)


def curves() -> pd.DataFrame:
    """Returns points of the training curves: run_id, step, tokens, flops, split, loss, hours of processor time."""
    parts = []
    for run_id, record in zip(runs()["run_id"], records(), strict=True):
        step, loss = np.array(record["curve"], dtype=float).T
        share = step / record["steps"]
        parts.append(
            pd.DataFrame(
                {
                    "run_id": run_id, "step": step, "tokens": step * record["tokens"] / record["steps"],
                    "flops": share * record["flops"], "split": TRAINING, "loss": loss,
                    "hours": share * record["seconds"] / 3600,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def derivations() -> pd.DataFrame:
    """Returns how each quantity was derived, for all runs at once: dataset, run_id (""), quantity, source, factor, rule."""
    rules = {
        "n_active": ("shape", "matrices of attention and of the experts a byte passes; no embeddings, router or norms"),
        "n_total": ("shape", "matrices of attention and of all experts; no embeddings, router or norms"),
        "tokens": ("steps x batch x 128", "bytes read in training, each once"),
        "flops": ("shape, tokens", "(6 N_active + 14 router parameters) x bytes; embeddings left out"),
        "loss": (HELD_OUT, "mean cross-entropy over the held-out text, nats per byte; the balancing loss is no part of it"),
    }
    return pd.DataFrame(
        [{"dataset": DATASET, "run_id": "", "quantity": q, "source": s, "factor": 1.0, "rule": r} for q, (s, r) in rules.items()]
    )


@dataclass(frozen=True)
class Effort:
    """What training the bundled byte models took.

    runs, diverged: how many; flops: of all together, router included; hours: of one processor core, evaluation apart in
    `evaluation`; first, last: days (ISO) on which runs ended; dropped: largest fraction of a run's routing decisions dropped
    because the expert was full; router: largest share of a run's FLOPs that is not 6 N_active D.
    """

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
    """Returns what training `runs` took, by their records."""
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
    """Returns configurations with several seeds, a row each: n_active, expansion, granularity, flops, seeds, mean, sd, spread.

    mean, sd (with n - 1) and spread (largest less smallest) are of the final loss, in nats per byte.
    """
    counted = runs[included(runs) & runs["loss"].notna()]
    groups = counted.groupby(configurations(counted), sort=False)
    first = groups[["n_active", "expansion", "granularity", "flops"]].first()
    loss = groups["loss"]
    found = first.assign(seeds=loss.size(), mean=loss.mean(), sd=loss.std(), spread=loss.max() - loss.min())
    return found[found["seeds"] > 1].sort_values(["flops", "expansion", "granularity"]).reset_index(drop=True)


def pooled_sd(repeated: pd.DataFrame) -> float:
    """Returns the standard deviation between seeds in nats, pooled over the configurations of `repeats`."""
    freedom = repeated["seeds"] - 1
    return float(np.sqrt((repeated["sd"] ** 2 * freedom).sum() / freedom.sum()))


def by_kind(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns how many runs there are of each E (rows) and G (columns); dense is E = 1, G = 1."""
    return runs.pivot_table(index="expansion", columns="granularity", values="loss", aggfunc="size", fill_value=0)


def rate_search() -> pd.DataFrame:
    """Returns the search for learning rates: d_model, n_layers, steps, learning_rate, flops, loss (held out, nats per byte)."""
    lines = (FOLDER / "learning_rates.jsonl").read_text("utf-8").splitlines()
    found = pd.DataFrame([json.loads(line) for line in lines])
    columns = ["d_model", "n_layers", "steps", "learning_rate", "flops", "loss"]
    return found[columns].sort_values(["d_model", "flops", "learning_rate"]).reset_index(drop=True)


def beyond(runs: pd.DataFrame, budget: float) -> float:
    """Returns the decades that a budget (FLOPs) lies beyond the largest run; negative below it."""
    return float(np.log10(budget / runs["flops"].max()))
