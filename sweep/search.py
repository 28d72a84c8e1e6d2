"""The search for learning rates: dense models of each width at a few rates. `python -m sweep.search` prints and records them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from .design import shape
from .text import dictionary
from .train import Run, train

RECORD = Path(__file__).parent / "results" / "learning_rates.jsonl"
TRIED = {
    "25k": (1e11, 4, (3e-3, 6e-3, 1.2e-2, 2.4e-2)),
    "55k": (2e11, 4, (3e-3, 6e-3, 1.2e-2, 2.4e-2)),
    "98k": (3e11, 4, (3e-3, 6e-3, 1.2e-2)),
    "221k": (4e11, 4, (3e-3, 6e-3, 1.2e-2)),
    "786k": (8e11, 8, (3e-3, 6e-3)),
    "1.5M": (1.2e12, 8, (3e-3, 6e-3)),
}
"""FLOPs, sequences a step and peak rates, by size."""


def main() -> None:
    torch.set_num_threads(1)
    RECORD.parent.mkdir(exist_ok=True)
    done = (
        {json.loads(line)["name"] + str(json.loads(line)["learning_rate"]) for line in RECORD.open()}
        if RECORD.exists()
        else set()
    )
    text = dictionary()
    for size in sys.argv[1:] or TRIED:
        flops, batch, rates = TRIED[size]
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
