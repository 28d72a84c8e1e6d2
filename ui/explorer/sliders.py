"""The three sliders: budget, expert count, granularity. A slider that a law does not have is disabled and says why."""

from __future__ import annotations

import numpy as np
import streamlit as st

import lawlib
from lawlib import numbers
from lawlib.runs import parse_number

from ..session import on_page, state, url_fields
from ..session.point import Point
from . import law_choice

PER_DECADE = 10
TYPE = "type_open"
"""Whether the fields for typed values are open, in the session: a slider sends them again only while they are."""
BEYOND = 3
"""Decades of budget that the slider runs past the data."""


def controls(law: lawlib.FittedLaw) -> None:
    """Draws the sliders for a law."""
    columns = st.columns([5, 4, 4, 2], vertical_alignment="bottom")
    with columns[0]:
        budget_slider(law)
    with columns[1]:
        _expansion(law)
    with columns[2]:
        _granularity(law)
    with columns[-1]:
        _typed(law)
    on_page.point(point_of(law))


def budget_range(law: lawlib.FittedLaw) -> tuple[float, float]:
    """Returns the lowest and highest budget of the slider: the data's range and three decades beyond."""
    low, high = law.ranges.get("flops", (1e17, 1e23))
    low, high = 10 ** np.floor(np.log10(low) + 1e-9), 10 ** np.ceil(np.log10(high * 10**BEYOND) - 1e-9)
    chosen = state.get("budget")
    return (min(low, chosen), max(high, chosen)) if chosen else (low, high)


def point_of(law: lawlib.FittedLaw) -> Point:
    """Returns the values of a law's sliders, without drawing them."""
    return Point(chosen_budget(law), chosen_expansion(law), state.get("g") if law_choice.has(law, "G") else None)


def chosen_budget(law: lawlib.FittedLaw) -> float:
    """Returns the chosen budget, or ten times the data's largest."""
    default = float(f"{law.ranges['flops'][1] * 10:.1g}") if "flops" in law.ranges else 1e21
    return float(state.get("budget") or default)


def chosen_expansion(law: lawlib.FittedLaw) -> float | None:
    """Returns the chosen E, by default the ladder's nearest to 8 within the data; for a law without E the one it holds at."""
    if not law_choice.has(law, "E"):
        return law.expansion
    _, high = law.ranges.get("expansion", (1.0, 64.0))
    return state.get("e") or float(min(_expansions(law), key=lambda v: abs(v - (8 if high >= 8 else high))))


def _expansions(law: lawlib.FittedLaw) -> set[float]:
    low, high = law.ranges.get("expansion", (1.0, 64.0))
    return {float(2**k) for k in range(int(np.log2(max(high * 8, 64))) + 1)} | {low, high}


def budget_slider(law: lawlib.FittedLaw) -> None:
    """Shows the slider of the training budget, over the data's range and three decades beyond."""
    low, high = budget_range(law)
    exponents = (
        np.arange(np.floor(np.log10(low) * PER_DECADE + 1e-9), np.ceil(np.log10(high) * PER_DECADE - 1e-9) + 1) / PER_DECADE
    )
    grid = [float(f"{10**x:.3g}") for x in exponents]
    value = chosen_budget(law)
    nearest = min(grid, key=lambda v: abs(np.log(v / value)))
    if abs(np.log(value / nearest)) > 1e-6:
        grid = sorted([*grid, value])
        nearest = value
    on_page.slider("budget", grid)
    st.select_slider(
        "Budget C, training FLOPs", grid, format_func=lambda v: numbers.flops(v, 3), **state.bound("budget", nearest)
    )


def _expansion(law: lawlib.FittedLaw) -> None:
    words = "Expert count, by E"
    if not law_choice.has(law, "E"):
        fixed = law.expansion
        reason = (
            f"This law holds at E = {fixed:g} only."
            if fixed is not None
            else "This law has no expert count: the runs it was fitted to do not vary it."
        )
        shown = f"{fixed:g}" if fixed is not None else "–"
        st.select_slider(
            words, [shown, " "], value=shown, disabled=True, key="e_off", help=f"{reason} Laws with E: joint, sparsity."
        )
        return
    value = chosen_expansion(law)
    assert value is not None
    values = sorted(_expansions(law) | {value})
    on_page.slider("e", values)
    st.select_slider(
        words,
        values,
        format_func=lambda v: f"{v:g}",
        help="E is the expansion rate; a layer has E·G experts.",
        **state.bound("e", value),
    )


def _granularity(law: lawlib.FittedLaw) -> None:
    words = "Granularity G"
    if not law_choice.has(law, "G"):
        st.select_slider(
            words,
            ["–", " "],
            value="–",
            disabled=True,
            key="g_off",
            help="This law has no granularity: its runs do not vary it. Laws with G: fine-grained, joint fine-grained.",
        )
        return
    values: list[float | str] = ["best", *sorted({1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0} | {state.get("g") or 1.0})]
    on_page.slider("g", values)
    st.select_slider(
        words,
        values,
        format_func=lambda v: v if isinstance(v, str) else f"{v:g}",
        **state.bound("g", state.get("g") or "best", lambda v: state.put("g", None if v == "best" else v)),
    )


def _typed(law: lawlib.FittedLaw) -> None:
    fields = [
        ("budget", "Budget, FLOPs (3e21)"),
        *([("e", "E")] if law_choice.has(law, "E") else []),
        *([("g", "G")] if law_choice.has(law, "G") else []),
    ]
    folded = st.popover("Type", width="stretch", key=TYPE, on_change="rerun")
    if not folded.open:
        return
    with folded:
        st.caption("Exact values, also beyond the sliders.")
        for field, words in fields:
            key = f"typed_{field}"
            st.text_input(words, key=key, on_change=_store_typed, args=(field, key), placeholder=f"{state.get(field) or ''}")


def _store_typed(field: str, key: str) -> None:
    value = parse_number(st.session_state[key])
    limits = url_fields.LIMITS[field]
    if limits[0] <= value <= limits[1]:
        state.put(field, float(value))
    elif st.session_state[key].strip():
        st.toast(f"Needed is a number from {limits[0]:g} to {limits[1]:g}; nothing was changed.", icon=":material/error:")
