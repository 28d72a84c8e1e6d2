"""Counts N from a model's shape in its configuration, for logs that give no parameter counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lawlib.architecture import attention_weights, weight_counts

from .mapping import N_FROM_SHAPE, Source

N_ACTIVE, N_TOTAL = "N active by shape", "N total by shape"


def shape_columns(given: Mapping[str, Any]) -> dict[str, str]:
    """Returns the columns `N_ACTIVE` and `N_TOTAL` of a shape, as text; none where the shape is not known well enough.

    `given` may hold d_model, n_layers, n_heads, n_kv_heads, d_head, attention (weights a layer), d_ff, gated, n_experts,
    top_k, d_expert, d_shared, and the MoE layers as `moe_layers` (every n-th, or a list of 0 and 1) or `n_moe_layers`.
    """
    d, layers = _number(given.get("d_model")), _number(given.get("n_layers"))
    d_ff, heads = _number(given.get("d_ff")), _number(given.get("n_heads"))
    experts, top_k = _number(given.get("n_experts")) or 1.0, _number(given.get("top_k"))
    attention = _number(given.get("attention"))
    if attention is None and d and heads:
        attention = attention_weights(d, heads, _number(given.get("n_kv_heads")), _number(given.get("d_head")))
    n_moe = _moe_layers(given, layers) if experts > 1 else 0.0
    d_expert = _number(given.get("d_expert")) or d_ff
    if not d or not layers or not attention or (experts > 1 and (not top_k or not d_expert)) or n_moe is None:
        return {}
    if not d_ff and n_moe < layers:
        return {}
    active, total = weight_counts(
        d,
        layers,
        d_ff or 0.0,
        attention,
        3 if str(given.get("gated", "")).lower() == "true" else 2,
        experts,
        top_k or 1.0,
        d_expert or 0.0,
        _number(given.get("d_shared")) or 0.0,
        n_moe,
    )
    if not 0 < active <= total < 1e300:
        return {}
    return {N_ACTIVE: f"{active:.0f}", N_TOTAL: f"{total:.0f}"}


def shape_sources() -> dict[str, list[Source]]:
    """Returns the sources of a log whose frame has the columns of `shape_columns`."""
    return {"n_active": [Source(N_ACTIVE, rule=N_FROM_SHAPE)], "n_total": [Source(N_TOTAL, rule=N_FROM_SHAPE)]}


def _moe_layers(given: Mapping[str, Any], layers: float | None) -> float | None:
    """Returns how many layers have experts; None where the text cannot be read."""
    if "n_moe_layers" in given:
        return _number(given["n_moe_layers"])
    text = str(given.get("moe_layers", "1"))
    each = _number(text)
    if each is not None and layers:
        return float(-(-layers // each)) if each >= 1 else None  # layer 0 has experts, then every n-th
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(pattern, list) and len(pattern) == layers and all(p in (0, 1) for p in pattern):
        return float(sum(pattern))
    return None


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):  # an integer of 400 digits is no float
        return None
    return found if 0 < found < 1e18 else None
