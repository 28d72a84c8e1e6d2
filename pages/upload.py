"""Reproductions: the papers' claims recomputed live, each with its deviation."""

import streamlit as st

st.title("Reproductions")
