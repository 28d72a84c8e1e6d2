"""Many log-sum-exp fits at once: exact gradients and Hessians, a damped Newton step for every start or replicate.

`Model` turns a law and its runs into arrays; `minimise` moves a whole stack of parameter vectors downhill together.
A fit of one start is a stack of height one; a bootstrap is a stack with different weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .laws.law import Law
from .laws.saturation import derivatives as ehat_derivatives
from .numerics.arrays import Array
from .objective import Objective

MAX_STEP = 3.0
"""Largest change of a term's logarithm (root mean square over the runs) that one step may make."""
DECREMENT = 1e-11
"""A fit has converged when a Newton step promises less than this share of the objective."""


class Model:
    """The runs as features: Phi of every term, shape `(n_terms * n_runs, n_parameters)`.

    Args:
        x: logarithms of the law's variables, each `(n_runs,)`; x["Ehat"] at the held shapes.
        expansion: E `(n_runs,)` when the shapes of Ehat are fitted too (then two more parameters: ln q, ln E_max).
    """

    def __init__(self, law: Law, x: dict[str, Array], log_loss: Array, expansion: Array | None = None):
        self.log_loss = log_loss
        self.n_runs, self.n_terms, self.n_linear = len(log_loss), len(law.terms), len(law.linear)
        self.expansion, self.x = expansion, x
        plain = np.zeros((self.n_terms, self.n_runs, self.n_linear))
        shaped = np.zeros_like(plain)
        for e in law.entries:
            value = np.full(self.n_runs, e.scale)
            free = expansion is not None and "Ehat" in e.variables
            for v in e.variables:
                if not (free and v == "Ehat"):
                    value = value * x[v]
            (shaped if free else plain)[e.term, :, e.parameter] += value
        self.plain = plain.reshape(-1, self.n_linear)
        self.shaped = shaped.reshape(-1, self.n_linear) if expansion is not None else None
        self.n_parameters = self.n_linear + (2 if expansion is not None else 0)
        self._sparse = [(e.term, e.parameter, plain[e.term, :, e.parameter]) for e in law.entries]
        upper = np.triu_indices(self.n_linear)
        self._upper = upper
        self._pairs = self.plain[:, upper[0]] * self.plain[:, upper[1]] if expansion is None else None
        features = self.plain if self.shaped is None else self.plain + self.shaped * np.tile(x["Ehat"], self.n_terms)[:, None]
        gram = features.T @ features / self.n_runs
        gram += 1e-9 * np.trace(gram) / self.n_linear * np.eye(self.n_linear)
        whiten = np.eye(self.n_parameters)
        whiten[: self.n_linear, : self.n_linear] = np.linalg.inv(np.linalg.cholesky(gram)).T
        self.whiten = whiten
        self.law, self.scale = law, None

    @cached_property
    def normalised(self) -> Model:
        """The same model in u = (ln Ehat - ln Ehat_low) / (ln Ehat_high - ln Ehat_low) in place of ln Ehat.

        The shapes then change the curve between the lowest and the highest E of the runs, and nothing that the other
        parameters could undo: in ln Ehat itself the valleys of these laws are too bent for Newton's method.
        """
        assert self.expansion is not None
        scale = Scale(self.law, int(np.argmin(self.expansion)), int(np.argmax(self.expansion)))
        x = dict(self.x)
        x["Ehat"] = (x["Ehat"] - scale.shifts * x["Ehat"][scale.low]) / (
            x["Ehat"][scale.high] - scale.shifts * x["Ehat"][scale.low]
        )
        model = Model(self.law, x, self.log_loss, self.expansion)
        model.scale = scale
        return model

    def _ehat(self, free: Array) -> tuple[Array, Array, Array]:
        """ln Ehat (or u, where normalised) of the runs with its gradient and Hessian in the shapes."""
        assert self.expansion is not None
        value, gradient, hessian = ehat_derivatives(self.expansion, free)
        if self.scale is None:
            return value, gradient, hessian
        low, high, shifts = self.scale.low, self.scale.high, self.scale.shifts
        rise, rise_g, rise_h = (a - shifts * a[..., low, None] for a in (value, gradient, hessian))
        span, span_g, span_h = rise[:, high, None], rise_g[:, :, high, None], rise_h[..., high, None]
        u = rise / span
        u_g = (rise_g - u[:, None] * span_g) / span[:, None]
        cross = u_g[:, :, None] * span_g[:, None]
        u_h = (rise_h - cross - cross.transpose(0, 2, 1, 3) - u[:, None, None] * span_h) / span[:, None, None]
        return u, u_g, u_h

    def to_normalised(self, phi: Array, back: bool = False) -> Array:
        """Parameters `(S, P)` in ln Ehat as those of the normalised model, or back."""
        assert self.expansion is not None
        scale = Scale(self.law, int(np.argmin(self.expansion)), int(np.argmax(self.expansion)))
        value = ehat_derivatives(self.expansion[[scale.low, scale.high]], phi[:, self.n_linear :])[0]
        shift = scale.shifts * value[:, :1]
        span = value[:, 1:] - shift
        matrices = scale.matrices(1 / span, -shift / span) if back else scale.matrices(span, shift)
        return np.concatenate([np.matmul(matrices, phi[:, : self.n_linear, None])[:, :, 0], phi[:, self.n_linear :]], axis=1)

    def evaluate(self, phi: Array) -> State:
        """Predicted log losses at parameters phi `(S, n_parameters)`, with what the derivatives need."""
        theta = phi[:, : self.n_linear]
        shape = (len(phi), self.n_terms, self.n_runs)
        z = (theta @ self.plain.T).reshape(shape)
        slope, ehat = None, None
        if self.shaped is not None:
            ehat = self._ehat(phi[:, self.n_linear :])
            slope = (theta @ self.shaped.T).reshape(shape)
            z = z + slope * ehat[0][:, None, :]
        top = z.max(axis=1)
        share = np.exp(z - top[:, None, :])
        total = share.sum(axis=1)
        return State(top + np.log(total), share, total, slope, ehat)

    def curvature(self, state: State, first: Array, second: Array) -> tuple[Array, Array]:
        """Gradient `(S, P)` and Hessian `(S, P, P)` of sum_i penalty_i from its derivatives in ln L, `(S, n)` each.

        With p the shares of the terms and J = sum_k p_k dz_k: gradient = sum first J, Hessian = sum (second - first) J J'
        + first sum_k p_k (dz_k dz_k' + d²z_k).
        """
        share = state.share / state.total[:, None, :]
        if self.shaped is not None:
            return self._curvature_shaped(state, share, first, second)
        assert self._pairs is not None
        jacobian = np.zeros((len(share), self.n_linear, self.n_runs))
        for k, p, feature in self._sparse:
            jacobian[:, p] += share[:, k] * feature
        gradient = np.matmul(jacobian, first[:, :, None])[:, :, 0]
        hessian = np.matmul(jacobian * (second - first)[:, None, :], jacobian.transpose(0, 2, 1))
        share *= first[:, None, :]
        packed = share.reshape(len(share), -1) @ self._pairs
        i, j = self._upper
        hessian[:, i, j] += packed
        off = i != j
        hessian[:, j[off], i[off]] += packed[:, off]
        return gradient, hessian

    def _curvature_shaped(self, state: State, share: Array, first: Array, second: Array) -> tuple[Array, Array]:
        assert self.shaped is not None
        assert state.ehat is not None
        assert state.slope is not None
        (value, grad, hess), slope = state.ehat, state.slope
        n_lin, n_stack = self.n_linear, len(share)
        dz = np.empty((n_stack, self.n_terms * self.n_runs, self.n_parameters))
        dz[:, :, :n_lin] = self.plain + self.shaped * np.tile(value, (1, self.n_terms))[:, :, None]
        dz[:, :, n_lin:] = (slope[:, :, None, :] * grad[:, None]).transpose(0, 1, 3, 2).reshape(n_stack, -1, 2)
        flat = share.reshape(n_stack, -1)
        blocks = (dz * flat[:, :, None]).reshape(n_stack, self.n_terms, self.n_runs, -1)
        jacobian = blocks.sum(axis=1)
        gradient = np.matmul(first[:, None, :], jacobian)[:, 0]
        hessian = np.matmul((jacobian * (second - first)[:, :, None]).transpose(0, 2, 1), jacobian)
        weight = flat * np.tile(first, (1, self.n_terms))
        hessian += np.matmul((dz * weight[:, :, None]).transpose(0, 2, 1), dz)
        by_run = weight.reshape(share.shape)
        for j in range(2):
            cross = (by_run * grad[:, j][:, None, :]).reshape(n_stack, -1) @ self.shaped
            hessian[:, :n_lin, n_lin + j] += cross
            hessian[:, n_lin + j, :n_lin] += cross
            for i in range(2):
                hessian[:, n_lin + i, n_lin + j] += (by_run * slope * hess[:, i, j][:, None, :]).sum(axis=(1, 2))
        return gradient, hessian


class Scale:
    """How parameters change when ln Ehat = shift + span · u is written in u.

    shifts: whether the law's terms take up a constant added to ln Ehat (they do where every product with Ehat has the same
    product without it; Yun's law has not, so it is scaled only). low, high: the runs of lowest and highest E.
    """

    def __init__(self, law: Law, low: int, high: int):
        self.low, self.high = low, high
        rows: dict[tuple, int] = {}
        for e in law.entries:
            rest = (e.term, *(v for v in e.variables if v != "Ehat"))
            for row in (rest, (*rest, "Ehat")):
                rows.setdefault(row, len(rows))
        coefficients = np.zeros((len(rows), len(law.linear)))
        keep, stretch, move = (np.zeros((len(rows), len(rows))) for _ in range(3))
        for e in law.entries:
            rest = (e.term, *(v for v in e.variables if v != "Ehat"))
            coefficients[rows[(*rest, "Ehat") if "Ehat" in e.variables else rest], e.parameter] += e.scale
        for row, i in rows.items():
            (stretch if row[-1] == "Ehat" else keep)[i, i] = 1.0
            if row[-1] == "Ehat":
                move[rows[row[:-1]], i] = 1.0
        inverse = np.linalg.pinv(coefficients)
        self._keep, self._stretch, self._move = (inverse @ m @ coefficients for m in (keep, stretch, move))
        self.shifts = float(np.allclose(coefficients @ self._move, move @ coefficients, atol=1e-9))

    def matrices(self, span: Array, shift: Array) -> Array:
        """From parameters in ln Ehat to those in u, shape `(S, n_linear, n_linear)`; span and shift `(S, 1)`."""
        return self._keep + span[:, :, None] * self._stretch + shift[:, :, None] * self._move


@dataclass
class State:
    """A model evaluated: predicted ln L `(S, n)`, unnormalised shares `(S, K, n)` and their sum, parts of Ehat."""

    log_pred: Array
    share: Array
    total: Array
    slope: Array | None
    ehat: tuple[Array, Array, Array] | None


@dataclass(frozen=True)
class Solution:
    """Where a stack ended: phi `(S, P)`, value `(S,)`, converged `(S,)`, iterations of the longest."""

    phi: Array
    value: Array
    converged: np.ndarray
    iterations: int


def minimise(
    model: Model,
    objective: Objective,
    phi: Array,
    weights: Array | None = None,
    delta: Array | float | None = None,
    max_iterations: int = 200,
    decrement: float = DECREMENT,
) -> Solution:
    """Damped Newton with exact Hessians for every row of phi `(S, P)`, each with its own damping.

    Indefinite Hessians are made positive by taking the absolute value of their eigenvalues, in coordinates where a unit
    step changes the terms by one on average. weights: `(n,)` or `(S, n)`.
    """
    phi = np.array(phi, dtype=float)
    if model.expansion is not None and model.scale is None:
        work = model.normalised
        found = minimise(work, objective, model.to_normalised(phi), weights, delta, max_iterations, decrement)
        return replace(found, phi=model.to_normalised(found.phi, back=True))
    n_stack = len(phi)
    w = np.ones((1, model.n_runs)) if weights is None else np.atleast_2d(np.asarray(weights, dtype=float))
    own_weights = len(w) == n_stack and n_stack > 1
    d = None if delta is None else np.broadcast_to(np.asarray(delta, dtype=float), (n_stack,))[:, None]
    y = model.log_loss
    value = np.full(n_stack, np.inf)
    converged = np.zeros(n_stack, dtype=bool)
    radius, length = np.full(n_stack, 1.0), np.zeros(n_stack)
    live = np.arange(n_stack)
    trial, promised = phi, np.zeros(n_stack)
    gradient = np.empty((n_stack, model.n_parameters))
    hessian = np.empty((n_stack, model.n_parameters, model.n_parameters))
    whiten = model.whiten
    iteration = 0
    for iteration in range(1, max_iterations + 1):
        state = model.evaluate(trial[live])
        weight = w[live] if own_weights else w
        penalty, first, second = objective.derivatives(state.log_pred, y, None if d is None else d[live])
        new = (penalty * weight).sum(axis=1)
        better = new <= value[live]
        gain = (value[live] - new) / np.maximum(promised[live], 1e-300)
        if iteration > 1:
            reach = np.where(
                better & (gain > 0.25),
                np.where((gain > 0.75) & (length[live] > 0.8 * radius[live]), 3 * radius[live], radius[live]),
                np.where(better & (gain > 0.05), 0.5, 0.25) * length[live],
            )
            radius[live] = np.minimum(reach, MAX_STEP)
        taken = live[better]
        if len(taken):
            g, h = model.curvature(_rows(state, better), (first * weight)[better], (second * weight)[better])
            phi[taken], value[taken] = trial[taken], new[better]
            gradient[taken] = g @ whiten
            hessian[taken] = whiten.T @ h @ whiten
        eigenvalues, vectors = np.linalg.eigh(hessian[live])
        size = np.abs(eigenvalues)
        size = np.maximum(size, 1e-13 * size.max(axis=1, keepdims=True) + 1e-300)
        along = np.matmul(gradient[live][:, None, :], vectors)[:, 0]
        newton = along**2 / size
        step = _bounded_step(along, size, radius[live])
        length[live] = np.sqrt((step**2).sum(axis=1))
        promised[live] = -(along * step + 0.5 * eigenvalues * step**2).sum(axis=1)
        move = np.matmul(vectors, step[:, :, None])[:, :, 0] @ whiten.T
        small = 0.5 * newton.sum(axis=1) <= decrement * value[live] + 1e-26
        stuck = radius[live] <= 1e-12
        converged[live[small]] = True
        trial = phi.copy() if len(live) == n_stack else trial
        trial[live] = phi[live] + move
        live = live[~(small | stuck)]
        if not len(live):
            break
    return Solution(phi, value, converged, iteration)


def _bounded_step(along: Array, size: Array, radius: Array) -> Array:
    """-along / (size + shift) with the smallest shift >= 0 whose step is no longer than the radius; shapes `(S, P)`, `(S,)`.

    Newton's method on 1/length, which is nearly linear in the shift (More and Sorensen 1983); a step within 10 % will do.
    """
    shift = np.zeros((len(along), 1))
    for _ in range(20):
        bent = size + shift
        step = -along / bent
        square = (step**2).sum(axis=1, keepdims=True)
        length = np.sqrt(square)
        long = length > 1.1 * radius[:, None]
        if not long.any():
            break
        slope = (step**2 / bent).sum(axis=1, keepdims=True)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            shift = np.where(long, shift + square / slope * (length / radius[:, None] - 1), shift)
    return step


def _rows(state: State, keep: np.ndarray) -> State:
    if keep.all():
        return state
    ehat = None if state.ehat is None else tuple(a[keep] for a in state.ehat)
    slope = None if state.slope is None else state.slope[keep]
    return State(state.log_pred[keep], state.share[keep], state.total[keep], slope, ehat)  # type: ignore[arg-type]
