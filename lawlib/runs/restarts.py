"""Finds logs that are attempts at one training, and joins them into one run.

    attempts = find_restarts(runs, store.curve_ends(dataset))
    stitched, curves = stitch(runs, store.curves(dataset, attempts["run_id"]), attempts)

A restart is recognised by `RULE`. Repeats (other seeds, or logs that all begin at the start) are no restarts.
"""

from __future__ import annotations

import hashlib
import json
import re

import pandas as pd

from .canonical import CURVE_COLUMNS, among, as_runs, included

RULE = (
    "same name apart from an ending such as -restart2 or _resumed, same configuration (N, experts, k, G) and seed, and the steps "
    "continue: the later log begins after the earlier one began, not after three of its logging intervals beyond its end, and "
    "goes on beyond it"
)
SAME = ("arch", "n_active", "n_total", "n_experts", "top_k", "granularity", "seed")
ALONG = ("tokens", "flops", "hours")
"""What is counted along a run, and may begin again at zero with a restart."""
COLUMNS = ("run_id", "chain", "attempt", "base", "first_step", "last_step")
_ENDING = re.compile(r"(?i)(?:[\s._/-]*(?:restart(?:ed)?|resumed?|retry|attempt|continued?|cont|try)[\s._-]*\d*|\s*\(\d+\))+$")


def base_name(name: str) -> str:
    """Returns the name without an ending that numbers attempts: "moe-1b-restart2" and "moe-1b" both give "moe-1b"."""
    return _ENDING.sub("", name).strip() or name.strip()


def find_restarts(runs: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs that are attempts at one training, by `RULE`: one row an attempt, columns `COLUMNS`; no excluded runs.

    Args:
        ends: run_id, split, n_points, first_step, last_step (`Store.curve_ends`); the split with the most points speaks for
            its run.
    """
    known = alike(runs[included(runs)].drop_duplicates("run_id"))
    spans = ends[among(ends["run_id"], known["run_id"])].sort_values("n_points", ascending=False, kind="stable")
    spans = spans.drop_duplicates("run_id")[["run_id", "n_points", "first_step", "last_step"]].dropna()
    known = known.merge(spans, on="run_id")
    if known.empty:
        return pd.DataFrame({c: pd.Series(dtype="str" if c in ("run_id", "base") else float) for c in COLUMNS})
    known = known.assign(group=known.groupby(["base", *SAME], dropna=False, sort=False).ngroup())
    known = known[known.groupby("group")["group"].transform("size") > 1]
    known = known.sort_values(["group", "first_step", "last_step"], kind="stable").reset_index(drop=True)
    gap = 3 * (known["last_step"] - known["first_step"]) / (known["n_points"] - 1).clip(lower=1)
    before = known.groupby("group")[["first_step", "last_step"]].shift()
    continues = (
        (known["first_step"] > before["first_step"])
        & (known["first_step"] <= before["last_step"] + gap.groupby(known["group"]).shift())
        & (known["last_step"] > before["last_step"])
    )
    known["chain"] = (~continues).cumsum()
    known = known[known.groupby("chain")["chain"].transform("size") > 1]
    known = known.assign(attempt=known.groupby("chain").cumcount() + 1, chain=known["chain"].rank(method="dense").astype(int))
    return known[list(COLUMNS)].reset_index(drop=True)


def alike(runs: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs that share configuration, seed and `base` name with another, with that name: the candidates for attempts."""
    # Names are what takes long: those of a run unlike all others are not looked at.
    found = runs[(runs["name"] != "") & runs[list(SAME)].duplicated(keep=False)]
    found = found.assign(base=pd.Series([base_name(n) for n in found["name"]], index=found.index, dtype="str"))
    return found[found.duplicated(["base", *SAME], keep=False)]


def stitch(runs: pd.DataFrame, curves: pd.DataFrame, attempts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns one run and its curves for every chain of attempts: (canonical runs, curves).

    Where attempts overlap, the later one's steps are taken and the earlier one's are dropped. Tokens, FLOPs or hours that
    begin again at a restart go on from what the earlier attempt had at that step. What the run is (tokens, FLOPs, loss)
    comes from the last attempt, tokens and FLOPs as the curve continues them. `extra` names the attempts.
    """
    rows, points = [], []
    by_run = dict(list(curves.groupby("run_id", sort=False)))
    table = runs.drop_duplicates("run_id").set_index("run_id", drop=False)
    for _, chain in attempts.sort_values(["chain", "attempt"]).groupby("chain", sort=False):
        ids = chain["run_id"].tolist()
        starts = dict(zip(ids, chain["first_step"], strict=True))
        name = hashlib.sha256("\x1f".join(ids).encode()).hexdigest()[:16]
        parts = [by_run[i] for i in ids if i in by_run]
        joined, added = _join(parts, [starts[i] for i in ids if i in by_run])
        row = table.loc[ids[-1]].copy()
        for column in ("tokens", "flops"):
            row[column] = row[column] + added[column]
        extra = json.loads(row["extra"]) if row["extra"] else {}
        row["extra"] = json.dumps((extra if isinstance(extra, dict) else {}) | {"stitched_from": ids}, sort_keys=True)
        row["name"], row["run_id"] = chain["base"].iloc[0], name
        rows.append(row)
        points.append(joined.assign(run_id=name))
    if not rows:
        return as_runs(pd.DataFrame(columns=runs.columns)), pd.DataFrame(columns=list(CURVE_COLUMNS))
    return as_runs(pd.DataFrame(rows).reset_index(drop=True)), pd.concat(points, ignore_index=True)[list(CURVE_COLUMNS)]


def _join(parts: list[pd.DataFrame], starts: list[float]) -> tuple[pd.DataFrame, dict[str, float]]:
    """Returns the attempts' points as one curve, and what was added to the last attempt's tokens, flops and hours."""
    added: dict[str, float] = dict.fromkeys(ALONG, 0.0)
    whole = parts[0]
    for part, start in zip(parts[1:], starts[1:], strict=True):
        kept = whole[whole["step"] < start]
        part = part.copy()
        for column in ALONG:
            added[column] = _restarted(kept, part, column)
            part[column] = part[column] + added[column]
        whole = pd.concat([kept, part], ignore_index=True)
    return whole.sort_values(["split", "step"], kind="stable"), added


def _restarted(earlier: pd.DataFrame, later: pd.DataFrame, column: str) -> float:
    """Returns what must be added to the later attempt so that it continues the earlier one; 0 where it does so already."""
    old, new = (f[[column, "step"]].dropna().drop_duplicates("step").sort_values("step") for f in (earlier, later))
    if len(old) < 1 or len(new) < 2:
        return 0.0
    reached = float(old[column].iloc[-1])
    first = float(new[column].iloc[0])
    if first >= reached * (1 - 1e-6):
        return 0.0
    rate = (new[column].iloc[-1] - first) / (new["step"].iloc[-1] - new["step"].iloc[0])
    return float(max(reached + rate * (new["step"].iloc[0] - old["step"].iloc[-1]) - first, 0.0))
