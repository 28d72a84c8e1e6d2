"""Exports of an analysis as Python script, LaTeX, CSV, JSON and HTML; pure functions of laws, tables and figures."""

from .analysis import Analysis, Chart, Origin, Part
from .bundle import everything, file_name, tables_zip
from .csv import safe_csv
from .document import fit_json, html_page
from .drawing import drawable
from .latex import latex_table
from .scripts import script

__all__ = [
    "Analysis",
    "Chart",
    "Origin",
    "Part",
    "drawable",
    "everything",
    "file_name",
    "fit_json",
    "html_page",
    "latex_table",
    "safe_csv",
    "script",
    "tables_zip",
]
