"""The fit of a law to runs: a global search, an exact Newton solver, and a status that says how it ended."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..errors import FitError
from ..laws import (
    FitDetails,
    FittedLaw,
    FlopsRule,
    Law,
    family,
    from_free,
    log_variables,
    published,
    rule_of,
    run_arrays,
    total_rule_of,
)
from ..numerics.arrays import Array
from ..numerics.threads import one_blas_thread
from ..runs import WEIGHTS, included, run_weights
from .health import CHECKS
from .model import Model
from .objective import Objective
from .result import Fit
from .solver import Solution, minimise
from .starts import starts, steepened

SHAPE_SOURCE = {"joint": "ludziejewski2025", "joint_granular": "ludziejewski2025", "routed": "clark2022-sbase"}
"""Where the shapes of Ehat come from while the data cannot fix them; other laws take Ludziejewski's."""
MIN_EXPANSIONS = 6
"""E_start and E_max are identified only up to an affine map of ln Ehat: fewer different E cannot fix them."""
MIN_RISE = 1.5
"""Where E_max is below so many times E_start, or that of one expert, Ehat hardly moves or is a step."""
RAN_OFF = "fitted freely it runs off towards a step, as the loss of these runs stops falling (or rises) with E"
MIN_SPREAD = 0.05
"""A quantity whose logarithm spans less is one value to a fit: it cannot carry an exponent."""
VANISHED = 1e-6
"""A term whose largest share of the loss is below this is reported as not identified."""
ROUGH_STEPS, N_POLISHED, MAX_STEPS, LAST_STEPS = 100, 6, 400, 4000
"""All starts may take `ROUGH_STEPS`; the best `N_POLISHED` of them go on, for `MAX_STEPS` more at most; where the very best has not
converged by then, it alone may take `LAST_STEPS`."""
MANY_TERMS = 5
"""Laws of as many are also started from beside their best solution, with one exponent beyond the search."""
_STARTS = {2: 3, 3: 8, 5: 48}
_QUANTITY = {
    "N": "size",
    "D": "training tokens",
    "G": "granularity",
    "Ehat": "expansion",
    "A": "expansion (experts over active experts)",
}


@one_blas_thread
def fit(
    runs: pd.DataFrame,
    law: str | Law,
    objective: str = "huber",
    delta: float = 1e-3,
    weights: str | Array | None = None,
    flops_rule: FlopsRule | str | None = None,
) -> Fit:
    """Returns the law of this form that fits the runs best, a `FittedLaw`.

    Args:
        runs: canonical columns; only those the law takes and `loss` are needed. Rows with `excluded` True are left out.
        objective: "huber" on ln L (with `delta`), "squared_log" on ln L, or "squared" on L.
        weights: a name of `weights.WEIGHTS` ("compute", "seed_variance"), a column's name, or an array `(n_runs,)`,
            non-negative; None weighs every run alike.
        flops_rule: how FLOPs follow from sizes; None finds the rule that the runs' own FLOPs follow.
    Raises:
        FitError: the runs cannot identify the law; names the parameters and the reason.
        ValueError: a missing column, an unknown law or objective, wrong weights.
    """
    law = family(law) if isinstance(law, str) else law
    found = _fit(runs, law, objective, delta, weights, flops_rule)
    if found.fit.fit_shapes and _ran_off(found):
        found = _fit(runs, law, objective, delta, weights, flops_rule, RAN_OFF)
    return found


def _ran_off(found: Fit) -> bool:
    """Whether the fitted Ehat has degenerated to a step between the lowest and the next E."""
    e_start, e_max = from_free(found.shapes)
    return not np.isfinite(found.theta).all() or bool(e_max < MIN_RISE * max(float(e_start), 1.0))


def _fit(
    runs: pd.DataFrame,
    law: Law,
    objective: str,
    delta: float,
    weights: str | Array | None,
    flops_rule: FlopsRule | str | None,
    why_held: str = "",
) -> Fit:
    """Does the work of `fit`; `why_held` is the reason to hold the shapes of Ehat whatever the runs allow."""
    goal = Objective(objective, delta)
    kept, w, dropped = _prepare(runs, law, weights)
    n, tokens, granularity, expansion = run_arrays(law, kept)
    log_loss = np.log(kept["loss"].to_numpy(dtype=float))
    _check_identified(law, {"N": n, "D": tokens, "G": granularity, "Ehat": expansion, "A": expansion}, len(kept))

    held, shapes, fit_shapes = _shapes(law, expansion, why_held)
    x, _ = log_variables(law, kept, shapes)
    model = Model(law, x, log_loss, expansion if fit_shapes else None)
    first = starts(law, x, log_loss, expansion if fit_shapes else None, n_starts(law, fit_shapes))
    if fit_shapes:
        fixed = starts(law, x, log_loss, None, 4)
        first = np.concatenate([first, np.concatenate([fixed, np.tile(shapes, (len(fixed), 1))], axis=1)])
    rough = minimise(model, goal, first, w, max_iterations=ROUGH_STEPS)
    order = np.argsort(np.where(np.isfinite(rough.value), rough.value, np.inf))
    if not np.isfinite(rough.value[order[0]]):
        raise FitError(f"No start of the {law.name} fit led to a finite objective: check the runs for extreme values.")
    front = order[: max(N_POLISHED, len(order) // 3)]
    begun = first[front]
    found = Solution(rough.phi[front], rough.value[front], rough.converged[front], 0)
    if not found.converged.all():
        found = minimise(model, goal, found.phi, w, max_iterations=MAX_STEPS)
    if len(law.terms) >= MANY_TERMS and not fit_shapes:
        beyond = steepened(law, x, log_loss, found.phi[int(np.argmin(found.value))])
        found = _joined(found, minimise(model, goal, beyond, w, max_iterations=ROUGH_STEPS))
        begun = np.concatenate([begun, beyond])
    best = int(np.argmin(found.value))
    if not found.converged[best]:
        last = minimise(model, goal, found.phi[best : best + 1], w, max_iterations=LAST_STEPS)
        found, begun = _joined(last, found), np.concatenate([begun[best : best + 1], begun])
        best = int(np.argmin(found.value))
    phi = found.phi[best : best + 1]
    state = model.evaluate(phi)
    shares = (state.share / state.total[:, None, :])[0].max(axis=1)
    theta = phi[0, : len(law.linear)]
    residuals = state.log_pred[0] - log_loss
    return Fit(
        law=law,
        theta=theta,
        shapes=phi[0, len(law.linear) :] if fit_shapes else shapes,
        flops_rule=FlopsRule(flops_rule) if isinstance(flops_rule, str) else flops_rule or rule_of(kept),
        total_rule=total_rule_of(kept),
        expansion=_single_expansion(law, kept),
        objective=float(found.value[best]),
        rmse=float(np.sqrt(np.average(residuals**2, weights=w))),
        status=_status(law, bool(found.converged[best]), shares, theta),
        held=held,
        ranges=data_ranges(kept),
        checks=CHECKS,
        fit=FitDetails(
            runs=kept,
            weights=w,
            objective_name=objective,
            delta=delta,
            n_starts=len(first),
            n_agreeing=_agreeing(found.value, 1e-6) + _agreeing(rough.value[order[len(front) :]], 1e-4, found.value[best]),
            iterations=rough.iterations + found.iterations,
            residuals=residuals,
            fit_shapes=fit_shapes,
            n_dropped=dropped,
            start=begun[best],
        ),
    )


def _joined(a: Solution, b: Solution) -> Solution:
    """Both stacks as one; what has no finite value counts as infinite."""
    value = np.concatenate([a.value, b.value])
    value = np.where(np.isfinite(value), value, np.inf)
    converged = np.concatenate([a.converged, b.converged])
    return Solution(np.concatenate([a.phi, b.phi]), value, converged, a.iterations + b.iterations)


def _weight_column(runs: pd.DataFrame, name: str) -> Array:
    if name not in runs:
        known = ", ".join([*WEIGHTS, *map(str, runs.columns)])
        raise ValueError(f"There is no weight column {name!r}; known weights and columns are {known}.")
    return pd.to_numeric(runs[name], errors="coerce").to_numpy(dtype=float)


def why_not(runs: pd.DataFrame, law: str | Law) -> str | None:
    """Returns the sentence that says why these runs cannot identify the law, None where they can; cheap, as nothing is fitted."""
    law = family(law) if isinstance(law, str) else law
    try:
        kept, _, _ = _prepare(runs, law, None)
        n, tokens, granularity, expansion = run_arrays(law, kept)
        _check_identified(law, {"N": n, "D": tokens, "G": granularity, "Ehat": expansion, "A": expansion}, len(kept))
    except (FitError, ValueError) as error:
        return str(error)
    return None


def n_starts(law: Law, fit_shapes: bool) -> int:
    """Returns how many candidates of the search are polished: more for laws with more exponents."""
    return 12 if fit_shapes else _STARTS.get(len(law.linear) - len(law.terms), 10)


def _prepare(runs: pd.DataFrame, law: Law, weights: str | Array | None) -> tuple[pd.DataFrame, Array, int]:
    """Usable runs with everything the law needs, their weights, and how many were left out for missing values."""
    if "loss" not in runs:
        raise ValueError("Fitting needs a column loss (nats per token).")
    arrays = np.stack([*run_arrays(law, runs), pd.to_numeric(runs["loss"], errors="coerce").to_numpy(dtype=float)])
    needed = [i for i, v in enumerate(("N", "D", "G", "E")) if v in law.variables or (v == "E" and law.has_expansion)]
    arrays = arrays[[*needed, 4]]
    names = [law.count, "tokens", "granularity", "expansion", "loss"]
    w = np.ones(len(runs))
    if isinstance(weights, str):
        w = run_weights(runs, weights) if weights in WEIGHTS else _weight_column(runs, weights)
    elif weights is not None:
        w = np.asarray(weights, dtype=float)
    if w.shape != (len(runs),) or not (np.isfinite(w).all() and (w >= 0).all() and (w.sum() > 0 or not len(w))):
        raise ValueError(f"weights must be {len(runs)} finite numbers at or above zero, not all zero; got shape {w.shape}.")
    counted = included(runs)
    wrong = counted & (np.isfinite(arrays) & (arrays <= 0)).any(axis=0)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        column = names[[*needed, 4][int(np.argmax(arrays[:, row] <= 0))]]
        raise FitError(f"{int(wrong.sum())} runs have {column} at or below zero (first: row {row}): fix or exclude them.")
    complete = np.isfinite(arrays).all(axis=0)
    if not (counted & complete).any():
        empty = [c for c, a in zip([names[i] for i in [*needed, 4]], arrays, strict=True) if not np.isfinite(a[counted]).any()]
        what = f"no run has a value for {', '.join(empty)}" if empty else "no run has all of its quantities"
        raise FitError(f"The {law.name} law takes {', '.join(law.columns)} and loss, but {what}.")
    keep = counted & complete & (w > 0)
    kept = runs[keep].reset_index(drop=True)
    return kept, w[keep], int((counted & ~complete).sum())


def _check_identified(law: Law, values: dict[str, Array], n_runs: int) -> None:
    """Raises FitError naming the parameters that these runs cannot identify, and why."""
    for v in law.variables:
        logs = np.log(values[v])
        if np.ptp(logs) < MIN_SPREAD:
            letters = sorted({law.linear[e.parameter] for e in law.entries if v in e.variables})
            at = float(np.exp(np.median(logs)))
            raise FitError(
                f"All {n_runs} runs have one {_QUANTITY[v]} ({at:.4g}), so {', '.join(letters)} of the {law.name} law cannot be "
                f"identified. Add runs with another {_QUANTITY[v]}, or choose a law without it."
            )
    points = np.unique(np.round(np.log(np.stack([values[v] for v in law.variables])), 9), axis=1).shape[1]
    if points < len(law.linear):
        raise FitError(
            f"The {law.name} law has {len(law.linear)} parameters ({', '.join(law.linear)}), but the {n_runs} runs have only "
            f"{points} different combinations of {', '.join(_QUANTITY[v] for v in law.variables)}: "
            "add runs, or choose a smaller law."
        )


def _shapes(law: Law, expansion: Array, why_held: str) -> tuple[dict[str, str], Array, bool]:
    """(held parameters, starting shapes, whether to fit them)."""
    if not law.has_shapes:
        return {}, np.empty(0), False
    source = published(SHAPE_SOURCE.get(law.name, "ludziejewski2025"))
    assert isinstance(source, FittedLaw)
    n_different = len(np.unique(expansion))
    if n_different >= MIN_EXPANSIONS and not why_held:
        return {}, source.shapes, True
    assert source.source
    reason = why_held or f"the runs have {n_different} different E, {MIN_EXPANSIONS} are needed to fit it"
    why = f"held at {source.source.citation}: {reason}"
    return {"E_start": why, "E_max": why}, source.shapes, False


def _single_expansion(law: Law, runs: pd.DataFrame) -> float | None:
    if law.has_expansion or "expansion" not in runs:
        return None
    values = runs["expansion"].dropna().unique()
    return float(values[0]) if len(values) == 1 else None


def _agreeing(values: Array, within: float, best: float | None = None) -> int:
    """Counts the starts that ended within this share of the best objective."""
    best = float(np.min(values)) if best is None else best
    return int((values <= best * (1 + within) + 1e-14).sum())


def _status(law: Law, converged: bool, shares: Array, theta: Array) -> str:
    vanished = [t for t, share in zip(law.terms, shares, strict=True) if share < VANISHED]
    if vanished:
        letters = [p.removeprefix("ln ") for t in vanished for p, f in t.items() if isinstance(f, float)]
        return f"at a bound: {', '.join(letters)} fell to zero, the data do not show this term"
    return "converged" if converged else "not converged: the objective may be slightly above its minimum"


def data_ranges(runs: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Returns the lowest and highest value of each quantity that the runs have, and of tokens per active parameter."""
    out = {}
    for column in ("n_active", "n_total", "tokens", "flops", "granularity", "expansion", "loss"):
        if column in runs and runs[column].notna().any():
            values = runs[column].to_numpy(dtype=float)
            out[column] = (float(np.nanmin(values)), float(np.nanmax(values)))
    if "n_active" in out and "tokens" in out:
        ratio = (runs["tokens"] / runs["n_active"]).to_numpy(dtype=float)
        if np.isfinite(ratio).any():
            out["tokens_per_parameter"] = (float(np.nanmin(ratio)), float(np.nanmax(ratio)))
    return out
