"""What a careful reader would hold against a fit, each finding with its threshold and its remedy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .ensemble import fit_model
from .laws import FittedLaw
from .laws.law import Array
from .objective import Objective

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
    found = [*_status(fitted), *_flat_directions(fitted), *_coverage(fitted), *_trends(fitted), *_held(fitted)]
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
