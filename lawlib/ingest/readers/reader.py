"""The type of a reader: how its log format is recognised, how it is read, and which of its columns is what."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field

import pandas as pd

from ..core import PERPLEXITY, Mapping, RowProblem, Source, Table, loss_unit, ranked

RUN = "run"  # the column of a log's frame that names its run
OF_ALL = ("train_loss",)  # what a Hugging Face Trainer calls the mean over the whole training


@dataclass(frozen=True, eq=False)
class Read:
    """A log's columns of text, equally long, one row a logged step (or a run), with the line of each row.

    Plain lists: of ten thousand small logs most of the time would go into ten thousand frames.
    """

    columns: dict[str, list[str]]
    lines: list[int]
    notes: list[str] = field(default_factory=list)
    ragged: list[RowProblem] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        """The columns as a new frame."""
        return pd.DataFrame(self.columns, dtype="str")


@dataclass(frozen=True)
class Reader:
    """A reader of one format. `looks` recognises the first megabytes of a file; `read` may raise ReadError."""

    name: str
    title: str  # what users call it
    looks: Callable[[bytes], bool]
    read: Callable[[bytes, str], Read]
    mapping: Callable[[Table], Mapping] | None = None  # None: by the names of the columns
    elsewhere: str = ""  # of what is no log of runs: what it is and where it goes, after the file's name


def log_mapping(table: Table, sources: dict[str, list[Source]], without: Container[str] = ()) -> Mapping:
    """Returns the mapping of a log with a row a step: each quantity takes the first of its sources whose columns are there.

    The losses are found by the one rule (`ranked`); a perplexity beside a loss in nats says nothing new. `without` are columns
    that the format calls a loss and that are no points of its curve.
    """
    columns = list(table.frame.columns)
    losses = [c for c in ranked(columns) if c not in without]
    found = tuple(c for c in losses if loss_unit(c) != PERPLEXITY) or tuple(losses)
    given = {"name": [Source(RUN)], "status": [Source("status")], **sources}
    there = set(columns)
    chosen = {
        q: next(s for s in options if there.issuperset(s.columns))
        for q, options in given.items()
        if any(there.issuperset(s.columns) for s in options)
    }
    if found:
        chosen["loss"] = Source(found[0])
    return Mapping(table.format, chosen, (RUN,) if RUN in there else (), found)
