"""The search for learning rates: dense models of each width at a few rates. `python -m sweep.search` prints and records them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from sweep.design import shape
from sweep.text import dictionary
from sweep.train import Run, train

RECORD = Path(__file__).parents[1] / "lawlib" / "data" / "byte_models" / "learning_rates.jsonl"
TRIED = (
    ("7k", 1e11, 4, (6e-3, 1.2e-2, 2.4e-2)),
    ("12k", 1e11, 4, (6e-3, 1.2e-2, 2.4e-2)),
    ("55k", 3e11, 4, (6e-3, 1.2e-2, 2.4e-2)),
    ("98k", 6e11, 8, (6e-3, 1.2e-2)),
    ("221k", 1e12, 8, (1.5e-3, 3e-3, 6e-3, 1.2e-2)),
    ("786k", 3e12, 8, (1.5e-3, 3e-3, 6e-3)),
)
"""Size, FLOPs, sequences a step and peak rates."""


def main() -> None:
    torch.set_num_threads(1)
    RECORD.parent.mkdir(exist_ok=True)
    done = (
        {json.loads(line)["name"] + str(json.loads(line)["learning_rate"]) for line in RECORD.open()}
        if RECORD.exists()
        else set()
    )
    text = dictionary()
    for size, flops, batch, rates in TRIED:
        for rate in rates:
            run = Run(shape(size), flops, batch, rate)
            if run.name + str(rate) in done:
                continue
            record = train(run, text)
            kept = {
                k: record[k]
                for k in ("name", "d_model", "n_layers", "batch", "steps", "learning_rate", "flops", "loss", "seconds")
            }
            with RECORD.open("a") as file:
                file.write(json.dumps(kept) + "\n")
            print(f"{run.name} {rate:g} {record['loss']:.4f}", flush=True)


if __name__ == "__main__":
    main()
