"""GPUs by their vendors' data sheets or by the user's figures; prices are always the user's input."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .. import seeds

PRECISIONS: dict[str, float] = {"bf16": 2.0, "fp8": 1.0}
"""Bytes of a weight, by number format."""


@dataclass(frozen=True)
class GPU:
    """One accelerator. memory_gb in 1e9 bytes, bandwidth_gb_s of its memory, dense (never sparse) rates in TFLOP/s.

    interconnect_gb_s: to its neighbours, both directions together, as data sheets print it. NaN where the sheet says nothing.
    """

    name: str
    memory_gb: float
    bandwidth_gb_s: float
    bf16_tflops: float
    fp8_tflops: float = np.nan
    interconnect_gb_s: float = np.nan
    sheet: str = "the user's own figures"

    def flops(self, precision: str) -> float:
        """Returns dense FLOP/s of matrix products in a number format.

        Raises ValueError where the format is unknown or the GPU has no units for it.
        """
        if precision not in PRECISIONS:
            raise ValueError(f"There is no number format {precision!r} here; known are {', '.join(PRECISIONS)}.")
        rate = self.bf16_tflops if precision == "bf16" else self.fp8_tflops
        if not np.isfinite(rate):
            raise ValueError(f"{self.name} has no {precision} rate in its data sheet ({self.sheet}): take bf16 or another GPU.")
        return rate * 1e12

    @property
    def precisions(self) -> list[str]:
        """The number formats that this GPU has a rate for."""
        return [p for p, rate in (("bf16", self.bf16_tflops), ("fp8", self.fp8_tflops)) if np.isfinite(rate)]


def gpus() -> dict[str, GPU]:
    """Returns the GPUs of the table `gpus`, by name."""
    return dict(_gpus())


@cache
def _gpus() -> dict[str, GPU]:
    table = seeds.table("gpus")
    columns = ("memory_gb", "bandwidth_gb_s", "bf16_tflops", "fp8_tflops", "interconnect_gb_s", "sheet")
    return {str(row["gpu"]): GPU(str(row["gpu"]), **{c: row[c] for c in columns}) for row in table.to_dict("records")}


def gpu(name: str) -> GPU:
    """Returns the GPU of this name. Raises ValueError with the known names."""
    known = gpus()
    if name not in known:
        raise ValueError(f"There is no GPU {name!r} in the table; known are {', '.join(known)}.")
    return known[name]
