"""Released MoE models as shapes, from the table `released_models`: model cards and configuration files."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..architecture import GroupedAttention, LatentAttention, Transformer, granularity_of
from .tables import table


def released_shapes() -> dict[str, Transformer]:
    """Returns model -> shape, where the attention is on record. Granularity is 4 d_model / d_expert, three matrices an expert.

    Sliding windows (gpt-oss) are not in a shape: its cache is that of full attention, an upper bound.
    """
    return dict(_shapes())


@cache
def _shapes() -> dict[str, Transformer]:
    models = table("released_models")
    known = models[np.isfinite(models["n_heads"])]
    return {str(row["model"]): _shape(row) for row in known.to_dict("records")}


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
