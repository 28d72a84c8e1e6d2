"""Upload: drop a file, see what was understood, correct it, store it; manage the user's own data sets."""

import streamlit as st

import ui
from ui.data.upload import at_hand, catalogue_panel, mlflow, page, preset_panel

ui.begin("Upload", "Which runs do you want to look at?", filters=False)
# What comes and goes in one part does not move the next, which would stand there twice meanwhile.
stored, place, files, public, server, fixes, read, consent, form, own = (st.container() for _ in range(10))
with stored:
    page.stored()
with files:
    table = at_hand.file_at_hand()
with public:
    table = catalogue_panel.catalogue(table)
with server:
    table = mlflow.tracking_server(table)
if table is None:
    with place:
        ui.answer("Drop a run log: it is read on this machine, shown to you, and **stored only when you say so**.")
else:
    with fixes:
        mapping = at_hand.mapping_of(table)
        found = at_hand.built(table, mapping)
        if found:
            page.suggestions(found)
    with read:
        page.understood(table, mapping, found)
        page.corrections(table, mapping)
        preset_panel.presets(table, mapping)
    with place:
        ui.answer(page.summary(found, mapping) if found else "The file was read, but no runs were found in it.")
    if found:
        with consent:
            agreed = page.problems(table, found)
        with form:
            page.store_form(table, mapping, found, agreed)
with own:
    page.own_datasets()
ui.finish()
