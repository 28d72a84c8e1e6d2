"""Estimates the shares of peak compute and bandwidth that one's own servers reach, by least squares from measured throughput."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from ..architecture import krajewski_blocks
from ..errors import FitError
from ..numerics.arrays import Array
from ..seeds import released_shapes
from .cost import Workload
from .hardware import gpu
from .memory import Footprint, footprint, mean_context
from .roofline import Machine, decode_work, exchange_time, prefill_work
from .sizes import QUERIES_PER_KEY, at_widths

NUMBERS = ("n_gpus", "batch", "prompt", "output", "tokens_per_second")
SIZES = ("n_active", "n_total", "n_experts", "top_k")
"""What a model that is not in the table needs: non-embedding counts, and experts of a block."""
_STARTS = (0.05, 0.2, 0.5, 0.9)
_LOWEST = 1e-3


@dataclass(frozen=True)
class Calibration:
    """The shares of peak compute and bandwidth that fit the measurements best.

    compute, bandwidth: shares of the data sheet's rates, up to 1. rows: as given, with `predicted` tokens a second and
    `residual`, ln(measured / predicted). rms: of the residuals. known: which of the two the rows depend on at all.
    """

    compute: float
    bandwidth: float
    rows: pd.DataFrame
    rms: float
    known: dict[str, bool]

    @property
    def sentence(self) -> str:
        """Returns the result in words."""
        parts = []
        for name, words in (("compute", "peak compute"), ("bandwidth", "memory bandwidth")):
            value = getattr(self, name)
            parts.append(f"{value:.0%} of the {words}" if self.known[name] else f"the rows do not depend on the {words}")
        return f"{len(self.rows)} rows: {', '.join(parts)}; residuals rms {self.rms:.1%}."


def calibrate(rows: pd.DataFrame, precision: str = "bf16") -> Calibration:
    """Fits the shares of compute and bandwidth by least squares of ln(tokens a second).

    rows: a measurement each, columns model, gpu, n_gpus, batch, prompt, output, tokens_per_second (answer tokens of the whole
    copy, prefill of the prompts included); for a model that is not among the released ones n_active, n_total, n_experts and
    top_k besides. `output` is the mean answer, `prompt` the mean prompt.
    Raises FitError naming the row and what it lacks.
    """
    rows = rows.reset_index(drop=True)
    if rows.empty:
        raise FitError("There are no measurements: add a row with model, GPUs, batch, lengths and tokens a second.")
    parts = np.array([_seconds(*_row(i, row, precision)) for i, row in rows.iterrows()])
    measured, batch = np.log(rows["tokens_per_second"].to_numpy(dtype=float)), rows["batch"].to_numpy(dtype=float)

    def predicted(shares: Array) -> Array:
        """ln tokens a second: a step is a decode and a share of a prefill, each the longer of computing and reading."""
        computing, reading, exchange = parts[:, 0] / shares[0], parts[:, 1] / shares[1], parts[:, 2] / shares[1]
        return np.log(batch / (np.maximum(computing, reading) + exchange).sum(axis=1))

    def residual(log_shares: Array) -> Array:
        return measured - predicted(np.exp(log_shares))

    bounds = (np.full(2, np.log(_LOWEST)), np.zeros(2))
    starts = [np.log([c, b]) for c in _STARTS for b in _STARTS]
    found = min((least_squares(residual, s, bounds=bounds, method="trf", xtol=1e-12) for s in starts), key=lambda r: r.cost)
    shares = np.exp(found.x)
    known = {}
    for i, name in enumerate(("compute", "bandwidth")):
        moved = found.x.copy()
        moved[i] -= 0.02
        known[name] = bool(np.abs(residual(moved) - residual(found.x)).max() > 1e-6)
    out = rows.assign(predicted=np.exp(predicted(shares)), residual=residual(found.x))
    return Calibration(float(shares[0]), float(shares[1]), out, float(np.sqrt(np.mean(found.fun**2))), known)


def _seconds(model: Footprint, machine: Machine, work: Workload, n_gpus: float, batch: float) -> Array:
    """Seconds of a step at full rates: computing, reading and exchange (rows) of decode and of the prefills that join (columns)."""
    joining = batch / work.output
    prompts, part = max(joining, 1.0), min(joining, 1.0)
    decode = decode_work(model, machine, batch, mean_context(work.prompt, work.output))
    prefill = prefill_work(model, machine, prompts, work.prompt)
    rates = n_gpus * machine.gpu.flops(machine.precision), n_gpus * machine.gpu.bandwidth_gb_s * 1e9
    sums = exchange_time(model, machine, n_gpus, batch), exchange_time(model, machine, n_gpus, prompts * work.prompt)
    rows = [(decode[k] / rates[k], part * prefill[k] / rates[k]) for k in (0, 1)]
    return np.array([*rows, (sums[0], part * sums[1])], dtype=float)


def _row(i, row: pd.Series, precision: str) -> tuple[Footprint, Machine, Workload, float, float]:
    """(model, machine at full rates, requests, GPUs, batch) of a measurement."""
    where = f"Row {int(i) + 1}"
    numbers = {}
    for name in NUMBERS:
        value = pd.to_numeric(row.get(name), errors="coerce")
        if not (np.isfinite(value) and value > 0):
            raise FitError(f"{where} needs a positive {name}; got {row.get(name)}.")
        numbers[name] = float(value)
    try:
        machine = Machine(gpu(str(row.get("gpu"))), precision)
    except ValueError as error:
        raise FitError(f"{where}: {error}") from None
    shapes = released_shapes()
    name = str(row.get("model"))
    model = footprint(shapes[name]) if name in shapes else _own(where, name, row, list(shapes))
    return model, machine, Workload(numbers["prompt"], numbers["output"]), numbers["n_gpus"], numbers["batch"]


def _own(where: str, name: str, row: pd.Series, known: list[str]) -> Footprint:
    """Footprint of a model of which only the counts are known, in the width that the papers' shapes have."""
    values = {c: pd.to_numeric(row.get(c), errors="coerce") for c in SIZES}
    missing = [c for c, v in values.items() if not (np.isfinite(v) and v > 0)]
    if missing:
        raise FitError(f"{where}: {name!r} is not among {', '.join(known)}; give its {', '.join(missing)}.")
    n_active, n_total, n, k = (float(values[c]) for c in SIZES)
    if n_total < n_active or n < k:
        raise FitError(f"{where}: n_total must be at least n_active, and n_experts at least top_k.")
    expert = (n_total - n_active) / (n - k) if n > k else 0.0
    if k * expert > n_active:
        raise FitError(f"{where}: {k:g} experts of {expert:.3g} parameters are more than n_active = {n_active:.3g}.")
    shape = at_widths(krajewski_blocks(n_active), QUERIES_PER_KEY)
    return replace(shape, common=n_active - k * expert, expert=expert, n_experts=n, top_k=k)
