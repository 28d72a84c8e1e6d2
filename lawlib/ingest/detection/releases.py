"""Recognises published data files and loggers' tables by their columns, and supplies what is known about those columns."""

from __future__ import annotations

from collections.abc import Sequence

from ..core import CLARK_C, CLARK_D, D_FROM_C, N_FROM_NAME, PARAMS_AS_ACTIVE, Mapping, Source, ranked

_SIGNATURES: dict[str, frozenset[str]] = {
    "clark2022": frozenset(
        {
            "hyper_id", "step", "loss_validation", "num_experts", "k", "flop_increase", "total_parameter_count",
            "dense_parameter_count", "flops_per_step",
        }
    ),
    "besiroglu2024": frozenset({"Model Size", "Training FLOP", "loss"}),
    "isoflop-pool": frozenset({"experiment", "tokens", "params", "budget", "loss"}),
    "gemstones": frozenset({"run_name", "params_active_precise", "width", "depth", "tokens", "step", "final_loss"}),
    "litgpt-csv": frozenset({"loss", "iter", "step", "iter_time", "total_tokens", "remaining_time"}),
    "olmo-wandb": frozenset({"throughput/total_tokens", "batch_size_in_tokens", "run"}),
    "misfitting": frozenset({"N", "D", "C", "loss", "C4 Eval Loss", "portion_steps_elapsed", "train_tokens", "sweep"}),
}  # fmt: skip


def recognise(columns: Sequence[str]) -> Mapping | None:
    """Returns the mapping of the release that has these columns, None where there is none."""
    for reader, needed in _SIGNATURES.items():
        if needed <= set(columns):
            return _MAPPINGS[reader](columns)
    return None


def _clark(columns: Sequence[str]) -> Mapping:
    """Clark et al. 2022 (arXiv:2202.01169), `curves.csv`: 256 sequences of 2,048 tokens a step, FLOPs forward only."""
    losses = ranked(columns)
    return Mapping(
        "clark2022",
        {
            "n_active": Source("dense_parameter_count", rule="the dense model's count, right for k = 1 and flop_increase = 1"),
            "n_total": Source("total_parameter_count"),
            "n_experts": Source("num_experts"),
            "top_k": Source("k"),
            "granularity": Source(value="1", rule="experts as large as the dense feed-forward layer (Clark et al. 2022)"),
            "tokens": Source("step", rule=CLARK_D),
            "flops": Source("flops_per_step", rule=CLARK_C),
            "loss": Source("loss_validation"),
            "step": Source("step"),
        }
        | {q: Source(q) for q in ("d_model", "seed") if q in columns}
        | ({"n_layers": Source("num_blocks")} if "num_blocks" in columns else {}),
        tuple(c for c in columns if c != "step" and c not in losses),
        losses,
    )


def _besiroglu(columns: Sequence[str]) -> Mapping:
    """Besiroglu et al. 2024 (arXiv:2404.10102): dense runs read off figure 4 of Hoffmann et al. 2022."""
    return Mapping(
        "besiroglu2024",
        {
            "arch": Source(value="dense", rule="all runs are dense (Hoffmann et al. 2022)"),
            "n_params": Source("Model Size"),
            "tokens": Source(rule=D_FROM_C),
            "flops": Source("Training FLOP"),
            "loss": Source("loss"),
        },
        loss_columns=("loss",),
    )


def _isoflop(columns: Sequence[str]) -> Mapping:
    """Pools of isoFLOP sweeps: one data set an `experiment`, outliers marked with their reason."""
    return Mapping(
        "isoflop-pool",
        {
            "n_params": Source("params", rule=PARAMS_AS_ACTIVE),
            "tokens": Source("tokens"),
            "flops": Source("budget", rule="the nominal budget"),
            "loss": Source("loss"),
        }
        | ({"excluded": Source("outlier")} if "outlier" in columns else {})
        | ({"exclude_reason": Source("reason")} if "reason" in columns and "outlier" in columns else {}),
        loss_columns=("loss",),
    )


def _gemstones(columns: Sequence[str]) -> Mapping:
    """McLeish et al. 2025, Gemstones (arXiv:2502.06857): dense models, a row a checkpoint."""
    return Mapping(
        "gemstones",
        {
            "name": Source("run_name"),
            "arch": Source(value="dense", rule="all runs are dense (McLeish et al. 2025)"),
            "n_active": Source("params_active_precise"),
            "d_model": Source("width"),
            "n_layers": Source("depth"),
            "tokens": Source("tokens"),
            "loss": Source("final_loss"),
            "step": Source("step"),
        },
        ("run_name",),
        ("final_loss",),
    )


def _misfitting(columns: Sequence[str]) -> Mapping:
    """Li et al. 2025, (Mis)Fitting (arXiv:2502.18969): a row a logged step, the last at portion_steps_elapsed = 1."""
    apart = tuple(c for c in ("sweep", "model", "N", "train_tokens", "total_steps", "peak_lr") if c in columns)
    return Mapping(
        "misfitting",
        {
            "arch": Source(value="dense", rule="all runs are dense (Li et al. 2025)"),
            "n_active": Source("N_no_emb" if "N_no_emb" in columns else "N"),
            "tokens": Source("D"),
            "flops": Source("C_no_emb" if "C_no_emb" in columns else "C"),
            "loss": Source("C4 Eval Loss"),
            "step": Source("portion_steps_elapsed", times=tuple(c for c in ("total_steps",) if c in columns)),
        }
        | ({"name": Source("model")} if "model" in columns else {}),
        apart,
        ranked(columns),
    )


def _olmo_wandb(columns: Sequence[str]) -> Mapping:
    """OLMo's W&B export: rows along the tokens; the size of the model stands in the file's name alone."""
    losses = ranked(columns)
    logged = "throughput/total_training_Gflops"
    flops = {"flops": Source(logged, "GFLOP")} if logged in columns else {}
    return Mapping(
        "olmo-wandb",
        {
            "name": Source("run"),
            "n_params": Source("run", rule=N_FROM_NAME),
            "tokens": Source("throughput/total_tokens"),
            "step": Source("throughput/total_tokens", per="batch_size_in_tokens", rule="step = tokens / batch_size_in_tokens"),
        }
        | flops
        | ({"loss": Source(losses[0])} if losses else {}),
        ("run",),
        losses,
    )


def _litgpt(columns: Sequence[str]) -> Mapping:
    """LitGPT's CSV logger: `tokens` are those of one device, `total_tokens` of all; validation on rows of its own."""
    name = {"name": Source("run")} if "run" in columns else {}
    losses = ranked(columns)
    return Mapping(
        "litgpt-csv",
        name | {"step": Source("step"), "tokens": Source("total_tokens"), "loss": Source(losses[0])},
        ("run",) if name else (),
        losses,
    )


_MAPPINGS = {
    "litgpt-csv": _litgpt,
    "olmo-wandb": _olmo_wandb,
    "clark2022": _clark,
    "besiroglu2024": _besiroglu,
    "isoflop-pool": _isoflop,
    "gemstones": _gemstones,
    "misfitting": _misfitting,
}
