"""The canonical table of runs: one row a training run, the same columns and units for every log format.

Every reader ends here and everything else starts here. Counts are non-embedding with the router left out; `tokens` are
training tokens; `flops` are training FLOPs, forward and backward; `loss` is in nats per token.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

NUMBERS: dict[str, str] = {
    "n_active": "parameters a token passes through, non-embedding, router excluded",
    "n_total": "all parameters, non-embedding, router excluded",
    "d_model": "width of the residual stream",
    "n_layers": "transformer blocks",
    "n_experts": "routed experts in a layer (1 for dense)",
    "top_k": "experts a token is routed to",
    "granularity": "G = d_ff / d_expert (1 for dense)",
    "expansion": "E = n_experts / granularity (1 for dense)",
    "tokens": "training tokens",
    "flops": "training FLOPs, forward and backward",
    "loss": "nats per token",
    "seed": "random seed",
}
TEXTS: dict[str, str] = {
    "run_id": "hash of the run's content",
    "dataset": "data set the run belongs to",
    "name": "the run's own name; need not be unique",
    "arch": "dense or moe; empty where the log does not tell",
    "loss_name": "the column the loss came from",
    "status": "finished, running, diverged, ... as logged",
    "exclude_reason": "why the run is left out of fits",
    "extra": "everything else of the log's row, as JSON",
}
COLUMNS: tuple[str, ...] = (
    "run_id", "dataset", "name", "arch", "n_active", "n_total", "d_model", "n_layers", "n_experts", "top_k",
    "granularity", "expansion", "tokens", "flops", "loss", "loss_name", "seed", "status", "excluded",
    "exclude_reason", "extra",
)  # fmt: skip
CURVE_COLUMNS: tuple[str, ...] = ("run_id", "step", "tokens", "flops", "split", "loss", "hours")
"""`hours` since the run began, where the log gives times."""
POSITIVE: tuple[str, ...] = (
    "n_active", "n_total", "d_model", "n_layers", "n_experts", "top_k", "granularity", "expansion", "tokens", "flops",
    "loss",
)  # fmt: skip
_IDENTITY = (
    "name", "arch", "n_active", "n_total", "n_experts", "top_k", "granularity", "tokens", "flops", "loss", "loss_name",
    "seed", "extra",
)  # fmt: skip
_NUMBER = re.compile(r"([+-]?(?:\d[\d_,' ]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([kKMBGTPEQ]?)", re.ASCII)
_SUFFIX = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Q": 1e15}


@dataclass(frozen=True)
class Problem:
    """One value that makes a run unusable: `row` counts from 0 in the frame, `reason` is a sentence."""

    row: int
    column: str
    value: object
    reason: str


def parse_number(text: object) -> float:
    """Returns the number in `text`: "350M", "1_000", "2.1B", "1e21", "7,000,000" as well as plain ones; NaN where there is none."""
    if text is None:
        return np.nan
    if isinstance(text, (int, float, np.number)):
        return float(text)
    stripped = str(text).strip()
    match = _NUMBER.fullmatch(stripped)
    if match is None:
        return {"inf": np.inf, "+inf": np.inf, "-inf": -np.inf}.get(stripped.lower(), np.nan)
    return float(re.sub(r"[_,' ]", "", match[1])) * _SUFFIX[match[2]]


def as_runs(frame: pd.DataFrame, dataset: str | None = None) -> pd.DataFrame:
    """Returns `frame` with every canonical column, in order and typed, and what follows from the others filled in.

    Missing numbers are NaN, missing texts "". Filled where empty: `expansion = n_experts / granularity`; for dense runs
    one expert, E = G = top_k = 1 and `n_total = n_active` (either from the other); `run_id` from the row's content.
    Columns that are not canonical are dropped: readers keep them in `extra`.
    """
    index = pd.RangeIndex(len(frame))
    blank, nothing = pd.Series("", index=index, dtype="str"), pd.Series(np.nan, index=index)
    columns: dict[str, pd.Series] = {}
    for column in COLUMNS:
        given = frame[column].reset_index(drop=True) if column in frame else None
        if column in NUMBERS:
            columns[column] = nothing if given is None else pd.to_numeric(given, errors="coerce").astype(float)
        elif column == "excluded":
            columns[column] = pd.Series(False, index=index) if given is None else given.fillna(False).astype(bool)
        else:
            columns[column] = blank if given is None else given.astype("str").fillna("")
    runs = pd.DataFrame(columns, index=index)
    if dataset is not None:
        runs["dataset"] = dataset
    dense = (runs["arch"] == "dense").to_numpy()
    for column in ("n_experts", "top_k", "granularity", "expansion"):
        runs.loc[dense & runs[column].isna().to_numpy(), column] = 1.0
    for column, other in (("n_total", "n_active"), ("n_active", "n_total")):
        runs[column] = runs[column].where(~dense | runs[column].notna(), runs[other])
    runs["expansion"] = runs["expansion"].fillna(runs["n_experts"] / runs["granularity"])
    missing = (runs["run_id"] == "").to_numpy()
    if missing.any():
        runs.loc[missing, "run_id"] = content_ids(runs.loc[missing])
    return runs


def content_ids(runs: pd.DataFrame) -> list[str]:
    """Returns a 16-digit hash of each row's content: equal rows, equal ids, in any data set and on any machine."""
    return [
        hashlib.sha256("\x1f".join("" if v != v else repr(v) for v in row).encode()).hexdigest()[:16]
        for first in range(0, len(runs), 50_000)  # a million runs as Python's numbers would take a gigabyte
        for row in zip(*(runs[c].iloc[first : first + 50_000].tolist() for c in _IDENTITY), strict=True)
    ]


def problems(runs: pd.DataFrame, columns: Iterable[str] = POSITIVE) -> list[Problem]:
    """Returns impossible values: zero, negative, infinite or beyond 1e300. Missing values are no problem here."""
    found = []
    for column in columns:
        values = runs[column].to_numpy(dtype=float)
        bad = ~np.isnan(values) & ~((values > 0) & (values < 1e300))
        for row in np.flatnonzero(bad):
            found.append(Problem(int(row), column, float(values[row]), f"{column} must be a positive finite number"))
    return sorted(found, key=lambda p: p.row)


def among(run_ids: pd.Series, wanted: Iterable[str]) -> np.ndarray:
    """Whether each of these ids is wanted, fast for any number of wanted ids (pandas' `isin` takes 10 µs a wanted text)."""
    return run_ids.astype(object).isin(set(wanted)).to_numpy()


def included(runs: pd.DataFrame) -> np.ndarray:
    """Returns which runs count: those not marked as excluded, a boolean `(n_runs,)`; all of them where nothing is marked."""
    if "excluded" not in runs:
        return np.ones(len(runs), dtype=bool)
    return ~runs["excluded"].fillna(False).to_numpy(dtype=bool)


def usable(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs that fits may use: those not excluded, with a new index."""
    return runs[included(runs)].reset_index(drop=True)
