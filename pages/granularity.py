"""Granularity: how finely to split the experts at each budget, and what it is worth."""

import streamlit as st

import ui
from lawlib import figures, numbers, tables

ui.begin("Granularity", "How finely should the experts be split at a budget, and what is it worth?")
choice = ui.choose("GD", "law_g")
law = choice.law
place = st.container()
point = ui.controls(law)
style = ui.style()
budgets = ui.decades(law, point.budget)
curves = tables.granularity_curves(law, budgets, point.expansion, choice.samples)
chosen = curves[curves["flops"] == point.budget]
best = chosen[chosen["best"]].iloc[0]
shown = chosen[chosen["granularity"] == (point.granularity or best["granularity"])]
optimum = ui.optimum(law, point)
at = ui.path(choice, point, [point.budget], best_granularity=True).iloc[0]
coarse = chosen[chosen["granularity"] == chosen["granularity"].min()].iloc[0]

with place:
    sentence = (
        f"At **{numbers.flops(point.budget, 3)} FLOPs** the best MoE{ui.at_expansion(point)} splits each expert in "
        f"**{best['granularity']:g}**{ui.bracket(at, 'granularity', numbers.plain)} ({numbers.count(best['n_active'])} active parameters, {numbers.count(best['tokens'])} tokens); "
        f"coarse experts (G = {coarse['granularity']:g}) lose **{numbers.loss(coarse['excess'])} nats**{ui.bracket(coarse, 'excess', numbers.loss)} to it"
    )
    if point.granularity is not None and len(shown):
        sentence += f", G = {point.granularity:g} loses **{shown.iloc[0]['excess']:.4f}**"
    ui.answer(
        f"{sentence}. Coarse experts would need {ui.gain(choice, point, float(coarse['granularity']))} the compute for the same loss.",
        choice.notice,
        ui.finest_note(law, float(best["granularity"])),
        ui.meaning(choice),
        ui.beyond(law, optimum),
        ui.facts(law),
    )

left, right = st.columns([3, 2])
with left:
    figure = figures.excess_figure(curves, style, point.budget, choice.interval)
    ui.chart(figure, "excess", "Loss against granularity, each budget's best at zero", curves)
with right:
    switches = ui.switches(law, point.expansion)
    path = ui.path(choice, point, best_granularity=True)
    ui.chart(figures.best_figure(path, switches, style, point.budget), "best_g", "Best granularity against compute", switches)

left, right = st.columns([2, 3])
with left:
    if law.flops_rule.has_router:
        ui.chart(figures.router_figure(curves, style, point.budget), "router", "What the router costs", chosen)
    else:
        st.markdown("**What the router costs**")
        st.caption("This law's FLOPs rule has no router term, so finer experts look free: an upper bound on their worth.")
with right:
    runs = ui.selection()
    if runs["granularity"].nunique() > 1:
        ui.chart(
            figures.measured_granularity(runs, style),
            "measured_g",
            "Measured: runs that differ in G, at equal tokens or else equal FLOPs",
            runs,
        )
    else:
        st.markdown("**Measured**")
        st.caption(
            "No two of the selected runs differ in granularity alone. Runs of one size, token count and E at G = 1, 2, 4, 8 would show it."
        )
ui.finish()
