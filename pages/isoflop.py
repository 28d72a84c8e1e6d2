"""IsoFLOP: how size trades against tokens at fixed compute, and how the optimum moves with the budget."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures
from ui.overview import advice

ui.begin("IsoFLOP", "At a fixed budget, how large should the model be, and how does that change with compute?")
choice = ui.choose("D")
law, runs = choice.law, ui.selection()


@ui.explore(lambda: ui.controls(law))
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    point = ui.point_of(law)
    optimum = ui.optimum(law, point)
    style = ui.style()
    own = runs if law.fit is not None else None
    same, others = ui.at_point(law, own, optimum)
    curves = ui.isoflops(choice, point, own)
    path = ui.path(choice, point)
    exponents = ui.exponents(choice, point, optimum)
    at = ui.path(choice, point, [point.budget]).iloc[0]
    found = ui.isoflop_optima(law, same)
    minima = found.slices if found else None
    approaches = ui.approaches(choice, same, exponents)
    slices = figures.isoflop_figure(curves, same, style, point.budget, choice.interval, others=others, reach=path)
    size, tokens = (
        figures.allocation({choice.label: path}, choice.label, style, point.budget, quantity, choice.interval, minima)
        for quantity in ("n_active", "tokens")
    )

    sliders()

    template = (
        "At **{flops:flops} FLOPs** the loss is lowest at **{n_active:count} "
        f"{ui.active(optimum)}**"
        "{n_active:count~}; there the optimal size grows as **C^{n_exponent:loss}{n_exponent:loss~}** and the optimal tokens as "
        "**C^{d_exponent:loss}{d_exponent:loss~}**"
        f"{ui.experts(optimum)}."
    )
    powers = {"n_exponent": exponents["n_active"], "d_exponent": exponents["tokens"]}
    values = ui.quantities(optimum, **{name: power.value for name, power in powers.items()})
    ends = {f"{name}_{end}": getattr(power, end) for name, power in powers.items() for end in ("low", "high")}
    with place:
        ui.answer(
            ui.filled(template, values, dict(at) | ends),
            choice.notice,
            ui.meaning(choice),
            ui.beyond(law, optimum),
            ui.facts(law),
            template=template,
        )

    ui.chart(slices, "isoflop", "Loss against size at fixed compute", curves)
    left, right = st.columns(2)
    with left:
        ui.chart(size, "n_opt", "Optimal size against compute", path)
    with right:
        ui.chart(tokens, "d_opt", "Optimal tokens against compute", path)
    advice.approaches_table(approaches)


ui.finish()
