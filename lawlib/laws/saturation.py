"""Ehat, the saturating expansion rate shared by Clark 2022, Yun 2024 and Ludziejewski 2025, and its derivatives.

    1 / Ehat = 1 / (E - 1 + q) + 1 / E_max,   q = (1 / E_start - 1 / E_max)^-1

E = 1 gives Ehat = E_start, E to infinity gives E_max. Fits move (ln q, ln E_max), which are free of constraints.
"""

import numpy as np

from .law import Array


def log_ehat(expansion: Array, e_start: Array | float, e_max: Array | float) -> Array:
    """ln Ehat of the expansion rate E >= 1; shapes broadcast."""
    q = 1.0 / (1.0 / np.asarray(e_start, dtype=float) - 1.0 / np.asarray(e_max, dtype=float))
    return -np.log(1.0 / (np.asarray(expansion, dtype=float) - 1.0 + q) + 1.0 / np.asarray(e_max, dtype=float))


def to_free(e_start: Array | float, e_max: Array | float) -> Array:
    """(E_start, E_max) as (ln q, ln E_max), shape `(*batch, 2)`."""
    e_start, e_max = np.asarray(e_start, dtype=float), np.asarray(e_max, dtype=float)
    if np.any(e_start >= e_max):
        raise ValueError(f"E_start must be below E_max; got {e_start} and {e_max}.")
    return np.stack([-np.log(1 / e_start - 1 / e_max), np.log(e_max)], axis=-1)


def from_free(free: Array) -> tuple[Array, Array]:
    """(ln q, ln E_max) as (E_start, E_max)."""
    e_max = np.exp(free[..., 1])
    return 1.0 / (np.exp(-free[..., 0]) + 1.0 / e_max), e_max


def derivatives(expansion: Array, free: Array) -> tuple[Array, Array, Array]:
    """ln Ehat with its gradient and Hessian in (ln q, ln E_max).

    Shapes: expansion `(n,)`, free `(S, 2)`; results `(S, n)`, `(S, 2, n)`, `(S, 2, 2, n)`.
    """
    q, e_max = np.exp(free[:, :1]), np.exp(free[:, 1:])
    a, b = 1.0 / (expansion - 1.0 + q), 1.0 / e_max
    h = a + b
    t, s = q * a * a / h, np.broadcast_to(b / h, a.shape)
    gradient = np.stack([t, s], axis=1)
    cross = s * t
    hessian = np.stack([np.stack([t - 2 * q * a * t + t * t, cross], 1), np.stack([cross, -s * (1 - s)], 1)], 1)
    return -np.log(h), gradient, hessian
