"""Released models beside a law: where they lie in E, G and tokens per parameter, and what it recommends at their compute."""

from __future__ import annotations

import numpy as np
import streamlit as st

from lawlib import figures, numbers
from lawlib.released import placed

from . import data
from .chart import chart, style
from .laws import Choice


def released_beside(choice: Choice) -> None:
    """Two charts and a sentence."""
    table = data.remember(choice.law, ("released",), lambda: placed(choice.law))
    known = table[np.isfinite(table["over_training"])]
    if len(known):
        most = known.loc[known["over_training"].idxmax()]
        st.markdown(
            f"At their own training compute and E, **{(known['over_training'] > 1).sum()} of {len(known)}** released models saw more tokens per "
            f"active parameter than this law's optimum, the median **{numbers.times(float(known['over_training'].median()))}** as many; "
            f"{most['model']} **{numbers.times(float(most['over_training']))}**."
        )
    left, right = st.columns(2)
    with left:
        chart(figures.ratio_figure(table, style(), choice.label), "released_ratio", "Tokens per active parameter", table)
    with right:
        chart(figures.shape_figure(table, style()), "released_shape", "Expansion and granularity", table)
    st.caption(
        "G = 4 d_model / d_expert (Krajewski's convention; Ling's is half of it), E = experts / G with shared experts left out, C = 6 N_active D. "
        "Open circles: some figures could not be checked against their source. Models whose tokens are not published have no place in "
        "the first chart."
    )
