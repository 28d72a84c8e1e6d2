"""Pictures: data in, a plotly Figure out. Nothing here computes, shows or saves."""

from .fit import backtest_figure, prediction_figure, residual_figure
from .gap import gap_figure, losses_figure
from .granularity import best_figure, excess_figure, measured_granularity, router_figure
from .isoflop import isoflop_figure, slices
from .optimum import allocation, loss_frontier, marker, measured, measured_minima
from .runs import curves_figure, runs_figure
from .style import DARK, LIGHT, Style, style

__all__ = [
    "DARK",
    "LIGHT",
    "Style",
    "allocation",
    "backtest_figure",
    "best_figure",
    "curves_figure",
    "excess_figure",
    "gap_figure",
    "isoflop_figure",
    "loss_frontier",
    "losses_figure",
    "marker",
    "measured",
    "measured_granularity",
    "measured_minima",
    "prediction_figure",
    "residual_figure",
    "router_figure",
    "runs_figure",
    "slices",
    "style",
]
