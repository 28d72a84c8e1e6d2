"""Granularity: how finely to split the experts at each budget, and what it is worth."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures
from lawlib.optimum import tables

ui.begin("Granularity", "How finely should the experts be split at a budget, and what is it worth?")
choice = ui.choose("GD", "law_g")
law, runs, style = choice.law, ui.selection(), ui.style()
measured = figures.measured_granularity(runs, style) if runs["granularity"].nunique() > 1 else None


@ui.explore(lambda: ui.controls(law))
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    point = ui.point_of(law)
    optimum = ui.optimum(law, point)
    budgets = ui.decades(law, point.budget)
    curves = tables.granularity_curves(law, budgets, point.expansion, choice.samples)
    curves = curves[curves.groupby("flops")["best"].transform("any")]  # a neighbour of the budget may be too small for any model
    chosen = curves[curves["flops"] == point.budget]
    best = chosen[chosen["best"]].iloc[0]
    at = ui.path(choice, point, [point.budget], best_granularity=True).iloc[0]
    coarse = chosen[chosen["granularity"] == chosen["granularity"].min()].iloc[0]

    gain = ui.gain(choice, point, float(coarse["granularity"]))
    switches = ui.switches(law, point.expansion)
    excess = figures.excess_figure(curves, style, point.budget, choice.interval)
    finest = figures.best_figure(ui.path(choice, point, best_granularity=True), switches, style, point.budget)
    router = figures.router_figure(curves, style, point.budget) if law.flops_rule.has_router else None
    sliders()

    template = (
        "At **{flops:flops} FLOPs** the best MoE"
        f"{ui.at_expansion(point)} "
        "splits each expert in **{best_granularity:plain}**{best_granularity:plain~} ({best_n_active:count} active parameters, "
        "{best_tokens:count} tokens); "
        f"coarse experts (G = {coarse['granularity']:g}) "
        "lose **{coarse_excess:loss} nats**{coarse_excess:loss~} to it"
    )
    if point.granularity is not None:
        template += ", G = {granularity:plain} loses **{excess:nats}**"
    template += ". Coarse experts would need **{gain:times}**{gain:times~} the compute for the same loss."
    values = ui.quantities(optimum, gain=gain.value, coarse_excess=coarse["excess"])
    values |= {f"best_{name}": best[name] for name in ("granularity", "n_active", "tokens")}
    values["excess"] = optimum.loss - best["loss"]
    ends = {f"best_granularity_{end}": at.get(f"granularity_{end}", float("nan")) for end in ("low", "high")}
    ends |= {f"coarse_excess_{end}": coarse.get(f"excess_{end}", float("nan")) for end in ("low", "high")}
    with place:
        ui.answer(
            ui.filled(template, values, ends | {"gain_low": gain.low, "gain_high": gain.high}),
            choice.notice,
            ui.finest_note(law, float(best["granularity"])),
            ui.meaning(choice),
            ui.beyond(law, optimum),
            ui.facts(law),
            template=template,
        )

    left, right = st.columns([3, 2])
    with left:
        ui.chart(excess, "excess", "Loss against granularity, each budget's best at zero", curves)
    with right:
        ui.chart(finest, "best_g", "Best granularity against compute", switches)

    left, right = st.columns([2, 3])
    with left:
        if router is not None:
            ui.chart(router, "router", "What the router costs", chosen)
        else:
            st.markdown("**What the router costs**")
            st.caption("This law's FLOPs rule has no router term, so finer experts look free: an upper bound on their worth.")
    with right:
        if measured is not None:
            title = "Measured: runs that differ in G, at equal tokens or else equal FLOPs"
            ui.chart(measured, "measured_g", title, runs)
        else:
            st.markdown("**Measured**")
            st.caption(
                ui.too_many()
                or "No two of the selected runs differ in granularity alone. Runs of one size, token count and E at G = 1, 2, 4, 8 would show it."
            )


ui.finish()
