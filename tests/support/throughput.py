"""Planted measurements of serving."""

import numpy as np
import pandas as pd

from lawlib import serving
from lawlib.seeds.released import released_shapes
from lawlib.serving.cost import step_time


def measured(compute, bandwidth, noise=0.0):
    """Throughput of three models on H100s that reach these shares."""
    rng = np.random.default_rng(3)
    rows = []
    for name in ("Mixtral 8x7B", "OLMoE-1B-7B", "Qwen3-30B-A3B"):
        for batch in (1, 16, 256):
            for prompt, output in ((100, 500), (4000, 50)):
                machine = serving.Machine(serving.gpu("H100 SXM"), compute=compute, bandwidth=bandwidth)
                step = step_time(serving.footprint(released_shapes()[name]), machine, serving.Workload(prompt, output), 4, batch)
                rate = batch / float(step) * np.exp(noise * rng.standard_normal())
                rows.append((name, "H100 SXM", 4, batch, prompt, output, rate))
    return pd.DataFrame(rows, columns=["model", "gpu", "n_gpus", "batch", "prompt", "output", "tokens_per_second"])
