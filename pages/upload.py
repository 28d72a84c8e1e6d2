"""Upload: drop a file, see what was understood, correct it, store it; manage one's own data sets."""

import streamlit as st

import ui

ui.begin("Upload", "Which runs do you want to look at?", filters=False)
ui.stored()
place = st.container()
table = ui.tracking_server(ui.catalogue(ui.file_at_hand()))
if table is None:
    with place:
        ui.answer("Drop a run log: it is read on this machine, shown to you, and **stored only when you say so**.")
else:
    mapping = ui.mapping_of(table)
    found = ui.built(table, mapping)
    with place:
        ui.answer(ui.import_summary(found, mapping) if found else "The file was read, but no runs were found in it.")
    if found:
        ui.suggestions(found)
    ui.understood(table, mapping, found)
    ui.corrections(table, mapping)
    ui.presets(table, mapping)
    if found:
        agreed = ui.problems(table, found)
        ui.store_form(table, mapping, found, agreed)
ui.own_datasets()
ui.finish()
