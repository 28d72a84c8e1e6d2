"""The published runs of the Marin project (`lawlib/data/runs_marin.csv`) as canonical runs."""

from __future__ import annotations

import json
import math

import pandas as pd

from lawlib.runs import as_runs

from .tables import table


def runs() -> pd.DataFrame:
    """Returns canonical runs, one row each; where the tokens come from is in `extra`."""
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
    """Returns how each quantity of each run was derived: dataset, run_id, quantity, source column, unit factor, rule."""
    provenance = table("runs_marin")["token_provenance"]
    rules = {
        "n_active": ("n_active_nonemb", "as published, non-embedding"),
        "n_total": ("n_total_nonemb", "as published, non-embedding"),
        "tokens": ("tokens", provenance),
        "flops": ("budget_flops_excl_lmhead", "nominal budget, without the LM head"),
        "loss": ("paloma_macro_loss", "as published, nats per token"),
    }
    found = runs()
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "dataset": found["dataset"],
                    "run_id": found["run_id"],
                    "quantity": quantity,
                    "source": source,
                    "factor": 1.0,
                    "rule": rule,
                }
            )
            for quantity, (source, rule) in rules.items()
        ],
        ignore_index=True,
    )
