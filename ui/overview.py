"""Pieces of the Overview and IsoFLOP pages: what to look at next, and what the runs themselves say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers

from .laws import Choice
from .results import isoflop_optima


def next_steps(choice: Choice) -> None:
    """The fit's health in a line each, and where to go on."""
    st.markdown("**What to look at next**")
    findings = choice.law.health()
    for f in [f for f in findings if f.severity == "warning"][:3]:
        st.warning(f.sentence, icon=":material/warning:")
    if choice.law.fit is not None and not any(f.severity == "warning" for f in findings):
        st.success("Nothing is held against this fit.", icon=":material/check:")
    st.page_link("pages/fit.py", label="Coefficients, health and backtest", icon=":material/function:")
    st.page_link("pages/isoflop.py", label="Size against tokens at a budget", icon=":material/ssid_chart:")
    st.page_link("pages/granularity.py", label="How finely to split experts", icon=":material/grain:")
    st.page_link("pages/dense_vs_moe.py", label="What a mixture of experts saves", icon=":material/compare_arrows:")
    st.page_link("pages/upload.py", label="Bring your own runs", icon=":material/upload:")


def measured_optima(own: pd.DataFrame | None, law: lawlib.FittedLaw) -> None:
    """A line: the exponents that the isoFLOP parabolas give without any law (approach 2)."""
    found = isoflop_optima(own)
    if found is None or not np.isfinite(found.n_exponent):
        return
    bad = found.slices[~(found.slices["inside"] & found.slices["opens_up"])]
    note = f" Left out: {', '.join(numbers.flops(c) for c in bad['flops'])} (no minimum inside the slice)." if len(bad) else ""
    st.caption(
        f"Without a law (approach 2, parabolas through {len(found.slices)} isoFLOP slices): N_opt ~ C^{found.n_exponent:.3f} "
        f"{numbers.span(*found.n_interval)}, D_opt ~ C^{found.d_exponent:.3f} {numbers.span(*found.d_interval)}.{note}"
    )
