"""The saturating expansion rate Ehat of Clark 2022, Yun 2024 and Ludziejewski 2025, with its derivatives.

    1 / Ehat = 1 / (E - 1 + q) + 1 / E_max,   q = (1 / E_start - 1 / E_max)^-1

E = 1 gives Ehat = E_start, E to infinity gives E_max. Fits move (ln q, ln E_max), which are free of constraints.
"""

import numpy as np

from ..numerics.arrays import Array

LIMIT = 60.0
"""ln q and ln E_max act as if within plus and minus this: beyond, Ehat no longer changes at any E there is."""


def log_ehat(expansion: Array | float, free: Array, ndim: int | None = None) -> Array:
    """Returns ln Ehat of the expansion rate E >= 1 at shapes (ln q, ln E_max), `free` of shape `(*batch, 2)`.

    Result: the batch, then the shape of `expansion` widened to `ndim` dimensions.
    """
    e = np.asarray(expansion, dtype=float)
    ndim = e.ndim if ndim is None else ndim
    free = np.clip(free, -LIMIT, LIMIT).reshape(free.shape[:-1] + (1,) * ndim + (2,))
    e = e.reshape((1,) * (ndim - e.ndim) + e.shape)
    return -np.log(1.0 / (e - 1.0 + np.exp(free[..., 0])) + np.exp(-free[..., 1]))


def to_free(e_start: Array | float, e_max: Array | float) -> Array:
    """Returns (E_start, E_max) as (ln q, ln E_max), shape `(*batch, 2)`."""
    e_start, e_max = np.asarray(e_start, dtype=float), np.asarray(e_max, dtype=float)
    if np.any(e_start >= e_max):
        raise ValueError(f"E_start must be below E_max; got {e_start} and {e_max}.")
    return np.stack([-np.log(1 / e_start - 1 / e_max), np.log(e_max)], axis=-1)


def from_free(free: Array) -> tuple[Array, Array]:
    """Returns (ln q, ln E_max) as (E_start, E_max)."""
    free = np.clip(free, -LIMIT, LIMIT)
    return 1.0 / (np.exp(-free[..., 0]) + np.exp(-free[..., 1])), np.exp(free[..., 1])


def derivatives(expansion: Array, free: Array) -> tuple[Array, Array, Array]:
    """Returns ln Ehat with its gradient and Hessian in (ln q, ln E_max).

    Shapes: expansion `(n,)`, free `(S, 2)`; results `(S, n)`, `(S, 2, n)`, `(S, 2, 2, n)`.
    """
    free = np.clip(free, -LIMIT, LIMIT)
    q, e_max = np.exp(free[:, :1]), np.exp(free[:, 1:])
    a, b = 1.0 / (expansion - 1.0 + q), 1.0 / e_max
    h = a + b
    t, s = q * a * a / h, np.broadcast_to(b / h, a.shape)
    gradient = np.stack([t, s], axis=1)
    cross = s * t
    hessian = np.stack([np.stack([t - 2 * q * a * t + t * t, cross], 1), np.stack([cross, -s * (1 - s)], 1)], 1)
    return -np.log(h), gradient, hessian
