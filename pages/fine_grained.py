"""Fine-grained at scale: how much sooner one group of runs reaches a loss than another, and what it is worth in the end."""

import streamlit as st

import ui
from lawlib import figures
from lawlib.comparisons import convergence
from ui.laws.fine_grained import benchmarks, groups, page, reported_figures

ui.begin("Fine-grained at scale", "How much sooner do finer (or more) experts reach a loss, and what are they worth in the end?")
place = st.container()
versus = groups.choose_versus()

if versus is None or versus.pairs.empty:
    with place:
        ui.answer(reported_figures.reported_sentence(), page.why_none(versus))
    benchmarks.show_benchmarks(None)
    reported_figures.show_reported()
    ui.finish()
    st.stop()

with place:
    ui.answer(page.speedup_sentence(versus), *page.versus_notes(versus))
style, found = ui.style(), versus.found
number = page.pair_menu(versus)
if number is not None:
    left, right = st.columns(2)
    with left:
        figure = figures.speedup_figure(found.points, found.pairs, style, versus.along, versus.a, versus.b)
        ui.chart(figure, "speedup", "Speed-up against the loss reached", found.points)
    with right:
        pair, points = found.pairs.iloc[number], found.points[found.points["pair"] == number]
        crossings = found.crossings[found.crossings["pair"] == number]
        figure = figures.pair_figure(versus.curves, pair, points, crossings, style, versus.along, versus.a, versus.b)
        ui.chart(figure, "pair", "The two curves of the pair", versus.curves)
laws = page.predictions(versus)
gain = figures.gain_figure(versus.like, style, versus.a, versus.b, page.seed_sigma(), {p.label: p.table for p in laws})
places = st.columns(1 if number is None or versus.finished else 2)
if len(places) == 2:
    with places[0]:
        table = convergence.along_training(found, versus.along)
        figure = figures.progress_figure(table, style, versus.along, versus.a, versus.b, "95 %, Student's t")
        ui.chart(figure, "progress", "Mean speed-up along training", table)
with places[-1]:
    ui.chart(gain, "gain", "Final losses: measured and predicted gain", page.pair_table(versus))
    st.caption(page.prediction_line(versus, laws))
page.show_pairs(versus)
benchmarks.show_benchmarks(versus)
reported_figures.show_reported()
ui.finish()
