"""Presets on the Upload page: the current mapping saved under a name, and saved ones applied to this file."""

from __future__ import annotations

import streamlit as st

import lawlib
from lawlib import ingest

from ... import cached
from ...session.markup import plain
from . import at_hand

_SAID = "preset_said"


def presets(table: ingest.Table, mapping: ingest.Mapping) -> None:
    """Lists the presets to apply or delete, and saves the mapping as one; says which columns of a preset the file lacks."""
    store = cached.store()
    kept = store.presets()
    with st.expander(f"Presets of mappings ({len(kept)})" if len(kept) else "Presets of mappings"):
        st.caption(
            "A file with the same columns takes its last mapping by itself. A preset is for others: as far as they have its columns."
        )
        for i, row in enumerate(kept.itertuples()):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{plain(row.name)}**, saved {plain(row.created[:10])}{_of(row.mapping)}", width="stretch")
                st.button("Apply", key=f"preset_apply_{i}", on_click=_apply, args=(table, mapping, row.name, row.mapping))
                st.button(
                    "Delete",
                    key=f"preset_delete_{i}",
                    on_click=_delete,
                    args=(row.name,),
                    icon=":material/delete:",
                    disabled=not store.writable,
                )
        _save(mapping, kept["name"].tolist(), store.writable)
    _say(mapping)


def _of(mapping_json: str) -> str:
    """Returns the quantities that a preset maps, as words after its name."""
    try:
        found = ingest.Mapping.from_json(mapping_json)
    except lawlib.ReadError:
        return ""
    return f": {plain(', '.join(found.sources))}"


def _save(mapping: ingest.Mapping, taken: list[str], writable: bool) -> None:
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    name = " ".join(left.text_input("Name of the mapping as it is now", key="preset_name").split())
    again = name in taken
    if again:
        again = st.checkbox(f"Replace the preset “{plain(name)}”", key="preset_replace")
    right.button(
        "Save",
        key="preset_save",
        on_click=_keep,
        args=(name, mapping, again),
        disabled=not (name and writable),
        width="stretch",
    )


def _keep(name: str, mapping: ingest.Mapping, replace: bool) -> None:
    try:
        cached.store().save_preset(name, mapping.to_json(), replace=replace)
    except (lawlib.StoreError, ValueError) as error:
        st.session_state[_SAID] = (mapping, str(error), "error")
    else:
        st.session_state.pop("preset_name", None)
        st.session_state[_SAID] = (mapping, f'The mapping is kept as "{name}".', "done")


def _apply(table: ingest.Table, mapping: ingest.Mapping, name: str, mapping_json: str) -> None:
    try:
        found = ingest.apply_preset(ingest.Mapping.from_json(mapping_json), table, mapping)
    except lawlib.ReadError as error:
        st.session_state[_SAID] = (mapping, str(error), "error")
        return
    at_hand.correct(found.mapping)
    words = f'Preset "{name}" applied. {found.sentence}'.strip()
    st.session_state[_SAID] = (found.mapping, words, "warning" if found.lacking else "done")


def _delete(name: str) -> None:
    try:
        cached.store().delete_preset(name)
    except lawlib.StoreError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _say(mapping: ingest.Mapping) -> None:
    """Shows what the last click did, for as long as the mapping is the one that it left."""
    of, words, kind = st.session_state.get(_SAID, (None, "", ""))
    if of != mapping:
        return
    show, icon = {
        "error": (st.error, ":material/error:"),
        "warning": (st.warning, ":material/warning:"),
        "done": (st.success, ":material/check:"),
    }[kind]
    show(plain(words), icon=icon)
