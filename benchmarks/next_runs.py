"""Compares the suggested runs with the naive isoFLOP grid of the same cost: `python -m benchmarks.next_runs [--write]`.

For every planted law and every replication: noise is drawn, a law fitted to the first runs, next runs suggested for a budget,
both the suggested ones and the naive grid simulated from the planted truth with noise, and the law fitted again to all runs.
Counted is the variance over the replications of ln N_opt at 100 times the largest of the first runs. Both designs cost the
same, keep to the same sizes around the optimum, and neither has a larger run than the other. --write puts the table into
docs/next_runs.md.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import lawlib
from benchmarks.coverage import published, with_rules
from lawlib.laws import KRAJEWSKI_TOTAL
from lawlib.planner import isoflop_grid, suggest_runs

SIGMA = 0.005
"""Noise of ln L."""
FAR = 100.0
NARROW = 4.0
"""A second naive grid: sizes from 1/4 to 4 of the optimum."""


@dataclass(frozen=True)
class Problem:
    """A planted law, the runs that were made already, and how much more is to be spent, in units of their cost."""

    name: str
    truth: lawlib.FittedLaw
    first: pd.DataFrame
    times: float
    expansion: float | None = None
    granularity: float | None = None


def first_runs(
    truth: lawlib.FittedLaw, slices, sizes: int, expansions=(None,), granularities=(None,), spread=4.0
) -> pd.DataFrame:
    """IsoFLOP slices of the planted law, at each E and G."""
    rows = []
    for c in slices:
        for e in expansions:
            for g in granularities:
                best = lawlib.compute_optimal(truth, c, e, g)
                for n in best.n_active * np.geomspace(1 / spread, spread, sizes):
                    d = c / float(truth.flops_rule.flops(n, 1.0, e or truth.expansion or 1.0, g or 1.0))
                    rows.append((n, d, e or truth.expansion or 1.0, g or 1.0, c))
    runs = pd.DataFrame(rows, columns=["n_active", "tokens", "expansion", "granularity", "flops"])
    share = KRAJEWSKI_TOTAL.value if truth.law.name == "fine_grained" else 0.0
    return runs.assign(n_total=runs["n_active"] * (1 - share + share * runs["expansion"]))


def problems(n_random: int) -> Iterator[Problem]:
    """Random Chinchilla laws with few or many first runs, then the fine-grained and the joint law as printed."""
    rng = np.random.default_rng(20261124)
    form = published("besiroglu2024")
    for i in range(n_random):
        alpha, beta, floor = rng.uniform(0.25, 0.45), rng.uniform(0.25, 0.45), rng.uniform(1.4, 2.0)
        n, ratio = 2e8, rng.uniform(10, 60)
        rise = rng.uniform(0.6, 1.2)
        params = {"L_inf": floor, "alpha": alpha, "beta": beta, "A": rise * n**alpha}
        params["B"] = rise * alpha / beta * (n * ratio) ** beta  # the optimum at 6 N² ratio FLOPs is N = n, D = n·ratio
        truth = replace(with_rules(form), theta=form.law.theta(params), source=None)
        slices, sizes, times = [(np.geomspace(1e18, 1e19, 3), 5, 10.0), (np.geomspace(3e17, 3e19, 5), 7, 3.0)][i % 2]
        name = f"chinchilla {i + 1}: alpha {alpha:.2f}, beta {beta:.2f}"
        yield Problem(name, truth, first_runs(truth, slices, sizes), times)
    fine = with_rules(published("krajewski2024-moe-e64"))
    runs = first_runs(fine, np.geomspace(1e18, 1e20, 3), 5, granularities=(1.0, 4.0, 16.0))
    for times in (3.0, 10.0):
        yield Problem("fine_grained, Krajewski E = 64, decided at G = 16", fine, runs, times, None, 16.0)
    joint = published("ludziejewski2025")
    joint = replace(joint, source=None)
    runs = first_runs(joint, np.geomspace(1e18, 1e20, 3), 5, expansions=(1.0, 4.0, 16.0))
    for e in (1.0, 16.0):
        yield Problem(f"joint, Ludziejewski, decided at E = {e:g}", joint, runs, 3.0, e)


def replicate(problem: Problem, seed: int) -> dict[str, float]:
    """ln N_opt after the suggested runs and after each naive grid, and the advantage that the first fit promises."""
    rng = np.random.default_rng([seed, 7])
    target = FAR * float(problem.first["flops"].max())
    known_e = problem.expansion if problem.truth.law.has_expansion else None
    known_g = problem.granularity if "G" in problem.truth.law.variables else None

    def optimum(law: lawlib.FittedLaw) -> np.ndarray:
        return np.asarray(lawlib.compute_optimal(law, target, known_e, known_g).n_active)

    def made(runs: pd.DataFrame) -> pd.DataFrame:
        return runs.assign(loss=problem.truth.predict(runs) * np.exp(SIGMA * rng.normal(size=len(runs))))

    def fitted(runs: pd.DataFrame) -> lawlib.FittedLaw:
        found = lawlib.fit(runs, problem.truth.law, objective="squared_log")
        return replace(found, flops_rule=problem.truth.flops_rule, total_rule=problem.truth.total_rule)

    first = made(problem.first)
    fit = fitted(first)
    flops = problem.times * float(problem.first["flops"].sum())
    found = suggest_runs(fit, flops, optimum, known_e, known_g)
    narrow = isoflop_grid(fit, flops, known_e, known_g, NARROW)
    designs = {"suggested": found.runs, "grid": found.grid, "narrow": narrow}
    out = {"promised": found.advantage, "n_runs": float(len(found.runs)), "cost": found.flops / float(found.grid["flops"].sum())}
    for name, runs in designs.items():
        try:
            after = fitted(pd.concat([first, made(runs)], ignore_index=True))
            out[name] = float(np.log(optimum(after)))
        except lawlib.LawlibError:
            out[name] = np.nan
    return out | {"truth": float(np.log(optimum(problem.truth)))}


def variance(values: np.ndarray) -> float:
    """Returns the variance over the replications; infinite where a fit has no optimum, as that is no answer."""
    return float(np.var(values, ddof=1)) if np.isfinite(values).all() else np.inf


def row(problem: Problem, records: list[dict]) -> dict:
    frame = pd.DataFrame(records)
    var = {d: variance(frame[d].to_numpy()) for d in ("suggested", "grid", "narrow")}
    with np.errstate(invalid="ignore"):
        return {
            "problem": problem.name,
            "first runs": len(problem.first),
            "spent": problem.times,
            "suggested runs": frame["n_runs"].median(),
            "cost": frame["cost"].max(),
            "sd suggested": var["suggested"] ** 0.5,
            "sd grid": var["grid"] ** 0.5,
            "sd narrow": var["narrow"] ** 0.5,
            "bias suggested": float((frame["suggested"] - frame["truth"]).mean()),
            "var": var["suggested"],
            "var grid": var["grid"],
            "var narrow": var["narrow"],
            "ratio": var["grid"] / var["suggested"],
            "ratio narrow": var["narrow"] / var["suggested"],
            "promised": frame["promised"].median(),
        }


def summary(table: pd.DataFrame) -> str:
    med = table[["var", "var grid", "var narrow", "ratio", "ratio narrow"]].median()
    return (
        f"Median variance of ln N_opt at {FAR:g}x compute over the {len(table)} problems: {med['var']:.3g} after the suggested runs, "
        f"{med['var grid']:.3g} after the grid of the same cost ({med['var grid'] / med['var']:.2f}x) and {med['var narrow']:.3g} after the "
        f"narrower grid ({med['var narrow'] / med['var']:.2f}x). Median ratio of a problem: {med['ratio']:.2f}x and "
        f"{med['ratio narrow']:.2f}x; lowest {table['ratio'].min():.2f}x and {table['ratio narrow'].min():.2f}x."
    )


def markdown(table: pd.DataFrame, replications: int) -> str:
    lines = [
        "# Do the suggested next runs help?",
        "",
        f"Printed by `python -m benchmarks.next_runs --write` on {datetime.date.today().isoformat()}: planted laws, noise of {SIGMA:.1%} "
        f"of the loss, {replications} replications a problem, each simulated and refitted (squared error on ln L). Spread is the standard "
        f"deviation of ln N_opt at {FAR:g} times the largest of the first runs. The grid has three slices half a decade apart with seven "
        "sizes each from 1/6 to 6 of the optimum, at the E and G of the decision; the narrower one goes from 1/4 to 4. Suggested runs cost "
        "no more than the grid in all and none more than its largest run, and keep to its sizes; “promised” is the ratio that the "
        "linearised first fit gives, “spent” the cost in units of the first runs' cost.",
        "",
        summary(table),
        "",
        "| problem | first runs | spent | suggested runs | spread: suggested | grid | narrower grid | bias | variance ratio to grid | "
        "to narrower | promised |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in table.to_dict("records"):
        lines.append(
            f"| {r['problem']} | {r['first runs']} | {r['spent']:g}x | {r['suggested runs']:g} | {r['sd suggested']:.3f} | {r['sd grid']:.3f} | "
            f"{r['sd narrow']:.3f} | {r['bias suggested']:+.3f} | {r['ratio']:.2f}x | {r['ratio narrow']:.2f}x | {r['promised']:.2f}x |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--random", type=int, default=16, help="random Chinchilla laws")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rows = []
    for problem in problems(args.random):
        rows.append(row(problem, [replicate(problem, seed) for seed in range(args.replications)]))
        print(f"{problem.name}: {rows[-1]['ratio']:.2f}x, promised {rows[-1]['promised']:.2f}x", file=sys.stderr)
    table = pd.DataFrame(rows)
    print(table.drop(columns=["var", "var grid", "var narrow"]).to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    print(summary(table))
    if args.write:
        Path("docs/next_runs.md").write_text(markdown(table, args.replications))


if __name__ == "__main__":
    main()
