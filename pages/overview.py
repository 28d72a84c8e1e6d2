"""Overview: the chosen data set and law at a glance, and the model to train at a budget."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures
from lawlib.optimum import tables
from ui.overview import advice, first_visit

ui.begin("Overview", "What do these runs say about the model to train next?")
choice = ui.choose("D")
law, runs = choice.law, ui.selection()


@ui.explore(lambda: ui.controls(law))
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    point = ui.point_of(law)
    optimum = ui.optimum(law, point)
    path = ui.path(choice, point)
    at = ui.path(choice, point, [point.budget]).iloc[0]
    style = ui.style()
    own = runs if law.fit is not None else None
    curves = ui.isoflops(choice, point, own)
    same, others = ui.at_point(law, own, optimum)
    loss = figures.loss_frontier(path, own, style, point.budget, choice.interval)
    slices = figures.isoflop_figure(curves, same, style, point.budget, choice.interval, 380, others, reach=path)
    paths = ui.compared_paths(choice, point, path)
    sliders()

    template = (
        "At **{flops:flops} FLOPs** the optimum has **{n_active:count} "
        f"{ui.active(optimum)}**"
        "{n_active:count~} and trains on **{tokens:count} tokens**{tokens:count~}, {tokens_per_parameter:count}"
        "{tokens_per_parameter:count~} tokens per parameter; expected loss **{loss:loss}**{loss:loss~} nats per token"
        f"{ui.experts(optimum)}."
    )
    with place:
        ui.answer(
            ui.filled(template, ui.quantities(optimum), at),
            choice.notice,
            ui.meaning(choice),
            ui.beyond(law, optimum),
            ui.facts(law),
            template=template,
        )
        first_visit.welcome(choice, point)

    left, right = st.columns(2)
    with left:
        ui.chart(loss, "loss", "Optimal loss against compute", path)
    with right:
        ui.chart(slices, "isoflop", "Loss against size", curves)

    left, right = st.columns([3, 2])
    with left:
        quantity = advice.optimum_menu()
        figure = figures.allocation(paths, choice.label, style, point.budget, quantity, choice.interval)
        ui.chart(figure, "allocation", "Against published laws", tables.stacked(paths))
        st.caption("The laws count N differently (their names say how) and come from other data: compare slopes before levels.")
    with right:
        advice.next_steps(choice)


ui.finish()
