"""Inputs of the Planner page: the limits on compute, data, quality and serving, and the allowed E and G."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

import lawlib
from lawlib import numbers, planner, serving
from lawlib.optimum import granularities_of
from lawlib.planner import EXPANSIONS
from lawlib.runs import parse_number

from ..explorer import budget_slider, chosen_budget, law_choice
from ..session import folded, state, url_fields
from . import serving_inputs

ONE_GPU = 1.0
"""GPUs that the wall-clock is stated for where none are given."""


def inputs(law: lawlib.FittedLaw) -> None:
    """Shows all inputs, in four groups; a blank one means no limit."""
    compute, data, serve, shape = st.columns([4, 3, 4, 3], gap="medium")
    with compute:
        _group("Training")
        ways = {"flops": "FLOPs", "time": "GPUs and days"}
        st.segmented_control(
            "Budget given as",
            list(ways),
            format_func=ways.__getitem__,
            required=True,
            **state.bound("given", state.get("given")),
        )
        if state.get("given") == "time":
            number_input("Days", "days", numbers.plain, "30")
        else:
            budget_slider(law)
        left, right = st.columns(2)
        with left:
            serving_inputs.gpu_menu()
        with right:
            number_input("GPUs to train on", "trainers", numbers.count, "any", "Their memory is a limit too. Blank: no limit.")
    with data:
        _group("Data and quality")
        number_input("Tokens available", "have", numbers.count, "no limit", "15T, 3e12: training tokens at most.")
        number_input("Loss to reach", "goal", numbers.plain, "none", "In nats per token of the law's data.")
        number_input("Tokens to serve in its lifetime", "life", numbers.count, "none", SERVED_HELP)
    with serve:
        _group("Serving")
        left, right = st.columns(2)
        with left:
            number_input("GPUs of one copy", "copy", numbers.plain, "not a limit", "Weights and cache must fit on them.")
            number_input("Sequences at once", "at_once", numbers.count, "1")
        with right:
            number_input(
                "Milliseconds a token, at most", "step_ms", numbers.plain, "no limit", "With all sequences decoded together."
            )
            st.caption(
                f"{state.get('prompt'):,.0f} tokens of prompt, {state.get('output'):,.0f} of answer: set on the Serving page."
            )
    with shape:
        _group("Shape")
        _allowed(law)
        folded.popover("Options", ("sequence", "multiple", "mfu", "precision", "vocabulary"), _options)


SERVED_HELP = "2 N_active FLOPs each, taken from the same budget (Sardana et al. 2024)."


def _options() -> None:
    serving_inputs.share_slider("Utilisation in training (MFU)", "mfu", "Of the GPU's dense bf16 peak. 0.4 is an example.")
    number_input("Tokens of a sequence", "sequence", numbers.plain, "4096")
    multiples = ["128", "64"]
    st.selectbox("d_model is a multiple of", multiples, **state.bound("multiple", state.get("multiple")))
    serving_inputs.precision_menu()
    serving_inputs.vocabulary_input()


def limits(law: lawlib.FittedLaw) -> planner.Limits:
    """Returns the chosen limits. Without a number of GPUs the wall-clock is that of one, and memory is no limit."""
    machines = cluster()
    flops = machines.flops(state.get("days")) if state.get("given") == "time" else chosen_budget(law)
    return planner.Limits(
        flops=float(flops),
        tokens=state.get("have") or float("inf"),
        served=state.get("life") or 0.0,
        cluster=machines if state.get("trainers") else None,
        deployment=_deployment(),
        loss=state.get("goal") or float("inf"),
        expansions=tuple(sorted(state.get("plan_e"))) if law_choice.has(law, "E") else (),
        granularities=tuple(sorted(state.get("plan_g"))) if law_choice.has(law, "G") else (),
    )


def cluster() -> planner.Cluster:
    """Returns the GPUs to train on, or one."""
    return planner.Cluster(serving_inputs.gpu(), int(state.get("trainers") or ONE_GPU), mfu=state.get("mfu"))


def _deployment() -> planner.Deployment | None:
    if state.get("copy") is None:
        return None
    slowest = state.get("step_ms")
    return planner.Deployment(
        serving_inputs.machine(),
        int(state.get("copy")),
        serving.Workload(state.get("prompt"), state.get("output")),
        int(state.get("at_once")),
        float("inf") if slowest is None else slowest / 1e3,
    )


def _group(words: str) -> None:
    st.markdown(f"**{words}**")


def number_input(words: str, field: str, write: Callable[[float], str], placeholder: str, help: str | None = None) -> None:
    """Shows a field for a number that may be typed as 15T, 3e12 or 12,000; blank for its default."""
    value = state.get(field)
    default = url_fields.FIELDS[field].default

    def typed(text: object) -> None:
        if not str(text).strip():
            state.put(field, default)
            return
        number, (low, high) = parse_number(text), url_fields.LIMITS[field]
        if low <= number <= high:
            state.put(field, float(number))
        else:
            st.toast(f"{words}: needed is a number from {low:g} to {high:g}; nothing was changed.", icon=":material/error:")

    shown = "" if value is None else write(value) if parse_number(write(value)) == value else f"{value:.12g}"
    st.text_input(words, placeholder=placeholder, help=help, **state.bound(field, shown, typed))


def _allowed(law: lawlib.FittedLaw) -> None:
    ladders = {
        "plan_e": ("Allowed E", law_choice.has(law, "E"), EXPANSIONS, "This law has no expansion rate."),
        "plan_g": ("Allowed G", law_choice.has(law, "G"), granularities_of(law), "This law has no granularity."),
    }
    for field, (words, has, ladder, help) in ladders.items():
        if not has:
            st.multiselect(words, [], placeholder="the law has none", disabled=True, help=help, key=f"{field}_off")
            continue
        values = sorted({*map(float, ladder), *state.get(field)})
        st.multiselect(
            words,
            values,
            format_func=lambda v: f"{v:g}",
            placeholder=f"all, {values[0]:g} to {values[-1]:g}",
            **state.bound(field, list(state.get(field)), lambda v, f=field: state.put(f, tuple(v))),
        )
