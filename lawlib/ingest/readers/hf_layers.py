"""Counts the weights of a Hugging Face model layer by layer from its `config.json`: which layers have experts, which attention.

Attention and feed-forward matrices are counted, without embeddings, routers, norms, biases and short convolutions. A kind of layer that
is not known here gives no count, and N is asked for instead.
"""

from __future__ import annotations

from typing import Any

from lawlib.architecture import attention_weights

MOST_LAYERS = 10_000
_UNGATED = frozenset(
    [
        "gpt2",
        "gpt_neo",
        "gpt_neox",
        "gpt_bigcode",
        "gptj",
        "codegen",
        "opt",
        "bloom",
        "mpt",
        "falcon",
        "phi",
        "starcoder2",
        "nemotron",
        "persimmon",
        "roberta",
        "bert",
        "xglm",
    ]
)
_GATED_BY_TYPE = ("gemma", "cohere", "phi3", "phimoe", "dbrx", "gpt_oss")
_GATES = ("silu", "swish", "swiglu", "geglu")


def number(config: dict[str, Any], *keys: str) -> float | None:
    """Returns the first of the keys that holds a positive number; of a list the one value that all its entries share, else their mean."""
    for key in keys:
        value = config.get(key)
        if isinstance(value, list) and value and all(isinstance(v, (int, float)) for v in value):
            value = sum(value) / len(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e18:
            return int(value) if value == int(value) else value
    return None


def numbers_of(value: Any) -> list[int]:
    """Returns a list's whole numbers, none for anything else."""
    return [v for v in value if isinstance(v, int)] if isinstance(value, list) else []


def is_gated(config: dict[str, Any]) -> bool:
    """Whether a feed-forward layer has three matrices, one of them a gate."""
    kind = str(config.get("model_type", ""))
    act = config.get("hidden_act", config.get("hidden_activation", config.get("activation_function", config.get("ffn_act_fn"))))
    act = act.get("name", "") if isinstance(act, dict) else act
    if kind in _UNGATED or kind.startswith(_GATED_BY_TYPE):
        return kind not in _UNGATED
    return str(act) in _GATES or (act is None and not kind.startswith("gpt"))


def moe_layers(config: dict[str, Any], layers: int) -> list[bool]:
    """Returns for each layer whether it has experts."""
    layers = min(layers, MOST_LAYERS)
    kinds = config.get("mlp_layer_types")
    if isinstance(kinds, list) and len(kinds) == layers:
        return [kind in ("sparse", "moe") for kind in kinds]
    freq = config.get("moe_layer_freq")
    if isinstance(freq, list) and len(freq) == layers:
        return [bool(f) for f in freq]
    listed = numbers_of(config.get("moe_layers"))
    if listed:
        return [i in listed for i in range(layers)]
    step = number(config, "interleave_moe_layer_step")
    if step is not None:  # Llama 4
        return [(i + 1) % int(step) == 0 for i in range(layers)]
    period = number(config, "expert_layer_period")
    if period is not None:  # Jamba
        return [i % int(period) == int(config.get("expert_layer_offset") or 0) for i in range(layers)]
    first = int(number(config, "first_k_dense_replace", "num_dense_layers", "moe_layer_start_index", "n_dense_layers") or 0)
    end = config.get("moe_layer_end_index")
    last = int(end) if isinstance(end, int) and end >= 0 else layers - 1
    every = int(number(config, "decoder_sparse_step", "moe_layer_interval") or 1)
    dense = numbers_of(config.get("mlp_only_layers"))
    spaced = int(freq) if isinstance(freq, int) and freq > 0 else 1
    return [first <= i <= last and (i + 1) % every == 0 and i % spaced == 0 and i not in dense for i in range(layers)]


def attention(config: dict[str, Any], layers: int, d: float) -> float | None:
    """Returns the weights of all layers' attention, or what stands in its place; None where a layer's kind is not known."""
    given = config.get("layer_types") or config.get("layers_block_type")
    period = number(config, "attn_layer_period")
    kinds = ["full_attention"] * layers
    if isinstance(given, list) and len(given) == layers:
        kinds = [str(kind) for kind in given]
    elif period is not None:
        offset = int(config.get("attn_layer_offset") or 0)
        kinds = ["attention" if i % int(period) == offset else "mamba" for i in range(layers)]
    elif number(config, "full_attention_interval") is not None and "linear_num_value_heads" in config:
        every = int(number(config, "full_attention_interval") or 1)
        kinds = ["full_attention" if (i + 1) % every == 0 else "linear_attention" for i in range(layers)]
    by_kind = {kind: _mixer(config, kind, d) for kind in set(kinds)}
    counts = [by_kind[kind] for kind in kinds]
    return None if any(c is None for c in counts) else float(sum(c for c in counts if c is not None))


def _mixer(config: dict[str, Any], kind: str, d: float) -> float | None:
    if kind in ("full_attention", "attention", "sliding_attention", "chunked_attention"):
        return _softmax(config, d)
    if kind == "linear_attention" and "linear_num_value_heads" in config:  # gated delta net
        keys = (number(config, "linear_num_key_heads") or 0) * (number(config, "linear_key_head_dim") or 0)
        heads = number(config, "linear_num_value_heads") or 0
        values = heads * (number(config, "linear_value_head_dim") or 0)
        return d * (2 * keys + 2 * values) + 2 * d * heads + values * d
    if kind == "linear_attention" and str(config.get("model_type", "")).startswith("minimax"):
        return 5 * d * (number(config, "num_attention_heads") or 0) * _d_head(config, d)
    if kind == "conv":
        return 4 * d * d
    if kind in ("mamba", "mamba2", "linear_attention") and "mamba_n_heads" in config:
        heads = number(config, "mamba_n_heads") or 0
        per_head = number(config, "mamba_d_head")
        inner = heads * per_head if per_head else (number(config, "mamba_expand") or 2) * d
        groups = 2 * (number(config, "mamba_n_groups") or 1) * (number(config, "mamba_d_state") or 0)
        return d * (2 * inner + groups + heads) + inner * d
    if kind == "mamba" and number(config, "mamba_d_state") is not None:
        inner, state = (number(config, "mamba_expand") or 2) * d, number(config, "mamba_d_state") or 0
        rank = number(config, "mamba_dt_rank") or float(-(-d // 16))
        return 2 * d * inner + inner * (rank + 2 * state) + rank * inner + inner * d
    return None


def _d_head(config: dict[str, Any], d: float) -> float:
    return number(config, "head_dim", "d_head") or d / (number(config, "num_attention_heads", "n_head", "n_heads") or 1)


def _softmax(config: dict[str, Any], d: float) -> float | None:
    latent = _latent(config)
    heads = number(config, "num_attention_heads", "n_head", "n_heads")
    if latent is not None or heads is None:
        return latent
    kind = str(config.get("model_type", ""))
    kv = number(config, "num_key_value_heads", "kv_n_heads", "n_kv_heads", "num_kv_heads")
    if kind == "falcon":
        kv = (kv if config.get("new_decoder_architecture") else 1 if config.get("multi_query", True) else heads) or heads
    if kind == "gpt_bigcode" and config.get("multi_query", True):
        kv = 1
    found = attention_weights(d, heads, kv, _d_head(config, d))
    return found + d * heads * _d_head(config, d) if kind.startswith(("qwen3_next", "qwen3_5")) else found  # the queries' gate


def _latent(config: dict[str, Any]) -> float | None:
    """Counts the weights of multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1); None for others."""
    keys = ("hidden_size", "num_attention_heads", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    given = [number(config, key) for key in keys]
    if any(value is None for value in given):
        return None
    d, heads, rank, nope, rope, value = (float(v or 0) for v in given)
    q_rank = number(config, "q_lora_rank")
    query = d * q_rank + q_rank * heads * (nope + rope) if q_rank else d * heads * (nope + rope)
    return query + d * (rank + rope) + rank * heads * (nope + value) + heads * value * d
