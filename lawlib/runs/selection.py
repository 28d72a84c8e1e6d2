"""Selects the runs of a data set by filters and by content, and computes a fingerprint of a data set.

A run's `run_id` may be its own log's and is good within one workspace only; `content_hashes` are the same wherever the
same runs are read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .canonical import content_ids

HASH_DIGITS = 8
"""Hexadecimal digits of a run's content that travel in addresses and scripts."""
NOMINAL = 1.001
"""Budgets are nominal: a bound on FLOPs lets through what lies a thousandth beyond it."""
_SIZES = ("n_active", "n_total", "n_experts", "top_k", "granularity", "expansion", "tokens", "flops")


def select(
    runs: pd.DataFrame,
    *,
    flops: tuple[float | None, float | None] = (None, None),
    n_experts: Iterable[float] = (),
    granularity: Iterable[float] = (),
    arch: str = "",
    extra: Mapping[str, Iterable[str]] | None = None,
    leave_out: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Returns the runs that pass every filter, with a new index; runs without a FLOPs count pass the bounds on it.

    Args:
        flops: lowest and highest training FLOPs, None for no bound.
        n_experts, granularity: the values to keep; empty for all.
        arch: "dense" or "moe"; "" for both.
        extra: of other columns of the log, the values to keep, as text.
        leave_out: content hashes of exactly the runs to mark as excluded; None leaves the marks as they are.
    """
    if leave_out is not None:
        runs = marked(runs, leave_out)
    low, high = flops
    keep = pd.Series(True, index=runs.index)
    if low is not None:
        keep &= ~(runs["flops"] < low / NOMINAL)
    if high is not None:
        keep &= ~(runs["flops"] > high * NOMINAL)
    for column, values in (("n_experts", tuple(n_experts)), ("granularity", tuple(granularity))):
        if values:
            keep &= runs[column].isin(values)
    if arch:
        keep &= runs["arch"] == arch
    for key, values in (extra or {}).items():
        keep &= extra_values(runs)[key].isin(list(values))
    return (runs if keep.all() else runs[keep]).reset_index(drop=True)


def extra_values(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the log's other columns as text: a column a key, "" where a run does not have it."""
    table = pd.DataFrame([json.loads(text) if text else {} for text in runs["extra"]], index=runs.index)
    return pd.DataFrame({str(c): table[c].map(lambda v: "" if v is None or v != v else str(v)) for c in table.columns})


def content_hashes(runs: pd.DataFrame) -> list[str]:
    """Returns the first digits of each run's content hash: equal for equal runs, in any data set and on any machine."""
    return [h[:HASH_DIGITS] for h in content_ids(runs)]


def marked(
    runs: pd.DataFrame, leave_out: Iterable[str], reason: str = "left out by the address", hashes: Iterable[str] | None = None
) -> pd.DataFrame:
    """Returns the runs with exactly those of these content hashes excluded; of equal runs as many as the hash is repeated.

    hashes: `content_hashes(runs)`, where they are known already.
    """
    wanted = Counter(leave_out)
    excluded = np.zeros(len(runs), dtype=bool)
    if wanted:
        found = pd.Series(content_hashes(runs) if hashes is None else list(hashes), dtype="str")
        found = found[found.isin(list(wanted))]
        excluded[found.index[found.groupby(found).cumcount() < found.map(wanted).astype(float)]] = True
    reasons = runs["exclude_reason"].where(runs["excluded"].astype(bool), reason).where(excluded, "")
    return runs.assign(excluded=excluded, exclude_reason=reasons)


@dataclass(frozen=True)
class Fingerprint:
    """A short identification of a data set: how many runs, a digest of their sizes and FLOPs, another one with the losses.

    The order of the runs, their names and which of them are excluded have no part in it.
    """

    n_runs: int
    sizes: str
    losses: str

    def __str__(self) -> str:
        return f"{self.n_runs}-{self.sizes}-{self.losses}"

    @classmethod
    def read(cls, text: str) -> Fingerprint:
        """The inverse of `str`. Raises ValueError."""
        found = re.fullmatch(rf"(\d{{1,12}})-([0-9a-f]{{{HASH_DIGITS}}})-([0-9a-f]{{{HASH_DIGITS}}})", text, re.ASCII)
        if found is None:
            raise ValueError(f'"{text}" is no fingerprint of runs.')
        return cls(int(found[1]), found[2], found[3])

    def difference(self, here: Fingerprint) -> str:
        """Returns what is different in `here`, as the end of a sentence; "" where nothing is."""
        if self == here:
            return ""
        if self.n_runs != here.n_runs:
            return f"it was made with {self.n_runs:,} runs, here are {here.n_runs:,}"
        if self.sizes != here.sizes:
            return f"there are {here.n_runs:,} runs in both, but their sizes, tokens or FLOPs differ"
        return f"the {here.n_runs:,} runs have the same sizes and tokens, but other losses"


def fingerprint(runs: pd.DataFrame) -> Fingerprint:
    """Returns the fingerprint of all these runs, excluded ones too."""
    sizes = _mixed(np.zeros(len(runs), dtype=np.uint64), runs, _SIZES)
    return Fingerprint(len(runs), _digits(sizes), _digits(_mixed(sizes, runs, ("loss",))))


def _mixed(start: np.ndarray, runs: pd.DataFrame, columns: Iterable[str]) -> np.ndarray:
    """Mixes each run's numbers into 64 bits, shape `(n_runs,)`: the finaliser of splitmix64 (Steele et al. 2014) a column."""
    z = start
    for column in columns:
        values = runs[column].to_numpy(dtype=float)
        z = z ^ np.where(np.isnan(values), 0.0, values + 0.0).view(np.uint64)
        z = (z + np.uint64(0x9E3779B97F4A7C15)) ^ (z >> np.uint64(30))
        z = z * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z


def _digits(z: np.ndarray) -> str:
    """Returns a sum over the runs as hexadecimal digits; their order does not matter."""
    return f"{int(z.sum(dtype=np.uint64)):016x}"[-HASH_DIGITS:]


def at_point(runs: pd.DataFrame, expansion: float, granularity: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns (runs at this E and G, the other runs), as a curve of one E and G passes only through runs of those. NaN: any."""
    same = pd.Series(True, index=runs.index)
    for column, value in (("expansion", expansion), ("granularity", granularity)):
        if np.isfinite(value) and runs[column].nunique() > 1:
            same &= np.isclose(runs[column].fillna(-1.0), value)
    return runs[same].reset_index(drop=True), runs[~same].reset_index(drop=True)
