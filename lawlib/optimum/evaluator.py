"""Writes a law as plain data, with which another program, such as the page's JavaScript, computes the same numbers.

    ln L = logsumexp_k sum_j scale_kj · theta_j · prod(variables_kj)

Strings, numbers and lists only, so that it goes through JSON. A law of a new form needs no new code on the other side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..laws import LIMIT, FittedLaw, FlopsRule, TotalRule
from .allocation import granularities_of
from .extrapolation import SLACK, checked

LOWEST = -1e300
"""ln 0 as JSON can write it."""


def portable(law: FittedLaw) -> dict[str, Any]:
    """Returns a single law as data.

    Keys: terms, a list a term of [index into theta, scale, variables]; theta; shapes, (ln q, ln E_max) of Ehat or None;
    flops, [ln coefficient, power of N_active, whether E·G multiplies it] of each monomial of FLOPs per token; total,
    [kind, value, power] of ln N_total or None; takes, the count of N in the terms; count, the count of its source;
    expansion, the one E it holds at; has_e, has_g, has_d; granularities tried for the best; ranges of the data, checked, the
    quantities that bound it, and slack. Raises ValueError for an ensemble.
    """
    if law.n_samples is not None:
        raise ValueError("An ensemble has no portable form: take one of its laws, `ensemble.law.at(i)`.")
    form = law.law
    terms: list[list] = [[] for _ in form.terms]
    for entry in form.entries:
        terms[entry.term].append([entry.parameter, entry.scale, list(entry.variables)])
    return {
        "terms": terms,
        "theta": [max(float(v), LOWEST) for v in law.theta],
        "shapes": np.clip(law.shapes, -LIMIT, LIMIT).tolist() if form.has_shapes else None,
        "flops": _flops(law.flops_rule),
        "total": _total(law.total_rule),
        "takes": form.count,
        "count": law.count,
        "expansion": law.expansion,
        "has_e": form.has_expansion,
        "has_g": "G" in form.variables,
        "has_d": "D" in form.variables,
        "granularities": granularities_of(law).tolist() if "G" in form.variables else [],
        "ranges": {quantity: list(pair) for quantity, pair in law.ranges.items()},
        "checked": checked(law),
        "slack": SLACK,
    }


def _flops(rule: FlopsRule) -> list[list]:
    """Returns the rule's monomials; evaluated at two ratios, their coefficients show which of them the router's E·G multiplies."""
    pairs = zip(rule.terms(0.0), rule.terms(1.0), strict=True)
    return [[float(c), float(p), bool(float(moved) != float(c))] for (c, p), (moved, _) in pairs]


def _total(rule: TotalRule) -> list | None:
    """Returns a rule that is affine in ln N_active; the terms take no other."""
    return [rule.kind, float(rule.value), float(rule.power)] if rule.kind in ("share", "power") else None
