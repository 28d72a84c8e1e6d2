"""Small runs and curves for tests of the store."""

import numpy as np
import pandas as pd


def some_runs(n=3, first=0):
    return pd.DataFrame(
        {
            "run_id": [f"r{i}" for i in range(first, first + n)],
            "name": [f"run {i}" for i in range(first, first + n)],
            "arch": "moe",
            "n_active": 1e8,
            "tokens": 2e9,
            "loss": 3.0 + np.arange(first, first + n) / 10,
        }
    )


def a_curve(run_id="r0", n=5, split="validation", loss=None):
    step = np.arange(n, dtype=float) * 10
    return pd.DataFrame(
        {"run_id": run_id, "step": step, "tokens": step * 1e6, "split": split, "loss": 4 - step / 1e4 if loss is None else loss}
    )
