"""Fits laws to runs and says how far to trust them: search, solver, bootstrap, standard errors, backtest, health."""

from .held_out import Backtest, backtest, verdicts
from .identification import WEAK, gap_error, information, log_error, log_slope, not_identified, small_steps
from .influence import leave_one_size_out, pulls
from .model import Model, State
from .objective import Objective
from .procedure import fit, why_not
from .resampling import bootstrap, fit_model
from .result import Fit
from .starts import guesses, n_exponents

__all__ = [
    "WEAK",
    "Backtest",
    "Fit",
    "Model",
    "Objective",
    "State",
    "backtest",
    "bootstrap",
    "fit",
    "fit_model",
    "gap_error",
    "guesses",
    "information",
    "leave_one_size_out",
    "log_error",
    "log_slope",
    "n_exponents",
    "not_identified",
    "pulls",
    "small_steps",
    "verdicts",
    "why_not",
]
