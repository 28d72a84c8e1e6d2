"""Reads the console log of Megatron-LM and Megatron-DeepSpeed: iterations, validation lines, the dump of arguments."""

from __future__ import annotations

import re

from ..core import G_FROM_WIDTHS, Mapping, Source, Table, shape_columns, shape_sources
from .console import Steps, console_lines, plain
from .reader import Read, Reader, log_mapping

_SNIFF = re.compile(
    rb"iteration +\d+/ *\d+ \|[^\n]{0,4000}(?:\b|_)loss[^\n|]{0,40}: |validation (?:loss|results) at iteration \d+ [^\n]{0,200}\|"
)
_STEP = re.compile(r"\biteration +(\d+)/ *(\d+) \|(.*)")
_VALIDATION = re.compile(
    r"\bvalidation (?:loss|results) at iteration (\d+)(?: on (validation|test) set| \[([^\]|]{1,80})\])? *\|(.*)"
)
_ARGUMENT = re.compile(r"\s*(\w{1,60}) \.{2,80} ?(.*)")
_KEPT = re.compile(  # of a dump of hundreds, among them paths and hosts
    r"num_layers|hidden_size|(moe_)?ffn_hidden_size|num_attention_heads|num_query_groups|group_query_attention|kv_channels|swiglu"
    r"|num_experts|moe_(router_topk|layer_freq|shared_expert_intermediate_size|router_load_balancing_type|aux_loss_coeff"
    r"|z_loss_coeff)|seq_length|global_batch_size|(min_)?lr|lr_decay_style|lr_warmup_iters|weight_decay|train_(iters|samples)"
    r"|seed|padded_vocab_size|untie_embeddings_and_output_weights"
    r"|train_batch_size|moe_num_experts|moe_top_k|intermediate_size"  # GPT-NeoX
)
_UPDATED = re.compile(r"\.*\s*updated$")  # how GPT-NeoX marks what is not the default
_SHAPE = {
    "d_model": "hidden_size", "n_layers": "num_layers", "n_heads": "num_attention_heads", "n_kv_heads": "num_query_groups",
    "d_head": "kv_channels", "d_ff": "ffn_hidden_size", "gated": "swiglu", "n_experts": "num_experts",
    "top_k": "moe_router_topk", "d_expert": "moe_ffn_hidden_size", "d_shared": "moe_shared_expert_intermediate_size",
    "moe_layers": "moe_layer_freq",
}  # fmt: skip


def read(content: bytes, name: str) -> Read:
    """Returns one row an iteration; validation losses in columns of their own, arguments as columns."""
    steps = Steps(name, "iteration")
    found = steps.settings
    for line in console_lines(content, name, steps.notes):
        if match := _STEP.search(line.text):
            row = {"iteration": match[1]}
            for part in match[3].split("|"):
                key, _, value = part.rpartition(":")
                if key.strip():
                    row[key.strip()] = plain(value.strip())
            steps.add(line, {k: v.removesuffix("TFLOPS") for k, v in row.items()})
        elif match := _VALIDATION.search(line.text):
            suffix = f" {match[2] or match[3]}" if match[2] == "test" or match[3] else ""
            losses = dict(re.findall(r"([\w -]{1,60}) value: *(\S{1,40})", match[4]))
            if losses:
                steps.add(line, {"iteration": match[1]} | {f"{k.strip()} validation{suffix}": v for k, v in losses.items()})
        elif (match := _ARGUMENT.match(line.text)) and _KEPT.fullmatch(match[1]) and len(match[2]) < 200:
            found[match[1]] = _UPDATED.sub("", match[2]).strip()
    if found:
        steps.notes.append("The log's own arguments are taken: those of the model's shape, the batch and the optimizer.")
    return steps.read("iteration", _complete)


def _complete(given: dict[str, str]) -> dict[str, str]:
    """Returns a training's arguments without those that hold for mixtures alone where it is dense, with N counted from its shape."""
    found = dict(given)
    if found.get("num_experts") in ("None", "0"):
        found["num_experts"] = "0"  # dense
        for key in [k for k in found if k.startswith("moe_")]:
            del found[key]
    if found.get("group_query_attention") != "True":
        found.pop("num_query_groups", None)
    return found | shape_columns({q: found[key] for q, key in _SHAPE.items() if key in found})


def mapping(table: Table) -> Mapping:
    """Returns the mapping: the language model's own loss, never plus an auxiliary one; D = consumed samples x seq_length."""
    by_batch = "D = iteration x global batch size x seq_length: right without a ramp-up of the batch"
    tokens = [
        Source("consumed tokens"),
        Source("consumed samples", times=("seq_length",), rule="D = consumed samples x seq_length"),
        Source("iteration", times=("global batch size", "seq_length"), rule=by_batch),
        Source("iteration", times=("train_batch_size", "seq_length"), rule="D = iteration x train_batch_size x seq_length"),
    ]
    return log_mapping(
        table,
        {
            "step": [Source("iteration")],
            "tokens": tokens,
            "d_model": [Source("hidden_size")],
            "n_layers": [Source("num_layers")],
            "n_experts": [Source("num_experts"), Source("moe_num_experts")],
            "top_k": [Source("moe_router_topk"), Source("moe_top_k")],
            "granularity": [Source("ffn_hidden_size", per="moe_ffn_hidden_size", rule=G_FROM_WIDTHS)],
            "seed": [Source("seed")],
            **shape_sources(),
        },
    )


READER = Reader("megatron", "Megatron-LM log", lambda head: _SNIFF.search(head) is not None, read, mapping)
