"""An MLflow tracking server on the Upload page: its address, its experiments, their runs; read on a click only."""

from __future__ import annotations

import streamlit as st

import lawlib
from lawlib import ingest
from lawlib.ingest.remote import Experiment, mlflow_server

from ...session.markup import plain
from .catalogue_panel import put_away

_LISTED, _FAILED, _HELD = "mlflow_listed", "mlflow_failed", "mlflow_held"


def tracking_server(table: ingest.Table | None) -> ingest.Table | None:
    """Shows the panel below the uploader; returns the uploaded table, else that of the runs read last in this session."""
    failed = st.session_state.get(_FAILED, "")
    begun = bool(failed or _LISTED in st.session_state) and table is None and _HELD not in st.session_state
    with st.expander("MLflow tracking server", expanded=begun):
        if mlflow_server.installed():
            _panel()
        else:
            st.info(plain(mlflow_server.NEEDED), icon=":material/extension:")
    return _held_table() if table is None else table


def _panel() -> None:
    st.caption(
        "The server is asked when you click and at no other time, and nothing else is asked. What comes is shown like an upload, and "
        "stored, without the server's name, only when you say so."
    )
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    typed = left.text_input(
        "Tracking URI",
        key="mlflow_uri",
        placeholder="http://127.0.0.1:5000",
        help="http or https. For a server that wants credentials set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
        "MLFLOW_TRACKING_TOKEN, where this program is started.",
    )
    if right.button("List experiments", key="mlflow_list", icon=":material/cloud_sync:", width="stretch"):
        _list(typed)
    if failed := st.session_state.get(_FAILED, ""):
        st.error(plain(failed), icon=":material/cloud_off:")
    uri, found = st.session_state.get(_LISTED, ("", []))
    if not found or uri != typed:
        return
    if len(found) == mlflow_server.EXPERIMENTS:
        st.caption(f"The {len(found):,} experiments changed last are listed; the server may have more.")
    names = {e.key: e for e in found}
    chosen = st.multiselect(
        f"Experiments ({len(found):,} on the server)",
        list(names),
        format_func=lambda key: _label(names[key], found),
        key="mlflow_experiments",
    )
    if st.button("Read runs", key="mlflow_read", disabled=not chosen, icon=":material/download:", help=_caps()):
        _read(typed, [names[key] for key in chosen])


def _caps() -> str:
    return f"At most {mlflow_server.RUNS:,} runs and {mlflow_server.POINTS:,} logged values; it is said where there are more."


def _label(experiment: Experiment, others: list[Experiment]) -> str:
    """Returns the experiment's name, with its id where another has the name too."""
    again = sum(e.name == experiment.name for e in others) > 1
    return f"{experiment.name} ({experiment.key})" if again else experiment.name


def _list(typed: str) -> None:
    for key in (_LISTED, _FAILED):
        st.session_state.pop(key, None)
    with st.spinner("Asking the server"):
        try:
            st.session_state[_LISTED] = (typed, mlflow_server.experiments(typed))
        except lawlib.ReadError as error:
            st.session_state[_FAILED] = str(error)


def _read(typed: str, chosen: list[Experiment]) -> None:
    """Reads while the page waits; a click on Cancel, or on anything else, ends the script's run and with it the reading."""
    st.session_state.pop(_FAILED, None)
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, "Asking for the runs")
        st.button("Cancel", key="mlflow_cancel")

    def report(done: int, total: int) -> None:
        bar.progress(done / total, f"{done:,} of {total:,} runs")

    try:
        table = mlflow_server.read(typed, chosen, report)
    except lawlib.ReadError as error:
        st.session_state[_FAILED] = str(error)
    else:
        put_away()
        st.session_state[_HELD] = table
    st.rerun()


def _held_table() -> ingest.Table | None:
    if _HELD not in st.session_state:
        return None
    table = st.session_state[_HELD]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(table.notes[0]))
        st.button("Put away", key="mlflow_away", on_click=lambda: st.session_state.pop(_HELD, None))
    return table
