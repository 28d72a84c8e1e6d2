"""Upload: drop a file, see what was understood, correct it, store it; manage one's own data sets."""

import streamlit as st

import ui

ui.begin("Upload", "Which runs do you want to look at?", filters=False)
# What comes and goes in one part does not move the next, which would stand there twice meanwhile.
stored, place, files, public, server, fixes, read, consent, form, own = (st.container() for _ in range(10))
with stored:
    ui.stored()
with files:
    table = ui.file_at_hand()
with public:
    table = ui.catalogue(table)
with server:
    table = ui.tracking_server(table)
if table is None:
    with place:
        ui.answer("Drop a run log: it is read on this machine, shown to you, and **stored only when you say so**.")
else:
    with fixes:
        mapping = ui.mapping_of(table)
        found = ui.built(table, mapping)
        if found:
            ui.suggestions(found)
    with read:
        ui.understood(table, mapping, found)
        ui.corrections(table, mapping)
        ui.presets(table, mapping)
    with place:
        ui.answer(ui.import_summary(found, mapping) if found else "The file was read, but no runs were found in it.")
    if found:
        with consent:
            agreed = ui.problems(table, found)
        with form:
            ui.store_form(table, mapping, found, agreed)
with own:
    ui.own_datasets()
ui.finish()
