"""Computes what a model costs to serve, and what that means for the model to train.

    server = serving.Server(serving.Machine(serving.gpu("H100 SXM")), serving.Workload(prompt=1024, output=256))
    law = lawlib.published("ludziejewski2025")
    server.service(law, n_active=3e9, expansion=8).cost(price=2.5)      # per million tokens, at a price per GPU-hour
    serving.bounded_loss(law, 1e22, serving.EXPANSIONS, reference=4)    # Algorithm 1 of Yun 2024
    serving.bounded_cost(law, 1e22, serving.EXPANSIONS, 4, server.price(law))  # Algorithm 2

`hardware` (data sheets) and `memory` (weights, KV cache) are what everything else is computed from; `roofline` gives times, `cost`
throughput and the cheapest number of GPUs, `sizes` the shapes behind a law's N.
"""

from .algorithms import EXPANSIONS, Server, SizedModel, bounded_cost, bounded_loss, equal_loss_budget, over_training
from .answers import N_SAMPLES, Answer, answer
from .calibration import NUMBERS, SIZES, Calibration, calibrate
from .constrained import ServingLimits, best_under
from .cost import COUNTS, Service, Workload, cheapest, serve
from .hardware import GPU, PRECISIONS, gpu, gpus
from .lifetime import break_even, lifetime_optimal
from .memory import USABLE, Footprint, footprint, kv_bytes, largest_batch, mean_context, weight_bytes
from .roofline import Machine, decode_time
from .sizes import QUERIES_PER_KEY, law_footprint
from .tables import Question

__all__ = [
    "COUNTS",
    "EXPANSIONS",
    "GPU",
    "NUMBERS",
    "N_SAMPLES",
    "PRECISIONS",
    "QUERIES_PER_KEY",
    "SIZES",
    "USABLE",
    "Answer",
    "Calibration",
    "Footprint",
    "Machine",
    "Question",
    "Server",
    "Service",
    "ServingLimits",
    "SizedModel",
    "Workload",
    "answer",
    "best_under",
    "bounded_cost",
    "bounded_loss",
    "break_even",
    "calibrate",
    "cheapest",
    "decode_time",
    "equal_loss_budget",
    "footprint",
    "gpu",
    "gpus",
    "kv_bytes",
    "largest_batch",
    "law_footprint",
    "lifetime_optimal",
    "mean_context",
    "over_training",
    "serve",
    "weight_bytes",
]

Limits, Sized = ServingLimits, SizedModel
"""The names that these two classes had at first."""
