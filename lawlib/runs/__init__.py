"""Training runs: canonical columns, selection, weights, marks, restarts, curves, and forecasts of unfinished runs."""

from .canonical import COLUMNS, CURVE_COLUMNS, NUMBERS, POSITIVE, among, as_runs, included, parse_number, usable
from .curves import common_value, losses_at, smooth
from .restarts import alike, find_restarts, stitch
from .selection import HASH_DIGITS, Fingerprint, at_point, content_hashes, extra_values, fingerprint, marked, select
from .weights import WEIGHTS, SeedNoise, configurations, run_weights, seed_noise

__all__ = [
    "COLUMNS",
    "CURVE_COLUMNS",
    "HASH_DIGITS",
    "NUMBERS",
    "POSITIVE",
    "WEIGHTS",
    "Fingerprint",
    "SeedNoise",
    "alike",
    "among",
    "as_runs",
    "at_point",
    "common_value",
    "configurations",
    "content_hashes",
    "extra_values",
    "find_restarts",
    "fingerprint",
    "included",
    "losses_at",
    "marked",
    "parse_number",
    "run_weights",
    "seed_noise",
    "select",
    "smooth",
    "stitch",
    "usable",
]
