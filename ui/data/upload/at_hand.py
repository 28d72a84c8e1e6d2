"""The state of the Upload page: the uploaded file, its mapping as corrected so far, and what would be stored."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import ingest
from lawlib.ingest import guarded
from lawlib.ingest.core import as_frame, told
from lawlib.store import Added, Addition

from ... import cached
from ...frame import reading
from ...session import state
from ...session.markup import plain

SOURCES = {
    "clark2022": "Clark et al. 2022, data release (arXiv:2202.01169)",
    "besiroglu2024": "Besiroglu et al. 2024, data release (arXiv:2404.10102)",
    "isoflop-pool": "isoFLOP pool",
}
_MAPPING = "upload_mapping"


@st.cache_resource(max_entries=4, show_spinner="Reading the runs")
def _build(sha256: str, mapping_json: str, _table: ingest.Table) -> ingest.Import | str:
    try:
        return ingest.build(_table, ingest.Mapping.from_json(mapping_json))
    except lawlib.ReadError as error:
        return str(error)


def file_at_hand() -> ingest.Table | None:
    """Returns the uploaded files as one table, or a table of an opened DuckDB file; shows the reason where it cannot be read."""
    files = st.file_uploader(
        "Run logs, one or several: tables, trainers' console logs, TensorBoard, MLflow, Hugging Face, W&B; plain, gzipped or in a zip",
        key="file",
        accept_multiple_files=True,
        help="Up to 200 MB. The files are read here, on this machine, and nothing is stored before you say so.",
    )
    if not files:
        return None
    given = [(file.name, file.getvalue()) for file in files]
    if len(given) == 1 and given[0][1][8:12] == b"DUCK":
        return _duckdb_table(files[0].file_id, *given[0])
    ids = tuple(file.file_id for file in files)
    return reading.read("file", ids, lambda progress: guarded.open_files(given, progress=progress))


def _duckdb_table(file_id: str, name: str, content: bytes) -> ingest.Table | None:
    tables = _duckdb_tables(file_id, content)
    if isinstance(tables, str):
        st.error(plain(tables), icon=":material/error:")
        return None
    if tables.empty:
        st.error(f"{plain(name)} holds no tables.")
        return None
    labels = {r.table: f"{r.table} ({r.rows:,} rows)" for r in tables.itertuples()}
    chosen = st.selectbox("Table", list(labels), format_func=labels.__getitem__, key="duckdb_table")
    if chosen is None:
        return None
    frame = _duckdb_frame(file_id, chosen, content)
    sha256 = hashlib.sha256(f"{file_id}:{chosen}".encode()).hexdigest()
    return ingest.Table(f"{name}: {chosen}", frame, np.arange(1, len(frame) + 1), "duckdb", sha256=sha256)


@st.cache_resource(max_entries=2, show_spinner="Opening the database")
def _duckdb_tables(file_id: str, _content: bytes) -> pd.DataFrame | str:
    try:
        with cached.store().open_external(_content) as external:
            return external.tables()
    except lawlib.StoreError as error:
        return str(error)


@st.cache_resource(max_entries=2, show_spinner="Reading the table")
def _duckdb_frame(file_id: str, table: str, _content: bytes) -> pd.DataFrame:
    with cached.store().open_external(_content) as external:
        return external.read(table)


def mapping_of(table: ingest.Table) -> ingest.Mapping:
    """Returns the mapping as corrected in this session, else as remembered for files with these columns, else as detected."""
    kept = st.session_state.get(_MAPPING)
    if kept is None or kept[0] != table.sha256:
        remembered = cached.store().recall(ingest.signature(table))
        mapping = ingest.detect(table)
        if remembered:
            try:
                mapping = ingest.Mapping.from_json(remembered)
                st.toast("The mapping that you used for such a file before was taken.", icon=":material/history:")
            except lawlib.ReadError:
                remembered = None
        kept = (table.sha256, mapping)
        st.session_state[_MAPPING] = kept
    return kept[1]


def correct(mapping: ingest.Mapping) -> None:
    """Stores a corrected mapping; the next run of the page shows its result."""
    st.session_state[_MAPPING] = (st.session_state[_MAPPING][0], mapping)


def reset(table: ingest.Table) -> None:
    """Returns to the detected mapping."""
    st.session_state[_MAPPING] = (table.sha256, ingest.detect(table))


def built(table: ingest.Table, mapping: ingest.Mapping) -> ingest.Import | None:
    """Returns what the file gives by the mapping; shows the reason where it gives nothing."""
    found = _build(table.sha256, mapping.to_json(), table)
    if isinstance(found, str):
        st.error(plain(found), icon=":material/error:")
        return None
    return found


def suggested_name(table: ingest.Table) -> str:
    """Returns the file's name without its endings."""
    name = re.sub(r" and \d+ more$", "", PurePath(table.name).name)
    while PurePath(name).suffix.lower() in (
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".parquet",
        ".gz",
        ".txt",
        ".zip",
        ".log",
        ".out",
        ".db",
    ):
        name = PurePath(name).stem
    return name or "runs"


def _source(table: ingest.Table, mapping: ingest.Mapping) -> str:
    if table.format == "mlflow":
        return f"MLflow server, experiment {table.name}"
    return f"{SOURCES.get(mapping.reader, 'upload')}, file {table.name}"


def commit(table: ingest.Table, mapping: ingest.Mapping, found: ingest.Import, name: str, split: bool) -> list[Added]:
    """Stores the runs with their curves and derivations, remembers the mapping, and opens the new data set.

    One transaction for all of the file. Raises StoreError with nothing written.
    """
    store = cached.store()
    groups = found.groups if split else {}
    parts = [(f"{name} {title}", ids) for title, ids in groups.items()] or [(name, found.runs["run_id"].tolist())]
    additions = []
    left_out = told(found.scrubbed)  # kept as a list of its own
    derivations = found.derivations.rename(columns={"column": "source"})
    for title, ids in parts:
        inside = set(ids)

        def of(frame: pd.DataFrame, inside=inside) -> pd.DataFrame:
            return frame[frame["run_id"].isin(inside)].reset_index(drop=True)

        additions.append(
            Addition(
                of(found.runs),
                title,
                title,
                source=_source(table, mapping),
                notes=" ".join(note for note in found.notes if note != left_out),
                curves=of(found.curves) if len(found.curves) else None,
                derivations=of(derivations),
                scrubbed=as_frame(found.scrubbed),
            )
        )
    added = store.add_all(additions)
    store.remember(ingest.signature(table), mapping.to_json())
    state.open_dataset(added[0].dataset)
    return added
