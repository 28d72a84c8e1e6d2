"""Reads run logs: `read_runs` in one call, or `open_table`, `detect` and `build` with a mapping that can be corrected in between.

    table = open_table(data, "runs.csv")      # raw columns, line numbers, what could not be read
    mapping = detect(table)                   # which column is what; correct it with `mapping.with_source(...)`
    found = build(table, mapping)             # canonical runs, curves, derivations, problems, suggestions

Nothing is invented and nothing is dropped without a word: a row that cannot be used is a `RowProblem` with its line, an
assumption is a rule in `derivations` or a sentence in `notes`, and a correction is a `Suggestion` that is only offered.
"""

from . import guarded
from .assembly import Import, Suggestion, build
from .core import QUANTITIES, UNITS, Mapping, RowProblem, Scrubbed, Source, Table, default_unit, mapping_table, signature
from .detection import Applied, apply_preset, detect
from .evaluations import Evaluations, read_evaluations
from .many import open_files, open_table
from .reading import ReadWarning, read_runs
from .remote import mlflow_server

__all__ = [
    "QUANTITIES",
    "UNITS",
    "Applied",
    "Evaluations",
    "Import",
    "Mapping",
    "ReadWarning",
    "RowProblem",
    "Scrubbed",
    "Source",
    "Suggestion",
    "Table",
    "apply_preset",
    "build",
    "default_unit",
    "detect",
    "guarded",
    "mapping_table",
    "mlflow_server",
    "open_files",
    "open_table",
    "read_evaluations",
    "read_runs",
    "signature",
]
