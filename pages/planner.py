"""Planner: from budget, memory, data and serving to one configuration that can be trained, and which runs to do next."""

import streamlit as st

import ui
from lawlib import figures

ui.begin("Planner", "What exactly should be trained under these limits?")
choice = ui.choose("D")
place = st.container()
ui.plan_inputs(choice.law)
ui.plan_options()
with place:
    found = ui.plan(choice)
    ui.answer(ui.plan_sentence(found), choice.notice, ui.meaning(choice), *ui.plan_notes(found), ui.facts(choice.law))
style = ui.style()

left, right = st.columns([3, 2])
with left:
    if len(found.options) > 1:
        figure = figures.options_figure(found.options, found.best.expansion, found.best.granularity, style)
        ui.chart(figure, "options", "What every allowed E and G reaches", found.options)
    else:
        st.markdown("**What every allowed E and G reaches**")
        st.caption(
            "One E and one G are left to choose from: a law with E or G (joint, fine-grained) or more allowed values would show more."
        )
with right:
    st.markdown("**What would change this decision**")
    for line in ui.plan_changes(found):
        st.markdown(f"- {line}")
    st.markdown("**Starting points, not results**")
    for line in ui.starting_points(found):
        st.markdown(f"- {line}")
st.markdown("**Neighbours under the same limits, and what each costs**")
st.dataframe(ui.plan_neighbours(found), hide_index=True, width="stretch", height="content", key="neighbours")
ui.launchers(found)
ui.next_runs(choice, found)
ui.released_beside(choice)
ui.finish()
