"""Minimises many log-sum-exp fits at once by damped Newton steps, one row for each start or replicate.

`minimise` moves a whole stack of parameter vectors downhill together.
A fit of one start is a stack of height one; a bootstrap is a stack with different weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..numerics.arrays import Array
from .model import Model, State
from .objective import Objective

MAX_STEP = 3.0
"""Largest change of a term's logarithm (root mean square over the runs) that one step may make."""
DECREMENT = 1e-11
"""A fit has converged when a Newton step promises less than this share of the objective."""


@dataclass(frozen=True)
class Solution:
    """Where the rows of a stack ended: phi `(S, P)`, value `(S,)`, converged `(S,)`, iterations of the longest."""

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
    """Minimises by damped Newton steps with exact Hessians for every row of phi `(S, P)`, each with its own damping.

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
