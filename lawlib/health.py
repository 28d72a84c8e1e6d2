"""What a careful reader would hold against a fit, each finding with its threshold and its remedy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .approaches import envelope_optima, isoflop_optima
from .ensemble import fit_model
from .errors import OptimumError
from .influence import pulls
from .laws import FittedLaw
from .laws.law import Array
from .numbers import count, flops
from .objective import Objective
from .optimum import compute_optimal

MAX_CONDITION = 1e4
"""Condition number of the scaled Gauss-Newton matrix above which a direction counts as flat."""
MIN_RAY_SPREAD = 3.0
"""Largest over smallest tokens per parameter below which the runs lie on one ray."""
MIN_DECADES = 1.0
"""Decades of N, D or C below which an exponent rests on too short a lever."""
MIN_VALUES = 4
"""Different values of E or G below which their exponents are guesses."""
TREND = 3.0
"""Standard errors above which a trend of the residuals counts."""
UNMOVED = 1e-7
"""A parameter that changed by less (relative to its size) between start and end did not take part in the fit."""
MAX_PULL = 0.25
"""Change of ln N_opt by a single run, at the largest compute of the data, above which the optimum hangs on that run."""
MAX_DISAGREEMENT = 0.4
"""Difference of ln N_opt between the law and the isoFLOP parabolas (or the envelope) above which they disagree."""


@dataclass(frozen=True)
class Finding:
    """code: a stable name; severity: "warning" or "note"; sentence: what was found; remedy: what to do about it."""

    code: str
    severity: str
    sentence: str
    remedy: str


def findings(fitted: FittedLaw) -> list[Finding]:
    """All findings of a fit, warnings first; empty for a published law."""
    if fitted.fit is None:
        return []
    checks = (_status, _unmoved, _flat_directions, _coverage, _pooled, _trends, _pull, _isoflops, _held)
    found = [finding for check in checks for finding in check(fitted)]
    return sorted(found, key=lambda f: f.severity != "warning")


def _status(fitted: FittedLaw) -> list[Finding]:
    assert fitted.fit is not None
    out = []
    if fitted.status != "converged":
        out.append(
            Finding(
                "status",
                "warning",
                f"The fit is {fitted.status}.",
                "Add runs that show the missing term, or choose a smaller law.",
            )
        )
    if fitted.fit.n_agreeing == 1 and fitted.fit.n_starts > 2:
        out.append(
            Finding(
                "lonely-optimum",
                "note",
                f"Only one of {fitted.fit.n_starts} starts reached the best objective.",
                "The objective has several valleys: compare with another objective before trusting single parameters.",
            )
        )
    if fitted.fit.n_dropped:
        out.append(
            Finding(
                "incomplete-runs",
                "note",
                f"{fitted.fit.n_dropped} runs miss a quantity that the law takes and were left out.",
                "Fill the missing quantities on upload, or accept the smaller sample.",
            )
        )
    return out


def gauss_newton(fitted: FittedLaw) -> Array:
    """J'J of ln L_pred in the parameters as fitted (logarithms of the positive ones), shape `(p, p)`, mean over runs."""
    assert fitted.fit is not None
    model = fit_model(fitted)
    phi = np.concatenate([fitted.theta, fitted.shapes])[None, :] if fitted.fit.fit_shapes else fitted.theta[None, :]
    state = model.evaluate(phi)
    # With ln L_obs = ln L_pred the squared objective's Hessian is 2 J'J exactly.
    _, first, second = Objective("squared_log").derivatives(state.log_pred, state.log_pred)
    weights = fitted.fit.weights / fitted.fit.weights.sum()
    _, hessian = model.curvature(state, first * weights, second * weights)
    return hessian[0] / 2


def _flat_directions(fitted: FittedLaw) -> list[Finding]:
    matrix = gauss_newton(fitted)
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(matrix / scale[:, None] / scale[None, :])
    condition = float(np.sqrt(eigenvalues[-1] / max(eigenvalues[0], 1e-300)))
    if condition <= MAX_CONDITION:
        return []
    names = [*fitted.law.linear, "E_start", "E_max"][: len(matrix)]
    direction = vectors[:, 0] / np.max(np.abs(vectors[:, 0]))
    leading = [names[i] for i in np.argsort(-np.abs(direction)) if abs(direction[i]) > 0.2]
    return [
        Finding(
            "flat-direction",
            "warning",
            f"The data cannot tell {', '.join(leading)} apart: they can move together at almost no cost "
            f"(condition number {condition:.1e}, above {MAX_CONDITION:.0e}).",
            "Read predictions inside the data's range, not these parameters; runs at other sizes and tokens would separate them.",
        )
    ]


def _coverage(fitted: FittedLaw) -> list[Finding]:
    assert fitted.fit is not None
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


def _trends(fitted: FittedLaw) -> list[Finding]:
    assert fitted.fit is not None
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


def _held(fitted: FittedLaw) -> list[Finding]:
    if not fitted.held:
        return []
    name, why = next(iter(fitted.held.items()))
    names = ", ".join(fitted.held)
    return [Finding("held", "note", f"{names} were not fitted, {why}.", f"Add runs at more values of E to fit {name}.")]


def _unmoved(fitted: FittedLaw) -> list[Finding]:
    assert fitted.fit is not None
    if fitted.fit.start is None:
        return []
    end = np.concatenate([fitted.theta, fitted.shapes]) if fitted.fit.fit_shapes else fitted.theta
    still = np.abs(end - fitted.fit.start) <= UNMOVED * np.maximum(np.abs(end), 1e-3)
    names = [n for n, s in zip([*fitted.law.linear, "E_start", "E_max"], still, strict=False) if s]
    if not names:
        return []
    return [
        Finding(
            "unmoved",
            "warning",
            f"{', '.join(names)} ended where the search had started (change below {UNMOVED:.0e}).",
            "Do not read these as fitted: add runs that depend on them, or choose a law without them.",
        )
    ]


def _pooled(fitted: FittedLaw) -> list[Finding]:
    assert fitted.fit is not None
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
    return out


def _optimum_budget(fitted: FittedLaw) -> tuple[float, float | None] | None:
    """The largest compute of the data, and the E to ask the law at; None for data or laws without a compute optimum."""
    if "D" not in fitted.law.variables or "flops" not in fitted.ranges:
        return None
    expansion = None
    if {"Ehat", "A"} & set(fitted.law.variables):
        assert fitted.fit is not None
        expansion = float(fitted.fit.runs["expansion"].median())
    return fitted.ranges["flops"][1], expansion


def _pull(fitted: FittedLaw) -> list[Finding]:
    where = _optimum_budget(fitted)
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


def _isoflops(fitted: FittedLaw) -> list[Finding]:
    where = _optimum_budget(fitted)
    if where is None or fitted.count != "n_active" or {"Ehat", "A", "G"} & set(fitted.law.variables):
        return []
    assert fitted.fit is not None
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


def _disagreement(fitted: FittedLaw, slices: pd.DataFrame, words: str) -> list[Finding]:
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
