"""Scaling laws: `law` (the form), `families` (the known forms), `fitted` (a form with numbers), `printed` (published laws)."""

from .ensemble import Ensemble, Quantity, interval_words
from .families import FAMILIES, family
from .finding import Finding
from .fitted import FitDetails, FittedLaw, log_variables, run_arrays
from .flops import KRAJEWSKI_TOTAL, FlopsRule, TotalRule, rule_of, total_rule_of
from .formulas import FormulaLaw, shared_experts_optimum
from .law import Law
from .printed import PublishedLaw, published, published_names
from .record import COUNTS, MARKS, Record
from .saturation import LIMIT, derivatives, from_free, log_ehat, to_free

__all__ = [
    "COUNTS",
    "FAMILIES",
    "KRAJEWSKI_TOTAL",
    "LIMIT",
    "MARKS",
    "Ensemble",
    "Finding",
    "FitDetails",
    "FittedLaw",
    "FlopsRule",
    "FormulaLaw",
    "Law",
    "PublishedLaw",
    "Quantity",
    "Record",
    "TotalRule",
    "derivatives",
    "family",
    "from_free",
    "interval_words",
    "log_ehat",
    "log_variables",
    "published",
    "published_names",
    "rule_of",
    "run_arrays",
    "shared_experts_optimum",
    "to_free",
    "total_rule_of",
]
