"""Which runs the sweep trains, cheapest first."""

from __future__ import annotations

from lawlib.architecture import Transformer
from sweep.model import VOCABULARY
from sweep.train import Run

BUDGETS = (1e11, 10**11.5, 1e12, 10**12.5, 1e13)
"""Training FLOPs, 6 N_active + 14 router parameters a byte."""
BATCH = dict(zip(BUDGETS, (4, 4, 8, 8, 16), strict=True))
"""Sequences of 128 bytes a step: small ones suit so few steps. Before models saw the previous position, halving the batch from 16
to 8 to 4 each gained 0.08 nats at 3e11 FLOPs, and from 8 to 4 still 0.01 at 1e12."""
SIZES = {
    "3k": (16, 1),
    "7k": (24, 1),
    "12k": (32, 1),
    "25k": (32, 2),
    "55k": (48, 2),
    "98k": (64, 2),
    "147k": (64, 3),
    "221k": (96, 2),
    "442k": (96, 4),
    "786k": (128, 4),
}
"""d_model and blocks by non-embedding active parameters."""
RATES = {16: 1.2e-2, 24: 1.2e-2, 32: 1.2e-2, 48: 1.2e-2, 64: 6e-3, 96: 3e-3, 128: 3e-3}
"""Peak learning rate by d_model: the best of those in lawlib/data/byte_models/learning_rates.jsonl, but at 64 the lower of two 0.005 nats apart; 16 takes
that of 24."""


def shape(size: str, expansion: int = 1, granularity: int = 1) -> Transformer:
    """A dense model, or one whose every block has E·G experts of width 4 d / G, each byte going to G."""
    d, blocks = SIZES[size]
    return Transformer(
        d, blocks, 4 * d, n_experts=expansion * granularity, top_k=granularity, granularity=granularity, vocabulary=VOCABULARY
    )


SLICES = {
    BUDGETS[0]: ("3k", "7k", "12k", "25k", "55k"),
    BUDGETS[1]: ("7k", "12k", "25k", "55k", "98k"),
    BUDGETS[2]: ("25k", "55k", "98k", "147k", "221k"),
    BUDGETS[3]: ("55k", "98k", "147k", "221k", "442k"),
    BUDGETS[4]: ("98k", "147k", "221k", "442k", "786k"),
}
"""Sizes of the full isoFLOP slices."""
FULL = ((1, 1), (8, 1), (8, 4))
"""(E, G) with full slices; the first is dense."""
LADDERS = (("7k", 0), ("12k", 0), ("25k", 0), ("55k", 0), ("98k", 0), ("25k", 1), ("55k", 1), ("55k", 2))
"""(size, number of the budget) of the ladders in E at G = 1 and 4, and in G at E = 8."""
SEEDS = range(1, 5)
"""Beside seed 0."""


def runs() -> list[Run]:
    """Every run of the sweep once, cheapest first."""
    points: list[tuple[str, int, int, int, int]] = []  # size, budget, E, G, seed
    for budget, flops in enumerate(BUDGETS):
        points += [(size, budget, e, g, 0) for size in SLICES[flops] for e, g in FULL]
    points += [(size, budget, 8, 2, 0) for budget in (0, 1, 2) for size in SLICES[BUDGETS[budget]]]
    points += [(size, budget, e, g, 0) for size, budget in LADDERS for e in (2, 4, 16, 32) for g in (1, 4)]
    points += [(size, budget, 8, g, 0) for size, budget in LADDERS for g in (2, 8)]
    points += [(size, budget, e, g, 0) for size, budget in (("25k", 1), ("55k", 2)) for e in (2, 32) for g in (2, 8)]
    points += [(size, budget, 32, 4, 0) for budget in (0, 1) for size in SLICES[BUDGETS[budget]]]
    points += [(size, budget, e, g, s) for size, budget in (("12k", 0), ("25k", 0), ("25k", 1)) for e, g in FULL for s in SEEDS]
    points += [("55k", 2, e, g, s) for e, g in ((1, 1), (8, 4)) for s in SEEDS]
    points += [("25k", 1, 32, 4, s) for s in SEEDS]
    return [
        Run(shape(size, e, g), BUDGETS[budget], BATCH[BUDGETS[budget]], RATES[SIZES[size][0]], seed)
        for size, budget, e, g, seed in sorted(dict.fromkeys(points), key=lambda p: p[1])
    ]
