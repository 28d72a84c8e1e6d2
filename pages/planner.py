"""Planner: from budget, memory, data and serving to one configuration that can be trained, and which runs to do next."""

from collections.abc import Callable

import streamlit as st

import ui
from lawlib import figures
from ui.decisions import plan_inputs, plan_results

ui.begin("Planner", "What exactly should be trained under these limits?")
choice = ui.choose("D")


@ui.explore(lambda: plan_inputs.inputs(choice.law))
def explorer(sliders: Callable[[], None]) -> None:
    place = st.container()
    found = plan_results.plan(choice)
    changes = plan_results.changes(found)
    options = figures.options_figure(found.options, found.best.expansion, found.best.granularity, ui.style())
    sliders()

    with place:
        ui.answer(
            plan_results.sentence(found), choice.notice, ui.meaning(choice), *plan_results.notes(found), ui.facts(choice.law)
        )

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
        for line in plan_results.starting_points(found):
            st.markdown(f"- {line}")
    plan_results.parts(choice, found)


ui.finish()
