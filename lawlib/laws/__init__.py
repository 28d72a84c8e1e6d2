"""Scaling laws: `law` (the form), `families` (the forms there are), `fitted` (a form with numbers), `published`."""

from .ensemble import Ensemble, Quantity, interval_words
from .families import FAMILIES, family
from .finding import Finding
from .fitted import FitDetails, FittedLaw, log_variables, run_arrays
from .formulas import FormulaLaw, shared_experts_optimum
from .law import Law
from .published import PublishedLaw, published, published_names
from .record import COUNTS, MARKS, Record

__all__ = [
    "COUNTS",
    "FAMILIES",
    "MARKS",
    "Ensemble",
    "Finding",
    "FitDetails",
    "FittedLaw",
    "FormulaLaw",
    "Law",
    "PublishedLaw",
    "Quantity",
    "Record",
    "family",
    "interval_words",
    "log_variables",
    "published",
    "published_names",
    "run_arrays",
    "shared_experts_optimum",
]
