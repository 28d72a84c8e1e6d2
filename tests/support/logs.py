"""Runs with curves for tests of marks and restarts."""

import numpy as np
import pandas as pd

from lawlib.runs.canonical import as_runs


def runs_of(**columns):
    n = max(len(v) for v in columns.values())
    return as_runs(
        pd.DataFrame(
            {"run_id": [f"r{i}" for i in range(n)], "n_active": 1e8, "tokens": 1e9, "flops": 6e17, "loss_name": "loss"} | columns
        )
    )


def log(run_id, steps, loss, per_step=1000.0, offset=0.0):
    steps = np.asarray(steps, dtype=float)
    return pd.DataFrame(
        {
            "run_id": run_id,
            "step": steps,
            "tokens": (steps - offset) * per_step,
            "flops": (steps - offset) * per_step * 6e8,
            "split": "loss",
            "loss": loss,
            "hours": np.nan,
        }
    )


def attempts():
    """One training of 1,000 steps in three attempts, and a run of another seed that is none of them."""
    runs = runs_of(
        name=["m", "m-restart1", "m_resumed 2", "m"],
        loss=[3.0, 2.5, 2.0, 2.1],
        seed=[1.0, 1.0, 1.0, 2.0],
        tokens=[4e5, 7e5, 4e5, 1e6],
    )
    curves = pd.concat(
        [
            log("r0", range(10, 401, 10), 3.0),
            log("r1", range(310, 701, 10), 2.5),
            log("r2", range(610, 1001, 10), 2.0, offset=600.0),  # its tokens begin again at zero
            log("r3", range(10, 1001, 10), 2.1),
        ]
    )
    return runs, curves
