"""Runs: what was trained, in a table, on a chart and as training curves; runs can be left out with a reason."""

import streamlit as st

import ui
from lawlib import figures

ui.begin("Runs", "Which runs are there, and which of them should count?")
runs = ui.passing()
with st.container():
    marks = ui.marks()
    ui.answer(ui.counted(), ui.marks_summary(marks), ui.dataset_facts())
x, color = ui.run_axes()
event = ui.chart(
    figures.runs_figure(ui.runs_drawn(x), x, color, ui.style()),
    "runs",
    ui.runs_title(runs, x),
    runs,
    on_select="rerun",
    selection_mode=("points", "lasso", "box"),
)
chosen = ui.run_table(runs, event, marks, ui.run_pulls(runs))
ui.exclusion(chosen)
ui.show_marks(runs, marks)
ui.show_scrubbed()
ui.curves(runs, chosen, marks)
ui.released_models()
ui.finish()
