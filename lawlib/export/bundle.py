"""Packs several files into one zip: the tables of all charts, or everything that reproduces an analysis."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

from .analysis import Analysis
from .csv import safe_csv
from .document import fit_json, html_page
from .latex import latex_table
from .naming import uploaded
from .scripts import script

_EPOCH = (2020, 1, 1, 0, 0, 0)
"""Equal contents are equal files."""


def tables(analysis: Analysis) -> dict[str, bytes]:
    """Returns the table of every chart, by file name."""
    return {f"{file_name(c.key)}.csv": safe_csv(c.table) for c in analysis.charts if c.table is not None}


def tables_zip(analysis: Analysis) -> bytes:
    """Returns a zip with a CSV file for each chart: every curve and band of the analysis."""
    return zipped(tables(analysis))


def everything(analysis: Analysis, text: str, page: str) -> bytes:
    """Returns a zip of script, uploaded runs, coefficients, tables and figures of the analysis."""
    files: dict[str, bytes] = {"reproduce.py": script(analysis).encode(), "coefficients.tex": latex_table(analysis).encode()}
    files |= {file: safe_csv(origin.runs) for file, origin in uploaded(analysis).items() if origin.runs is not None}
    files |= {"fit.json": fit_json(analysis).encode(), "figures.html": html_page(analysis, text, page).encode()}
    return zipped(files | {f"tables/{name}": content for name, content in tables(analysis).items()})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Returns the files as one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def file_name(words: str) -> str:
    """Returns a safe file name made of any words."""
    return re.sub(r"[^a-z0-9_]+", "-", words.lower()).strip("-")[:60] or "analysis"
