"""Which parameters and consequences a fit's runs identify: standard errors from the curvature of the fit, without refits.

With J the derivatives of ln L_pred in the parameters as fitted (logarithms of the positive ones, ln q and ln E_max for the
shapes of Ehat), cov = s² (J'WJ)^-1, s² the residual variance. Good while the fit is nearly linear over one standard error,
which is exactly when a quantity is identified.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..laws import FittedLaw
from ..numerics.arrays import Array
from ..optimum import efficiency_gap
from .objective import Objective
from .resampling import fit_model
from .result import Fit

WEAK = 0.5
"""A parameter whose standard error is above this share of its value is not identified by the runs."""


def gauss_newton(fitted: Fit) -> Array:
    """Returns J'WJ of ln L_pred in the parameters as fitted, with weights of mean one, averaged over runs: shape `(p, p)`."""
    model = fit_model(fitted)
    state = model.evaluate(fitted.phi[None, :])
    # With ln L_obs = ln L_pred the squared objective's Hessian is 2 J'J exactly.
    _, first, second = Objective("squared_log").derivatives(state.log_pred, state.log_pred)
    weights = fitted.fit.weights / fitted.fit.weights.sum()
    _, hessian = model.curvature(state, first * weights, second * weights)
    return hessian[0] / 2


def information(fitted: Fit) -> tuple[Array, float]:
    """Returns (J'WJ / s² summed over the runs, shape `(p, p)`, the noise s of ln L); s is infinite without degrees of freedom."""
    matrix = gauss_newton(fitted)
    n, p = len(fitted.fit.residuals), len(matrix)
    if n <= p:
        return np.zeros_like(matrix), np.inf
    variance = float(np.average(fitted.fit.residuals**2, weights=fitted.fit.weights)) * n / (n - p)
    return matrix * n / variance, float(np.sqrt(variance))


def covariance(fitted: Fit) -> Array:
    """Returns the covariance of the parameters as fitted, shape `(p, p)`; infinite without degrees of freedom."""
    matrix, noise = information(fitted)
    if not np.isfinite(noise):
        return np.full_like(matrix, np.inf)
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    return np.linalg.pinv(matrix / np.outer(scale, scale), rcond=1e-14, hermitian=True) / np.outer(scale, scale)


def relative_errors(fitted: Fit) -> dict[str, float]:
    """Returns the standard error over the value of every fitted parameter; for a positive one the error of its logarithm."""
    error = np.sqrt(np.maximum(np.diag(covariance(fitted)), 0.0))
    values = fitted.phi
    n_linear = len(fitted.law.linear)
    positive = np.concatenate([fitted.law.positive, np.ones(len(values) - n_linear, dtype=bool)])
    with np.errstate(divide="ignore"):
        relative = np.where(positive, error, error / np.abs(values))
    return dict(zip([*fitted.law.linear, "E_start", "E_max"], relative.tolist(), strict=False))


def not_identified(fitted: Fit) -> dict[str, float]:
    """Returns the parameters whose relative standard error is above `WEAK`, with that error."""
    return {name: error for name, error in relative_errors(fitted).items() if not error <= WEAK}


def small_steps(fitted: Fit) -> Array:
    """Returns a small step along every parameter as fitted, a share of its standard error: for `log_slope`."""
    return np.clip(1e-4 * np.sqrt(np.diag(covariance(fitted))), 1e-10, 1e-3)


def log_slope(fitted: Fit, quantity: Callable[[FittedLaw], Array], steps: Array | None = None) -> Array:
    """Returns the derivatives of ln(quantity) in the parameters as fitted, shape `(p, ...)`, by central differences.

    `quantity` is called once with a whole ensemble: the law shifted by `steps` along every parameter, those of `small_steps` unless
    given. Values that are not positive give NaN or infinity.
    """
    values = fitted.phi
    steps = small_steps(fitted) if steps is None else steps
    shifted = values + np.concatenate([np.diag(steps), -np.diag(steps)])
    p = len(values)
    with np.errstate(all="ignore"):
        logs = np.log(np.asarray(quantity(fitted.at_phi(shifted)), dtype=float))
        return (logs[:p] - logs[p:]) / (2 * steps.reshape(-1, *[1] * (logs.ndim - 1)))


def log_error(fitted: Fit, quantity: Callable[[FittedLaw], Array]) -> float:
    """Returns the standard error of the logarithm of a positive quantity computed from the law, by the delta method."""
    cov = covariance(fitted)
    if not np.isfinite(cov).all():
        return np.inf
    with np.errstate(all="ignore"):
        slope = log_slope(fitted, quantity)
        error = float(np.sqrt(slope @ cov @ slope))
    return error if np.isfinite(error) else np.inf


def gap_error(moe: Fit, dense: Fit, budget: float, expansion: float | None, granularity: float | None = None) -> float:
    """Returns the standard error of ln(efficiency gap), for one law for both sides or two fits to different runs."""

    def gap(moe_law: FittedLaw, dense_law: FittedLaw) -> Array:
        return np.asarray(efficiency_gap(moe_law, dense_law, budget, expansion, granularity))

    if moe is dense:
        return log_error(moe, lambda law: gap(law, law))
    return float(np.hypot(log_error(moe, lambda law: gap(law, dense)), log_error(dense, lambda law: gap(moe, law))))
