"""Published data files that are told by their columns, with what their papers say about the columns."""

from __future__ import annotations

from collections.abc import Sequence

from .mapping import CLARK_C, CLARK_D, D_FROM_C, PARAMS_AS_ACTIVE, Mapping, Source

_SIGNATURES: dict[str, frozenset[str]] = {
    "clark2022": frozenset(
        {
            "hyper_id", "step", "loss_validation", "num_experts", "k", "flop_increase", "total_parameter_count",
            "dense_parameter_count", "flops_per_step",
        }
    ),
    "besiroglu2024": frozenset({"Model Size", "Training FLOP", "loss"}),
    "isoflop-pool": frozenset({"experiment", "tokens", "params", "budget", "loss"}),
}  # fmt: skip


def recognise(columns: Sequence[str]) -> Mapping | None:
    """The mapping of the release that has these columns, None where there is none."""
    for reader, needed in _SIGNATURES.items():
        if needed <= set(columns):
            return {"clark2022": _clark, "besiroglu2024": _besiroglu, "isoflop-pool": _isoflop}[reader](columns)
    return None


def _clark(columns: Sequence[str]) -> Mapping:
    """Clark et al. 2022 (arXiv:2202.01169), `curves.csv`: 256 sequences of 2,048 tokens a step, FLOPs forward only."""
    losses = tuple(sorted((c for c in columns if c.startswith("loss_")), key=lambda c: c != "loss_validation"))
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
