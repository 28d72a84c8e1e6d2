"""Inputs of the Serving page, some shared with the Planner: tokens to serve, GPU, price, lengths, shares, vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

import lawlib
from lawlib import numbers, serving
from lawlib.architecture import LUDZIEJEWSKI_VOCABULARY
from lawlib.seeds import byte_models

from ..session import folded, state, url_fields

LENGTHS = tuple(float(2**k) for k in range(4, 18))
_SERVED = tuple(float(f"{v:.2g}") for v in np.geomspace(1e9, 1e16, 43))


def controls() -> None:
    """Shows the row of serving's own inputs: tokens to serve, GPU, price, lengths."""
    columns = st.columns([4.6, 2.5, 2.4, 2, 2, 2], vertical_alignment="bottom")
    with columns[0]:
        _slider("Tokens to serve, prompt and answer", "served", _SERVED, numbers.count)
    with columns[1]:
        gpu_menu()
    with columns[2]:
        _number(
            "USD a GPU-hour",
            "price",
            step=0.1,
            format="%.2f",
            help="Your price. 2.50 is an example, not a quotation; the same price is taken for training and serving.",
        )
    with columns[3]:
        _slider("Prompt, tokens", "prompt", LENGTHS, numbers.count)
    with columns[4]:
        _slider("Answer, tokens", "output", LENGTHS, numbers.count)
    with columns[5]:
        folded.popover("Options", ("reference", "precision", "peak", "reach", "mfu", "most", "pace", "vocabulary"), _options)


def gpu_menu() -> None:
    """Shows the menu of GPUs."""
    st.selectbox(
        "GPU",
        list(serving.gpus()),
        help="Memory, bandwidth and dense rates of the vendors' data sheets.",
        **state.bound("gpu", state.get("gpu")),
    )


def precision_menu() -> None:
    """Shows the menu of number formats that the GPU has a rate for."""
    formats = gpu().precisions
    shown = state.get("precision") if state.get("precision") in formats else formats[0]
    st.selectbox("Number format of weights", formats, help="The cache is kept in 16 bits.", **state.bound("precision", shown))


def _options() -> None:
    ladder = sorted({1.0, 2.0, 4.0, 8.0, state.get("reference")})
    st.selectbox(
        "Compared with E",
        ladder,
        format_func=lambda v: "1 (dense)" if v == 1 else f"{v:g}",
        help="The loss-optimal model of this E at the same training budget is the reference of both algorithms.",
        **state.bound("reference", state.get("reference")),
    )
    precision_menu()
    share_slider(
        "Share of the peak rate reached",
        "peak",
        "In prefill and decode. 0.5 is an example: calibrate at the end of the page.",
    )
    share_slider(
        "Share of the bandwidth reached",
        "reach",
        "In prefill and decode. 0.7 is an example: calibrate at the end of the page.",
    )
    share_slider("Utilisation in training (MFU)", "mfu", "Of the GPU's dense bf16 peak. 0.4 is an example.")
    _number(
        "Sequences decoded together, at most",
        "most",
        step=16.0,
        format="%.0f",
        help="The batch is the largest that fits in memory, up to this. Traffic or the engine's settings set it: 256 is an example.",
    )
    _number(
        "Tokens a second for each reader, at least",
        "pace",
        value=None,
        step=5.0,
        format="%.1f",
        placeholder="no limit",
        help="Makes the batch smaller where a step would take longer.",
    )
    vocabulary_input()


def share_slider(words: str, field: str, help: str) -> None:
    """Shows a slider of a share, from 1 % on."""
    st.slider(words, url_fields.LIMITS[field][0], 1.0, step=0.01, help=help, **state.bound(field, float(state.get(field))))


def _number(words: str, field: str, **look: Any) -> None:
    """Shows a field for numbers that a link can carry. look: of `st.number_input`; with `value=None` it may be blank."""
    low, high = url_fields.LIMITS[field]
    st.number_input(words, low, high, **look, **state.bound(field, state.get(field)))


def _slider(words: str, field: str, values: tuple[float, ...], write) -> None:
    value = float(state.get(field))
    steps = sorted({*values, value})
    st.select_slider(words, steps, format_func=write, **state.bound(field, value))


def gpu() -> serving.GPU:
    """Returns the chosen GPU."""
    return serving.gpu(state.get("gpu"))


def machine() -> serving.Machine:
    """Returns the GPU and the shares of its peak rates that are reached, as chosen."""
    chosen = gpu()
    precision = state.get("precision") if state.get("precision") in chosen.precisions else "bf16"
    return serving.Machine(chosen, precision, compute=state.get("peak"), bandwidth=state.get("reach"))


def server(law: lawlib.FittedLaw) -> serving.Server:
    """Returns where and for whom models are served, as chosen."""
    slowest = np.inf if state.get("pace") is None else 1 / state.get("pace")
    work = serving.Workload(state.get("prompt"), state.get("output"), state.get("most"), slowest)
    return serving.Server(machine(), work, vocabulary=vocabulary(law) or LUDZIEJEWSKI_VOCABULARY)


def vocabulary(law: lawlib.FittedLaw) -> int | None:
    """Returns the vocabulary that was typed, else that of the bundled byte models for a law fitted to them, else None."""
    if state.get("vocabulary") is not None:
        return int(state.get("vocabulary"))
    return byte_models.VOCABULARY if law.fit is not None and state.get("dataset") == byte_models.DATASET else None


def vocabulary_input() -> None:
    """Shows the field of the vocabulary, on which embeddings and their memory depend."""
    _number(
        "Vocabulary, tokens",
        "vocabulary",
        value=None,
        step=256.0,
        format="%.0f",
        placeholder="the data's, else the papers'",
        help="Rows of each of the two embedding matrices. Blank: 256 for laws fitted to the bundled byte models, else some 50,000 as in the papers.",
    )


def price() -> float:
    """Returns USD per GPU-hour."""
    return float(state.get("price"))
