"""Consequences of a law: the compute-optimal model, frontiers, gaps, iso-FLOP slices, and the tables that figures draw."""

from .allocation import (
    GRANULARITIES,
    Optimum,
    best_loss,
    check_law,
    check_optimum,
    compute_optimal,
    expansion_of,
    granularities_of,
    log_loss_at,
    log_tokens_of_budget,
    log_tokens_of_loss,
    log_total,
    solve,
)
from .approaches import IsoflopOptima, envelope_optima, isoflop_optima, slice_budgets, slice_labels
from .balance import Balance, log_ratio_of
from .equal_loss import log_budget_of
from .evaluator import portable
from .extrapolation import beyond, within
from .frontier import (
    allocation_exponents,
    granularity_frontier,
    granularity_gain,
    isoflop,
    isoflop_losses,
    router_share,
    switching_budgets,
)
from .gap import efficiency_gap, measured_gap, shared_rounding
from .released import placed

__all__ = [
    "GRANULARITIES",
    "Balance",
    "IsoflopOptima",
    "Optimum",
    "allocation_exponents",
    "best_loss",
    "beyond",
    "check_law",
    "check_optimum",
    "compute_optimal",
    "efficiency_gap",
    "envelope_optima",
    "expansion_of",
    "granularities_of",
    "granularity_frontier",
    "granularity_gain",
    "isoflop",
    "isoflop_losses",
    "isoflop_optima",
    "log_budget_of",
    "log_loss_at",
    "log_ratio_of",
    "log_tokens_of_budget",
    "log_tokens_of_loss",
    "log_total",
    "measured_gap",
    "placed",
    "portable",
    "router_share",
    "shared_rounding",
    "slice_budgets",
    "slice_labels",
    "solve",
    "switching_budgets",
    "within",
]
