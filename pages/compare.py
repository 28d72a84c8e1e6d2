"""Compare: two views side by side, of two laws, two data sets or two budgets."""

import streamlit as st

import ui

ui.begin("Compare", "What changes between two laws, two data sets or two budgets?")
place = st.container()
left, right = ui.compare.choose_sides()
with place:
    ui.answer(ui.compare.sentence(left, right), *ui.compare.notes(left, right))
st.dataframe(ui.compare.compared(left, right), hide_index=True, width="stretch", height="content", key="compared")
ui.compare.side_by_side(left, right)
st.markdown("**Coefficients**")
st.dataframe(
    ui.compare.coefficients(left, right), hide_index=True, width="stretch", height="content", key="compared_coefficients"
)
st.caption("Brackets: 95 %. Of fitted laws those of a bootstrap, of published ones the print rounding of the coefficients alone.")
ui.compare.saved_views()
ui.finish()
