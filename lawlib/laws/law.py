"""The form of a scaling law as data: a few terms, each affine in the parameters, whose log-sum-exp is the log loss.

    ln L(x; theta) = logsumexp_k ( Phi_k(x) · theta )

with x the logarithms of N, D, G, Ehat and the active share A = top_k / n_experts. Everything else (values, gradients,
fits, optima, the browser's evaluator) follows from the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..numerics.arrays import Array

Feature = float | str | tuple[float, str]

VARIABLES: dict[str, str] = {"N": "n", "D": "tokens", "G": "granularity", "Ehat": "expansion", "A": "active_share"}
"""Variable of a feature -> the quantity whose logarithm it is (`n`: the count that the law takes)."""


@dataclass(frozen=True)
class Law:
    """The form of a scaling law, without numbers.

    Args:
        terms: one mapping a term, from parameter to feature. A parameter written "ln A" is positive and enters by its
            logarithm; the others enter as they are. A feature is a product of variables ("N", "-D", "N Ehat"), a
            constant (1.0), or both (`(0.43, "N Ehat")`).
        count: the column the law's N is: "n_active" or "n_total" (non-embedding, router excluded).
        parameters: the paper's letters, in the paper's order, shapes of Ehat last.
    """

    name: str
    title: str
    formula: str
    paper: str
    count: str
    parameters: tuple[str, ...]
    terms: tuple[Mapping[str, Feature], ...]

    @cached_property
    def linear(self) -> tuple[str, ...]:
        """The parameters that the terms are affine in (all but the shapes of Ehat), in the order of `theta`."""
        return tuple(p for p in self.parameters if p not in ("E_start", "E_max"))

    @cached_property
    def has_shapes(self) -> bool:
        return "E_start" in self.parameters

    @cached_property
    def positive(self) -> Array:
        """Which of `theta` are logarithms of the paper's parameter, shape `(n_linear,)`."""
        names = {p for term in self.terms for p in term}
        return np.array([f"ln {p}" in names for p in self.linear])

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every (term, parameter) pair that occurs, with its scale and variables."""
        out = []
        for k, term in enumerate(self.terms):
            for name, feature in term.items():
                scale, product = feature if isinstance(feature, tuple) else (1.0, feature)
                if not isinstance(product, str):
                    scale, product = scale * product, ""
                sign = -1.0 if product.startswith("-") else 1.0
                variables = tuple(product.removeprefix("-").split())
                unknown = set(variables) - set(VARIABLES)
                if unknown:
                    raise ValueError(
                        f"{self.name}: unknown variable {sorted(unknown)} in {feature!r}; known are {list(VARIABLES)}"
                    )
                out.append(Entry(k, self.linear.index(name.removeprefix("ln ")), sign * scale, variables))
        return tuple(out)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The variables that occur, in the order of `VARIABLES`."""
        used = {v for e in self.entries for v in e.variables}
        return tuple(v for v in VARIABLES if v in used)

    @cached_property
    def bundles(self) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
        """The terms that depend on N or D, grouped by equal dependence, and the terms that depend on neither."""
        found: dict[frozenset, list[int]] = {}
        for k in range(len(self.terms)):
            moved = (e for e in self.entries if e.term == k and not {"N", "D"}.isdisjoint(e.variables))
            found.setdefault(frozenset((e.parameter, e.scale, e.variables) for e in moved), []).append(k)
        still = tuple(found.pop(frozenset(), ()))
        return tuple(map(tuple, found.values())), still

    @property
    def has_expansion(self) -> bool:
        """Whether the law depends on E, by Ehat or by the active share."""
        return "Ehat" in self.variables or "A" in self.variables

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a run that the law needs, loss aside. The active share comes from `top_k / n_experts` or 1/E."""
        names = {"N": self.count, "Ehat": "expansion", "A": "expansion"}
        return tuple(names.get(v, VARIABLES[v]) for v in self.variables)

    def theta(self, params: Mapping[str, float]) -> Array:
        """Returns `params` (the paper's letters) as the vector the terms are affine in, shape `(n_linear,)`."""
        raw = np.array([float(params[p]) for p in self.linear])
        if np.any(raw[self.positive] < 0):
            raise ValueError(
                f"{self.name}: {[p for p, pos in zip(self.linear, self.positive, strict=True) if pos]} must be positive"
            )
        with np.errstate(divide="ignore"):
            return np.where(self.positive, np.log(np.where(self.positive, raw, 1.0)), raw)

    def letters(self, theta: Array) -> Array:
        """Returns the inverse of `theta`, the paper's letters, for any leading shape `(..., n_linear)`."""
        return np.where(self.positive, np.exp(np.where(self.positive, theta, 0.0)), theta)

    def term_logs(self, theta: Array, x: Mapping[str, Array], ndim: int) -> list[Array]:
        """Returns the logarithm of every term at log-variables `x`.

        Shapes: theta `(*batch, n_linear)`; each of x broadcastable to `ndim` dimensions, or those with the batch in
        front; result: `n_terms` arrays broadcastable to `(*batch, *shape)`. x["Ehat"] is ln Ehat.
        """
        pad = theta.shape[:-1] + (1,) * ndim
        out: list[Array] = [np.zeros(pad) for _ in self.terms]
        for e in self.entries:
            value = e.scale * theta[..., e.parameter].reshape(pad)
            for v in e.variables:
                value = value * x[v]
            out[e.term] = out[e.term] + value
        return out


@dataclass(frozen=True)
class Entry:
    """One product in a term: `scale * theta[parameter] * prod(variables)` in term `term`."""

    term: int
    parameter: int
    scale: float
    variables: tuple[str, ...] = field(default=())
