"""The type of a reader: how its log format is recognised, how it is read, and which of its columns is what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from ..core import Mapping, RowProblem, Source, Table

RUN = "run"  # the column of a log's frame that names its run


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
    mapping: Callable[[Table], Mapping]


def log_mapping(table: Table, losses: Iterable[str], sources: dict[str, list[Source]]) -> Mapping:
    """Returns the mapping of a log with a row a step: each quantity takes the first of its sources whose columns are there.

    `losses` are the format's own names in order of preference: the validation loss first.
    """
    columns = set(table.frame.columns)
    found = tuple(dict.fromkeys(loss for loss in losses if loss in columns))
    given = {"name": [Source(RUN)], **sources}
    chosen = {
        q: next(s for s in options if columns.issuperset(s.columns))
        for q, options in given.items()
        if any(columns.issuperset(s.columns) for s in options)
    }
    if found:
        chosen["loss"] = Source(found[0])
    return Mapping(table.format, chosen, (RUN,) if RUN in columns else (), found)
