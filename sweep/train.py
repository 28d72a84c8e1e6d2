"""Trains one run, a model once over its own D bytes with its own schedule, and records it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from lawlib.architecture import Transformer
from sweep.model import BALANCE, CONTEXT, VOCABULARY, LanguageModel, cross_entropy
from sweep.text import Text

WARM_UP, FINAL = 0.05, 0.1
"""Share of the steps with a rising rate; share of the peak rate that the cosine ends at."""
WEIGHT_DECAY, BETAS = 0.1, (0.9, 0.95)
CLIP = 1.0
POINTS = 30
"""Points of a training curve, spaced geometrically from 1/50 of the run to its end."""


@dataclass(frozen=True)
class Run:
    """What to train. `flops` is the budget (6 N_active + 14 router parameters a byte); `batch` counts sequences."""

    shape: Transformer
    flops: float
    batch: int
    learning_rate: float
    seed: int = 0

    @property
    def steps(self) -> int:
        return max(round(self.flops / self.shape.flops_per_token() / (self.batch * CONTEXT)), 1)

    @property
    def tokens(self) -> int:
        """D in bytes."""
        return self.steps * self.batch * CONTEXT

    @property
    def name(self) -> str:
        s = self.shape
        kind = "dense" if s.n_experts == 1 else f"E{s.expansion:g}-G{s.granularity:g}"
        return f"d{s.d_model}x{s.n_layers}-{kind}-C{self.flops:.3g}-s{self.seed}".replace("+", "")


def train(run: Run, text: Text) -> dict:
    """Trains `run` and gives its record: counts, final held-out loss, curve of the training loss, times. Loss in nats a byte.

    No byte is seen twice, so the training loss is measured before each byte is learned from. A run whose loss is not finite
    stops and is recorded as diverged.
    """
    began, clock = time.time(), time.process_time()
    torch.manual_seed(run.seed)
    torch.set_flush_denormal(True)
    if run.steps * run.batch > len(text.training):
        raise ValueError(f"{run.name} needs {run.tokens:,} bytes; the text has {len(text.training) * CONTEXT:,}.")
    model = LanguageModel(run.shape)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=run.learning_rate,
        betas=BETAS,
        eps=1e-9,
        fused=True,
    )
    order = np.random.default_rng(run.seed).permutation(len(text.training))
    routed, losses, dropped = run.shape.n_experts > 1, [], 0.0
    for step in range(run.steps):
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate * schedule(step, run.steps)
        batch = torch.from_numpy(text.training[order[step * run.batch : (step + 1) * run.batch]].astype(np.int64))
        loss = cross_entropy(model(batch[:, :-1]), batch[:, 1:])
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            break
        (loss + BALANCE * model.balance() if routed else loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        dropped += model.dropped() / run.steps if routed else 0.0
    trained = time.process_time() - clock
    final = evaluate(model, text)
    shape = run.shape
    return {
        "name": run.name,
        "d_model": shape.d_model, "n_layers": shape.n_layers, "n_experts": shape.n_experts, "top_k": shape.top_k,
        "granularity": shape.granularity, "expansion": shape.expansion,
        "n_active": shape.n_active, "n_total": shape.n_total, "n_router": shape.n_router,
        "batch": run.batch, "steps": run.steps, "learning_rate": run.learning_rate, "seed": run.seed,
        "budget": run.flops, "tokens": len(losses) * run.batch * CONTEXT,
        "flops": shape.flops_per_token() * len(losses) * run.batch * CONTEXT,
        "status": "finished" if math.isfinite(final) and final < math.log(VOCABULARY) else "diverged",
        "loss": final if math.isfinite(final) else None,
        "dropped": round(dropped, 5),
        "curve": curve(np.array(losses), run),
        "seconds": round(trained, 2), "evaluation_seconds": round(time.process_time() - clock - trained, 2),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "wall_seconds": round(time.time() - began, 2),
    }  # fmt: skip


def schedule(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine down to FINAL."""
    warm = max(round(WARM_UP * steps), 1)
    if step < warm:
        return (step + 1) / warm
    return FINAL + (1 - FINAL) * (1 + math.cos(math.pi * (step - warm) / max(steps - warm, 1))) / 2


def curve(losses: np.ndarray, run: Run) -> list[list[float]]:
    """[step, mean training loss of the steps since the last point] for POINTS geometrically spaced steps."""
    ends = np.unique(np.round(run.steps * np.geomspace(1 / 50, 1, POINTS)).astype(int).clip(1))
    ends = ends[ends <= len(losses)]
    starts = np.concatenate(([0], ends[:-1]))
    return [
        [int(e), round(float(losses[s:e].mean()), 5)] for s, e in zip(starts, ends, strict=True) if np.isfinite(losses[s:e]).all()
    ]


@torch.no_grad()
def evaluate(model: LanguageModel, text: Text, sequences: int = 64) -> float:
    """Mean cross-entropy in nats a byte over the held-out text."""
    model.eval()
    total = 0.0
    for batch in np.array_split(text.held_out, max(len(text.held_out) // sequences, 1)):
        part = torch.from_numpy(batch.astype(np.int64))
        total += float(cross_entropy(model(part[:, :-1]), part[:, 1:])) * len(part)
    return total / len(text.held_out)
