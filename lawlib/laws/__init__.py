"""Scaling laws: `law` (the form), `families` (the forms there are), `fitted` (a form with numbers), `published`."""

from .families import FAMILIES, family
from .fitted import FitDetails, FittedLaw, log_variables, run_arrays
from .formulas import FormulaLaw, shared_experts_optimum
from .law import Law
from .published import COUNTS, MARKS, Record, published, published_names

__all__ = [
    "COUNTS",
    "FAMILIES",
    "MARKS",
    "FitDetails",
    "FittedLaw",
    "FormulaLaw",
    "Law",
    "Record",
    "family",
    "log_variables",
    "published",
    "published_names",
    "run_arrays",
    "shared_experts_optimum",
]
