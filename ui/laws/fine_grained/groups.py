"""The two groups of runs that the Fine-grained at scale page compares: how they are chosen, paired and compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers
from lawlib.comparisons import HELD, Ratio, Speedups, convergence, group_ids, group_label, group_values
from lawlib.runs import content_hashes, usable

from ... import cached
from ...session import state

MODES = {"G": "Granularity", "E": "Expert count, by E", "arch": "Dense against MoE", "hand": "By hand"}
ALONG = {"tokens": "tokens", "step": "steps", "flops": "FLOPs"}
BASES = {"curves": "training curves", "finished": "finished runs"}
MAX_POINTS = 514
"""Points of a curve that are compared: as many as the store keeps thinned."""
MAX_BY_HAND = 2000
MOST_PAIRED = 4_000
"""Runs among which pairs are looked for: the curves of both are read and compared one by one."""


@dataclass(frozen=True)
class Groups:
    """Two groups compared. pairs: run by run (`pair_runs`); found: the speed-ups, of training curves or of finished runs.

    frames: the runs of `pairs`, for laws; curves: what `found` was computed from; n_unmatched runs of b have no partner.
    """

    by: str
    a: str
    b: str
    along: str
    finished: bool
    pairs: pd.DataFrame
    found: Speedups
    frames: pd.DataFrame
    curves: pd.DataFrame
    n_unmatched: int

    def speedup(self, along: str) -> Ratio:
        """Returns the mean speed-up at the lowest loss that both reach."""
        return convergence.mean_ratio(self.found.pairs[along], self.found.pairs["a"])

    @property
    def like(self) -> pd.DataFrame:
        """The pairs whose final losses compare like with like: equal token counts, or all where there are none."""
        same = self.pairs[self.pairs["same_schedule"]]
        return same if len(same) else self.pairs

    @property
    def gain(self) -> Ratio:
        """How much lower b's final loss is, nats per token."""
        return convergence.mean_difference(self.like["gain"], self.like["a"])

    def side(self, pairs: pd.DataFrame, side: str) -> pd.DataFrame:
        """Returns the runs a or b of these pairs, row by row."""
        return self.frames.set_index("run_id").loc[pairs[side]].reset_index()


def choose_groups() -> Groups | None:
    """Returns the two groups and shows their menus; None where the selection holds no two groups to compare."""
    runs = cached.selection()
    if len(runs) > MOST_PAIRED:
        return None
    options = {by: group_values(runs, by) for by in ("G", "E", "arch")}
    modes = [by for by, values in options.items() if len(values) > 1]
    named = usable(runs)
    if 1 < len(named) <= MAX_BY_HAND:
        modes.append("hand")
    by = state.get("by") if state.get("by") in modes else next((m for m in modes if m != "hand"), "")

    def choose(value: str | None) -> None:
        state.put("by", value or "")
        state.clear("side_a", "side_b")

    if modes:
        st.segmented_control(
            "Compare by",
            modes,
            format_func=MODES.__getitem__,
            **state.bound("by", by or None, choose),
        )
    if not by:
        return None
    sides = _by_hand(named) if by == "hand" else _by_value(runs, by, options[by])
    if sides is None:
        return None
    (label_a, ids_a), (label_b, ids_b) = sides
    return _compared(by, label_a, label_b, tuple(ids_a), tuple(ids_b))


def _by_value(runs: pd.DataFrame, by: str, values: list) -> tuple:
    """Shows two menus over the values; the coarsest against the one that most runs have by default."""
    texts = {f"{v:g}" if by != "arch" else v: v for v in values}
    names = list(texts)
    first = state.get("side_a") if state.get("side_a") in names else names[0]
    rest = [n for n in names if n != first]
    largest = max(rest, key=lambda n: (len(group_ids(runs, by, texts[n])), texts[n] if by != "arch" else 0))
    second = state.get("side_b") if state.get("side_b") in rest else largest
    left, right = st.columns(2)
    for place, field, word, shown, value in (
        (left, "side_a", "Reference (a)", names, first),
        (right, "side_b", "Against it (b)", rest, second),
    ):
        with place:
            st.selectbox(
                word,
                shown,
                format_func=lambda n: f"{group_label(by, texts[n])} ({len(group_ids(runs, by, texts[n]))} runs)",
                **state.bound(field, value),
            )
    return tuple((group_label(by, texts[n]), group_ids(runs, by, texts[n])) for n in (first, second))


def _by_hand(runs: pd.DataFrame) -> tuple | None:
    hashes = content_hashes(runs)
    ids = dict(zip(hashes, runs["run_id"], strict=True))
    words = dict(zip(hashes, _names(runs), strict=True))
    chosen = {}
    left, right = st.columns(2)
    for place, field, word in ((left, "hand_a", "Reference (a)"), (right, "hand_b", "Against it (b)")):
        kept = [h for h in state.get(field) if h in ids]
        with place:
            st.multiselect(
                word,
                list(ids),
                format_func=words.__getitem__,
                placeholder="runs",
                **state.bound(field, kept, lambda v, f=field: state.put(f, tuple(v))),
            )
        chosen[field] = [ids[h] for h in kept]
    if not all(chosen.values()):
        st.caption("Choose at least one run for each side.")
        return None
    return tuple(
        (f"{side} ({len(chosen[f'hand_{side}'])} run{'s' * (len(chosen[f'hand_{side}']) > 1)})", chosen[f"hand_{side}"])
        for side in "ab"
    )


def _names(runs: pd.DataFrame) -> Iterable[str]:
    for r in runs.itertuples():
        parts = [r.name or str(r.run_id), f"N {numbers.count(r.n_active)}", f"D {numbers.count(r.tokens)}"]
        parts += [f"{k} {v:g}" for k, v in (("E", r.expansion), ("G", r.granularity)) if v == v]
        yield " · ".join(parts)


def _compared(by: str, label_a: str, label_b: str, a: tuple[str, ...], b: tuple[str, ...]) -> Groups | None:
    key = (*cached.selected(), by, label_a, label_b, a, b)
    curves = _paired(*key, False)
    finished = _paired(*key, True)
    usable_ = {"curves": curves, "finished": finished}
    bases = [name for name, found in usable_.items() if found.found.pairs["level"].notna().any()]
    if len(bases) == 2 and not curves.pairs["same_schedule"].mean() > 0.5:
        bases.reverse()  # runs planned for different token counts: finished ones compare like with like
    basis = state.get("basis") if state.get("basis") in bases else (bases[0] if bases else "curves")
    left, right = st.columns(2)
    with left:
        if len(bases) > 1:
            st.segmented_control(
                "Compare",
                list(BASES),
                format_func=BASES.__getitem__,
                help="Training curves: every point of every run. Finished runs: the final losses of runs planned for different "
                "token counts, each after its whole learning-rate schedule.",
                **state.bound("basis", basis, lambda v: state.put("basis", v or "")),
            )
    found = usable_[basis]
    known = [c for c in ALONG if found.found.pairs[c].notna().any()] or ["tokens"]
    along = state.get("along") if state.get("along") in known else known[0]
    with right:
        if len(known) > 1:
            st.segmented_control(
                "Measured in",
                known,
                format_func=ALONG.__getitem__,
                **state.bound("along", along, lambda v: state.put("along", v or "tokens")),
            )
    return Groups(**{**vars(found), "along": along})


@st.cache_data(max_entries=32, show_spinner=False)
def _paired(
    dataset: str,
    version: int,
    chosen: tuple,
    by: str,
    label_a: str,
    label_b: str,
    a: tuple[str, ...],
    b: tuple[str, ...],
    finished: bool,
) -> Groups:
    runs = cached.selection_of(dataset, version, chosen)
    pairs = lawlib.pair_runs(runs, a, b, HELD[by])
    frames = runs[runs["run_id"].isin([*pairs["a"], *pairs["b"]])].reset_index(drop=True)
    n_unmatched = int((usable(runs)["run_id"].isin(b)).sum()) - len(pairs)
    if finished:
        groups = dict.fromkeys(a, "a") | dict.fromkeys(b, "b")
        cells, curves = lawlib.finished_curves(usable(runs).query("loss > 0"), groups)
        of = cells["run_id"].str.removeprefix("curve of ").map(groups)
        found = lawlib.speedups(lawlib.pair_runs(cells, cells["run_id"][of == "a"], cells["run_id"][of == "b"], HELD[by]), curves)
    else:
        curves = cached.store().curves(dataset, frames["run_id"], split=cached.split_of(dataset, frames), max_points=MAX_POINTS)
        found = lawlib.speedups(pairs, curves)
    return Groups(by, label_a, label_b, "tokens", finished, pairs, found, frames, curves, n_unmatched)
