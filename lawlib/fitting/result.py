"""The result of a fit: a law with its runs, its search, and the checks behind its health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..laws import Finding, FitDetails, FittedLaw
from ..numerics.arrays import Array


@dataclass(frozen=True)
class Fit(FittedLaw):
    """A law fitted to runs. checks: the functions, from a fit to its findings, that `health` calls."""

    fit: FitDetails = field(kw_only=True)
    checks: tuple[Callable[[Fit], list[Finding]], ...] = field(default=(), repr=False, kw_only=True)

    @property
    def phi(self) -> Array:
        """The parameters as fitted, shape `(p,)`: theta, and (ln q, ln E_max) where they were fitted."""
        return np.concatenate([self.theta, self.shapes]) if self.fit.fit_shapes else self.theta

    def at_phi(self, phi: Array) -> Fit:
        """Returns this fit at other parameters, as an ensemble: phi `(n_samples, p)` as in `phi`; held shapes stay."""
        n = len(self.law.linear)
        shapes = phi[:, n:] if self.fit.fit_shapes else np.tile(self.shapes, (len(phi), 1))
        return replace(self, theta=phi[:, :n], shapes=shapes)

    def health(self) -> list[Finding]:
        """Returns what speaks against trusting this fit, each finding with its remedy, warnings first."""
        found = [finding for check in self.checks for finding in check(self)]
        return sorted(found, key=lambda finding: finding.severity != "warning")
