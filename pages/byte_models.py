"""Byte models: what this repository trained, on what, how long, how sure the losses are, and what they cannot show."""

import streamlit as st

import ui
from ui.data import byte_models

ui.begin("Byte models", "What was trained here, on what, and how sure are the losses?", filters=False)
answer, cost = byte_models.trained_sentence()
ui.answer(answer, cost)
left, right = st.columns(2)
with left:
    byte_models.noise()
with right:
    byte_models.rates()
byte_models.kinds_table()
byte_models.limits()
ui.finish()
