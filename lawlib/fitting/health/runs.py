"""Diagnostics of the experimental design: range of N, D, E and G, isoFLOP slices, agreement of approaches 1 to 3."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...errors import OptimumError
from ...laws import Finding, run_arrays
from ...numbers import count, flops
from ...optimum import compute_optimal, envelope_optima, isoflop_optima
from ..result import Fit

MIN_RAY_SPREAD = 3.0
"""Largest over smallest tokens per parameter below which the runs lie on one ray."""
MIN_DECADES = 1.0
"""Decades of N, D or C below which an exponent rests on too short a lever."""
MIN_VALUES = 4
"""Different values of E or G below which their exponents are guesses."""
MAX_DISAGREEMENT = 0.4
"""Difference of ln N_opt between the law and the isoFLOP parabolas (or the envelope) above which they disagree."""


def coverage(fitted: Fit) -> list[Finding]:
    runs, out = fitted.fit.runs, []
    variables = fitted.law.variables
    size = fitted.law.count
    if "N" in variables and "D" in variables:
        ratio = (runs["tokens"] / runs[size]).to_numpy(dtype=float)
        spread = float(np.max(ratio) / np.min(ratio))
        if spread < MIN_RAY_SPREAD:
            out.append(
                Finding(
                    "one-ray",
                    "warning",
                    f"Tokens per parameter span a factor of only {spread:.2g} (below {MIN_RAY_SPREAD:g}): on one ray of D/N "
                    "the size and data terms cannot be told apart.",
                    "Add runs that are over- and under-trained at the same compute.",
                )
            )
    for variable, column, word in (("N", size, "size"), ("D", "tokens", "training tokens")):
        if variable in variables:
            decades = float(np.log10(runs[column].max() / runs[column].min()))
            if decades < MIN_DECADES:
                out.append(
                    Finding(
                        f"short-{variable}",
                        "warning",
                        f"The runs span {decades:.2f} decades of {word} (below {MIN_DECADES:g}): "
                        "its exponent rests on a short lever.",
                        f"Add runs with more and less {word}.",
                    )
                )
    for variable, column, word in (("Ehat", "expansion", "E"), ("G", "granularity", "G")):
        if variable in variables:
            n_values = runs[column].nunique()
            if n_values < MIN_VALUES:
                out.append(
                    Finding(
                        f"few-{word}",
                        "warning",
                        f"There are {n_values} different values of {word} (below {MIN_VALUES}): its curvature is a guess.",
                        f"Add runs at other {word}.",
                    )
                )
    return out


def pooled(fitted: Fit) -> list[Finding]:
    out = []
    for column, variables, word in (("expansion", {"Ehat", "A"}, "E"), ("granularity", {"G"}, "G")):
        if variables & set(fitted.law.variables) or column not in fitted.fit.runs:
            continue
        values = np.sort(fitted.fit.runs[column].dropna().unique())
        if len(values) > 1:
            out.append(
                Finding(
                    f"pooled-{word}",
                    "warning",
                    f"Runs of {len(values)} different {word} ({values[0]:g} to {values[-1]:g}) are pooled by a law without {word}.",
                    f"Filter to one {word}, or choose a law that has it.",
                )
            )
    for column, word in (("n_experts", "expert counts"), ("top_k", "top-k"), ("loss_name", "losses")):
        if column not in fitted.fit.runs or (column != "loss_name" and fitted.law.has_expansion):
            continue
        values = fitted.fit.runs[column].dropna().unique()
        explained = column != "loss_name" and any(f.code == "pooled-E" for f in out)
        if len(values) > 1 and not explained:
            shown = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in sorted(values)[:4])
            out.append(
                Finding(
                    f"pooled-{column}",
                    "warning",
                    f"Runs of {len(values)} different {word} ({shown}{', ...' if len(values) > 4 else ''}) are pooled as if they were alike.",
                    f"Filter to one, or make sure that the {word} do not matter here.",
                )
            )
    return out


def isoflops(fitted: Fit) -> list[Finding]:
    where = largest_budget(fitted)
    if where is None or fitted.count != "n_active" or {"Ehat", "A", "G"} & set(fitted.law.variables):
        return []
    found, out = isoflop_optima(fitted.fit.runs, n_resamples=2), []
    if found is not None:
        bad = found.slices[~(found.slices["inside"] & found.slices["opens_up"])]
        if len(bad):
            listed = ", ".join(
                f"{flops(r.flops)} ({'opens downwards' if not r.opens_up else 'minimum outside'})" for r in bad.itertuples()
            )
            out.append(
                Finding(
                    "isoflop-shape",
                    "warning",
                    f"{len(bad)} of {len(found.slices)} isoFLOP slices have no minimum between their sizes: {listed}.",
                    "Extend these slices with smaller or larger models until the loss rises on both sides.",
                )
            )
        out += _disagreement(
            fitted, found.slices[found.slices["inside"] & found.slices["opens_up"]], "isoFLOP parabolas (approach 2)"
        )
    envelope = envelope_optima(fitted.fit.runs, n_resamples=2)
    if envelope is not None:
        out += _disagreement(fitted, envelope.slices, "envelope of the runs (approach 1)")
    return out


def _disagreement(fitted: Fit, slices: pd.DataFrame, words: str) -> list[Finding]:
    if slices.empty:
        return []
    try:
        law = np.asarray(compute_optimal(fitted, slices["flops"].to_numpy()).n_active)
    except OptimumError:
        return []
    difference = np.log(law) - np.log(slices["n_opt"].to_numpy())
    worst = int(np.argmax(np.abs(difference)))
    if abs(difference[worst]) <= MAX_DISAGREEMENT:
        return []
    row = slices.iloc[worst]
    return [
        Finding(
            "approaches-disagree",
            "warning",
            f"At {flops(row['flops'])} FLOPs the law's optimal size is {count(law[worst])}, that of the {words} {count(row['n_opt'])} "
            f"(ratio above {np.exp(MAX_DISAGREEMENT):.2g}).",
            "One of them is biased there: look at the isoFLOP page before choosing a size.",
        )
    ]


def largest_budget(fitted: Fit) -> tuple[float, float | None] | None:
    """Returns the data's largest compute and the E to evaluate the law at; None for data or laws without a compute optimum."""
    if "D" not in fitted.law.variables or "flops" not in fitted.ranges:
        return None
    expansion = None
    if fitted.law.has_expansion:
        expansion = float(np.median(run_arrays(fitted.law, fitted.fit.runs)[3]))
    return fitted.ranges["flops"][1], expansion
