"""What the program ships as text: `table(name)` reads a table of published figures, `runs()` and `curves()` the bundled runs.

The CSV files in `lawlib/data` are the one place for figures of papers and for published runs, `lawlib/data/byte_models` for the runs that
this repository trained. `python -m lawlib.store` builds `runs.duckdb` with the same content, for reading with SQL tools; it is
rebuilt only when that content changes. `mark` says how a figure is known: P printed in the paper, S read in a secondary source,
R read in a public repository's data, C computed from printed figures, empty where that is not recorded.
"""

from __future__ import annotations

import pandas as pd

from . import byte_models, marin
from .released import released_shapes
from .tables import NAMES, TEXT_COLUMNS, table

__all__ = [
    "NAMES",
    "TEXT_COLUMNS",
    "curves",
    "derivations",
    "released_shapes",
    "runs",
    "table",
]


def runs() -> pd.DataFrame:
    """Every bundled run in canonical columns: those trained by this repository, then the published ones."""
    return pd.concat([byte_models.runs(), marin.runs()], ignore_index=True)


def curves() -> pd.DataFrame:
    """Training curves of the bundled runs."""
    return byte_models.curves()


def derivations() -> pd.DataFrame:
    """dataset, run_id (empty: all runs), quantity, source, factor, rule: how each quantity of the bundled runs came about."""
    return pd.concat([marin.derivations(), byte_models.derivations()], ignore_index=True)
