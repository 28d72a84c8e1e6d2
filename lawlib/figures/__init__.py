"""Figures: functions from tables to plotly Figures; nothing here computes, shows or saves."""

from .byte_models import rates_figure, repeats_figure
from .convergence import benchmark_figure, gain_figure, pair_figure, progress_figure, reported_figure, speedup_figure
from .draft import Figure
from .fit import backtest_figure, prediction_figure, residual_figure
from .gap import gap_figure, losses_figure
from .granularity import best_figure, excess_figure, measured_granularity, router_figure
from .isoflop import isoflop_figure
from .layout import CONFIG, same_axes
from .optimum import allocation, loss_frontier, marker, measured
from .palette import DARK, LIGHT, Style, ink, style
from .planner import options_figure, ratio_figure, shape_figure
from .runs import AXES, MAX_DRAWN, curves_figure, drawn, runs_figure
from .serving import equal_loss_figure, lifetime_figure, over_training_figure, trilemma_figure

__all__ = [
    "AXES",
    "CONFIG",
    "DARK",
    "LIGHT",
    "MAX_DRAWN",
    "Figure",
    "Style",
    "allocation",
    "backtest_figure",
    "benchmark_figure",
    "best_figure",
    "curves_figure",
    "drawn",
    "equal_loss_figure",
    "excess_figure",
    "gain_figure",
    "gap_figure",
    "ink",
    "isoflop_figure",
    "lifetime_figure",
    "loss_frontier",
    "losses_figure",
    "marker",
    "measured",
    "measured_granularity",
    "options_figure",
    "over_training_figure",
    "pair_figure",
    "prediction_figure",
    "progress_figure",
    "rates_figure",
    "ratio_figure",
    "repeats_figure",
    "reported_figure",
    "residual_figure",
    "router_figure",
    "runs_figure",
    "same_axes",
    "shape_figure",
    "speedup_figure",
    "style",
    "trilemma_figure",
]
