"""Counts the weights of Hugging Face models of every family on the meta device, as the oracle of the config reader.

    python -m tools.hf_counts            # needs transformers and torch; writes tests/data/hf_counts.json

Each family's model is built small from its own configuration class. Counted are weight matrices without embeddings, output layer,
routers, norms and biases; of routed experts a token passes top_k of n_experts.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[1] / "tests" / "data" / "hf_counts.json"
BASE = {
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 768,
    "vocab_size": 512,
}
LATENT = {
    "q_lora_rank": 96,
    "kv_lora_rank": 64,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "num_key_value_heads": 8,
}
MOE = {"num_experts": 16, "num_experts_per_tok": 4, "moe_intermediate_size": 128}
ROUTED = {"n_routed_experts": 16, "num_experts_per_tok": 4, "moe_intermediate_size": 128}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {}, "mistral": {}, "qwen2": {}, "qwen3": {"head_dim": 64}, "gemma": {"head_dim": 64}, "gemma2": {"head_dim": 64},
    "phi3": {"pad_token_id": 0}, "olmo2": {}, "granite": {}, "smollm3": {"pad_token_id": 0},
    "gpt2": {"n_embd": 256, "n_layer": 4, "n_head": 8, "vocab_size": 512}, "gpt_neox": {}, "opt": {"ffn_dim": 1024, "word_embed_proj_dim": 256},
    "gptj": {"n_embd": 256, "n_layer": 4, "n_head": 8, "rotary_dim": 32, "vocab_size": 512},
    "falcon": {"num_kv_heads": 4, "new_decoder_architecture": True}, "bloom": {"n_layer": 4, "n_head": 8, "n_embed": 256}, "mpt": {"d_model": 256, "n_layers": 4, "n_heads": 8},
    "phi": {}, "starcoder2": {}, "cohere": {}, "glm4": {"head_dim": 32, "pad_token_id": 0}, "stablelm": {},
    "mixtral": {"num_local_experts": 8, "num_experts_per_tok": 2},
    "qwen2_moe": MOE | {"shared_expert_intermediate_size": 512, "decoder_sparse_step": 2}, "qwen3_moe": MOE | {"head_dim": 32, "mlp_only_layers": [1]},
    "qwen3_next": MOE | {"head_dim": 64, "shared_expert_intermediate_size": 128, "linear_num_value_heads": 8, "linear_num_key_heads": 4, "linear_key_head_dim": 32, "linear_value_head_dim": 32},
    "deepseek_v2": LATENT | ROUTED | {"n_shared_experts": 2, "first_k_dense_replace": 1}, "deepseek_v3": LATENT | ROUTED | {"n_shared_experts": 1, "first_k_dense_replace": 2},
    "olmoe": {"num_experts": 16, "num_experts_per_tok": 4}, "flex_olmo": {"num_experts": 8, "num_experts_per_tok": 4, "pad_token_id": 0},
    "granitemoe": {"num_local_experts": 8, "num_experts_per_tok": 2}, "granitemoeshared": {"num_local_experts": 8, "num_experts_per_tok": 2, "shared_intermediate_size": 512},
    "granitemoehybrid": {"num_local_experts": 8, "num_experts_per_tok": 2, "shared_intermediate_size": 512, "layer_types": ["mamba", "mamba", "attention", "mamba"], "mamba_n_heads": 16, "mamba_d_head": 32, "mamba_d_state": 32, "mamba_n_groups": 1},
    "ernie4_5_moe": {"moe_num_experts": 16, "moe_k": 4, "moe_num_shared_experts": 2, "moe_layer_start_index": 1, "moe_layer_end_index": 3, "moe_layer_interval": 1, "moe_intermediate_size": 128, "pad_token_id": 0},
    "llama4_text": {"num_local_experts": 8, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "intermediate_size_mlp": 1024, "head_dim": 32, "pad_token_id": 0},
    "jamba": {"num_hidden_layers": 8, "num_experts": 8, "num_experts_per_tok": 2, "expert_layer_period": 2, "expert_layer_offset": 1, "attn_layer_period": 4, "attn_layer_offset": 2, "mamba_d_state": 16, "mamba_d_conv": 4, "mamba_expand": 2, "mamba_dt_rank": 16, "use_mamba_kernels": False, "pad_token_id": 0},
    "hunyuan_v1_moe": {"num_experts": 8, "moe_topk": [2, 2, 2, 2], "num_shared_expert": [1, 1, 1, 1], "head_dim": 32, "pad_token_id": 0},
    "glm4_moe": ROUTED | {"n_shared_experts": 1, "first_k_dense_replace": 1, "head_dim": 32, "pad_token_id": 0}, "gpt_oss": {"num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 32, "pad_token_id": 0},
    "dbrx": {"d_model": 256, "n_layers": 4, "n_heads": 8, "vocab_size": 512, "attn_config": {"kv_n_heads": 4, "clip_qkv": 8, "rope_theta": 10000.0}, "ffn_config": {"ffn_hidden_size": 384, "moe_num_experts": 8, "moe_top_k": 2, "hidden_size": 256}},
    "phimoe": {"num_local_experts": 8, "num_experts_per_tok": 2, "pad_token_id": 0}, "minimax": {"num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 32, "layer_types": ["linear_attention", "full_attention", "linear_attention", "full_attention"], "pad_token_id": 0},
    "minimax_m2": {"num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 32, "pad_token_id": 0},
    "bailing_moe": MOE | {"num_shared_experts": 1, "first_k_dense_replace": 1}, "bailing_moe_v2": MOE | {"num_shared_experts": 1, "first_k_dense_replace": 1},
    "dots1": ROUTED | {"n_shared_experts": 1, "first_k_dense_replace": 1, "pad_token_id": 0}, "lfm2_moe": {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 128, "num_dense_layers": 1, "layer_types": ["conv", "full_attention", "conv", "full_attention"], "pad_token_id": 0},
    "longcat_flash": {"num_layers": 2, "n_routed_experts": 8, "moe_topk": 2, "expert_ffn_hidden_size": 128, "ffn_hidden_size": 512, "zero_expert_num": 0} | LATENT,
    "qwen3_5_moe_text": MOE | {"head_dim": 64, "shared_expert_intermediate_size": 128, "linear_num_value_heads": 8, "linear_num_key_heads": 4, "linear_key_head_dim": 32, "linear_value_head_dim": 32},
}  # fmt: skip
PLAIN = {
    "gpt_neox": ("num_key_value_heads",), "opt": ("num_key_value_heads", "intermediate_size"), "bloom": ("num_key_value_heads", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    "falcon": ("num_key_value_heads", "intermediate_size"),
}  # fmt: skip
"""Names of others that a family does not know: the class would store them unused."""
PASSED = re.compile(
    r"embed|wte|wpe|lm_head|router|(?<!up_)(?<!down_)\bgate\.(weight|wg)|\.gate\.weight|bias|sinks|A_log|\.D$|dt_bias|shared_expert_gate|embed_out|e_score|slope|conv1d|\.conv\.conv"
)


def count(family: str, given: dict[str, Any]) -> dict[str, Any] | None:
    """Returns a family's configuration and counts, None where the installed release has no such family."""
    torch, library = import_module("torch"), import_module("transformers")  # of an environment of its own
    wanted = (BASE | given) if not {"n_embd", "d_model"} & given.keys() else given
    if family in PLAIN:
        wanted = {k: v for k, v in wanted.items() if k not in PLAIN[family]}
    try:
        config = library.AutoConfig.for_model(family, **wanted)
    except ValueError:
        return None
    with torch.device("meta"):
        model = library.AutoModelForCausalLM.from_config(config)
    kinds: dict[str, list[int]] = {}
    n_experts, top_k = experts(config)
    routed = common = 0
    for name, parameter in model.named_parameters():
        if PASSED.search(name) or parameter.dim() < 2:
            continue
        is_routed = (
            n_experts > 1
            and re.search(r"experts\.|experts$|block_sparse_moe\.(input|output)_linear", name)
            and "shared" not in name
        )
        kinds.setdefault(re.sub(r"\.\d+\.", ".*.", name), []).append(parameter.numel())
        if is_routed:
            routed += parameter.numel()
        else:
            common += parameter.numel()
    if "-v" in sys.argv:
        for name, sizes in kinds.items():
            print("   ", name, len(sizes), sizes[0])
    stored = json.loads(config.to_json_string(use_diff=True))
    return {
        "config": stored,
        "n_active": round(common + routed * top_k / max(n_experts, 1)),
        "n_total": common + routed,
        "n_experts": n_experts,
        "top_k": top_k,
    }


def experts(config: Any) -> tuple[int, int]:
    """Returns the routed experts of a layer and how many a token passes, 1 and 1 for dense models."""
    inner = getattr(config, "ffn_config", config) if config.model_type == "dbrx" else config
    names = ("num_local_experts", "n_routed_experts", "moe_num_experts", "num_experts")
    tops = ("num_experts_per_tok", "moe_k", "moe_top_k", "moe_topk")
    n = next((getattr(inner, a) for a in names if getattr(inner, a, None)), 1)
    k = next((getattr(inner, a) for a in tops if getattr(inner, a, None)), 1)
    return int(n), int(k[0] if isinstance(k, list) else k)


def main() -> None:
    """Writes the counts of all families."""
    found: dict[str, Any] = {}
    for family, given in FAMILIES.items():
        try:
            counted = count(family, given)
        except Exception as error:
            print(f"{family}: {type(error).__name__}: {error}"[:300])
            continue
        print(family, "not in this release" if counted is None else {k: v for k, v in counted.items() if k != "config"})
        if counted is not None:
            found[family] = counted
    OUT.write_text(json.dumps({"transformers": import_module("transformers").__version__, "families": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
