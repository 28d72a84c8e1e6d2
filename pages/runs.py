"""Runs: what was trained, in a table, on a chart and as training curves; runs can be left out with a reason."""

import streamlit as st

import ui
from lawlib import figures
from ui.data import curve_panel, marks_panel, run_table

ui.begin("Runs", "Which runs are there, and which of them should count?")
runs = ui.passing()
with st.container():
    marks = marks_panel.marks()
    ui.answer(run_table.counted(), marks_panel.summary(marks), run_table.dataset_facts())
x, color = run_table.run_axes()
event = ui.chart(
    figures.runs_figure(run_table.runs_drawn(x), x, color, ui.style()),
    "runs",
    run_table.runs_title(runs, x),
    runs,
    on_select="rerun",
    selection_mode=("points", "lasso", "box"),
)
chosen = run_table.run_table(runs, event, marks, marks_panel.pulls(runs))
run_table.exclusion(chosen)
marks_panel.show(runs, marks)
marks_panel.show_scrubbed()
curve_panel.curves(runs, chosen, marks)
run_table.released_models()
ui.finish()
