"""The mapping of a file: which column is which quantity, in which unit, by which rule."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pandas as pd

from lawlib.errors import ReadError
from lawlib.runs import NUMBERS

from .problem import shown
from .units import default_unit

QUANTITIES: dict[str, str] = {
    "name": "the run's name",
    "arch": "dense or moe",
    "n_active": NUMBERS["n_active"],
    "n_total": NUMBERS["n_total"],
    "n_params": "parameters, not said whether active or all: taken as active, and as all of them for dense runs",
    "d_model": NUMBERS["d_model"],
    "n_layers": NUMBERS["n_layers"],
    "n_experts": NUMBERS["n_experts"],
    "top_k": NUMBERS["top_k"],
    "granularity": NUMBERS["granularity"],
    "expansion": NUMBERS["expansion"],
    "tokens": NUMBERS["tokens"],
    "flops": NUMBERS["flops"],
    "loss": "the loss of the run, by default of validation; its unit can be chosen",
    "seed": NUMBERS["seed"],
    "status": "finished, running, diverged, ... as logged",
    "step": "training step of a file with learning curves: several rows a run, the last one with a loss is the run",
    "excluded": "whether the run is left out of fits (true, yes, 1)",
    "exclude_reason": "why the run is left out of fits",
}
AS_LOGGED = "as logged"

# Rules that compute: Source.rule, said to the user as it stands.
D_FROM_C, C_FROM_D, N_FROM_C = "D = C/(6N)", "C = 6ND", "N = C/(6D)"
EXPERTS_FROM_E = "n_experts = E x G"
CLARK_C, CLARK_D = "C = 3 x flops_per_step x step (flops_per_step is forward only)", "D = 256 x 2048 x step"
PARAMS_AS_ACTIVE = "not said to count active or all parameters: taken as active"
WITH_EMBEDDINGS = "all parameters, embeddings among them, as the log counts them: taken as active"
N_FROM_NAME = "the number with M or B in the run's name; not said to count active or all parameters: taken as active"
E_AS_EXPANSION = "E beside a granularity column is read as the expansion n_experts / G"
BESIDE_ACTIVE = "beside the active count and larger for mixtures: taken as all parameters"
G_FROM_WIDTHS = "G = d_ff / d_expert"
G_DECLARED = "G = d_ff / d_expert with a declared d_ff: the log has none"
N_FROM_SHAPE = "counted from the shape: attention and feed-forward weights, without embeddings, router and norms"


@dataclass(frozen=True)
class Source:
    """Where a quantity comes from: a column with its unit, or one `value` for all runs, or a rule that computes it.

    A column (or value) is multiplied with the columns `times` and with `factor` and divided by the column `per`, row by row.
    """

    column: str = ""
    unit: str = ""  # a label of UNITS[quantity]; "" is the canonical unit
    rule: str = AS_LOGGED
    value: str = ""
    bytes_per_token: float | None = None  # for losses in bits per byte
    times: tuple[str, ...] = ()
    per: str = ""
    factor: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the source reads."""
        return tuple(c for c in (self.column, *self.times, self.per) if c)

    @property
    def formula(self) -> str:
        """The source as text: "consumed samples × seq_length"."""
        text = " × ".join([self.column or self.value, *self.times])
        text += f" / {self.per}" if self.per else ""
        return text + (f" × {self.factor:g}" if self.factor != 1 else "")


@dataclass(frozen=True)
class Mapping:
    """How a file's columns become canonical runs; equal mappings have equal JSON."""

    reader: str  # a name in READERS, or plain
    sources: dict[str, Source] = field(default_factory=dict)
    run_columns: tuple[str, ...] = ()  # what tells runs apart in a file with learning curves
    loss_columns: tuple[str, ...] = ()  # all losses of the file, best candidate first; each is a split of the curves

    @property
    def loss(self) -> str:
        """The column of the chosen loss, "" where there is none."""
        return self.sources["loss"].column if "loss" in self.sources else ""

    @property
    def step(self) -> str:
        """The step column of a file with learning curves, "" where each row is a run."""
        return self.sources["step"].column if "step" in self.sources else ""

    def with_source(self, quantity: str, source: Source | None) -> Mapping:
        """Returns the mapping with another source for `quantity`; None leaves the quantity out."""
        _known(quantity)
        sources = {q: s for q, s in self.sources.items() if q != quantity}
        if source is not None:
            sources[quantity] = source
        losses = self.loss_columns
        if quantity == "loss" and source is not None and source.column and source.column not in losses:
            losses = (*losses, source.column)
        return replace(self, sources=sources, loss_columns=losses)

    def to_json(self) -> str:
        """Returns the mapping as JSON, quantities in the order of `QUANTITIES`."""
        sources = {q: asdict(self.sources[q]) for q in QUANTITIES if q in self.sources}
        return json.dumps(asdict(replace(self, sources={})) | {"sources": sources})

    @classmethod
    def from_json(cls, text: str) -> Mapping:
        """Returns the mapping that `to_json` wrote.

        Raises:
            ReadError: the text is something else.
        """
        try:
            given = json.loads(text)
            if not isinstance(given["reader"], str):
                raise TypeError("reader is no text")
            sources = {_known(q): _source(s) for q, s in given["sources"].items()}
            return cls(given["reader"], sources, _texts(given["run_columns"]), _texts(given["loss_columns"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ReadError(f"This is not a mapping of columns ({shown(error)}): detect it anew. Got: {shown(text)}") from error


def _known(quantity: str) -> str:
    if quantity not in QUANTITIES:
        raise ReadError(f'"{shown(quantity)}" is no quantity of a run: choose one of {", ".join(QUANTITIES)}.')
    return quantity


def _source(given: dict[str, Any]) -> Source:
    times = _texts(given.get("times", []))
    source = replace(Source(**{key: value for key, value in given.items() if key != "times"}), times=times)
    _texts([source.column, source.unit, source.rule, source.value, source.per])
    for name, number in (("bytes_per_token", source.bytes_per_token), ("factor", source.factor)):
        if (number is not None or name == "factor") and (isinstance(number, bool) or not isinstance(number, (int, float))):
            raise TypeError(f"{name} is no number")
    return source


def _texts(given: list[Any]) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise TypeError(f"{given} is no list of texts")
    return tuple(given)


def mapping_table(mapping: Mapping) -> pd.DataFrame:
    """A mapping for people to read, a row a quantity: quantity, column (or formula, or constant), unit, how it was found."""
    rows = [
        (q, s.formula if s.columns else f"always {s.value}" if s.value else "–", s.unit or default_unit(q), s.rule)
        for q, s in mapping.sources.items()
    ]
    return pd.DataFrame(rows, columns=["quantity", "column", "unit", "how"])
