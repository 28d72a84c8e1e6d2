"""The starting points of a fit: a deterministic global search over exponents.

At fixed exponents every law is linear in its amplitudes, so thousands of exponent candidates (a grid, or a Sobol sequence
where there are many) are judged by one batched non-negative least squares on the relative error. The best that differ
from each other are polished by `solver.minimise`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..laws import Law, log_ehat, to_free
from ..numerics.arrays import Array

MAX_RUNS = 400
"""Candidates are judged on at most this many runs, spread evenly over the data."""
_EXPONENT = (np.log(0.03), np.log(1.6))
_GRANULARITY = (np.log(0.1), np.log(2.5))
_EXPANSION = 1.0
_INTERACTION = 0.06
STEEP = (3.0, 8.0, 24.0)
"""Exponents far beyond those of the search."""


def amplitudes(law: Law) -> dict[int, tuple[int, float]]:
    """Returns term -> (parameter, scale) of the constant factor of each term."""
    return {e.term: (e.parameter, e.scale) for e in law.entries if not e.variables}


def starts(law: Law, x: dict[str, Array], log_loss: Array, expansion: Array | None, n_starts: int) -> Array:
    """Returns the best differing candidates, shape `(<= n_starts, n_parameters)`, best first.

    x: logarithms of the law's variables, each `(n_runs,)`. expansion: E of the runs where the shapes of Ehat are fitted.
    """
    unit = _candidates(n_exponents(law) + (2 if expansion is not None else 0))
    phi, error = guesses(law, x, log_loss, expansion, unit)
    chosen: list[int] = []
    for i in np.argsort(error)[: 40 * n_starts]:
        apart = all(np.max(np.abs(unit[i] - unit[j])) > 0.09 for j in chosen)
        if apart:
            chosen.append(int(i))
        if len(chosen) == n_starts:
            break
    return phi[chosen]


def n_exponents(law: Law) -> int:
    """Returns the number of parameters that are no amplitudes, shapes of Ehat aside: the dimensions of the search."""
    return len(law.linear) - len({p for p, _ in amplitudes(law).values()})


def guesses(law: Law, x: dict[str, Array], log_loss: Array, expansion: Array | None, unit: Array) -> tuple[Array, Array]:
    """Returns parameters `(S, n_parameters)` for points of the unit cube, amplitudes by least squares, and their squared error `(S,)`.

    unit: shape `(S, n_exponents)`, two more columns (E_start, E_max) where the shapes are fitted.
    """
    keep = np.unique(np.linspace(0, len(log_loss) - 1, min(len(log_loss), MAX_RUNS)).astype(int))
    x = {v: np.asarray(a)[keep] for v, a in x.items()}
    y = log_loss[keep]
    constants = amplitudes(law)
    slopes = [p for p in range(len(law.linear)) if p not in {q for q, _ in constants.values()}]
    shapes = np.empty((len(unit), 0))
    ehat: Array = x.get("Ehat", np.zeros(len(y)))[None, :]
    if expansion is not None:
        e_start = np.exp(np.log(1.05) + unit[:, -2] * np.log(6 / 1.05))
        e_max = np.exp(np.log(40) + unit[:, -1] * np.log(2000 / 40))
        shapes = to_free(e_start, e_max)
        ehat = log_ehat(expansion[keep], shapes)
    theta = _slopes(law, slopes, unit, x, ehat)
    theta, error = _fill_amplitudes(law, theta, _term_slopes(law, theta, x, ehat), y, constants)
    return np.concatenate([theta, shapes], axis=1), error


def steepened(law: Law, x: dict[str, Array], log_loss: Array, theta: Array) -> Array:
    """Returns starts beside a solution `(n_linear,)`, one of its exponents made `STEEP`, amplitudes by least squares, `(S, n_linear)`.

    In laws of many terms the lowest valley may be one where a term speaks for the smallest runs alone. Its exponent lies far
    beyond what the search covers, and no start within leads there.
    """
    amplitude = {q for q, _ in amplitudes(law).values()}
    single = {e.parameter: e for e in law.entries if len(e.variables) == 1 and e.parameter not in amplitude}
    rows = [(p, -np.sign(e.scale) * s / abs(e.scale)) for p, e in single.items() for s in STEEP]
    starts = np.tile(theta, (len(rows), 1))
    for row, (p, value) in zip(starts, rows, strict=True):
        row[p] = value
    ehat = x.get("Ehat", np.zeros(len(log_loss)))[None, :]
    return _fill_amplitudes(law, starts, _term_slopes(law, starts, x, ehat), log_loss, amplitudes(law))[0]


@lru_cache(maxsize=16)
def _candidates(n_dims: int) -> Array:
    """Points of the unit cube, shape `(n_candidates, n_dims)`: a grid in up to two dimensions, Sobol above."""
    if n_dims == 0:
        return np.empty((1, 0))
    if n_dims <= 2:
        axis = (np.arange(11) + 0.5) / 11
        return np.stack(np.meshgrid(*[axis] * n_dims, indexing="ij"), axis=-1).reshape(-1, n_dims)
    from scipy.stats import qmc  # a third of the time that `import lawlib` took; laws of two exponents do without

    n = 9 if n_dims == 3 else 11
    return qmc.Sobol(n_dims, scramble=True, rng=20240212).random_base2(n)


def _slopes(law: Law, slopes: list[int], unit: Array, x: dict[str, Array], ehat: Array) -> Array:
    """Candidate parameters `(S, n_linear)` with zero amplitudes; exponents are drawn as they act at the centre of the data."""
    mean = {v: np.mean(a) for v, a in x.items()} | {"Ehat": ehat.mean(axis=1)}
    theta = np.zeros((len(unit), len(law.linear)))
    entry = {p: next(e for e in law.entries if e.parameter == p) for p in slopes}
    for column, p in enumerate(slopes):
        e, u = entry[p], unit[:, column]
        variable, *others = e.variables
        if others:
            theta[:, p] = (2 * u - 1) * _INTERACTION / abs(e.scale)
        elif variable in ("Ehat", "A"):
            theta[:, p] = (2 * u - 1) * _EXPANSION / abs(e.scale)
        else:
            low, high = _GRANULARITY if variable == "G" else _EXPONENT
            theta[:, p] = -np.sign(e.scale) * np.exp(low + u * (high - low)) / abs(e.scale)
    for p in slopes:
        cross = entry[p]
        if len(cross.variables) != 2:
            continue
        for own, other in (cross.variables, cross.variables[::-1]):
            mains = {e.parameter: e.scale for e in law.entries if e.term == cross.term and e.variables == (own,)}
            for q, scale in mains.items():
                theta[:, q] -= theta[:, p] * cross.scale * mean[other] / scale
    return theta


def _term_slopes(law: Law, theta: Array, x: dict[str, Array], ehat: Array) -> Array:
    z = np.zeros((len(theta), len(law.terms), ehat.shape[1]))
    for e in law.entries:
        if e.variables:
            feature = np.full((1, ehat.shape[1]), e.scale)
            for v in e.variables:
                feature = feature * (ehat if v == "Ehat" else x[v])
            z[:, e.term] += theta[:, e.parameter, None] * feature
    return z


def _fill_amplitudes(law: Law, theta: Array, z: Array, log_loss: Array, constants: dict) -> tuple[Array, Array]:
    """Amplitudes by non-negative least squares of the relative error; returns theta and the squared error, `(S,)`."""
    shift = z.mean(axis=2, keepdims=True)
    with np.errstate(over="ignore", under="ignore"):
        columns = np.exp(np.clip(z - shift, -60, 60) - log_loss)
    columns_t = columns.transpose(0, 2, 1)
    gram = np.matmul(columns, columns_t)
    target = columns.sum(axis=2)
    n_terms = gram.shape[1]
    scale = np.sqrt(np.einsum("skk->sk", gram)) + 1e-300
    gram_scaled = gram / (scale[:, :, None] * scale[:, None, :]) + 1e-12 * np.eye(n_terms)
    wanted = target / scale
    free = np.ones((len(z), n_terms), dtype=bool)
    solution = np.zeros_like(wanted)
    for _ in range(n_terms):
        mask = free[:, :, None] & free[:, None, :]
        system = np.where(mask, gram_scaled, np.eye(n_terms))
        solution = np.linalg.solve(system, np.where(free, wanted, 0.0)[:, :, None])[:, :, 0]
        negative = free & (solution < 0)
        if not negative.any():
            break
        worst = negative & (solution == np.where(negative, solution, np.inf).min(axis=1, keepdims=True))
        free &= ~worst
    solution = np.maximum(np.where(free, solution, 0.0), 0.0)
    error = len(log_loss) - 2 * (solution * wanted).sum(1) + np.einsum("sk,skl,sl->s", solution, gram_scaled, solution)
    floor = 1e-3 * solution.max(axis=1, keepdims=True) + 1e-12
    amplitude = np.log(np.maximum(solution, floor) / scale) - shift[:, :, 0]
    theta = theta.copy()
    for term, (p, s) in constants.items():
        theta[:, p] = amplitude[:, term] / s
    return theta, np.where(np.isfinite(error), error, np.inf)
