"""A law evaluated on its runs, with exact gradients and Hessians, for a whole stack of parameter vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..laws import Law
from ..laws import derivatives as ehat_derivatives
from ..numerics.arrays import Array


class Model:
    """The runs as features of a law: Phi of every term, shape `(n_terms * n_runs, n_parameters)`.

    Args:
        x: logarithms of the law's variables, each `(n_runs,)`; x["Ehat"] at the held shapes.
        expansion: E `(n_runs,)` when the shapes of Ehat are fitted too (then two more parameters: ln q, ln E_max).
    """

    def __init__(self, law: Law, x: dict[str, Array], log_loss: Array, expansion: Array | None = None) -> None:
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
        """Returns the same model in u = (ln Ehat - ln Ehat_low) / (ln Ehat_high - ln Ehat_low) instead of ln Ehat.

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
        """Returns parameters `(S, P)` in ln Ehat as parameters of the normalised model, or the other way round."""
        assert self.expansion is not None
        scale = Scale(self.law, int(np.argmin(self.expansion)), int(np.argmax(self.expansion)))
        value = ehat_derivatives(self.expansion[[scale.low, scale.high]], phi[:, self.n_linear :])[0]
        shift = scale.shifts * value[:, :1]
        span = value[:, 1:] - shift
        matrices = scale.matrices(1 / span, -shift / span) if back else scale.matrices(span, shift)
        return np.concatenate([np.matmul(matrices, phi[:, : self.n_linear, None])[:, :, 0], phi[:, self.n_linear :]], axis=1)

    def evaluate(self, phi: Array) -> State:
        """Returns the predicted log losses at parameters phi `(S, n_parameters)`, with what the derivatives need."""
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
        """Returns the gradient `(S, P)` and Hessian `(S, P, P)` of sum_i penalty_i from its derivatives in ln L, `(S, n)` each.

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
    """Converts parameters between ln Ehat and u, where ln Ehat = shift + span · u.

    shifts: whether the law's terms take up a constant added to ln Ehat (they do where every product with Ehat has the same
    product without it; Yun's law has not, so it is scaled only). low, high: the runs of lowest and highest E.
    """

    def __init__(self, law: Law, low: int, high: int) -> None:
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
        """Returns the matrices that take parameters in ln Ehat to those in u, shape `(S, n_linear, n_linear)`; span, shift `(S, 1)`."""
        return self._keep + span[:, :, None] * self._stretch + shift[:, :, None] * self._move


@dataclass
class State:
    """Values of the model at some parameters: predicted ln L `(S, n)`, unnormalised shares `(S, K, n)`, their sum, parts of Ehat."""

    log_pred: Array
    share: Array
    total: Array
    slope: Array | None
    ehat: tuple[Array, Array, Array] | None
