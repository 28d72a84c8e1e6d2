"""Planner: from budget, memory, data and serving to one configuration that can be trained, and which runs to do next."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures

ui.begin("Planner", "What exactly should be trained under these limits?")
choice = ui.choose("D")


@ui.explore(lambda: ui.plan_inputs(choice.law))
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    found = ui.plan(choice)
    changes = ui.plan_changes(found)
    options = figures.options_figure(found.options, found.best.expansion, found.best.granularity, ui.style())
    sliders()

    with place:
        ui.answer(ui.plan_sentence(found), choice.notice, ui.meaning(choice), *ui.plan_notes(found), ui.facts(choice.law))

    left, right = st.columns([3, 2])
    with left:
        if len(found.options) > 1:
            ui.chart(options, "options", "What every allowed E and G reaches", found.options)
        else:
            st.markdown("**What every allowed E and G reaches**")
            st.caption(
                "One E and one G are left to choose from: a law with E or G (joint, fine-grained) or more allowed values would show more."
            )
    with right:
        st.markdown("**What would change this decision**")
        for line in changes:
            st.markdown(f"- {line}")
        st.markdown("**Starting points, not results**")
        for line in ui.starting_points(found):
            st.markdown(f"- {line}")
    ui.plan_parts(choice, found)


ui.finish()
