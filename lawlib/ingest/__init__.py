"""Reading of run logs: `read_runs` in one call, or `open_table`, `detect` and `build` with a mapping to correct between.

    table = open_table(data, "runs.csv")      # raw columns, line numbers, what could not be read
    mapping = detect(table)                   # which column is what; correct it with `mapping.with_source(...)`
    found = build(table, mapping)             # canonical runs, curves, derivations, problems, suggestions

Nothing is invented and nothing is dropped without a word: a row that cannot be used is a `RowProblem` with its line, an
assumption is a rule in `derivations` or a sentence in `notes`, and a correction is a `Suggestion` that is only offered.
"""

from . import guarded, mlflow_server
from .build import Import, build
from .columns import detect
from .evaluations import Evaluations, read_evaluations
from .gather import open_files, open_table
from .mapping import QUANTITIES, Mapping, Source
from .preset import Applied, apply_preset
from .problem import RowProblem
from .read import ReadWarning, read_runs
from .scrubbed import Scrubbed
from .suggest import Suggestion
from .table import Table, signature
from .units import UNITS

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
    "detect",
    "guarded",
    "mlflow_server",
    "open_files",
    "open_table",
    "read_evaluations",
    "read_runs",
    "signature",
]
