"""Reads a Hugging Face `config.json`, the shape of a model; it has no losses and is joined to the log beside it.

OLMoE, Mixtral and gpt-oss give the width of an *expert* as `intermediate_size`; such models have no dense width to
compare with, so their granularity needs a declared one.
"""

from __future__ import annotations

from typing import Any

from ..core import G_FROM_WIDTHS, Source, shape_columns, shape_sources

D_EXPERT, N_EXPERTS, TOP_K, D_FF, WIDTH, LAYERS = (
    "config.expert_width", "config.n_experts", "config.top_k", "config.d_ff", "config.hidden_size", "config.num_hidden_layers",
)  # fmt: skip
_LARGEST = 1e18
_GATED = ("silu", "swish", "swiglu")


def is_config(whole: Any) -> bool:
    """Whether a JSON document is the configuration of a transformer."""
    return isinstance(whole, dict) and {"hidden_size", "num_hidden_layers"} <= whole.keys() and "log_history" not in whole


def config_columns(config: dict[str, Any]) -> dict[str, str]:
    """Returns the columns of a config: shape, experts, and N counted from them. Numbers that no model can have are passed over."""
    config = {k: v for k, v in config.items() if not isinstance(v, (int, float)) or abs(v) < _LARGEST}

    def first(*keys: str) -> Any:
        return next((config[k] for k in keys if isinstance(config.get(k), (int, float)) and config[k]), None)

    experts = first("num_local_experts", "num_experts", "n_routed_experts")
    d_expert = first("moe_intermediate_size") or (first("intermediate_size") if experts else None)
    d_ff = first("intermediate_size") if not experts or first("moe_intermediate_size") else None
    shared = first("shared_expert_intermediate_size") or (first("n_shared_experts", "num_shared_experts") or 0) * (d_expert or 0)
    layers = first("num_hidden_layers")
    shape = {
        "d_model": first("hidden_size"), "n_layers": layers, "n_heads": first("num_attention_heads"),
        "n_kv_heads": first("num_key_value_heads"), "d_head": first("head_dim"), "attention": _latent_attention(config),
        "d_ff": d_ff, "gated": str(config.get("hidden_act", config.get("hidden_activation"))) in _GATED
        or str(config.get("model_type")).startswith("gemma"), "n_experts": experts, "top_k": first("num_experts_per_tok", "top_k"),
        "d_expert": d_expert, "d_shared": shared,
        "n_moe_layers": _moe_layers(config, layers) if experts and layers else 0,
    }  # fmt: skip
    given = {
        WIDTH: shape["d_model"], LAYERS: layers, D_FF: d_ff, N_EXPERTS: experts, TOP_K: shape["top_k"] if experts else None,
        D_EXPERT: d_expert if experts else None, "config.n_shared_experts": first("n_shared_experts", "num_shared_experts"),
        "config.vocab_size": first("vocab_size"), "config.model_type": config.get("model_type"),
    }  # fmt: skip
    if not experts:
        given["config.arch"] = "dense"
    return {k: str(v) for k, v in given.items() if v is not None and len(str(v)) < 100} | shape_columns(shape)


def config_sources() -> dict[str, list[Source]]:
    """Returns the sources of a log that such a config was joined to."""
    return {
        "arch": [Source("config.arch", rule="the config has no experts")],
        "d_model": [Source(WIDTH)],
        "n_layers": [Source(LAYERS)],
        "n_experts": [Source(N_EXPERTS)],
        "top_k": [Source(TOP_K)],
        "granularity": [Source(D_FF, per=D_EXPERT, rule=G_FROM_WIDTHS)],
        **shape_sources(),
    }


def _moe_layers(config: dict[str, Any], layers: float) -> int:
    """Counts the layers with experts: all but the first dense ones, the listed dense ones, and those between sparse steps."""
    dense = config.get("mlp_only_layers") or []
    first = config.get("first_k_dense_replace")
    skipped = set(range(min(int(first) if isinstance(first, (int, float)) else 0, int(layers), 10_000)))
    skipped |= {layer for layer in dense if isinstance(layer, int)} if isinstance(dense, list) else set()
    every = config.get("decoder_sparse_step") or config.get("moe_layer_freq") or 1
    every = every if isinstance(every, int) and every > 0 else 1
    return sum((i + 1) % every == 0 and i not in skipped for i in range(min(int(layers), 10_000)))


def _latent_attention(config: dict[str, Any]) -> float | None:
    """Counts the weights of multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1); None for others."""
    keys = ("hidden_size", "num_attention_heads", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    if not all(isinstance(config.get(k), (int, float)) for k in keys):
        return None
    d, heads, rank, nope, rope, value = (config[k] for k in keys)
    q_rank = config.get("q_lora_rank")
    query = (
        d * q_rank + q_rank * heads * (nope + rope) if isinstance(q_rank, (int, float)) and q_rank else d * heads * (nope + rope)
    )
    return query + d * (rank + rope) + rank * heads * (nope + value) + heads * value * d
