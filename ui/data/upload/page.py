"""Parts of the Upload page: what was understood, corrections, suggestions, problems, and the user's data sets."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pandas as pd
import streamlit as st

import lawlib
from lawlib import ingest, numbers
from lawlib.ingest import QUANTITIES, UNITS, Source

from ... import cached
from ...session import state
from ...session.markup import plain
from . import at_hand

PREVIEW_ROWS = 50
PREVIEW_COLUMNS = 200
SHOWN_NOTES = 30
SHOWN_PROBLEMS = 200
_NONE = "–"


def understood(table: ingest.Table, mapping: ingest.Mapping, found: ingest.Import | None) -> None:
    """Shows the mapping as a table: quantity, column, unit, rule."""
    left, right = st.columns([3, 2])
    with left:
        st.markdown("**What was understood**")
        st.dataframe(ingest.mapping_table(mapping), hide_index=True, width="stretch", height="content", key="understood")
    with right:
        st.markdown("**Notes**")
        notes = found.notes if found else table.notes
        for note in notes[:SHOWN_NOTES]:
            st.caption(plain(note))
        if len(notes) > SHOWN_NOTES:
            st.caption(f"And {len(notes) - SHOWN_NOTES:,} more; all are kept with the data set.")
    with st.expander("The file as it is"):
        st.dataframe(table.frame.iloc[:PREVIEW_ROWS, :PREVIEW_COLUMNS], width="stretch", key="preview")
        first = f" and {PREVIEW_COLUMNS} columns" if len(table.frame.columns) > PREVIEW_COLUMNS else ""
        st.caption(
            f"{len(table.frame):,} rows, {len(table.frame.columns):,} columns; the first {min(PREVIEW_ROWS, len(table.frame))} rows{first}."
        )


def corrections(table: ingest.Table, mapping: ingest.Mapping) -> None:
    """Shows every quantity with its column and unit, to be corrected; a change takes effect at once."""
    with st.expander("Correct the mapping"):
        st.button("Back to what was detected", on_click=at_hand.reset, args=(table,), key="reset_mapping")
        columns = [_NONE, *map(str, table.frame.columns)]
        for quantity, meaning in QUANTITIES.items():
            source = mapping.sources.get(quantity)
            shown = source.column if source and source.column in columns else _NONE
            if source and not source.column:
                shown = _NONE
            left, right = st.columns([3, 2])
            key = f"map_{table.sha256[:8]}_{quantity}"
            st.session_state[f"{key}_column"] = shown
            left.selectbox(
                f"{quantity}: {meaning}",
                columns,
                key=f"{key}_column",
                on_change=_set_column,
                args=(mapping, quantity, f"{key}_column"),
            )
            if quantity in UNITS and source is not None:
                st.session_state[f"{key}_unit"] = source.unit or ingest.default_unit(quantity)
                right.selectbox(
                    f"unit of {quantity}",
                    list(UNITS[quantity]),
                    key=f"{key}_unit",
                    on_change=_set_unit,
                    args=(mapping, quantity, f"{key}_unit"),
                )
                if source.unit == "bits per byte":
                    right.number_input(
                        "bytes per token (of your tokenizer on this text)",
                        min_value=0.5,
                        max_value=50.0,
                        value=source.bytes_per_token,
                        key=f"{key}_bytes",
                        on_change=_set_bytes,
                        args=(mapping, f"{key}_bytes"),
                    )


def _set_column(mapping: ingest.Mapping, quantity: str, key: str) -> None:
    column = st.session_state[key]
    at_hand.correct(mapping.with_source(quantity, None if column == _NONE else Source(column)))


def _set_unit(mapping: ingest.Mapping, quantity: str, key: str) -> None:
    unit = st.session_state[key]
    source = mapping.sources[quantity]
    at_hand.correct(mapping.with_source(quantity, replace(source, unit="" if unit == ingest.default_unit(quantity) else unit)))


def _set_bytes(mapping: ingest.Mapping, key: str) -> None:
    at_hand.correct(mapping.with_source("loss", replace(mapping.sources["loss"], bytes_per_token=st.session_state[key])))


def suggestions(found: ingest.Import) -> None:
    """Shows what looks wrong, with its evidence, and the file's other losses; either is applied on a click only."""
    for i, s in enumerate(found.suggestions):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/lightbulb: {plain(s.sentence)}")
            st.button("Apply", key=f"fix_{s.code}_{i}", on_click=at_hand.correct, args=(s.fix,))
    if found.other_losses:
        with st.expander(f"Other losses in the file ({len(found.other_losses)})"):
            for i, s in enumerate(found.other_losses):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(plain(s.sentence))
                    st.button("Take this one", key=f"fix_{s.code}_{i}", on_click=at_hand.correct, args=(s.fix,))


def problems(table: ingest.Table, found: ingest.Import) -> bool:
    """Shows the rows that cannot be used, by line; returns whether the user agrees to leave them out (or there are none).

    The consent is to these rows of this file: another file or mapping asks again.
    """
    if not found.problems:
        return True
    listed = pd.DataFrame(
        [{"line": p.line, "column": p.column, "value": str(p.value), "reason": p.reason} for p in found.problems[:SHOWN_PROBLEMS]]
    )
    if any(p.file for p in found.problems):
        listed.insert(0, "file", [p.file for p in found.problems[:SHOWN_PROBLEMS]])
    n_lines = len({(p.file, p.line) for p in found.problems})
    st.markdown(
        (f"**{n_lines:,} rows have problems**" if n_lines > 1 else "**1 row has problems**")
        + (f", the first {SHOWN_PROBLEMS} shown" if len(found.problems) > SHOWN_PROBLEMS else "")
    )
    st.dataframe(listed, hide_index=True, width="stretch", key="problems")
    lines = ",".join(f"{p.line} {p.column}" for p in found.problems)
    of_these = hashlib.sha256(f"{table.sha256} {lines}".encode()).hexdigest()[:12]
    with st.container(key="consent"):
        return st.checkbox(f"Leave these {n_lines:,} rows out" if n_lines > 1 else "Leave this row out", key=f"of_{of_these}")


def store_form(table: ingest.Table, mapping: ingest.Mapping, found: ingest.Import, agreed: bool) -> None:
    """Shows the form that names the data set and stores it."""
    if found.runs.empty:
        st.warning("No run is left to store: correct the mapping, or mend the file.")
        return
    with st.form("store", border=True):
        name = st.text_input(
            "Data set", value=at_hand.suggested_name(table), help="An existing data set of yours gets the new runs added."
        )
        split = (
            st.checkbox(f"One data set for each of the {len(found.groups)} experiments", value=True)
            if len(found.groups) > 1
            else False
        )
        n_points = f" and {len(found.curves):,} curve points" if len(found.curves) else ""
        go = st.form_submit_button(
            f"Store {len(found.runs):,} runs{n_points}",
            type="primary",
            disabled=not (agreed and cached.store().writable),
            key="store_button",
        )
    if not agreed:
        st.caption("Agree to leave out the rows with problems, or mend the file and upload it again.")
    if go:
        try:
            added = at_hand.commit(table, mapping, found, name, split)
        except (lawlib.StoreError, ValueError) as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        st.session_state["stored"] = [(a.dataset, a.n_runs, a.n_duplicates, a.n_curve_points) for a in added]
        st.rerun()


def stored() -> None:
    """Shows what the last click stored, until the next file."""
    for dataset, n_runs, n_duplicates, n_points in st.session_state.pop("stored", []):
        more = f", {n_points:,} curve points" if n_points else ""
        again = f"; {n_duplicates:,} were there already and were skipped" if n_duplicates else ""
        st.success(f"Stored {n_runs:,} runs{more} as **{plain(dataset)}**{again}.", icon=":material/check:")
        st.page_link("pages/overview.py", label="See what they say", icon=":material/dashboard:")


def own_datasets() -> None:
    """Shows the user's data sets: rename, delete, undo, back up and restore."""
    store = cached.store()
    table = cached.datasets()
    own = table[~table["dataset"].isin(_shipped(table))]
    st.subheader("Your data sets", anchor=False, divider="gray")
    if own.empty:
        st.caption("None yet. What you store is kept in the workspace file, apart from the bundled data.")
    for row in own.itertuples():
        with st.container(border=True, horizontal=True, vertical_alignment="bottom", key=f"own_{row.dataset}"):
            key = f"title_{row.dataset}"
            st.text_input(
                f"{row.dataset}: {row.n_runs:,} runs, {row.n_curve_points:,} curve points",
                value=row.title,
                key=key,
                on_change=_rename,
                args=(row.dataset, key),
                disabled=not store.writable,
            )
            st.button(
                "Delete",
                key=f"delete_{row.dataset}",
                on_click=_delete,
                args=(row.dataset,),
                disabled=not store.writable,
                icon=":material/delete:",
            )
    for row in store.deleted().itertuples():
        with st.container(horizontal=True, vertical_alignment="center", key=f"deleted_{row.dataset}"):
            st.caption(f"Deleted: {plain(row.title)} ({row.n_runs:,} runs)")
            st.button("Undo", key=f"undo_{row.dataset}", on_click=_undo, args=(row.dataset,), icon=":material/undo:")
    left, right = st.columns(2)
    with left:
        st.download_button(
            "Back up the workspace",
            data=store.backup_bytes,
            file_name="workspace-backup.duckdb",
            on_click="ignore",
            icon=":material/download:",
            key="backup",
            disabled=own.empty and store.deleted().empty,
        )
    with right, st.popover("Restore a backup", icon=":material/upload:"):
        file = st.file_uploader("Backup file", key="restore_file")
        st.caption("The present workspace is kept beside it as a .before-restore file.")
        if st.button("Restore", key="restore", disabled=file is None or not store.writable, type="primary") and file is not None:
            try:
                store.restore(file.getvalue())
            except lawlib.StoreError as error:
                st.error(plain(str(error)), icon=":material/error:")
            else:
                st.rerun()


def _shipped(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["kind"].isin(["published", "trained"]), "dataset"])


def _rename(dataset: str, key: str) -> None:
    try:
        cached.store().rename(dataset, st.session_state[key])
    except (lawlib.StoreError, ValueError) as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _undo(dataset: str) -> None:
    try:
        cached.store().restore_deleted(dataset)
    except (lawlib.StoreError, ValueError) as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _delete(dataset: str) -> None:
    try:
        cached.store().delete(dataset)
    except (lawlib.StoreError, ValueError) as error:
        st.toast(plain(str(error)), icon=":material/error:")
        return
    if state.get("dataset") == dataset:
        state.clear("dataset")


def summary(found: ingest.Import, mapping: ingest.Mapping) -> str:
    """Returns the answer line: what the file holds."""
    runs = found.runs
    points = ""
    if len(found.curves):
        chosen = found.curves[found.curves["split"] == mapping.loss]
        missing = int(chosen["loss"].isna().sum())
        points = f", **{len(chosen):,} curve points** of {plain(mapping.loss)}" + (
            f" ({missing:,} without a value)" if missing else ""
        )
        n_others = found.curves["split"].nunique() - 1
        if n_others:
            points += f", {len(found.curves):,} with {n_others} other {'losses' if n_others > 1 else 'loss'}"
    spans = [
        f"{words} {write(runs[column].min())} to {write(runs[column].max())}"
        for column, words, write in (
            ("n_active", "N", numbers.count),
            ("tokens", "D", numbers.count),
            ("flops", "C", numbers.flops),
        )
        if runs[column].notna().any()
    ]
    again = f"; {found.n_duplicates:,} identical rows are read once" if found.n_duplicates else ""
    return f"**{len(runs):,} runs**{points}" + (f": {', '.join(spans)}" if spans else "") + f"{again}."
