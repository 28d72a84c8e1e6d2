"""The fields of the URL: the default of each, how it is read and written, and its limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from lawlib import figures, planner, serving
from lawlib.runs import HASH_DIGITS, Fingerprint

LIMITS = {
    "budget": (1e6, 1e35),
    "e": (1.0, 1e5),
    "g": (1e-2, 1e5),
    "served": (1e6, 1e18),
    "price": (1e-3, 1e4),
    "prompt": (1.0, 1e7),
    "output": (1.0, 1e7),
    "reference": (1.0, 1e5),
    "mfu": (0.01, 1.0),
    "peak": (0.01, 1.0),
    "reach": (0.01, 1.0),
    "most": (1.0, 1e6),
    "vocabulary": (2.0, 1e7),
    "pace": (0.1, 1e4),
    "trainers": (1.0, 1e6),
    "days": (0.01, 1e4),
    "have": (1e3, 1e17),
    "life": (1.0, 1e18),
    "goal": (1e-3, 1e2),
    "copy": (1.0, 4096.0),
    "at_once": (1.0, 1e6),
    "step_ms": (1e-2, 1e5),
    "sequence": (16.0, 1e7),
    "spend": (1e6, 1e35),
}
"""What the sliders' values may be, also when typed or linked: FLOPs, E, G; of serving: tokens, USD an hour, shares, batch; of the
planner: GPUs, days, tokens, loss, sequences, milliseconds a token, FLOPs of experiments."""
TOO_MANY = "x"
"""Ends the number of runs left out where they are too many to be named."""
PLAN_PARTS = ("neighbours", "launch", "next", "released")
"""The tabs of the Planner page, in their order."""


@dataclass(frozen=True)
class Field:
    """A value of the URL: its default, how it is read and written. A value equal to the default leaves the URL."""

    default: object
    read: Callable[[str], object]
    write: Callable[[object], str] = str


def _number(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e300:
        raise ValueError(text)
    return value


def _within(name: str) -> Callable[[str], float]:
    low, high = LIMITS[name]

    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _compact(value: object) -> str:
    """Returns the shortest text that reads back as the same number, so that a link gives the same answer to the last digit."""
    text = next(t for d in (4, 6, 9, 12, 15, 16, 17) if float(t := f"{float(value):.{d}g}") == value)  # type: ignore[arg-type]
    return text.replace("e+", "e")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return read


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(_number(part) for part in text.split(",") if part)


def _number_list(values: object) -> str:
    return ",".join(_compact(v) for v in values)  # type: ignore[union-attr]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _fingerprint(text: str) -> str:
    return str(Fingerprint.read(text))


def _hashes(text: str) -> tuple[str, ...]:
    """Runs by content: "none", or their hashes one after the other."""
    if text == "none":
        return ()
    if re.fullmatch(rf"[0-9]{{1,9}}{TOO_MANY}", text):
        return (text,)
    found = tuple(text[i : i + HASH_DIGITS] for i in range(0, len(text), HASH_DIGITS))
    if not re.fullmatch("[0-9a-f]+", text) or len(text) % HASH_DIGITS:
        raise ValueError(text)
    return found


def _hash_list(values: object) -> str:
    return "".join(values) or "none"  # type: ignore[arg-type]


RUN_COLORS = ("n_active", "flops", "expansion", "granularity", "tokens", "arch", "status", "loss_name")
"""What the chart of runs may be coloured by."""
FIELDS: dict[str, Field] = {
    "dataset": Field("byte-moe-sweep", str),
    "law": Field("", str),
    "law_g": Field("", str),
    "law_e": Field("", str),
    "objective": Field("huber", _one_of("huber", "squared_log", "squared")),
    "delta": Field(1e-3, _number, _compact),
    "rule": Field("", _one_of("6ND", "krajewski")),
    "weights": Field("equal", _one_of("compute", "seed_variance")),
    "unit": Field("runs", _one_of("slices", "sizes")),
    "budget": Field(None, _within("budget"), _compact),
    "e": Field(None, _within("e"), _compact),
    "g": Field(None, _within("g"), _compact),
    "cmin": Field(None, _number, _compact),
    "cmax": Field(None, _number, _compact),
    "experts": Field((), _numbers, _number_list),
    "grans": Field((), _numbers, _number_list),
    "arch": Field("", _one_of("dense", "moe")),
    "extra": Field("", str),
    "split": Field("", str),
    "cut": Field(None, _number, _compact),
    "backtest": Field((), _words, ",".join),  # type: ignore[arg-type]
    "a": Field("", str),
    "b": Field("", str),
    "by": Field("", _one_of("G", "E", "arch", "hand")),
    "side_a": Field("", str),
    "side_b": Field("", str),
    "hand_a": Field((), _hashes, _hash_list),
    "hand_b": Field((), _hashes, _hash_list),
    "along": Field("tokens", _one_of("step", "flops")),
    "basis": Field("", _one_of("curves", "finished")),
    "law_f": Field("", str),
    "metric": Field("", str),
    "gpu": Field("H100 SXM", _one_of(*serving.gpus())),
    "precision": Field("bf16", _one_of("fp8")),
    "served": Field(1e13, _within("served"), _compact),
    "price": Field(2.5, _within("price"), _compact),
    "prompt": Field(1024.0, _within("prompt"), _compact),
    "output": Field(256.0, _within("output"), _compact),
    "reference": Field(1.0, _within("reference"), _compact),
    "mfu": Field(0.4, _within("mfu"), _compact),
    "peak": Field(0.5, _within("peak"), _compact),
    "reach": Field(0.7, _within("reach"), _compact),
    "most": Field(256.0, _within("most"), _compact),
    "vocabulary": Field(None, _within("vocabulary"), _compact),
    "pace": Field(None, _within("pace"), _compact),
    "given": Field("flops", _one_of("time")),
    "trainers": Field(None, _within("trainers"), _compact),
    "days": Field(30.0, _within("days"), _compact),
    "have": Field(None, _within("have"), _compact),
    "life": Field(None, _within("life"), _compact),
    "goal": Field(None, _within("goal"), _compact),
    "copy": Field(None, _within("copy"), _compact),
    "at_once": Field(1.0, _within("at_once"), _compact),
    "step_ms": Field(None, _within("step_ms"), _compact),
    "sequence": Field(4096.0, _within("sequence"), _compact),
    "multiple": Field("128", _one_of("64")),
    "plan_e": Field((), _numbers, _number_list),
    "plan_g": Field((), _numbers, _number_list),
    "spend": Field(None, _within("spend"), _compact),
    "aim": Field("n_active", _one_of("loss")),
    "style": Field("qwen3_moe", _one_of(*planner.STYLES)),
    "part": Field(PLAN_PARTS[0], _one_of(*PLAN_PARTS[1:])),
    "optimum": Field("n_active", _one_of("tokens")),
    "against": Field("", _one_of("flops", "n_active", "n_total", "tokens")),
    "x": Field("", _one_of(*figures.AXES)),
    "color": Field("", _one_of(*RUN_COLORS)),
    "data": Field("", _fingerprint),
    "out": Field(None, _hashes, _hash_list),
}
FILTERS = ("cmin", "cmax", "experts", "grans", "arch", "extra")
"""Which runs of the data set are looked at."""
OF_DATASET = (
    *FILTERS, "budget", "e", "g", "split", "cut", "backtest", "law", "law_g", "law_e", "rule", "data", "out",
    "by", "side_a", "side_b", "hand_a", "hand_b", "basis", "law_f", "metric", "plan_e", "plan_g", "spend", "goal",
)  # fmt: skip
"""What another data set starts without.

`data` is the fingerprint of the runs that a link was made with, while those here differ; `out` the content hashes of the runs
to leave out instead of those that the workspace marks, None for the workspace's.
"""
PINS = ("a", "b")
"""The two views of the Compare page, each the parameters of its address."""
