"""Upload: drop a file, see what was understood, correct it, store it; manage one's own data sets."""

import streamlit as st

import ui

ui.begin("Upload", "Which runs do you want to look at?", filters=False)
# Each part in a container of its own: what comes and goes in one does not move the next, which would stand there twice meanwhile.
with st.container():
    ui.stored()
place = st.container()
with st.container():
    table = ui.file_at_hand()
with st.container():
    table = ui.catalogue(table)
with st.container():
    table = ui.tracking_server(table)
if table is None:
    with place:
        ui.answer("Drop a run log: it is read on this machine, shown to you, and **stored only when you say so**.")
else:
    mapping = ui.mapping_of(table)
    with st.container():
        found = ui.built(table, mapping)
    with place:
        ui.answer(ui.import_summary(found, mapping) if found else "The file was read, but no runs were found in it.")
    with st.container():
        if found:
            ui.suggestions(found)
    ui.understood(table, mapping, found)
    ui.corrections(table, mapping)
    ui.presets(table, mapping)
    if found:
        with st.container():
            agreed = ui.problems(table, found)
        with st.container():
            ui.store_form(table, mapping, found, agreed)
with st.container():
    ui.own_datasets()
ui.finish()
