"""The data that the program ships as text: tables of published figures (`table`), and the bundled runs and their curves.

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
    """Returns every bundled run in canonical columns: those trained by this repository, then the published ones."""
    return pd.concat([byte_models.runs(), marin.runs()], ignore_index=True)


def curves() -> pd.DataFrame:
    """Returns the training curves of the bundled runs."""
    return byte_models.curves()


def derivations() -> pd.DataFrame:
    """Returns how each quantity of the bundled runs was derived: dataset, run_id (empty: all runs), quantity, source, factor, rule."""
    return pd.concat([marin.derivations(), byte_models.derivations()], ignore_index=True)
