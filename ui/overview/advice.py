"""Parts of the Overview and IsoFLOP pages: what to look at next, and approaches 1 to 3 side by side."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import streamlit as st

from .. import cached
from ..explorer import Choice
from ..session import markup, state
from ..session.markup import plain


def next_steps(choice: Choice) -> None:
    """Shows the fit's health in a line each, and links to the pages that go on."""
    st.markdown("**What to look at next**")
    findings = cached.health(choice.law)
    for f in [f for f in findings if f.severity == "warning"][:3]:
        st.warning(plain(f.sentence), icon=":material/warning:")
    if choice.law.fit is not None and not any(f.severity == "warning" for f in findings):
        st.success("Nothing is held against this fit.", icon=":material/check:")
    st.page_link("pages/fit.py", label="Coefficients, health and backtest", icon=":material/function:")
    st.page_link("pages/isoflop.py", label="Size against tokens at a budget", icon=":material/ssid_chart:")
    st.page_link("pages/granularity.py", label="How finely to split experts", icon=":material/grain:")
    st.page_link("pages/dense_vs_moe.py", label="What a mixture of experts saves", icon=":material/compare_arrows:")
    st.page_link("pages/upload.py", label="Bring your own runs", icon=":material/upload:")


def optimum_menu() -> Literal["n_active", "tokens"]:
    """Returns the quantity whose optimum is compared with published laws, "n_active" or "tokens", and shows its menu."""
    words = {"n_active": "size", "tokens": "tokens"}
    st.segmented_control(
        "Optimum of",
        list(words),
        format_func=words.__getitem__,
        label_visibility="collapsed",
        required=True,
        **state.bound("optimum", state.get("optimum")),
    )
    return state.get("optimum")


def approaches_table(table: pd.DataFrame | None) -> None:
    """Shows the exponents by approaches 1, 2 and 3 side by side."""
    if table is None:
        return
    columns = {name: table[name].astype(str).tolist() for name in table}
    st.markdown(f"**Three ways to the optimum**\n\n{markup.table(columns, right=[*columns][-1:])}")
    st.caption(
        "Approaches of Hoffmann et al. 2022; brackets: 95 % of a bootstrap. 1 and 2 use no law, and only the runs at the chosen E and G; "
        "3 is the fitted law at the chosen budget."
    )
