"""Dense vs MoE: how much compute a mixture of experts saves, by budget and expert count."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures
from ui.laws import dense_vs_moe

ui.begin("Dense vs MoE", "How much more compute does a dense model need for the loss of a mixture of experts?")
laws = dense_vs_moe.choose_pair()


@ui.explore(lambda: ui.controls(laws.moe))
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    point = ui.point_of(laws.moe)
    optimum = ui.optimum(laws.moe, point)
    style, measured = ui.style(), dense_vs_moe.measured_gaps()
    curves = ui.gaps(laws, point)
    at = ui.gaps(laws, point, [point.budget]).query("expansion == @point.expansion").iloc[0]
    expansion = float(at["expansion"])
    gap = figures.gap_figure(curves, style, point.budget, expansion, laws.interval, measured)
    losses = figures.losses_figure(curves, style, point.budget, expansion)
    sliders()

    template = (
        "At **{flops:flops} FLOPs** a MoE with **E = {expansion:plain}**"
        f"{ui.at_granularity(optimum)} "
        "reaches loss **{loss:loss}**; a dense model needs **{gap:times}**{gap:times~} the compute for it, and at the same compute "
        "stops at {loss_dense:loss}."
    )
    with place:
        ui.answer(
            ui.filled(template, ui.quantities(optimum, gap=at["gap"], loss_dense=at["loss_dense"]), at),
            laws.notice,
            laws.meaning,
            laws.unknown(point),
            ui.beyond(laws.moe, optimum),
            ui.facts(laws.moe),
            laws.dense_facts,
            template=template,
        )

    left, right = st.columns(2)
    with left:
        ui.chart(gap, "gap", "Compute that the MoE saves", curves)
        if measured is None:
            st.caption(dense_vs_moe.why_no_gaps())
    with right:
        ui.chart(losses, "losses", "Optimal loss of both", curves)
    dense_vs_moe.leverage(point, optimum)


ui.finish()
