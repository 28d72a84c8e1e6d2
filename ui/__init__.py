"""What pages share. A page reads: `ui.begin`, `ui.choose`, `ui.standing`, tables, `ui.controls`, `ui.answer`, `ui.chart`, `ui.finish`."""

from . import compare
from . import servingpage as serving
from .benchmarkpanel import show_benchmarks
from .calibrationpanel import calibration
from .catalogue import catalogue
from .chart import chart, style
from .controls import Point, budget_range, controls, standing
from .curvespanel import curves
from .data import N_RESAMPLES, datasets, ensemble, fit, health, passing, progress, runs, selection, store, too_many
from .duel import choose_pair, leverage, measured_gaps, why_no_gaps
from .fitpage import axis_menu, backtest, backtest_table, coefficient_table, coefficients, health_card, pull_table, seed_caption
from .laws import Choice, choose, facts, has
from .ledgerpanel import marks, show_scrubbed
from .ledgerpanel import pulls as run_pulls
from .ledgerpanel import show as show_marks
from .ledgerpanel import summary as marks_summary
from .live import filled, quantities
from .menu import menu
from .mlflowpanel import tracking_server
from .overview import approaches_table, next_steps, optimum_menu
from .page import ICON, answer, begin, explore, finish
from .papers import missing_refit, paper_sections, show_section
from .planinputs import inputs as plan_inputs
from .planresults import changes as plan_changes
from .planresults import notes as plan_notes
from .planresults import parts as plan_parts
from .planresults import plan, starting_points
from .planresults import sentence as plan_sentence
from .presetpanel import presets
from .reported import reported_sentence, show_reported
from .results import (
    approaches,
    at_point,
    compared_paths,
    decades,
    exponents,
    gain,
    gaps,
    isoflop_optima,
    isoflops,
    optimum,
    path,
    switches,
)
from .runspage import counted, dataset_facts, exclusion, released_models, run_axes, run_table, runs_drawn, runs_title
from .trainedpage import kinds_table, limits, noise, rates, trained_sentence
from .uploading import built, file_at_hand, mapping_of
from .uploadpage import corrections, own_datasets, problems, store_form, stored, suggestions, understood
from .uploadpage import summary as import_summary
from .versus import choose_versus
from .versuspage import (
    pair_menu,
    pair_table,
    prediction_line,
    predictions,
    seed_sigma,
    show_pairs,
    speedup_sentence,
    versus_notes,
    why_none,
)
from .welcome import welcome
from .words import active, at_expansion, at_granularity, beyond, experts, finest_note, meaning
