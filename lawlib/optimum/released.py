"""Places released MoE models beside what a law recommends at their training compute."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import seeds
from ..architecture import granularity_of
from ..errors import OptimumError
from ..laws import FittedLaw
from .allocation import compute_optimal


def placed(law: FittedLaw) -> pd.DataFrame:
    """Returns the released models beside what a law recommends at their own training compute: a row a model.

    G = 4 d_model / d_expert (Krajewski's convention), E = n_experts / G with shared experts left out, C = 6 N_active D in the
    count of the law. ratio: tokens per active parameter; law_ratio and law_granularity: the law's, at the model's C and E (the
    law's own E where it has one). over_training: ratio / law_ratio. NaN where the tokens are not known or the law cannot say.
    """
    table = seeds.table("released_models")
    counted = "n_active_with_embeddings" if law.count.endswith("with_embeddings") else "n_active"
    n, tokens = table[counted].to_numpy(), table["tokens"].to_numpy()
    g = granularity_of(table["d_model"], table["d_expert"])
    frame = pd.DataFrame(
        {
            "model": table["model"], "granularity": g, "expansion": table["n_experts"] / g, "n_experts": table["n_experts"],
            "top_k": table["top_k"], "n_active": n, "n_total": table["n_total"], "tokens": tokens, "flops": 6 * n * tokens,
            "ratio": tokens / n, "verified": (table["config_verified"] != "no") & (table["tokens_verified"] != "no"),
        }
    )  # fmt: skip
    ratio, best = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for i, row in enumerate(frame.itertuples()):
        if not np.isfinite(row.flops):
            continue
        try:
            e = max(row.expansion, 1.0) if law.law.has_expansion else law.expansion
            opt = compute_optimal(law, row.flops, e)
        except OptimumError:
            continue
        ratio[i], best[i] = opt.tokens_per_parameter, opt.granularity
    return frame.assign(law_ratio=ratio, law_granularity=best, over_training=frame["ratio"] / ratio)
