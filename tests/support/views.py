"""Random views of the pages: what is chosen on each, as an address gives it."""

import random

PAGES = ("overview", "isoflop", "granularity", "dense_vs_moe", "fit", "serving", "planner", "fine_grained", "compare")
PUBLISHED = ("krajewski2024-moe-e64", "krajewski2024-moe-e16", "ludziejewski2025", "besiroglu2024", "abnar2025")
SERVED = {
    "gpu": lambda rng: rng.choice(("H100 SXM", "H200 SXM")),
    "precision": lambda rng: rng.choice(("bf16", "fp8")),
    "served": lambda rng: 10 ** rng.uniform(9, 15),
    "price": lambda rng: rng.uniform(0.5, 9),
    "prompt": lambda rng: float(rng.randrange(16, 9000)),
    "output": lambda rng: float(rng.randrange(16, 900)),
    "reference": lambda rng: rng.choice((1.0, 4.0)),
    "mfu": lambda rng: rng.uniform(0.1, 0.9),
    "peak": lambda rng: rng.uniform(0.1, 0.9),
    "reach": lambda rng: rng.uniform(0.1, 0.9),
    "vocabulary": lambda rng: rng.choice((None, 256.0, 32000.0)),
    "most": lambda rng: float(rng.randrange(1, 512)),
    "pace": lambda rng: rng.choice((None, rng.uniform(1, 40))),
}
"""What is drawn on the Serving page alone."""
PLANNED = {
    "given": lambda rng: rng.choice(("flops", "time")),
    "trainers": lambda rng: rng.choice((None, 64.0, 1024.0)),
    "days": lambda rng: rng.uniform(1, 90),
    "have": lambda rng: rng.choice((None, 10 ** rng.uniform(11, 13))),
    "life": lambda rng: rng.choice((None, 10 ** rng.uniform(9, 11))),
    "goal": lambda rng: rng.choice((None, 9.5)),
    "copy": lambda rng: rng.choice((None, 8.0)),
    "at_once": lambda rng: float(rng.randrange(1, 64)),
    "step_ms": lambda rng: rng.choice((None, 250.0)),
    "sequence": lambda rng: rng.choice((2048.0, 8192.0)),
    "multiple": lambda rng: rng.choice(("64", "128")),
    "plan_e": lambda rng: rng.choice(((), (1.0, 4.0))),
    "plan_g": lambda rng: rng.choice(((), (4.0, 8.0))),
    "spend": lambda rng: rng.choice((None, 10 ** rng.uniform(20, 21))),
    "aim": lambda rng: rng.choice(("n_active", "loss")),
    "style": lambda rng: rng.choice(("qwen3_moe", "olmoe")),
    "part": lambda rng: rng.choice(("neighbours", "next", "released")),
}
"""What is drawn on the Planner page alone."""


def random_view(rng: random.Random, hashes: dict[str, list[str]]) -> tuple[str, dict]:
    """Returns a page and what is chosen on it; every field is drawn in some of the views."""
    page = rng.choice(PAGES)
    dataset = rng.choice(("marin-moe-v16", "marin-moe-v16", "marin-moe-may", "mine"))
    law = rng.choice(("chinchilla", *PUBLISHED)) if rng.random() < 0.7 else ""
    chosen = {
        "dataset": dataset,
        "budget": 10 ** rng.uniform(18, 25) if rng.random() < 0.8 else None,
        "e": rng.choice((2.0, 8.0, 1 + 20 * rng.random(), None)),
        "g": rng.choice((1.0, 4.0, 64.0, None)),
        "law": law,
        "law_g": rng.choice(("", "krajewski2024-moe-e64", "krajewski2024-moe-e16")),
        "law_e": rng.choice(("", "ludziejewski2025", "krajewski2024-moe-e64")),
        "objective": rng.choice(("huber", "squared_log", "squared")),
        "delta": rng.choice((1e-3, 1e-2, 10 ** rng.uniform(-4, -1))),
        "unit": rng.choice(("runs", "slices", "sizes")),
        "weights": rng.choice(("equal", "compute")),
        "rule": rng.choice(("", "6ND")),
        "cmin": rng.choice((None, 2e18 * rng.random() + 1e17)),
        "cmax": rng.choice((None, 9e20)),
        "arch": rng.choice(("", "dense")) if dataset == "mine" else "",
        "cut": rng.choice((None, 1e20)),
        "backtest": rng.choice(((), ("chinchilla",))),
        "optimum": rng.choice(("n_active", "tokens")),
        "against": rng.choice(("", "n_active", "tokens")),
        "by": rng.choice(("", "G", "E")),
        "along": rng.choice(("tokens", "flops")),
        "law_f": rng.choice(("", "joint_granular")),
        **{name: draw(rng) for name, draw in SERVED.items() if page == "serving"},
        **{name: draw(rng) for name, draw in PLANNED.items() if page == "planner"},
    }
    if rng.random() < 0.3:
        chosen["out"] = tuple(rng.sample(hashes[dataset], 3))
    return page, chosen
