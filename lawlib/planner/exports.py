"""Writes a configuration for the field's launchers: Megatron-LM arguments, a Hugging Face config, torchtitan TOML.

Names as in Megatron-LM's `arguments.py` and its Mixtral example, transformers' Mixtral, OLMoE, Qwen2-MoE, Qwen3 and Qwen3-MoE
configurations, and torchtitan's Qwen3 `train_configs` and `Qwen3ModelArgs` (its releases with TOML files). Learning rate and
batch are starting points, and every export says so.
"""

from __future__ import annotations

import json

from .configuration import Configuration
from .training import LING_BATCH, LING_RATE, ling_rate

STYLES: dict[str, str] = {"qwen3_moe": "Qwen3-MoE", "mixtral": "Mixtral", "olmoe": "OLMoE"}
"""Hugging Face model types of routed models without shared experts."""
WARM_UP = 0.01
"""Share of the steps in which the rate rises, as in the Ling paper."""


def megatron(config: Configuration) -> str:
    """Returns the arguments of Megatron-LM's pretrain_gpt.py, one a line."""
    shape, heads = config.shape, config.shape.attention
    rate = float(ling_rate(config.flops))
    args: list[tuple[str, object]] = [
        ("use-mcore-models", None),
        ("num-layers", shape.n_layers),
        ("hidden-size", shape.d_model),
        ("ffn-hidden-size", config.d_expert),
        ("num-attention-heads", heads.n_heads),  # type: ignore[union-attr]
        ("group-query-attention", None),
        ("num-query-groups", heads.n_kv_heads),  # type: ignore[union-attr]
        ("kv-channels", heads.head_dim),  # type: ignore[union-attr]
        ("seq-length", config.sequence),
        ("max-position-embeddings", config.sequence),
        ("position-embedding-type", "rope"),
        ("normalization", "RMSNorm"),
        ("swiglu", None),
        ("disable-bias-linear", None),
        ("untie-embeddings-and-output-weights", None),
        ("vocab-size", shape.vocabulary),
    ]
    if not config.dense:
        args += [
            ("num-experts", shape.n_experts),
            ("moe-router-topk", shape.top_k),
            ("moe-ffn-hidden-size", config.d_expert),
            ("moe-router-load-balancing-type", "aux_loss"),
            ("moe-aux-loss-coeff", 0.01),
            ("moe-token-dispatcher-type", "alltoall"),
            ("moe-grouped-gemm", None),
        ]
    if shape.n_shared:
        args.append(("moe-shared-expert-intermediate-size", shape.n_shared * config.d_expert))
    args += [
        ("global-batch-size", config.batch),
        ("train-iters", config.steps),
        ("lr", f"{rate:.3g}"),
        ("min-lr", f"{rate / 10:.3g}"),
        ("lr-decay-style", "cosine"),
        ("lr-warmup-fraction", WARM_UP),
        ("weight-decay", 0.1),
        ("adam-beta1", 0.9),
        ("adam-beta2", 0.95),
        ("clip-grad", 1.0),
        ("bf16", None),
        ("use-distributed-optimizer", None),
    ]
    lines = [f"--{name}" if value is None else f"--{name} {value}" for name, value in args]
    return "\n".join([*_comments(config), *lines]) + "\n"


def huggingface(config: Configuration, style: str = "qwen3_moe") -> str:
    """Returns a Hugging Face config.json: in this style for MoE, Qwen2-MoE's with shared experts, Qwen3's for a dense model.

    Raises ValueError for an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"There is no style {style!r}; known are {', '.join(STYLES)}.")
    shape, heads = config.shape, config.shape.attention
    out: dict[str, object] = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.d_model,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": heads.n_heads,  # type: ignore[union-attr]
        "num_key_value_heads": heads.n_kv_heads,  # type: ignore[union-attr]
        "head_dim": heads.head_dim,  # type: ignore[union-attr]
        "hidden_act": "silu",
        "max_position_embeddings": config.sequence,
        "tie_word_embeddings": False,
    }
    if config.dense:
        out |= {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "intermediate_size": config.d_expert}
    elif shape.n_shared:
        out |= {
            "model_type": "qwen2_moe",
            "architectures": ["Qwen2MoeForCausalLM"],
            "intermediate_size": config.d_expert * shape.top_k,
            "moe_intermediate_size": config.d_expert,
            "shared_expert_intermediate_size": shape.n_shared * config.d_expert,
            "num_experts": shape.n_experts,
            "num_experts_per_tok": shape.top_k,
        }
    elif style == "mixtral":
        out |= {
            "model_type": "mixtral",
            "architectures": ["MixtralForCausalLM"],
            "intermediate_size": config.d_expert,
            "num_local_experts": shape.n_experts,
            "num_experts_per_tok": shape.top_k,
        }
    elif style == "olmoe":
        out |= {
            "model_type": "olmoe",
            "architectures": ["OlmoeForCausalLM"],
            "intermediate_size": config.d_expert,
            "num_experts": shape.n_experts,
            "num_experts_per_tok": shape.top_k,
        }
    else:
        out |= {
            "model_type": "qwen3_moe",
            "architectures": ["Qwen3MoeForCausalLM"],
            "intermediate_size": config.d_expert * shape.top_k,
            "moe_intermediate_size": config.d_expert,
            "num_experts": shape.n_experts,
            "num_experts_per_tok": shape.top_k,
            "norm_topk_prob": True,
        }
    return json.dumps(out, indent=2) + "\n"


def torchtitan(config: Configuration) -> str:
    """Returns a torchtitan TOML file; the shape, which torchtitan keeps in Python, is given above it as the flavor to register."""
    shape, heads = config.shape, config.shape.attention
    moe = (
        ""
        if config.dense
        else f", moe_enabled=True, moe_inter_dim={config.d_expert}, moe_args=MoEArgs(num_experts={shape.n_experts}, "
        f'num_shared_experts={shape.n_shared}, top_k={shape.top_k}, score_func="softmax", route_norm=True)'
    )
    flavor = (
        f"Qwen3ModelArgs(vocab_size={shape.vocabulary}, dim={shape.d_model}, n_layers={shape.n_layers}, "
        f"n_heads={heads.n_heads}, n_kv_heads={heads.n_kv_heads}, head_dim={heads.head_dim}, "  # type: ignore[union-attr]
        f"hidden_dim={config.d_expert * (1 if config.dense else shape.top_k)}, max_seq_len={config.sequence}{moe})"
    )
    comments = [*_comments(config), f'# Register in torchtitan/models/qwen3: qwen3_args["planned"] = {flavor}']
    rate = float(ling_rate(config.flops))
    lines = f"""
[model]
name = "qwen3"
flavor = "planned"

[optimizer]
name = "AdamW"
lr = {rate:.3g}
beta1 = 0.9
beta2 = 0.95
weight_decay = 0.1

[lr_scheduler]
warmup_steps = {max(round(WARM_UP * config.steps), 1)}
decay_type = "cosine"
min_lr_factor = 0.1

[training]
local_batch_size = 1
global_batch_size = {config.batch}
seq_len = {config.sequence}
max_norm = 1.0
steps = {config.steps}

[parallelism]
data_parallel_shard_degree = -1
"""
    return "\n".join(comments) + "\n" + lines


def _comments(config: Configuration) -> list[str]:
    return [
        f"# {config.tokens:,} tokens in {config.steps:,} steps of {config.batch:,} sequences.",
        f"# Learning rate: a starting point, not a result. {LING_RATE}.",
        f"# Batch: a starting point, not a result. {LING_BATCH}.",
    ]
