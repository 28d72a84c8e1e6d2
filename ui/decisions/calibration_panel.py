"""Calibration on the Serving page: measured throughput in, the reached shares of peak rate and bandwidth out."""

from __future__ import annotations

import pandas as pd
import streamlit as st

import lawlib
from lawlib.seeds import released_shapes
from lawlib.serving import NUMBERS, SIZES, Calibration, calibrate, gpus

from ..session import state, url_fields
from ..session.markup import plain

_WORDS = {
    "n_gpus": "GPUs",
    "batch": "sequences at once",
    "prompt": "prompt, tokens",
    "output": "answer, tokens",
    "tokens_per_second": "answer tokens a second",
    "n_active": "N active",
    "n_total": "N total",
    "n_experts": "experts",
    "top_k": "top-k",
}


def calibration() -> None:
    """Shows a table to fill in, the shares that fit it best, and a button that applies them."""
    with st.expander("Calibrate with your own measurements"):
        st.caption(
            "One row a measurement: answer tokens a second of one whole copy at a batch, prefill of the prompts included. For a model that is "
            "not in the list, type its name and give its non-embedding counts and experts of a block."
        )
        rows = st.data_editor(
            _empty(),
            num_rows="dynamic",
            width="stretch",
            hide_index=True,
            key="measurements",
            column_config={
                "model": st.column_config.TextColumn("model", help="Released: " + ", ".join(released_shapes())),
                "gpu": st.column_config.SelectboxColumn("GPU", options=list(gpus())),
                **{name: st.column_config.NumberColumn(_WORDS[name], min_value=0.0) for name in (*NUMBERS, *SIZES)},
            },
        )
        filled = rows[rows["model"].fillna("").astype(str).str.strip() != ""]
        if filled.empty:
            return
        try:
            found = calibrate(filled, state.get("precision"))
        except (lawlib.FitError, ValueError) as error:
            st.warning(plain(error))
            return
        _result(found)


def _empty() -> pd.DataFrame:
    texts = {"model": pd.Series(dtype="str"), "gpu": pd.Series(dtype="str")}
    return pd.DataFrame(texts | {name: pd.Series(dtype=float) for name in (*NUMBERS, *SIZES)})


def _result(found: Calibration) -> None:
    st.markdown(f"**{found.sentence}**")
    shown = found.rows[["model", "gpu", *NUMBERS, "predicted", "residual"]]
    st.dataframe(shown, hide_index=True, width="stretch", height="content", key="calibrated")
    known = [name for name, holds in found.known.items() if holds]
    if known:
        st.button("Use these shares", key="use_shares", type="primary", on_click=_use, args=(found, known))


def _use(found: Calibration, known: list[str]) -> None:
    fields = {"compute": "peak", "bandwidth": "reach"}
    for name in known:
        low, high = url_fields.LIMITS[fields[name]]
        state.put(fields[name], min(max(float(getattr(found, name)), low), high))
