"""Fine-grained at scale: how much sooner one group of runs reaches a loss than another, and how their final losses differ."""

import streamlit as st

import ui
from lawlib import figures
from lawlib.comparisons import convergence
from ui.laws.fine_grained import benchmarks, groups, page, reported_figures

ui.begin("Fine-grained at scale", "How much sooner do finer (or more) experts reach a loss, and what are they worth in the end?")
place = st.container()
compared = groups.choose_groups()

if compared is None or compared.pairs.empty:
    with place:
        ui.answer(reported_figures.reported_sentence(), page.why_none(compared))
    benchmarks.show_benchmarks(None)
    reported_figures.show_reported()
    ui.finish()
    st.stop()

with place:
    ui.answer(page.speedup_sentence(compared), *page.groups_notes(compared))
style, found = ui.style(), compared.found
number = page.pair_menu(compared)
if number is not None:
    left, right = st.columns(2)
    with left:
        figure = figures.speedup_figure(found.points, found.pairs, style, compared.along, compared.a, compared.b)
        ui.chart(figure, "speedup", "Speed-up against the loss reached", found.points)
    with right:
        pair, points = found.pairs.iloc[number], found.points[found.points["pair"] == number]
        crossings = found.crossings[found.crossings["pair"] == number]
        figure = figures.pair_figure(compared.curves, pair, points, crossings, style, compared.along, compared.a, compared.b)
        ui.chart(figure, "pair", "The two curves of the pair", compared.curves)
laws = page.predictions(compared)
gain = figures.gain_figure(compared.like, style, compared.a, compared.b, page.seed_sigma(), {p.label: p.table for p in laws})
places = st.columns(1 if number is None or compared.finished else 2)
if len(places) == 2:
    with places[0]:
        table = convergence.along_training(found, compared.along)
        figure = figures.progress_figure(table, style, compared.along, compared.a, compared.b, "95 %, Student's t")
        ui.chart(figure, "progress", "Mean speed-up along training", table)
with places[-1]:
    ui.chart(gain, "gain", "Final losses: measured and predicted gain", page.pair_table(compared))
    st.caption(page.prediction_line(compared, laws))
page.show_pairs(compared)
benchmarks.show_benchmarks(compared)
reported_figures.show_reported()
ui.finish()
