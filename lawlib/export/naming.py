"""Names the variables of an exported script: those of the laws, their ensembles and their runs."""

from __future__ import annotations

from dataclasses import dataclass

from .analysis import Analysis, Origin, Part

_FIRST, _SECOND = "law", "dense"
"""The laws of a page: the chosen one, and the dense one that it is compared with."""


@dataclass(frozen=True)
class Named:
    """A law of an analysis with its variables. runs: "" for a published law; laws of the same selection share it."""

    part: Part
    law: str
    samples: str
    runs: str

    @property
    def file(self) -> str:
        """The file name under which uploaded runs travel beside the script."""
        return f"{self.runs}.csv"


def named(analysis: Analysis) -> list[Named]:
    """Returns the laws with their variable names, in order."""
    found: list[Named] = []
    known: dict[tuple, str] = {}
    for part, default in zip(analysis.parts, (_FIRST, _SECOND), strict=False):
        law = part.name or default
        samples = "samples" if law == _FIRST else f"{law}_samples"
        runs = ""
        if not part.origin.published:
            runs = known.setdefault(_selection(part.origin), f"{law}_runs" if known else "runs")
        found.append(Named(part, law, samples, runs))
    return found


def uploaded(analysis: Analysis) -> dict[str, Origin]:
    """Returns the selections of runs that do not come with the program, by the file they travel in."""
    return {n.file: n.part.origin for n in named(analysis) if n.runs and not n.part.origin.bundled}


def _selection(origin: Origin) -> tuple:
    return origin.dataset, tuple((name, repr(value)) for name, value in origin.filters.items())
