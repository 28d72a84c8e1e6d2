"""The welcome cards of the Overview, shown until they are closed or the user has runs of their own."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import streamlit as st
from streamlit.components.v2 import component

import lawlib
from lawlib import numbers

from .. import cached
from ..explorer import Choice
from ..frame import link
from ..session.point import Point

_COOKIE = "scaling_laws_welcomed"
_LAW, _EXPANSION, _BUDGET = "ludziejewski2025", 32.0, 1e22
"""What the second card speaks of: a published law, as it needs no runs."""
_REMEMBER = component(
    "remember_welcome", html="<span></span>", js=(Path(__file__).parents[1] / "js" / "remember.js").read_text("utf-8")
)


def welcome(choice: Choice, point: Point) -> None:
    """Shows three cards with computed numbers, each with a link; nothing for those who have been here before."""
    if st.session_state.get(_COOKIE):
        with st.container(height=1, border=False, key="welcomed"):
            _REMEMBER(key="remember_welcome", data={"name": _COOKIE})
        return
    if st.context.cookies.get(_COOKIE) == "1" or cached.datasets()["created"].astype(bool).any():
        return
    with st.container(key="welcome", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown("**New here? Three things, in a minute**")
            st.button("Close", key="welcome_close", type="tertiary", on_click=lambda: st.session_state.update({_COOKIE: True}))
        cards = st.columns(3)
        with cards[0].container(border=True, height="stretch"):
            st.markdown(f"**1 · Drag the budget**  \n{_tenfold(choice.law, point)} Curves, optimum and the line above follow.")
            st.caption("The slider is just below.")
        with cards[1].container(border=True, height="stretch"):
            st.markdown(f"**2 · See what experts save**  \n{_saving()} Move E and G and watch it change.")
            view = urlencode({"law_e": _LAW, "e": _EXPANSION, "budget": _BUDGET})
            link.open_button("dense_vs_moe", view, "Dense against MoE", "welcome_experts")
        with cards[2].container(border=True, height="stretch"):
            st.markdown(
                "**3 · Bring your own runs**  \nDrop a CSV, a W&B export or a trainer's log: it is read on this machine, checked, and "
                "fitted with intervals in seconds."
            )
            link.open_button("upload", "", "Upload", "welcome_upload")


def _tenfold(law: lawlib.FittedLaw, point: Point) -> str:
    """Returns what ten times the budget needs, by the page's law."""

    def both() -> list[lawlib.Optimum]:
        return [lawlib.compute_optimal(law, c, point.expansion, point.granularity) for c in (point.budget, 10 * point.budget)]

    sizes = cached.remember(law, ("tenfold", point), both)
    model, tokens = (float(getattr(sizes[1], q) / getattr(sizes[0], q)) for q in ("n_active", "tokens"))
    return f"Ten times the compute wants a model **{numbers.times(model)}** as large on **{numbers.times(tokens)}** the tokens."


def _saving() -> str:
    """Returns the efficiency gap of a published law."""
    law = lawlib.published(_LAW)
    assert isinstance(law, lawlib.FittedLaw)
    gap = cached.remember(law, ("saving",), lambda: float(lawlib.efficiency_gap(law, law, _BUDGET, _EXPANSION)))
    return (
        f"At {numbers.flops(_BUDGET)} FLOPs a dense model needs **{numbers.times(gap)}** the compute of one with E = {_EXPANSION:g}, "
        "by Ludziejewski et al. 2025."
    )
