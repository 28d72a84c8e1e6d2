"""Parts of the Byte models page: what was trained, how seeds differ, how learning rates were chosen, what the runs cannot show."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from lawlib import figures, numbers
from lawlib.runs import included
from lawlib.seeds import byte_models

from .. import cached
from ..charts import chart, style
from ..session import state

TARGET = 1e21
"""A budget that users plan for, to say how far it is from these runs."""


def _runs() -> pd.DataFrame:
    return cached.runs(byte_models.DATASET)


def trained_sentence() -> tuple[str, str]:
    """Returns (the answer in numbers, what training took)."""
    runs = _runs()
    took = byte_models.effort(runs)
    repeated = byte_models.repeats(runs)
    dense = runs[runs["arch"] == "dense"]
    answer = (
        f"**{took.runs} models** of **{numbers.count(runs['n_active'].min())}** to **{numbers.count(runs['n_active'].max())} active "
        f"parameters** were trained on **{numbers.flops(runs['flops'].min())}** to **{numbers.flops(runs['flops'].max())} FLOPs**, "
        f"{len(dense)} dense and {took.runs - len(dense)} with experts"
    )
    if len(repeated):
        answer += (
            f"; another seed moves a final loss by **{byte_models.pooled_sd(repeated):.4f} nats** (standard deviation, "
            f"{int(repeated['seeds'].sum())} runs of {len(repeated)} configurations)"
        )
    answer += "."
    lost = f"{took.diverged} diverged" if took.diverged else "none diverged"
    cost = (
        f"Together {numbers.flops(took.flops)} FLOPs in {took.hours:.1f} hours of one processor core and {took.evaluation:.1f} of "
        f"evaluation, {took.first} to {took.last}; {lost}; at most {took.dropped:.1%} of a run's choices found their expert full."
    )
    return answer, cost


def kinds_table() -> None:
    """Shows the number of runs by E and G, and what the models were trained on."""
    text = byte_models.text()
    st.markdown(
        f"Decoder-only transformers on bytes (vocabulary {byte_models.VOCABULARY}, context 128), feed-forward width 4 d, dense or E·G experts of width "
        f"4 d / G with every byte sent to G of them. They read the {text['title']} (Debian package {text['package']}, SHA-256 "
        f"{text['sha256'][:16]}…), no byte twice; losses are of held-out pieces of it. Trainer, rules and every choice: "
        "`sweep/README.md`."
    )
    table = byte_models.by_kind(_runs())
    table.index = [f"E = {e:g}" if e > 1 else "dense" for e in table.index]
    table.columns = [f"G = {g:g}" for g in table.columns]
    st.markdown("**Runs by expansion E and granularity G**")
    st.dataframe(table.map(lambda n: str(n) if n else ""), width="stretch", height="content", key="kinds")


def noise() -> None:
    """Shows repeats with other seeds: the chart and its table."""
    runs = _runs()
    repeated = byte_models.repeats(runs)
    if repeated.empty:
        st.caption("No configuration has a second seed yet: the noise of these losses is not known.")
        return
    keys = ["n_active", "expansion", "granularity", "flops"]
    numbered = repeated[keys].assign(configuration=range(len(repeated)))
    members = runs[included(runs)].merge(numbered, on=keys)
    figure = figures.repeats_figure(members, repeated, byte_models.pooled_sd(repeated), style())
    chart(figure, "repeats", "What another seed changes", repeated)


def rates() -> None:
    """Shows the search for learning rates."""
    search = byte_models.rate_search()
    chart(figures.rates_figure(search, style()), "rates", "The search for learning rates (dense models)", search)


def limits() -> None:
    """Shows how far these runs are from what is planned with them."""
    runs = _runs()
    took = byte_models.effort(runs)
    budget = state.get("budget") or TARGET
    far = byte_models.beyond(runs, budget)
    where = f"{far:.1f} decades beyond the largest run" if far > 0 else "within these runs"
    st.subheader("What they cannot tell", anchor=False, divider="gray")
    st.markdown(
        f"- **Tiny models.** The largest run took {numbers.flops(runs['flops'].max())} FLOPs: a budget of {numbers.flops(budget)} lies "
        f"{where}. Use them to learn the instrument and to test laws, not to plan such a run.\n"
        "- **Bytes.** A token is a byte, so losses, tokens per parameter and the optimal size compare with no token-level data set. "
        "Embedding and output layer are outside N and C, and in the narrowest models are larger than the blocks.\n"
        "- **One text, one epoch.** A dictionary has a regular form; the gains of experts may differ on other text.\n"
        "- **Short runs.** Hundreds to ten thousand steps: learning rate, batch and warm-up matter as much as size, and they were "
        "searched for dense models only, once a width.\n"
        f"- **The router is dear.** At 14 FLOPs a parameter and byte (Krajewski 2024) it takes up to {took.router:.0%} of a run's FLOPs, "
        "where many fine experts meet a narrow model."
    )
