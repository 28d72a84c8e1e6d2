"""`python -m sweep.smoke`: four tiny runs, dense and mixtures of experts, on a short text that comes with Python.

They go through the same worker and the same record as the sweep, in a folder that is thrown away; every loss must fall
well below that of a uniform guess, ln 256 = 5.55 nats, and a second call of the worker must find nothing left to do.
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import torch

from lawlib.architecture import Transformer
from sweep.model import VOCABULARY
from sweep.text import python_topics
from sweep.train import Run
from sweep.worker import work

KINDS = ((1, 1), (4, 1), (4, 2), (8, 4))
"""(E, G)."""


def main() -> None:
    torch.set_num_threads(1)
    text = python_topics()
    planned = [
        Run(Transformer(32, 1, 128, n_experts=e * g, top_k=g, granularity=g, vocabulary=VOCABULARY), 1.5e10, 8, 6e-3)
        for e, g in KINDS
    ]
    with tempfile.TemporaryDirectory() as folder:
        results, locks = Path(folder) / "runs.jsonl", Path(folder) / "locks"
        work(planned, text, results, locks)
        work(planned, text, results, locks)
        records = [json.loads(line) for line in results.read_text().splitlines()]
    if [r["name"] for r in records] != [r.name for r in planned]:
        raise SystemExit(f"Not every run was recorded once: {[r['name'] for r in records]}")
    for record in records:
        if record["status"] != "finished" or not record["loss"] < 0.7 * math.log(VOCABULARY):
            raise SystemExit(f"{record['name']} did not learn: {record['loss']}")
    print(f"{len(records)} runs trained and recorded.")


if __name__ == "__main__":
    main()
