"""IsoFLOP: how size trades against tokens at fixed compute, and how the optimum moves with the budget."""

import streamlit as st

import ui
from lawlib import figures

ui.begin("IsoFLOP", "At a fixed budget, how large should the model be, and how does that change with compute?")
choice = ui.choose("D")
law, runs = choice.law, ui.selection()


@ui.explore
def explorer() -> None:
    place = st.container()
    point = ui.controls(law)
    optimum = ui.optimum(law, point)
    style = ui.style()
    own = runs if law.fit is not None else None
    same, others = ui.at_point(law, own, optimum)
    curves = ui.isoflops(choice, point, own)
    # First the largest chart: the browser draws it while the rest is worked out.
    ui.chart(
        figures.isoflop_figure(curves, same, style, point.budget, choice.interval, others=others),
        "isoflop",
        "Loss against size at fixed compute",
        curves,
    )
    path = ui.path(choice, point)
    exponents = ui.exponents(choice, point)
    at = ui.path(choice, point, [point.budget]).iloc[0]

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

    left, right = st.columns(2)
    with left:
        found = ui.isoflop_optima(law, same)
        minima = found.slices if found else None
        figure = figures.allocation({choice.label: path}, choice.label, style, point.budget, "n_active", choice.interval, minima)
        ui.chart(figure, "n_opt", "Optimal size against compute", path)
    with right:
        figure = figures.allocation({choice.label: path}, choice.label, style, point.budget, "tokens", choice.interval, minima)
        ui.chart(figure, "d_opt", "Optimal tokens against compute", path)
    ui.approaches_table(ui.approaches(choice, same, exponents))


ui.finish()
