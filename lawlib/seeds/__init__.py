"""The published figures as text tables: `table(name)` reads one, `python -m lawlib.seeds` builds `runs.duckdb`.

The CSV files in `lawlib/data` are the one place for figures of papers; `runs.duckdb` holds the same content for reading
with SQL tools and is rebuilt only when that content changes. `mark` says how a figure is known: P printed in the paper,
S read in a secondary source, R read in a public repository's data, C computed from printed figures, empty where that is
not recorded.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import pandas as pd

from lawlib.runs import as_runs

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


def runs() -> pd.DataFrame:
    """The published runs in canonical columns, one row a run; where the tokens come from is in `extra`."""
    seed = table("runs_marin")
    extra = [
        json.dumps(
            {
                "recipe": name.split("-")[0],
                "budget_flops_excl_lmhead": flops,
                "token_provenance": provenance,
                **({} if math.isnan(shared) else {"n_shared": int(shared)}),
            }
        )
        for name, flops, provenance, shared in zip(
            seed["name"], seed["flops"], seed["token_provenance"], seed["n_shared"], strict=True
        )
    ]
    return as_runs(seed.assign(extra=extra))


def derivations() -> pd.DataFrame:
    """How each quantity of the published runs came about: run_id, quantity, source column, unit factor, rule."""
    provenance = table("runs_marin")["token_provenance"]
    rules = {
        "n_active": ("n_active_nonemb", "as published, non-embedding"),
        "n_total": ("n_total_nonemb", "as published, non-embedding"),
        "tokens": ("tokens", provenance),
        "flops": ("budget_flops_excl_lmhead", "nominal budget, without the LM head"),
        "loss": ("paloma_macro_loss", "as published, nats per token"),
    }
    run_ids = runs()["run_id"]
    return pd.concat(
        [
            pd.DataFrame({"run_id": run_ids, "quantity": quantity, "source": source, "factor": 1.0, "rule": rule})
            for quantity, (source, rule) in rules.items()
        ],
        ignore_index=True,
    )


def build(path: str | Path) -> None:
    """Writes the shipped DuckDB file with the content of the seeds, in place of the old one when it is complete."""
    from lawlib.store import shipped

    shipped.build(Path(path))
