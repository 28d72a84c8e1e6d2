"""Compare: two views side by side, of two laws, two data sets or two budgets."""

import streamlit as st

import ui
from ui.laws import comparison

ui.begin("Compare", "What changes between two laws, two data sets or two budgets?")
place = st.container()
left, right = comparison.choose_sides()
with place:
    ui.answer(comparison.sentence(left, right), *comparison.notes(left, right))
st.dataframe(comparison.compared(left, right), hide_index=True, width="stretch", height="content", key="compared")
comparison.side_by_side(left, right)
st.markdown("**Coefficients**")
st.dataframe(
    comparison.coefficients(left, right), hide_index=True, width="stretch", height="content", key="compared_coefficients"
)
st.caption("Brackets: 95 %. Of fitted laws those of a bootstrap, of published ones the print rounding of the coefficients alone.")
comparison.saved_views()
ui.finish()
