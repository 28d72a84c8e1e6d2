"""The scaling-law dashboard: lists its pages; start it with `make run`, or `streamlit run app.py`."""

import streamlit as st

import ui

st.set_page_config(page_title="Scaling laws", page_icon=ui.ICON, layout="wide")
ui.menu(
    {
        "": [st.Page("pages/overview.py", title="Overview", icon=":material/dashboard:", default=True)],
        "Data": [
            st.Page("pages/runs.py", title="Runs", icon=":material/scatter_plot:"),
            st.Page("pages/byte_models.py", title="Byte models", icon=":material/science:"),
            st.Page("pages/upload.py", title="Upload", icon=":material/upload:"),
        ],
        "Laws": [
            st.Page("pages/fit.py", title="Fit", icon=":material/function:"),
            st.Page("pages/isoflop.py", title="IsoFLOP", icon=":material/ssid_chart:"),
            st.Page("pages/granularity.py", title="Granularity", icon=":material/grain:"),
            st.Page("pages/dense_vs_moe.py", title="Dense vs MoE", icon=":material/compare_arrows:"),
            st.Page("pages/compare.py", title="Compare", icon=":material/splitscreen_right:"),
            st.Page("pages/fine_grained.py", title="Fine-grained at scale", icon=":material/speed:"),
        ],
        "Decisions": [
            st.Page("pages/serving.py", title="Serving", icon=":material/dns:"),
            st.Page("pages/planner.py", title="Planner", icon=":material/architecture:"),
        ],
        "Papers": [st.Page("pages/reproductions.py", title="Reproductions", icon=":material/fact_check:")],
    }
).run()
