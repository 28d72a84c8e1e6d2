"""Released models beside a law on the Planner page: their E, G and tokens per parameter, and what it recommends at their compute."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from lawlib import FittedLaw, figures, numbers
from lawlib.optimum import beyond, placed, within

from .. import cached
from ..charts import chart, style
from ..explorer import Choice

QUANTITIES = {"flops": "training FLOPs", "n_active": "active parameters", "tokens": "training tokens"}
"""What may lie beyond a law's data; FLOPs alone where the data have them."""


def released_beside(choice: Choice) -> None:
    """Shows two charts and a sentence."""
    table = cached.remember(choice.law, ("released",), lambda: placed(choice.law))
    known = table[np.isfinite(table["over_training"])]
    if len(known):
        most = known.loc[known["over_training"].idxmax()]
        st.markdown(
            f"At their own training compute and E, **{(known['over_training'] > 1).sum()} of {len(known)}** released models saw more tokens per "
            f"active parameter than this law's optimum, the median **{numbers.times(float(known['over_training'].median()))}** as many; "
            f"{most['model']} **{numbers.times(float(most['over_training']))}**."
        )
        if words := _beyond(choice.law, known):
            st.caption(f":orange[:material/warning: Extrapolated: {words}.]")
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


def _beyond(law: FittedLaw, models: pd.DataFrame) -> str:
    """Says how many of the models lie beyond the law's data, and how far; "" where none do."""
    known = [(q, words) for q, words in QUANTITIES.items() if q in law.ranges]
    if not known:
        return "the range of this law's data is not on record here"
    said = []
    for quantity, words in known[:1] if known[0][0] == "flops" else known:
        low, high = law.ranges[quantity]
        values = models[quantity].to_numpy()
        outside = values[~within(law, **{quantity: values})]
        if len(outside):
            farthest = numbers.times(float(beyond(outside, low, high).max()))
            range_ = f"{numbers.flops(low)} to {numbers.flops(high)}"
            said.append(
                f"{words} of {len(outside)} of these {len(values)} lie beyond the law's data ({range_}), by up to {farthest}"
            )
    return "; ".join(said)
