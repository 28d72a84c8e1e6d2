"""Reads the CSV files of `lawlib/data` by name, with their types."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

DATA = Path(__file__).parents[1] / "data"
NAMES = (
    "catalogue", "claims", "coarse_fine", "datasets", "gpus", "joint_table1", "joint_table2", "joint_table4",
    "krajewski_table2", "law_sources", "published_laws", "released_models", "runs_marin",
)  # fmt: skip
# Every other column holds numbers. `value` is the figure as printed, so that its digits tell the rounding.
TEXT_COLUMNS = frozenset(
    {
        "address", "arch", "arxiv", "authors", "claim", "comparison", "compute", "config_verified", "dataset", "family",
        "flops_rule", "formula", "gpu", "hosts", "how", "key", "kind", "law", "licence", "licence_note", "location", "log_base",
        "loss_data", "loss_name", "mark", "model", "n_count", "name", "note", "notes", "official_active_b", "official_total_b",
        "page", "paper_letter", "parameter", "printed", "quantity", "reader", "sheet", "size", "source", "title",
        "token_provenance", "tokens_verified", "value", "variant", "what", "year",
    }
)  # fmt: skip


def table(name: str) -> pd.DataFrame:
    """Returns one seed table: missing numbers are NaN, missing texts "". The frame is the caller's own copy.

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
