"""Runs: what was trained, in a table, on a chart and as training curves; runs can be left out with a reason."""

import streamlit as st

import ui
from lawlib import figures

ui.begin("Runs", "Which runs are there, and which of them should count?")
runs = ui.selection()
with st.container():
    marks = ui.marks(runs)
    ui.answer(ui.counted(runs), ui.marks_summary(runs, marks), ui.dataset_facts())
x, color = ui.run_axes(runs)
event = ui.chart(
    figures.runs_figure(runs, x, color, ui.style()),
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
