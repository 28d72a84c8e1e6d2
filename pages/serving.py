"""Serving: how many experts, and how small, when the model is also served."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures, numbers
from ui.decisions import calibration_panel, serving_inputs, serving_results

ui.begin("Serving", "How many experts, and how small a model, when it must also be served?")
choice = ui.choose("ED", "law_e")


def controls() -> None:
    ui.controls(choice.law)
    serving_inputs.controls()


@ui.explore(controls)
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    point = ui.point_of(choice.law)
    style = ui.style()
    optimum = ui.optimum(choice.law, point)
    found = serving_results.results(choice, point, optimum)
    price, e, reference = serving_inputs.price(), found.question.expansion, found.question.reference
    trilemma = figures.trilemma_figure(found.sizes, found.optima, found.picks, style, price, e, reference)
    at_loss = figures.equal_loss_figure(found.at_loss, style, price, e)
    sizes = figures.over_training_figure(found.sizes, style, price, e, found.region, found.interval)
    lifetime = figures.lifetime_figure(found.lifetimes, style, price, e, found.served)
    sliders()

    template = (
        "At **{flops:flops} FLOPs** the loss-optimal model"
        f"{ui.at_expansion(point)} "
        "has **{n_active:count} "
        f"{ui.active(optimum)}** "
        "and loss **{loss:loss}**; what it costs to serve is worked out when the slider is let go."
    )
    with place:
        ui.answer(
            serving_results.sentence(found, price),
            choice.notice,
            ui.meaning(choice),
            *serving_results.notes(found, choice),
            ui.facts(choice.law),
            template=template,
        )

    left, right = st.columns(2)
    with left:
        ui.chart(trilemma, "trilemma", "One training budget: loss against serving price", found.sizes)
    with right:
        ui.chart(at_loss, "equal_loss", f"At a loss of {numbers.loss(found.loss)}: compute against serving price", found.at_loss)

    left, right = st.columns(2)
    with left:
        ui.chart(sizes, "over_training", f"Over-training E = {e:g} at the budget", found.sizes)
    with right:
        ui.chart(lifetime, "lifetime", "The cheapest way to the loss, served", found.lifetimes)

    serving_results.expert_counts(found, price)
    serving_results.break_even_table(found)


calibration_panel.calibration()
ui.finish()
