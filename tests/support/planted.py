"""Planted runs: every law written a second time, in its paper's letters and plain numpy, and grids of runs that follow it."""

import numpy as np
import pandas as pd

from lawlib.laws import FAMILIES


def krajewski_total(n_active, expansion):
    """N_total = d² (8 E + 4) n = N_active (8 E + 4) / 12 (Krajewski 2024; a dense model is E = 1)."""
    return np.asarray(n_active, dtype=float) * (8 * np.asarray(expansion, dtype=float) + 4) / 12


def ehat(E, p):
    """The saturating expansion rate (Clark et al. 2022, section 4.2)."""
    start = 1 / (1 / p["E_start"] - 1 / p["E_max"])
    return 1 / (1 / (E - 1 + start) + 1 / p["E_max"])


def chinchilla(p, N, D, G, E):
    return p["L_inf"] + p["A"] / N ** p["alpha"] + p["B"] / D ** p["beta"]


def fine_grained(p, N, D, G, E):
    return p["c"] + (p["g"] / G ** p["gamma"] + p["a"]) / N ** p["alpha"] + p["b"] / D ** p["beta"]


def joint(p, N, D, G, E):
    e = ehat(E, p)
    size = p["a"] * e ** p["delta"] * N ** (p["alpha"] + p["gamma"] * np.log(e))
    return size + p["b"] * e ** p["omega"] * D ** (p["beta"] + p["zeta"] * np.log(e)) + p["c"]


def joint_granular(p, N, D, G, E):
    e = ehat(E, p)
    size = (p["a"] + p["g"] / G ** p["gamma_g"]) * e ** p["delta"] * N ** (p["alpha"] + p["gamma"] * np.log(e))
    return size + p["b"] * e ** p["omega"] * D ** (p["beta"] + p["zeta"] * np.log(e)) + p["c"]


def routed(p, N, D, G, E):
    n, e = np.log10(N), np.log10(ehat(E, p))
    return 10 ** (p["a"] * n + p["b"] * e + p["c"] * n * e + p["d"])


def inference_optimal(p, N, D, G, E):
    e = ehat(E, p)
    inner = p["A"] / N ** p["alpha"] + p["B"] / e ** p["beta"] + p["C"] / D ** p["gamma"] + p["F"]
    return np.exp(np.log(inner) + p["d"] * np.log(N) * np.log(e))


def sparsity(p, N, D, G, E):
    dense = 1 / E  # 1 - S = K / E
    return (
        p["a"] / N ** p["alpha"]
        + p["b"] / D ** p["beta"]
        + p["c"] / dense ** p["lambda"]
        + p["d"] / (dense ** p["delta"] * N ** p["gamma"])
        + p["e"]
    )


PAPER = {f.__name__: f for f in (chinchilla, fine_grained, joint, joint_granular, routed, inference_optimal, sparsity)}
"""Law -> its formula, from the paper's letters, N, D, G and E to the loss."""

_JOINT = {
    "a": 35.91, "alpha": -0.1889, "delta": -0.2285, "gamma": 0.0098, "b": 35.98, "beta": -0.1775, "omega": 0.5529,
    "zeta": -0.0259, "c": 1.3637,
}  # fmt: skip
_SHAPES = {"E_start": 2.0732, "E_max": 290.4521}
PARAMS: dict[str, dict[str, float]] = {
    "chinchilla": {"L_inf": 1.8, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.366},
    "fine_grained": {"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47},
    "joint": _JOINT | _SHAPES,
    "joint_granular": _JOINT | {"g": 4.0, "gamma_g": 0.6} | _SHAPES,
    "routed": {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.478},
    "inference_optimal": {
        "A": 30.0, "alpha": 0.15, "B": 0.8, "beta": 0.4, "C": 60.0, "gamma": 0.2, "F": 0.6, "d": -0.002,
    } | _SHAPES,
    "sparsity": {
        "a": 16612.5, "alpha": 0.5962, "b": 5455.67, "beta": 0.3954, "c": 0.4598, "lambda": -0.1666, "d": 17.26,
        "delta": 0.1603, "gamma": 0.1595, "e": 0.94,
    },
}  # fmt: skip
"""A planted truth for every law: its published coefficients where there are any."""

SIZES = np.geomspace(3e6, 3e9, 7)
TOKENS = np.geomspace(1e9, 1.3e11, 6)
AXES = {"G": (1.0, 2.0, 4.0, 8.0, 16.0), "E": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)}


def grid(law, params=None, sizes=SIZES, tokens=TOKENS, granularities=None, expansions=None, noise=0.0, seed=0):
    """Returns a full factorial of runs that follow `law` (by name) with these parameters and log-normal noise."""
    params = PARAMS[law] if params is None else params
    form = FAMILIES[law]
    has_g, has_e = "G" in form.variables, form.has_expansion
    g = granularities if granularities is not None else AXES["G"] if has_g else (1.0,)
    e = expansions if expansions is not None else AXES["E"] if has_e else (64.0,) if has_g else (1.0,)
    d = (130e9,) if law == "routed" and tokens is TOKENS else tokens
    n_active, D, G, E = (np.ravel(a) for a in np.meshgrid(sizes, d, np.array(g), np.array(e), indexing="ij"))
    total = n_active * E if law == "sparsity" else krajewski_total(n_active, E)
    N = total if form.count == "n_total" else n_active
    loss = PAPER[law](params, N, D, G, E) * np.exp(noise * np.random.default_rng(seed).normal(size=len(N)))
    return pd.DataFrame(
        {
            "name": [f"run {i}" for i in range(len(N))],
            "n_active": n_active,
            "n_total": total,
            "tokens": D,
            "granularity": G,
            "expansion": E,
            "flops": 6 * n_active * D,
            "loss": loss,
        }
    )


def sweep(seed=0, noise=0.001):
    """Returns a SIMULATED sweep like the bundled one: (runs, curves) of dense and MoE runs, each with its own D and cosine schedule.

    Final losses follow `joint_granular` (E and G of dense runs are 1); before its end a run lies above the law at its tokens
    so far by what its learning rate has not decayed yet.
    """
    sizes, tokens = (1e6, 3e6, 1e7), (1e8, 3e8, 1e9)
    shapes = [(1.0, 1.0), *((e, 1.0) for e in (2.0, 4.0, 8.0, 16.0, 32.0)), *((8.0, g) for g in (2.0, 4.0, 8.0))]
    rows = [(n, d, e, g, s) for n in sizes for d in tokens for e, g in shapes for s in range(2 if (n, d) == (3e6, 3e8) else 1)]
    n, d, e, g, seeds = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    rng = np.random.default_rng(seed)
    names = [f"n{a:.0e} d{b:.0e} E{c:g} G{h:g} s{s:g}" for a, b, c, h, s in rows]
    share = np.geomspace(0.01, 1.0, 24)
    t = d[:, None] * share
    law = joint_granular(PARAMS["joint_granular"], n[:, None], t, g[:, None], e[:, None])
    rate = 0.5 * (1 + np.cos(np.pi * share))
    loss = (law + 0.08 * rate) * np.exp(noise * rng.normal(size=(len(n), 1)))
    runs = pd.DataFrame(
        {
            "name": names, "arch": np.where(e > 1, "moe", "dense"), "n_active": n, "n_total": krajewski_total(n, e), "n_experts": e * g,
            "top_k": g, "granularity": g, "expansion": e, "tokens": d, "flops": 6 * n * d * (1 + 0.01 * g), "loss": loss[:, -1],
            "loss_name": "val/loss", "seed": seeds,
        }
    )  # fmt: skip
    runs["run_id"] = [f"sim{i:03d}" for i in range(len(runs))]
    per_token = (runs["flops"] / runs["tokens"]).to_numpy()[:, None]
    curves = pd.DataFrame(
        {
            "run_id": np.repeat(runs["run_id"].to_numpy(), len(share)), "step": (t / 1e5).ravel(), "tokens": t.ravel(),
            "flops": (per_token * t).ravel(), "split": "val/loss", "loss": loss.ravel(),
        }
    )  # fmt: skip
    return runs, curves
