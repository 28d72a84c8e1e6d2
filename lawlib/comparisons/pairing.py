"""Pairs each run of one group with the most similar run of another: equal size, then nearest tokens, compute and settings.

Two groups of runs (coarse and fine experts, dense and MoE) are compared pair by pair, so that size and schedule drop out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..numerics.arrays import Array
from ..runs import usable

SAME = 0.02
"""Quantities whose logarithms differ by less count as equal: sizes, token counts, FLOPs per token."""
HELD: dict[str, tuple[str, ...]] = {
    "G": ("n_active", "expansion"),
    "E": ("n_active", "granularity"),
    "arch": ("n_active",),
    "hand": (),
}
"""What is compared -> what the two runs of a pair must share. Dense runs have no experts: their G fits any."""
PAIR_COLUMNS = (
    "a", "b", "name_a", "name_b", "n_active", "expansion_a", "expansion_b", "granularity_a", "granularity_b",
    "tokens_a", "tokens_b", "same_schedule", "flops_per_token", "loss_a", "loss_b", "gain", "loss_name",
)  # fmt: skip


def pair_runs(runs: pd.DataFrame, a: Iterable[str], b: Iterable[str], held: Iterable[str] = ("n_active",)) -> pd.DataFrame:
    """Returns each run of group `b` with the most similar run of `a`: one row a pair, columns `PAIR_COLUMNS`.

    A partner has the same loss and the same `held` quantities; of those the one nearest in tokens, then in FLOPs per token
    (so that top-2 meets a dense model of twice the width), then with the fewest other settings that differ, then of the
    same seed. `a` and `b` are run ids; excluded runs and runs without a loss have no part, and a run of `b` without a
    partner is left out. `same_schedule`: the token counts are equal, so a decaying learning rate is at the same stage.
    `flops_per_token`: of b over a. `gain`: loss_a - loss_b, nats per token.
    """
    known = usable(runs)
    known = known[known["loss"] > 0].drop_duplicates("run_id")
    left = known[known["run_id"].isin(list(a))].reset_index(drop=True)
    right = known[known["run_id"].isin(list(b))].reset_index(drop=True)
    if left.empty or right.empty:
        return pd.DataFrame(columns=list(PAIR_COLUMNS))
    ok = right["loss_name"].to_numpy()[:, None] == left["loss_name"].to_numpy()[None, :]
    ok &= right["run_id"].to_numpy()[:, None] != left["run_id"].to_numpy()[None, :]
    for column in held:
        ok &= _equal(left, right, column)
    cost = 1e6 * _steps(left["tokens"], right["tokens"]) + _steps(
        left["flops"] / left["tokens"], right["flops"] / right["tokens"]
    )
    if "n_active" not in held:
        cost += 1e12 * _steps(left["n_active"], right["n_active"])
    cost = np.where(ok, cost, np.inf)
    chosen = _choose(left, right, cost)
    partner = left.iloc[chosen[chosen >= 0]].reset_index(drop=True)
    run = right[chosen >= 0].reset_index(drop=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(np.log((run["tokens"] / partner["tokens"]).to_numpy(dtype=float)))
    frame = {"a": partner["run_id"], "b": run["run_id"], "n_active": run["n_active"], "loss_name": run["loss_name"]}
    for column in ("name", "expansion", "granularity", "tokens", "loss"):
        frame |= {f"{column}_a": partner[column], f"{column}_b": run[column]}
    frame["same_schedule"] = apart < SAME
    frame["flops_per_token"] = (run["flops"] / run["tokens"]) / (partner["flops"] / partner["tokens"])
    frame["gain"] = partner["loss"] - run["loss"]
    return pd.DataFrame(frame)[list(PAIR_COLUMNS)]


def _equal(left: pd.DataFrame, right: pd.DataFrame, column: str) -> Array:
    """Shape `(n_b, n_a)`: whether the quantity is the same, or unknown in both."""
    x, y = left[column].to_numpy(dtype=float)[None, :], right[column].to_numpy(dtype=float)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        same = (np.abs(np.log(x / y)) < SAME) | (np.isnan(x) & np.isnan(y))
    if column == "granularity":
        same = same | (left["arch"] == "dense").to_numpy()[None, :] | (right["arch"] == "dense").to_numpy()[:, None]
    return same


def _steps(left: pd.Series, right: pd.Series) -> Array:
    """How many multiples of `SAME` the logarithms are apart, rounded, shape `(n_b, n_a)`; unknown values count as far."""
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(np.log(right.to_numpy(dtype=float)[:, None] / left.to_numpy(dtype=float)[None, :]))
    return np.round(np.nan_to_num(apart, nan=1e3, posinf=1e3) / SAME).clip(0, 9e4)


def _choose(left: pd.DataFrame, right: pd.DataFrame, cost: Array) -> Array:
    """Index of the partner of each run of b, -1 where there is none; shape `(n_b,)`."""
    chosen = np.full(len(right), -1)
    best = cost.min(axis=1)
    settings: dict[int, dict] = {}
    for i in np.flatnonzero(np.isfinite(best)):
        ties = np.flatnonzero(cost[i] == best[i])
        if len(ties) > 1:
            mine = _settings(right["extra"].iloc[i])
            for j in ties.tolist():
                if j not in settings:
                    settings[j] = _settings(left["extra"].iloc[j])
            differ = [sum(mine.get(k) != v for k, v in settings[j].items()) for j in ties.tolist()]
            ties = ties[np.array(differ) == min(differ)]
            seeds = left["seed"].to_numpy()[ties] == right["seed"].iloc[i]
            ties = ties[seeds] if seeds.any() else ties
            ties = ties[[i % len(ties)]]
        chosen[i] = ties[0]
    return chosen


def _settings(extra: str) -> dict:
    found = json.loads(extra) if extra else {}
    return found if isinstance(found, dict) else {}


def group_values(runs: pd.DataFrame, by: str) -> list[float | str]:
    """Returns the values by which runs can be grouped, in order: of "G" (MoE runs only), "E" or "arch", for runs with a loss."""
    known = usable(runs)
    known = known[known["loss"] > 0]
    if by == "arch":
        return [a for a in ("dense", "moe") if (known["arch"] == a).any()]
    column = {"G": "granularity", "E": "expansion"}[by]
    if by == "G":
        known = known[(known["arch"] != "dense") & (known["expansion"] != 1)]
    return sorted(known[column].dropna().unique().tolist())


def group_ids(runs: pd.DataFrame, by: str, value: float | str) -> list[str]:
    """Returns the run ids of the group that has this value of `group_values`."""
    if by == "arch":
        return runs.loc[runs["arch"] == value, "run_id"].tolist()
    column = {"G": "granularity", "E": "expansion"}[by]
    inside = np.isclose(runs[column].fillna(-1.0), float(value))
    if by == "G":
        inside &= ((runs["arch"] != "dense") & (runs["expansion"] != 1)).to_numpy()
    return runs.loc[inside, "run_id"].tolist()


def group_label(by: str, value: float | str) -> str:
    """Returns how a group is called: "G = 8", "E = 64", "dense", "MoE"."""
    if by == "arch":
        return "MoE" if value == "moe" else str(value)
    return "dense" if by == "E" and value == 1 else f"{by} = {float(value):g}"
