"""Reads a Hugging Face `config.json`, the shape of a model; it has no losses and is joined to the log beside it.

OLMoE, Mixtral and gpt-oss give the width of an *expert* as `intermediate_size`; such models have no dense width to compare with, so
their granularity is taken against 4 d_model, which the rule says. Llama 4 does so too, but has dense layers of `intermediate_size_mlp`.
"""

from __future__ import annotations

from typing import Any

from ..core import G_DECLARED, G_FROM_WIDTHS, N_ACTIVE, N_TOTAL, Source, shape_sources
from .hf_layers import attention, is_gated, moe_layers, number

D_EXPERT, N_EXPERTS, TOP_K, D_FF, WIDTH, LAYERS = (
    "config.expert_width", "config.n_experts", "config.top_k", "config.d_ff", "config.hidden_size", "config.num_hidden_layers",
)  # fmt: skip
_WIDTHS, _LAYERS = ("hidden_size", "n_embd", "d_model"), ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_NESTED = ("text_config", "llm_config", "language_config", "thinker_config", "decoder_config")
_EXPERTS = (
    "num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts", "n_experts", "num_routed_experts",
)  # fmt: skip
_TOP_K = (
    "num_experts_per_tok", "moe_k", "moe_top_k", "moe_topk", "num_experts_per_token", "top_k_experts", "num_selected_experts", "moe_router_topk",
    "top_k",
)  # fmt: skip
_EXPERT_WIDTHS = ("moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size", "expert_intermediate_size")
_DENSE_WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff")
_SHARED = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert")
_FOUR_WIDE = ("gpt2", "gptj", "gpt_neo", "codegen", "gpt_bigcode", "bloom", "mpt", "falcon")
_TWICE = ("longcat_flash",)  # two attentions and two feed-forward layers a block


def is_config(whole: Any) -> bool:
    """Whether a JSON document is the configuration of a transformer."""
    if not isinstance(whole, dict) or "log_history" in whole:
        return False
    if {"hidden_size", "num_hidden_layers"} <= whole.keys():
        return True
    named = isinstance(whole.get("model_type"), str) or isinstance(whole.get("architectures"), list)
    inner = _inner(whole)
    return named and number(inner, *_WIDTHS) is not None and number(inner, *_LAYERS) is not None


def config_columns(config: dict[str, Any]) -> dict[str, str]:
    """Returns the columns of a config: shape, experts, and N counted from them. Numbers that no model can have are passed over."""
    config = _inner(config)
    experts = number(config, *_EXPERTS)
    experts = experts if experts is not None and experts > 1 else None
    d, layers = number(config, *_WIDTHS), number(config, *_LAYERS)
    d_expert, d_ff = _widths(config, experts, d, layers)
    shared = _shared(config, d_expert) if experts else 0.0
    top_k = number(config, *_TOP_K) if experts else None
    given = {
        WIDTH: d, LAYERS: layers, D_FF: d_ff, N_EXPERTS: experts, TOP_K: top_k, D_EXPERT: d_expert, "config.n_shared_experts": number(config, *_SHARED),
        "config.shared_width": shared or None, "config.vocab_size": number(config, "vocab_size"), "config.model_type": config.get("model_type"),
    }  # fmt: skip
    if not experts:
        given["config.arch"] = "dense"
    found = {k: str(v) for k, v in given.items() if v is not None and len(str(v)) < 100}
    return found | _counts(config, d, layers, d_ff, d_expert, experts, top_k, shared)


def _inner(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the configuration of the language model within that of a multimodal one, and what DBRX keeps in dictionaries of its own."""
    for key in _NESTED:
        part = config.get(key)
        if isinstance(part, dict) and number(part, *_WIDTHS) is not None and number(config, *_WIDTHS) is None:
            return _inner(part)
    for key in ("ffn_config", "attn_config"):
        part = config.get(key)
        if isinstance(part, dict):
            config = {k: v for k, v in part.items() if k not in ("model_type", *_WIDTHS)} | config
    return config


def _widths(
    config: dict[str, Any], experts: float | None, d: float | None, layers: float | None
) -> tuple[float | None, float | None]:
    """Returns the widths of an expert and of the dense feed-forward layers, None where there is none."""
    dense = number(config, *_DENSE_WIDTHS)
    if dense is None and d is not None and str(config.get("model_type")) in _FOUR_WIDE:
        dense = (number(config, "expansion_ratio") or 4) * d
    if not experts:
        return None, dense
    if number(config, "intermediate_size_mlp") is not None:  # Llama 4
        return dense, number(config, "intermediate_size_mlp")
    expert = number(config, *_EXPERT_WIDTHS)
    if expert is not None:
        return expert, dense
    mixed = layers is not None and not all(moe_layers(config, int(layers)))
    return dense, dense if mixed else None


def _shared(config: dict[str, Any], d_expert: float | None) -> float:
    """Returns the width of the shared experts together."""
    whole = number(config, "shared_expert_intermediate_size", "shared_intermediate_size", "moe_shared_expert_intermediate_size")
    if whole is not None:
        return whole
    if str(config.get("model_type", "")).startswith("llama4"):
        return d_expert or 0.0
    return (number(config, *_SHARED) or 0) * (d_expert or 0)


def _counts(
    config: dict[str, Any], d: float | None, layers: float | None, d_ff: float | None, d_expert: float | None, experts: float | None,
    top_k: float | None, shared: float,
) -> dict[str, str]:  # fmt: skip
    """Returns the columns of N; none where a part of the shape is not known."""
    if d is None or layers is None or layers > 10_000 or str(config.get("model_type")) in _TWICE:
        return {}
    mixing = attention(config, int(layers), d)
    sparse = moe_layers(config, int(layers)) if experts else []
    n_moe = sum(sparse)
    if mixing is None or (n_moe and (d_expert is None or top_k is None)) or (n_moe < layers and d_ff is None):
        return {}
    matrices = 3 if is_gated(config) else 2
    common = mixing + (layers - n_moe) * matrices * d * (d_ff or 0) + n_moe * matrices * d * shared
    each = n_moe * matrices * d * (d_expert or 0)
    active, total = common + each * (top_k or 0), common + each * (experts or 0)
    if not 0 < active <= total < 1e300:
        return {}
    return {N_ACTIVE: f"{active:.0f}", N_TOTAL: f"{total:.0f}"}


def config_sources() -> dict[str, list[Source]]:
    """Returns the sources of a log that such a config was joined to."""
    return {
        "arch": [Source("config.arch", rule="the config has no experts")],
        "d_model": [Source(WIDTH)],
        "n_layers": [Source(LAYERS)],
        "n_experts": [Source(N_EXPERTS)],
        "top_k": [Source(TOP_K)],
        "granularity": [
            Source(D_FF, per=D_EXPERT, rule=G_FROM_WIDTHS),
            Source(WIDTH, per=D_EXPERT, factor=4.0, rule=G_DECLARED),
        ],
        **shape_sources(),
    }
