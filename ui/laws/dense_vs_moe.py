"""Parts of the Dense vs MoE page: one law with E compared with itself at E = 1, or a MoE law and its dense law."""

from __future__ import annotations

import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers
from lawlib.laws import PublishedLaw
from lawlib.optimum import shared_rounding
from lawlib.runs import included

from .. import cached
from ..explorer import LawPair, law_choice
from ..session import on_page, state
from ..session.point import Point

DENSE_OF = {
    "krajewski2024-moe-e64": "krajewski2024-dense",
    "krajewski2024-moe-e64-heldout": "krajewski2024-dense",
    "krajewski2024-moe-e64-inrounding": "krajewski2024-dense",
    "krajewski2024-moe-e16": "krajewski2024-dense",
}
_PAIR = "pair"


def choose_pair() -> LawPair:
    """Returns the page's two laws and shows their menu in the sidebar."""
    laws, names = _choose_pair()
    pair = (laws.moe, laws.dense) if laws.dense is not laws.moe else (laws.moe,)
    for i, (law, (name, arch)) in enumerate(zip(pair, names, strict=False)):
        samples = laws.samples[i] if laws.samples else None
        on_page.law(law, law_choice.label(name), cached.origin(name, arch), lambda s=samples: s, seed=i)
    return laws


def _choose_pair() -> tuple[LawPair, list[tuple[str, str]]]:
    """Returns the pair of laws, and of each its name and the arch that it was fitted to."""
    runs = cached.selection()
    counted = runs[included(runs)]
    has_dense = bool((counted["expansion"] == 1).any())
    fits, _, printed = law_choice.options("ED")
    options = list(fits) if has_dense else []
    if _pair_fits(counted):
        options.append(_PAIR)
    notice = ""
    if not options:
        notice = law_choice.missing("E")
    options += [*printed, *DENSE_OF]
    chosen = state.get("law_e") if state.get("law_e") in options else options[0]
    with st.sidebar:
        st.selectbox("Laws", options, format_func=_label, **state.bound("law_e", chosen))
    if chosen in DENSE_OF:
        return _published_pair(chosen, DENSE_OF[chosen], notice), [(chosen, ""), (DENSE_OF[chosen], "")]
    if chosen == _PAIR:
        family = "fine_grained" if lawlib.why_not(counted[counted["arch"] == "moe"], "fine_grained") is None else "chinchilla"
        moe, dense = law_choice.resolve(family, "moe"), law_choice.resolve("chinchilla", "dense")
        first, second = cached.ensemble(moe, 0), cached.ensemble(dense, 1)
        laws = LawPair(moe, dense, (first, second) if first and second else None, notice)
        return laws, [(family, "moe"), ("chinchilla", "dense")]
    law = law_choice.resolve(chosen)
    samples = cached.ensemble(law)
    return LawPair(law, law, (samples, samples) if samples else None, notice), [(chosen, "")]


def _published_pair(first: str, second: str, notice: str) -> LawPair:
    moe, dense = lawlib.published(first), lawlib.published(second)
    assert isinstance(moe, PublishedLaw)
    assert isinstance(dense, PublishedLaw)
    samples = None
    if moe.source.half_units:
        samples = cached.remember(moe, ("shared", dense.name), lambda: shared_rounding(moe, dense, cached.N_RESAMPLES))
    return LawPair(moe, dense, samples, notice)


def _pair_fits(runs: pd.DataFrame) -> bool:
    """Whether dense runs identify a dense law, and MoE runs of one E a law of their own."""
    moe, dense = runs[runs["arch"] == "moe"], runs[runs["arch"] == "dense"]
    if moe["expansion"].nunique() != 1 or dense.empty:
        return False
    return lawlib.why_not(dense, "chinchilla") is None and any(
        lawlib.why_not(moe, f) is None for f in ("fine_grained", "chinchilla")
    )


def _label(name: str) -> str:
    if name == _PAIR:
        return "MoE runs against dense runs (two fits)"
    if name in DENSE_OF:
        return f"{law_choice.label(name)} against {DENSE_OF[name]}"
    return law_choice.label(name)


def measured_gaps() -> pd.DataFrame | None:
    """Returns gaps between runs of the selection, where there are dense and MoE runs; as ratios they go with any law."""
    found = cached.measured_gap()
    return None if found.empty else found


def why_no_gaps() -> str:
    """Says why no gap is measured."""
    return cached.too_many() or "Measured gaps need dense runs beside MoE runs with a known E; the selection has none."


def leverage(point: Point, optimum: lawlib.Optimum) -> None:
    """Shows what Ling's efficiency law, a law of ratios, gives at the same point, as a line."""
    law = lawlib.published("ling2025")
    assert isinstance(law, lawlib.FormulaLaw)
    if not point.expansion or point.expansion <= 1:
        return
    g = optimum.granularity if optimum.granularity == optimum.granularity else 1.0
    if g < 2:
        return
    words = numbers.times(float(law(1 / point.expansion, g / 2, point.budget)))
    st.caption(
        f"For comparison, {law.source.citation}: efficiency leverage {words} at activation ratio 1/E = {1 / point.expansion:.3g}, "
        f"G = {g / 2:g} in its convention (2 d_model/d_expert), {numbers.flops(point.budget)} FLOPs."
    )
