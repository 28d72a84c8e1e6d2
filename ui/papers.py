"""Parts of the Reproductions page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers, reproductions

from . import cached

EXTRACTION_RUNS = 245
DROPPED = 5
"""The published refit leaves out the five highest losses."""


@st.cache_data(max_entries=1, show_spinner="Recomputing the papers' tables")
def _sections() -> list[reproductions.Section]:
    return reproductions.sections()


def paper_sections() -> list[reproductions.Section]:
    """Returns every section, with the refit of the extracted Chinchilla runs where the user has uploaded them."""
    found = list(_sections())
    refit = _refit(cached.store().version)
    return [*found, refit] if refit else found


@st.cache_data(max_entries=2, show_spinner=False)
def _refit(version: int) -> reproductions.Section | None:
    table = cached.store().datasets()
    for row in table[table["source"].str.contains("Besiroglu", na=False)].itertuples():
        runs = cached.store().runs(row.dataset)
        if len(runs) == EXTRACTION_RUNS:
            kept = runs.sort_values("loss").head(EXTRACTION_RUNS - DROPPED)
            return reproductions.chinchilla_refit(lawlib.fit(kept, "chinchilla"))
    return None


def show_section(section: reproductions.Section) -> None:
    """Shows one paper's claims: verdict, table, note."""
    st.subheader(section.title, anchor=False, divider="gray")
    st.markdown(section.verdict)
    st.dataframe(_written(section.table), hide_index=True, width="stretch", height="content", key=f"table_{section.title}")
    parts = [f"arXiv:{section.arxiv}"] if section.arxiv else []
    st.caption(" · ".join([*parts, *([section.note] if section.note else [])]))


def missing_refit() -> None:
    """Says what the page would show with the extraction, which has no licence to be shipped."""
    st.subheader("Besiroglu 2024, refit of Hoffmann's runs", anchor=False, divider="gray")
    st.markdown(
        "The 245 runs that Besiroglu et al. extracted from a figure of Hoffmann et al. carry no licence, so they are not part of this "
        "program. Upload the release's CSV on the Upload page, and its refit appears here, beside the printed coefficients."
    )
    st.page_link("pages/upload.py", label="Upload", icon=":material/upload:")


def _written(table: pd.DataFrame) -> pd.DataFrame:
    out = table.copy()
    for column in out.columns:
        if column == "holds":
            out[column] = ["–" if v is None or v != v else ("✓" if v else "✗") for v in out[column]]
        elif not pd.api.types.is_numeric_dtype(out[column]):
            continue
        elif "nats" in column:
            out[column] = [f"{v:+.4f}" for v in out[column]]
        elif "deviation" in column and "decades" not in column:
            out[column] = [f"{v:+.2%}" for v in out[column]]
        elif "FLOPs" in column and "log10" not in column:
            out[column] = [numbers.flops(v, 3) for v in out[column]]
        elif column.startswith(("N ", "D ")):
            out[column] = [numbers.count(v) for v in out[column]]
        else:
            out[column] = [numbers.plain(v, 5) for v in out[column]]
    return out
