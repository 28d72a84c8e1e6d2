"""Diagnostics of the parameters: status of the fit, agreement of starts, flat directions, what is not identified."""

from __future__ import annotations

import numpy as np

from ...errors import OptimumError
from ...laws import Finding
from ...numbers import flops
from ...optimum import compute_optimal
from ..identification import WEAK, gap_error, gauss_newton, log_error, not_identified
from ..result import Fit
from .runs import largest_budget

MAX_CONDITION = 1e4
"""Condition number of the scaled Gauss-Newton matrix above which a direction counts as flat."""
UNMOVED = 1e-7
"""A parameter that changed by less (relative to its size) between start and end did not take part in the fit."""
FAR = 100.0
"""Times the largest compute of the data at which the optimum is asked for."""
MAX_LOSS_ERROR = 0.02
"""Standard error of ln L at the far optimum above which the law does not say what loss to expect there."""


def status(fitted: Fit) -> list[Finding]:
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


def unmoved(fitted: Fit) -> list[Finding]:
    if fitted.fit.start is None:
        return []
    end = fitted.phi
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


def flat_directions(fitted: Fit) -> list[Finding]:
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


def weak(fitted: Fit) -> list[Finding]:
    """Returns a finding for each parameter, and each extrapolated consequence, that the runs do not identify."""
    out = []
    found = not_identified(fitted)
    if found:
        listed = ", ".join(f"{name} (±{error:.0%})" if error < 10 else f"{name} (unknown)" for name, error in found.items())
        out.append(
            Finding(
                "not-identified",
                "warning",
                f"These runs do not identify {listed}: the standard error is above {WEAK:.0%} of the value, and intervals may not cover.",
                "Do not quote these parameters; a longer lever in size, tokens, E or G would identify them.",
            )
        )
    where = largest_budget(fitted)
    if where is None:
        return out
    budget, expansion = where[0] * FAR, where[1]
    try:
        errors = {
            "optimal size": (log_error(fitted, lambda law: np.asarray(compute_optimal(law, budget, expansion).n_active)), WEAK),
            "loss": (log_error(fitted, lambda law: np.asarray(compute_optimal(law, budget, expansion).loss)), MAX_LOSS_ERROR),
        }
    except OptimumError:
        return out
    if fitted.law.has_expansion and fitted.ranges.get("expansion", (2.0, 2.0))[0] == 1:
        top = fitted.ranges["expansion"][1]
        try:
            error = gap_error(fitted, fitted, where[0], top)
        except OptimumError:  # one of the two has no optimum there
            error = np.inf
        if not error <= WEAK:
            out.append(
                Finding(
                    "not-identified-gap",
                    "warning",
                    f"These runs do not identify how much compute E = {top:g} saves over dense at {flops(where[0])} FLOPs "
                    f"(standard error of its logarithm {min(error, 9.99):.2f}).",
                    "Add dense and MoE runs of equal compute, near the largest of the data.",
                )
            )
    far = [f"{name} (±{error:.0%})" for name, (error, limit) in errors.items() if not error <= limit]
    if far:
        out.append(
            Finding(
                "not-identified-far",
                "warning",
                f"At {flops(budget)} FLOPs, {FAR:g} times the largest compute of the data, these runs do not identify the {' and the '.join(far)}.",
                "Plan nearer to the data, or add runs at larger compute first.",
            )
        )
    return out


def held(fitted: Fit) -> list[Finding]:
    if not fitted.held:
        return []
    name, why = next(iter(fitted.held.items()))
    names = ", ".join(fitted.held)
    return [Finding("held", "note", f"{names} were not fitted, {why}.", f"Add runs at more values of E to fit {name}.")]
