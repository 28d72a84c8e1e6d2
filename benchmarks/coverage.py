"""Measures whether the 95 % intervals cover a planted truth: `python -m benchmarks.coverage [--replications 300]`.

For every replication noise is drawn, the law fitted, bootstrapped and asked for every parameter, the optimum inside the data,
the optimum and the loss at 100 times the largest compute, and the efficiency gap. A quantity is counted as identified where
health says so in most replications. Results are appended to --out as they come, and a second run goes on from there;
--write puts the table into docs/coverage.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import lawlib
from lawlib.fitting import WEAK, gap_error, log_error, not_identified
from lawlib.fitting.health import MAX_LOSS_ERROR
from lawlib.laws import KRAJEWSKI_TOTAL, FlopsRule
from lawlib.numerics.percentiles import central

SIGMA = 0.006
"""Noise of ln L: a little above the seed noise that the field reports."""
FAR = 100.0
N_RESAMPLES = 400
RULE = FlopsRule("6ND")


@dataclass(frozen=True)
class Design:
    """A planted law and the runs it is fitted to. quantities: name -> (function of a law, limit of its log error)."""

    name: str
    truth: lawlib.FittedLaw
    runs: pd.DataFrame
    quantities: dict[str, tuple[Callable, float]]
    dense: tuple[lawlib.FittedLaw, pd.DataFrame] | None = None
    gap_budget: float = 1e20


def published(name: str) -> lawlib.FittedLaw:
    law = lawlib.published(name)
    assert isinstance(law, lawlib.FittedLaw)
    return law


def isoflop_design() -> Design:
    """Five isoFLOP slices from 1e18 to 1e21 FLOPs, nine sizes each over a factor of 36 around the optimum."""
    truth = published("besiroglu2024")
    rows = []
    for c in np.logspace(18, 21, 5):
        best = lawlib.compute_optimal(truth, c).n_active
        rows += [(best * f, c / 6 / (best * f)) for f in np.geomspace(1 / 6, 6, 9)]
    runs = pd.DataFrame(rows, columns=["n_active", "tokens"]).assign(expansion=1.0)
    return Design("five isoFLOP slices, chinchilla (45 runs)", truth, runs, optimum_quantities(runs, None))


def krajewski_design() -> Design:
    """The 78 MoE runs of Krajewski 2024, and 24 dense runs of the same sizes and tokens (the paper's 22 are not listed)."""
    shapes = {3: (256, 4), 7: (384, 4), 13: (512, 4), 25: (512, 8), 49: (640, 10), 85: (768, 12)}
    grid = [
        (3, (16, 33, 66), (1, 2, 4, 8, 16)), (7, (16, 33, 66), (1, 2, 4, 8, 16)), (13, (16, 33, 66), (1, 2, 4, 8, 16)),
        (13, (130,), (1, 2, 4)), (25, (16, 33), (1, 2, 4, 8, 16)), (25, (66,), (1, 2, 4, 8)), (49, (16, 33), (1, 2, 4, 8, 16)),
        (49, (66,), (1, 2, 4)), (85, (33,), (1, 2, 4)),
    ]  # fmt: skip
    rows = []
    for size, tokens, granularities in grid:
        d, n = shapes[size]
        rows += [(12 * d * d * n, d * d * (8 * 64 + 4) * n, t * 1e9, g) for t in tokens for g in granularities]
    runs = pd.DataFrame(rows, columns=["n_active", "n_total", "tokens", "granularity"]).assign(expansion=64.0)
    dense_rows = [(12 * d * d * n, t * 1e9) for d, n in shapes.values() for t in (8, 16, 33, 66)]
    dense = pd.DataFrame(dense_rows, columns=["n_active", "tokens"]).assign(expansion=1.0)
    truth = published("krajewski2024-moe-e64")
    quantities = optimum_quantities(runs, 64.0)
    return Design(
        "Krajewski's grid, fine_grained (78 runs, dense 24)", truth, runs, quantities, (published("krajewski2024-dense"), dense)
    )


def clark_design() -> Design:
    """Six sizes and ten expert counts at one token count, as in Clark 2022."""
    sizes, experts = (16.5e6, 27e6, 57e6, 132e6, 368e6, 1.31e9), (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    runs = pd.DataFrame([(n, float(e)) for n in sizes for e in experts], columns=["n_active", "expansion"]).assign(tokens=1.3e11)
    far = {"loss at 100x the largest compute": (lambda law: law.loss(1.31e11, 1.3e11, 1.0, 512.0), MAX_LOSS_ERROR)}
    return Design("Clark's grid, routed (60 runs)", published("clark2022-sbase"), runs, far)


def optimum_quantities(runs: pd.DataFrame, expansion: float | None) -> dict[str, tuple[Callable, float]]:
    top = float((6 * runs["n_active"] * runs["tokens"]).max())
    middle = float(np.exp(np.log(6 * runs["n_active"] * runs["tokens"]).mean()))
    return {
        "optimal N inside the data": (lambda law: lawlib.compute_optimal(law, middle, expansion).n_active, WEAK),
        "optimal N at the largest compute": (lambda law: lawlib.compute_optimal(law, top, expansion).n_active, WEAK),
        "optimal N at 100x the largest compute": (lambda law: lawlib.compute_optimal(law, FAR * top, expansion).n_active, WEAK),
        "loss at 100x the largest compute": (lambda law: lawlib.compute_optimal(law, FAR * top, expansion).loss, MAX_LOSS_ERROR),
    }


DESIGNS = {"isoflop": isoflop_design, "krajewski": krajewski_design, "clark": clark_design}


def with_rules(law: lawlib.FittedLaw) -> lawlib.FittedLaw:
    """The same FLOPs rule for truth and fit."""
    return replace(law, flops_rule=RULE, total_rule=KRAJEWSKI_TOTAL if law.law.count == "n_total" else law.total_rule)


def replicate(design: Design, seed: int, objective: str) -> dict:
    """One replication: for every quantity whether its interval covers the truth and whether health calls it identified."""
    rng = np.random.default_rng(seed)

    def noisy(law: lawlib.FittedLaw, runs: pd.DataFrame) -> pd.DataFrame:
        return runs.assign(loss=law.predict(runs) * np.exp(SIGMA * rng.normal(size=len(runs))))

    truth = with_rules(design.truth)
    fit = with_rules(lawlib.fit(noisy(truth, design.runs), truth.law, objective=objective))
    samples = lawlib.bootstrap(fit, N_RESAMPLES, seed)
    unknown = not_identified(fit)
    out = {}
    for name, true in truth.params.items():
        low, high = samples.interval(name)
        out[name] = [bool(low <= true <= high), name not in unknown]
    for name, (quantity, limit) in design.quantities.items():
        low, high = samples.interval(quantity)
        out[name] = [bool(low <= float(quantity(truth)) <= high), log_error(fit, quantity) <= limit]
    if design.dense is not None:
        dense_truth, dense_runs = with_rules(design.dense[0]), design.dense[1]
        dense = with_rules(lawlib.fit(noisy(dense_truth, dense_runs), "chinchilla", objective=objective))
        pair = lawlib.bootstrap(dense, N_RESAMPLES, seed + 10**6)
        gaps = np.asarray(lawlib.efficiency_gap(samples.law, pair.law, design.gap_budget, 64.0))
        low, high = central(gaps, 0.95)
        true = float(lawlib.efficiency_gap(truth, dense_truth, design.gap_budget, 64.0))
        known = gap_error(fit, dense, design.gap_budget, 64.0) <= WEAK
        out[f"efficiency gap at {design.gap_budget:.0e} FLOPs"] = [bool(low <= true <= high), bool(known)]
    return out


def table(records: list[dict]) -> pd.DataFrame:
    """Coverage by design, objective and quantity; verdict: whether 90 to 98 % holds where the quantity is identified."""
    rows = [
        {"design": r["design"], "objective": r["objective"], "quantity": q, "covered": c, "identified": i}
        for r in records
        for q, (c, i) in r["results"].items()
    ]
    frame = (
        pd.DataFrame(rows)
        .groupby(["design", "objective", "quantity"], sort=False)
        .agg(replications=("covered", "size"), coverage=("covered", "mean"), identified=("identified", "mean"))
    )
    known = frame["identified"] > 0.5
    good = frame["coverage"].between(0.90, 0.98)
    frame["verdict"] = np.where(
        known, np.where(good, "covers", np.where(frame["coverage"] > 0.98, "too wide", "TOO NARROW")), "not identified"
    )
    return frame.reset_index()


def markdown(frame: pd.DataFrame) -> str:
    lines = [
        "# Do the intervals cover?",
        "",
        f"Printed by `python -m benchmarks.coverage --write` on {datetime.date.today().isoformat()}: planted laws, noise of {SIGMA:.1%} of "
        f"the loss, {N_RESAMPLES} resamples a replication, nominal 95 % percentile intervals of a bootstrap of runs. “Identified” is the share of "
        "replications in which health calls the quantity identified (standard error below half of the value; 2 % for a loss); where "
        "it does not, the interval is not claimed to cover.",
        "",
        "| design | objective | quantity | replications | coverage | identified | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in frame.itertuples():
        lines.append(
            f"| {r.design} | {r.objective} | {r.quantity} | {r.replications} | {r.coverage:.1%} | {r.identified:.0%} | {r.verdict} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=300)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS))
    parser.add_argument("--objectives", nargs="*", default=["huber", "squared_log"])
    parser.add_argument("--out", type=Path, default=Path("build/coverage.jsonl"))
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    records = [json.loads(line) for line in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {(r["key"], r["objective"], r["seed"]) for r in records}
    for key in args.designs:
        design = DESIGNS[key]()
        for objective in args.objectives:
            for seed in range(args.replications):
                if (key, objective, seed) in done:
                    continue
                results = replicate(design, seed, objective)
                record = {"key": key, "design": design.name, "objective": objective, "seed": seed, "results": results}
                records.append(record)
                with args.out.open("a") as file:
                    file.write(json.dumps(record) + "\n")
    frame = table([r for r in records if r["seed"] < args.replications])
    print(frame.to_string(index=False))
    if args.write:
        Path("docs/coverage.md").write_text(markdown(frame))


if __name__ == "__main__":
    main()
