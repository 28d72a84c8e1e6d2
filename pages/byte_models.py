"""Byte models: what this repository trained, on what, how long, how sure the losses are, and what they cannot tell."""

import streamlit as st

import ui

ui.begin("Byte models", "What was trained here, on what, and how sure are the losses?", filters=False)
answer, cost = ui.trained_sentence()
ui.answer(answer, cost)
left, right = st.columns(2)
with left:
    ui.noise()
with right:
    ui.rates()
ui.kinds_table()
ui.limits()
ui.finish()
