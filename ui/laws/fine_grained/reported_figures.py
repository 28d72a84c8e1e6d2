"""Figures that papers report on coarse and fine experts, from a secondary summary, beside a published law."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import figures, reproductions
from lawlib.comparisons import convergence

from ... import cached
from ...charts import chart, style
from ...session.markup import plain

E16 = "krajewski2024-moe-e16"


def reported() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns (gains of the E = 16 law along total size, gains that the third paper reports)."""
    law = lawlib.published(E16)
    assert isinstance(law, lawlib.FittedLaw)
    table = cached.store().reference("coarse_fine")
    coarse, fine = table[table["granularity"] == 1], table[table["granularity"] == 8].set_index("comparison")
    gains = coarse["loss"].to_numpy() - fine.loc[coarse["comparison"], "loss"].to_numpy()
    points = coarse[["comparison", "n_total"]].assign(granularity=8.0, gain=gains)
    return convergence.gain_curves(law, np.geomspace(1e8, 1e12, 41), [2, 4, 8, 16]), points


def reported_sentence() -> str:
    """Returns the answer where no runs can give one."""
    curves, points = reported()
    named = "; ".join(f"**{p.gain:.3f} nats** at {plain(p.comparison)}" for p in points.itertuples())
    at = curves[(curves["granularity"] == 8) & np.isclose(curves["n"], 1e10)]["gain"].iloc[0]
    return (
        f"Experts split in 8 are reported to lower the final loss by {named} (secondary source); Krajewski's E = 16 law of 2024 predicts "
        f"**{at:.3f} nats** at 10B total parameters."
    )


def show_reported() -> None:
    """Shows the third paper's comparisons, marked as from a secondary summary, beside the published law's gains."""
    st.subheader("Reported: Krajewski 2025, coarse against fine experts", anchor=False, divider="gray")
    curves, points = reported()
    section = reproductions.coarse_fine()
    left, right = st.columns(2)
    with left:
        chart(figures.reported_figure(curves, points, style()), "reported", "What G is worth by the E = 16 law of 2024", curves)
    with right:
        table = cached.store().reference("coarse_fine")
        shown = table[["variant", "n_total", "loss", "benchmark_mean"]]
        st.markdown("**The paper's four models** (from a secondary summary)")
        st.dataframe(
            shown,
            hide_index=True,
            width="stretch",
            height="content",
            key="reported_table",
            column_config={
                "n_total": st.column_config.NumberColumn("N total", format="compact"),
                "benchmark_mean": st.column_config.NumberColumn("benchmark mean", format="%.1f"),
                "loss": st.column_config.NumberColumn(format="%.3f"),
            },
        )
        st.caption(
            f"{plain(section.note)} Results by benchmark, step savings and budgets are not at hand and are not shown. "
            "Dashed: the sizes that the E = 16 law was fitted on are not on record here."
        )
