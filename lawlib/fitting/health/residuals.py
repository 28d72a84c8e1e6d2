"""Diagnostics of the residuals: trends, misses at the largest compute, and single runs that move the optimum."""

from __future__ import annotations

import numpy as np

from ...errors import OptimumError
from ...laws import Finding
from ...numbers import flops
from ..influence import pulls
from ..result import Fit
from .runs import largest_budget

TREND = 3.0
"""Standard errors above which a trend of the residuals counts."""
LARGEST = 10**0.25
"""Runs whose training FLOPs are within this factor of the most are those that extrapolation starts from."""
MAX_MISS = 0.01
"""Mean residual of ln L of the largest runs above which the law misses them."""
MAX_PULL = 0.25
"""Change of ln N_opt by a single run, at the largest compute of the data, above which the optimum hangs on that run."""


def missed(fitted: Fit) -> list[Finding]:
    """Returns a finding where the law misses the runs of largest compute, from which every extrapolation starts."""
    runs, residuals = fitted.fit.runs, fitted.fit.residuals
    if "flops" not in runs or runs["flops"].nunique() < 2 or runs["flops"].isna().any():
        return []
    compute = runs["flops"].to_numpy(dtype=float)
    largest = compute >= compute.max() / LARGEST
    n, mean = int(largest.sum()), float(residuals[largest].mean())
    if n < 3 or abs(mean) <= max(MAX_MISS, TREND * float(residuals[largest].std(ddof=1)) / np.sqrt(n)):
        return []
    return [
        Finding(
            "largest-missed",
            "warning",
            f"The law lies {abs(mean):.1%} {'above' if mean > 0 else 'below'} the {n} runs of largest compute (from {flops(compute[largest].min())} "
            "FLOPs on), on average: what it says beyond them starts from there.",
            "Fit the larger runs alone (filters) or weigh runs by compute, and see whether the answer stays.",
        )
    ]


def trends(fitted: Fit) -> list[Finding]:
    runs, residuals = fitted.fit.runs, fitted.fit.residuals
    axes = {"size": runs.get(fitted.law.count), "training tokens": runs.get("tokens"), "training FLOPs": runs.get("flops")}
    if "tokens" in runs and fitted.law.count in runs:
        axes["tokens per parameter"] = runs["tokens"] / runs[fitted.law.count]
    out = []
    for word, values in axes.items():
        if values is None or not np.isfinite(values.to_numpy(dtype=float)).all() or values.nunique() < 4 or len(residuals) < 8:
            continue
        x = np.log(values.to_numpy(dtype=float))
        x = (x - x.mean()) / x.std()
        design = np.stack([np.ones_like(x), x, x * x - 1], axis=1)
        coefficients, *_ = np.linalg.lstsq(design, residuals, rcond=None)
        rest = residuals - design @ coefficients
        error = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * rest.var(ddof=3)) + 1e-300
        t = np.abs(coefficients / error)[1:]
        if t.max() > TREND and np.abs(coefficients[1:]).max() > 1e-6:
            kind = "bend" if t[1] > t[0] else "drift"
            out.append(
                Finding(
                    "trend",
                    "warning",
                    f"The residuals {kind} with {word} ({t.max():.1f} standard errors, above {TREND:g}; "
                    f"{np.abs(coefficients[1:]).max():.2%} of the loss a standard deviation).",
                    "The law's form misses something there: do not extrapolate along this axis.",
                )
            )
    return out


def pull(fitted: Fit) -> list[Finding]:
    where = largest_budget(fitted)
    if where is None:
        return []
    try:
        table = pulls(fitted, *where)
    except OptimumError:
        return []
    strong = table[table["n_pull"].abs() > MAX_PULL]
    if strong.empty:
        return []
    names = ", ".join(str(n) for n in strong.get("name", strong.index).head(3))
    more = f" and {len(strong) - 3} more" if len(strong) > 3 else ""
    return [
        Finding(
            "pull",
            "warning",
            f"{len(strong)} single runs move the optimal size at {flops(where[0])} FLOPs by more than {np.expm1(MAX_PULL):.0%} when left "
            f"out, up to {np.expm1(strong['n_pull'].abs().max()):.0%}: {names}{more}.",
            "Check these runs, and add others near the optimum so that it does not hang on single ones.",
        )
    ]
