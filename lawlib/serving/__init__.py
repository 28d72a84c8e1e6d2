"""What a model costs to serve, and what that says about the model to train.

`hardware` (data sheets) and `memory` (weights, KV cache) are what everything else stands on.
"""

from .hardware import GPU, PRECISIONS, gpu, gpus
from .memory import USABLE, Footprint, footprint, kv_bytes, largest_batch, mean_context, weight_bytes

__all__ = [
    "GPU",
    "PRECISIONS",
    "USABLE",
    "Footprint",
    "footprint",
    "gpu",
    "gpus",
    "kv_bytes",
    "largest_batch",
    "mean_context",
    "weight_bytes",
]
