"""Released MoE models as shapes, from the table `released_models`: model cards and configuration files."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from . import seeds
from .architecture import GroupedAttention, LatentAttention, Transformer, granularity_of
from .errors import OptimumError
from .laws import FittedLaw
from .optimum import compute_optimal


def released_shapes() -> dict[str, Transformer]:
    """Model -> shape, for the models whose attention is on record. Granularity is 4 d_model / d_expert, three matrices an expert.

    Sliding windows (gpt-oss) are not in a shape: its cache is that of full attention, an upper bound.
    """
    return dict(_shapes())


@cache
def _shapes() -> dict[str, Transformer]:
    table = seeds.table("released_models")
    known = table[np.isfinite(table["n_heads"])]
    return {str(row["model"]): _shape(row) for row in known.to_dict("records")}


def placed(law: FittedLaw) -> pd.DataFrame:
    """The released models beside what a law recommends at their own training compute: a row a model.

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


def _shape(row: dict) -> Transformer:
    counts = {k: int(v) for k, v in row.items() if isinstance(v, float) and np.isfinite(v)}
    heads, width = counts["n_heads"], counts["head_dim"]
    if "kv_rank" in counts:
        attention = LatentAttention(heads, counts["kv_rank"], counts["rope_dim"], width, counts.get("q_rank", 0))
    else:
        attention = GroupedAttention(heads, counts["n_kv_heads"], width)
    return Transformer(
        d_model=counts["d_model"],
        n_layers=counts["n_layers"],
        d_ff=4 * counts["d_model"],
        n_experts=counts["n_experts"],
        top_k=counts["top_k"],
        granularity=float(granularity_of(counts["d_model"], counts["d_expert"])),
        ffn_matrices=3,
        vocabulary=counts["vocabulary"],
        attention=attention,
        n_shared=counts["n_shared"],
        n_dense_layers=counts["n_dense_layers"],
        d_ff_dense=counts.get("d_ff_dense", 0),
    )
