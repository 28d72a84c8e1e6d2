"""Results of a law at the sliders, for pages; errors are shown as sentences instead of tracebacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

import lawlib
from lawlib.fitting import WEAK, Fit, gap_error
from lawlib.laws import interval_words
from lawlib.numerics.percentiles import central
from lawlib.optimum import slice_budgets, tables
from lawlib.runs import included, selection

from .. import cached
from ..session import state
from ..session.point import Point
from .law_choice import Choice, label
from .sliders import budget_range

PER_DECADE = 6
COMPARED = ("besiroglu2024", "krajewski2024-moe-e64", "ludziejewski2025")
"""Published laws drawn beside the chosen one."""


def optimum(law: lawlib.FittedLaw, point: Point) -> lawlib.Optimum:
    """Returns the compute-optimal model at the sliders. Raises OptimumError where there is none, which `explore` shows."""
    return lawlib.compute_optimal(law, point.budget, point.expansion, point.granularity)


def path(choice: Choice, point: Point, budgets: list[float] | None = None, best_granularity: bool = False) -> pd.DataFrame:
    """Returns the optimum along the slider's range of budgets (or at `budgets`), with the law's intervals."""
    g = None if best_granularity else point.granularity
    law, samples = choice.law, choice.samples
    if budgets is not None:
        return tables.optimal_path(law, budgets, point.expansion, g, samples)
    values = _budgets(law)
    key = ("path", values[0], values[-1], point.expansion, g, state.get("unit"))
    return cached.remember(law, key, lambda: tables.optimal_path(law, values, point.expansion, g, samples))


def _budgets(law: lawlib.FittedLaw, per_decade: int = PER_DECADE) -> np.ndarray:
    low, high = budget_range(law)
    n = round(float(np.log10(high / low)) * per_decade) + 1
    return np.geomspace(low, high, n)


def at_point(
    law: lawlib.FittedLaw, own: pd.DataFrame | None, optimum: lawlib.Optimum
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Returns `lawlib.at_point` at an optimum, of the runs that the law was fitted to; None for no runs."""
    if own is None:
        return None, None
    e, g = float(optimum.expansion), float(optimum.granularity)
    key = ("at point", *(v if np.isfinite(v) else None for v in (e, g)))  # NaN is no other NaN's equal
    return cached.remember(law, key, lambda: selection.at_point(own, e, g))


def isoflops(choice: Choice, point: Point, own: pd.DataFrame | None) -> pd.DataFrame:
    """Returns iso-FLOP curves of the data's slices and of the chosen budget."""
    e, g, samples = point.expansion, point.granularity, choice.samples

    def curves(budgets: list[float]) -> pd.DataFrame:
        key = ("isoflop", tuple(budgets), e, g, state.get("unit"))
        return cached.remember(choice.law, key, lambda: tables.isoflop_curves(choice.law, budgets, e, g, samples))

    chosen = curves([point.budget])
    if own is None:
        slices = [point.budget / 100, point.budget / 10, point.budget * 10]
    else:
        slices = cached.remember(choice.law, ("slices", tuple(own["run_id"])), lambda: slice_budgets(own[included(own)]))
    try:
        others = curves(slices) if slices else chosen[:0]
    except lawlib.OptimumError:  # budgets that are too small for any model, all of them
        others = chosen[:0]
    near = np.abs(np.log(others["flops"] / point.budget)) <= 0.05
    others = others[~near & others["loss"].notna()]
    lower = others["flops"] < point.budget
    return pd.concat([others[lower], chosen, others[~lower]], ignore_index=True)


def compared_paths(choice: Choice, point: Point, own: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Returns the chosen law's path and those of published laws at comparable settings, by label."""
    found = {choice.label: own}
    for name in COMPARED:
        law = lawlib.published(name)
        assert isinstance(law, lawlib.FittedLaw)
        if name == choice.law.name:
            continue
        expansion = (point.expansion or 8.0) if name == "ludziejewski2025" else law.expansion
        words = {"n_total_with_embeddings": "N with embeddings", "n_active_with_embeddings": "N with embeddings"}.get(
            law.count, ""
        )
        title = name + (f", E {expansion:g}" if expansion and expansion > 1 else "") + (f", {words}" if words else "")
        budgets = own["flops"].to_numpy()
        key = ("path", budgets[0], budgets[-1], expansion, None)
        found[title] = cached.remember(law, key, lambda law=law, e=expansion, c=budgets: tables.optimal_path(law, c, e))
    return found


@dataclass(frozen=True)
class Bounded:
    """A number with its interval, NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        inner = f" [{self.low:.3f}, {self.high:.3f}]" if np.isfinite(self.low) else ""
        return f"{self.value:.3f}{inner}"


def exponents(choice: Choice, point: Point, optimum: lawlib.Optimum) -> dict[str, Bounded]:
    """Returns the exponents of N_opt and D_opt at the budget and the optimum's G, with the law's interval."""
    g = optimum.granularity if np.isfinite(optimum.granularity) else None

    def both(law: lawlib.FittedLaw) -> np.ndarray:
        return np.stack(lawlib.allocation_exponents(law, point.budget, point.expansion, g), axis=-1)

    ends = (np.ravel(part).tolist() for part in _bounded(choice, both))
    return {name: Bounded(*three) for name, *three in zip(("n_active", "tokens"), *ends, strict=True)}


def _bounded(choice: Choice, of: Callable[[lawlib.FittedLaw], np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (value, low, high) of a quantity of a law, law and samples computed together; NaN ends without samples."""
    if choice.samples is None:
        value = of(choice.law)
        return value, np.full(value.shape, np.nan), np.full(value.shape, np.nan)
    value, *many = of(choice.samples.with_point)
    return value, *central(many, tables.LEVEL)


def approaches(choice: Choice, own: pd.DataFrame | None, fitted: dict[str, Bounded]) -> pd.DataFrame | None:
    """Returns the exponents of N_opt and D_opt by the three approaches of Hoffmann 2022, a row each; None without runs."""
    if own is None or choice.law.fit is None:
        return None
    rows = []
    for words, found in (
        ("1, envelope of the runs", envelope_optima(choice.law, own)),
        ("2, isoFLOP parabolas", isoflop_optima(choice.law, own)),
    ):
        if found is None or not np.isfinite(found.n_exponent):
            rows.append({"approach": words, "N_opt ~ C^": "not to be had from these runs", "D_opt ~ C^": "", "points": 0})
            continue
        n = Bounded(found.n_exponent, *found.n_interval).text
        d = Bounded(found.d_exponent, *found.d_interval).text
        usable = int((found.slices["inside"] & found.slices["opens_up"]).sum())
        rows.append({"approach": words, "N_opt ~ C^": n, "D_opt ~ C^": d, "points": usable})
    rows.append(
        {
            "approach": f"3, {choice.label}",
            "N_opt ~ C^": fitted["n_active"].text,
            "D_opt ~ C^": fitted["tokens"].text,
            "points": len(choice.law.fit.runs),
        }
    )
    return pd.DataFrame(rows)


def isoflop_optima(law: lawlib.FittedLaw, own: pd.DataFrame | None) -> lawlib.IsoflopOptima | None:
    """Returns approach 2 on these runs."""
    if own is None:
        return None
    return cached.remember(law, ("approach 2", tuple(own["run_id"])), lambda: lawlib.isoflop_optima(own))


def envelope_optima(law: lawlib.FittedLaw, own: pd.DataFrame) -> lawlib.IsoflopOptima | None:
    """Returns approach 1 on these runs, along their training curves where there are any."""
    dataset = state.get("dataset")

    def make() -> lawlib.IsoflopOptima | None:
        names, store = own["loss_name"].mode(), cached.store()
        split = names.iloc[0] if len(names) else ""
        has_curves = split in store.splits(dataset)
        curves = store.curves(dataset, own["run_id"].tolist(), split=split, max_points=200) if has_curves else None
        return lawlib.envelope_optima(own, curves)

    return cached.remember(law, ("approach 1", dataset, tuple(own["run_id"])), make)


def decades(law: lawlib.FittedLaw, budget: float) -> list[float]:
    """Returns the budget and its neighbours two decades apart, for charts with a line a budget."""
    return sorted({budget * 100.0**k for k in (-2, -1, 0, 1, 2)})


@dataclass(frozen=True)
class LawPair:
    """A MoE law and the dense law it is compared with."""

    moe: lawlib.FittedLaw
    dense: lawlib.FittedLaw
    samples: tuple[lawlib.Ensemble, lawlib.Ensemble] | None
    notice: str

    @property
    def interval(self) -> str:
        return interval_words(self.samples[0] if self.samples else None)

    @property
    def meaning(self) -> str:
        if self.samples is None:
            return ""
        first, second = self.samples
        failed = max(first.n_failed, second.n_failed)
        more = f", {failed} refits failed" if failed else ""
        words = first.label if first.kind == "bootstrap" else "print rounding of the coefficients"
        return f"Brackets: 95 % of the {words}{more}."

    def unknown(self, point: Point) -> str:
        """Returns a warning where the runs do not identify the gap, "" elsewhere."""
        moe, dense = self.moe, self.dense
        if not isinstance(moe, Fit) or not isinstance(dense, Fit):
            return ""
        key = ("gap error", point.budget, point.expansion, point.granularity, id(dense))
        error = cached.remember(moe, key, lambda: gap_error(moe, dense, *_arguments(point)))
        if error <= WEAK:
            return ""
        return (
            ":orange[:material/warning: The runs do not identify this gap: do not quote it, and read its interval as too narrow.]"
        )

    @property
    def dense_facts(self) -> str:
        return "" if self.dense is self.moe else f"Dense: {label(self.dense.name)}"


def _arguments(point: Point) -> tuple[float, float | None, float | None]:
    return point.budget, point.expansion, point.granularity


def gaps(pair: LawPair, point: Point, budgets: list[float] | None = None) -> pd.DataFrame:
    """Returns efficiency gaps for a ladder of E (or the law's one E), the chosen E with its interval."""
    assert point.expansion is not None
    ladder = {point.expansion}
    if pair.dense is pair.moe and budgets is None:
        high = pair.moe.ranges.get("expansion", (1, 32))[1]
        ladder |= {float(2**k) for k in range(1, 7) if 2**k <= max(high, 4)}
    if budgets is not None:
        return _gap(pair.moe, pair.dense, point.expansion, point.granularity, np.asarray(budgets), pair.samples)
    moe, dense, g, values = pair.moe, pair.dense, point.granularity, _budgets(pair.moe, 4)
    curves = []
    for e in sorted(ladder):
        banded = e == point.expansion
        key = ("gap", e, g, values[0], values[-1], banded, id(dense), state.get("unit"))
        of = pair.samples if banded else None
        curves.append(cached.remember(moe, key, lambda e=e, of=of: _gap(moe, dense, e, g, values, of)))
    return pd.concat(curves, ignore_index=True)


def _gap(
    moe: lawlib.FittedLaw,
    dense: lawlib.FittedLaw,
    e: float,
    granularity: float | None,
    budgets: np.ndarray,
    both: tuple[lawlib.Ensemble, lawlib.Ensemble] | None,
) -> pd.DataFrame:
    """Returns the gaps at one E; both: refits of the two laws, for the interval."""
    return tables.gap_curves({e: (moe, dense)}, budgets, {e: both} if both else None, granularity)


def gain(choice: Choice, point: Point, coarse: float) -> Bounded:
    """Returns what the best granularity is worth in compute, with the law's interval."""

    def of(law: lawlib.FittedLaw) -> np.ndarray:
        return np.asarray(lawlib.granularity_gain(law, point.budget, point.expansion, coarse))

    return Bounded(*map(float, _bounded(choice, of)))


def switches(law: lawlib.FittedLaw, expansion: float | None) -> pd.DataFrame:
    """Returns the budgets at which the best granularity doubles."""
    return cached.remember(law, ("switches", expansion), lambda: lawlib.switching_budgets(law, expansion))
