"""The published figures as text tables: `table(name)` reads one, `python -m lawlib.seeds` builds `runs.duckdb`.

The CSV files in `lawlib/data` are the one place for figures of papers; `runs.duckdb` holds the same content for reading
with SQL tools and is rebuilt only when that content changes. `mark` says how a figure is known: P printed in the paper,
S read in a secondary source, R read in a public repository's data, C computed from printed figures, empty where that is
not recorded.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

DATA = Path(__file__).parent / "data"
NAMES = (
    "coarse_fine", "datasets", "joint_table1", "joint_table4", "krajewski_table2", "law_sources", "published_laws",
    "released_models", "runs_marin",
)  # fmt: skip
# Every other column holds numbers. `value` is the figure as printed, so that its digits tell the rounding.
TEXT_COLUMNS = frozenset(
    {
        "arch", "arxiv", "authors", "comparison", "compute", "config_verified", "dataset", "family", "flops_rule",
        "formula", "kind", "law", "licence", "location", "log_base", "loss_data", "loss_name", "mark", "model",
        "n_count", "name", "note", "notes", "official_active_b", "official_total_b", "paper_letter", "parameter",
        "printed", "size", "source", "title", "token_provenance", "tokens_verified", "value", "variant", "year",
    }
)  # fmt: skip


def table(name: str) -> pd.DataFrame:
    """One seed table: missing numbers are NaN, missing texts "". The frame is the caller's own copy.

    Raises:
        ValueError: there is no such table; the message names those there are.
    """
    if name not in NAMES:
        raise ValueError(f'There is no seed table "{name}". There are: {", ".join(NAMES)}.')
    return _read(name).copy()


@cache
def _read(name: str) -> pd.DataFrame:
    frame = pd.read_csv(DATA / f"{name}.csv", dtype="str", keep_default_na=False)
    for column in frame.columns.difference(list(TEXT_COLUMNS)):
        frame[column] = frame[column].replace("", "nan").astype(float)
    return frame
