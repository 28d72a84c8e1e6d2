"""Detects the mapping that a table's column names suggest, and checks it against the first rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import Mapping, Source, Table, numbers, ranked
from ..readers import READERS
from .aliases import ALIASES, WIDTHS
from .evidence import Disagree, Evidence
from .headers import Headers
from .mixtures import mixture
from .releases import recognise
from .rows import as_curves

_RUN_NAME = "tags.mlflow.runName"


def detect(table: Table) -> Mapping:
    """Returns the mapping of a known release, or else the one that column names and first rows suggest. Never raises."""
    if (own := _own(table)) is not None:
        return _of_most_runs(table, own)
    known = recognise(list(table.frame.columns))
    return known if known is not None else _of_most_runs(table, _plain(Evidence(table)))


def detect_each(table: Table, of_row: np.ndarray) -> list[tuple[np.ndarray, Mapping]]:
    """Returns what `detect` finds for each of the files that a table is made of, computed once for all that answer alike.

    Which loss most runs have is not looked at: the losses are in order of their names. `of_row` holds the number of the file of
    each row, ascending from 0. Files of each mapping are ascending too, and every file is in one of them.
    """
    evidence = Evidence(table, of_row)
    every = np.arange(evidence.n_files)
    if (own := _own(table)) is not None:
        return [(every, own)]
    known = recognise(evidence.columns)
    if known is not None:
        return [(every, known)]
    found, waiting = [], [(every, evidence)]
    while waiting:
        files, evidence = waiting.pop()
        try:
            found.append((files, _plain(evidence)))
        except Disagree as question:
            for answer in np.unique(question.answers):
                alike = np.flatnonzero(question.answers == answer)
                waiting.append((files[alike], evidence.at_hand(alike)))
    return found


def _own(table: Table) -> Mapping | None:
    """Returns the mapping of a log whose format says which column is what."""
    reader = READERS.get(table.format)
    return None if reader is None or reader.mapping is None else reader.mapping(table)


def _of_most_runs(table: Table, mapping: Mapping) -> Mapping:
    """Returns the mapping with the best loss among those that give most runs: a single validation loss must not cost the others."""
    if not table.sparse or not mapping.run_columns or len(mapping.loss_columns) < 2:
        return mapping
    run = table.frame.groupby(list(mapping.run_columns), dropna=False, sort=False).ngroup().to_numpy()
    given = {c: ~np.isnan(numbers(table.frame[c], table.decimal).values) for c in mapping.loss_columns}
    n_runs = {c: len(np.unique(run[there])) for c, there in given.items()}
    order = sorted(mapping.loss_columns, key=lambda c: -n_runs[c])  # stable: the best of equals stays first
    return replace(
        mapping, sources=mapping.sources | {"loss": replace(mapping.sources["loss"], column=order[0])}, loss_columns=tuple(order)
    )


def _plain(rows: Evidence) -> Mapping:
    sources: dict[str, Source] = {}
    losses = tuple(c for c in ranked(rows.columns) if rows.is_numeric(c))
    headers = Headers(rows)
    headers.taken |= set(losses)
    for quantity, aliases in ALIASES.items():
        aliases = tuple(a for a in aliases if len(a) > 1 or _explained(a, headers, sources))
        if quantity == "name" and _RUN_NAME in rows.columns and rows.is_filled(_RUN_NAME):
            source = Source(_RUN_NAME)  # beside it run_id, a hash
        else:
            source = headers.find(quantity, aliases)
        if source is not None:
            sources[quantity] = source
            headers.taken.add(source.column)
    _letters(headers, sources)
    mixture(headers, sources)
    if losses:
        sources["loss"] = Source(losses[0])
    return as_curves(headers, Mapping("plain", sources, loss_columns=losses))


def _explained(letter: str, headers: Headers, sources: dict[str, Source]) -> bool:
    """Whether a name of one letter has neighbours that say what it means."""
    letters = set(headers.letters)
    shape = {"d", "l", "h"} <= letters or ("d" in letters and "h" in letters and "n" not in letters)
    if letter in ("d", "c"):
        return not (letter == "d" and shape)
    if letter in ("k", "g"):
        mixture = {"e", "g", "k"} & letters - {letter} or {"n_experts", "top_k"} & sources.keys()
        return bool(mixture) or headers.has(ALIASES["n_experts"] + WIDTHS["d_expert"])
    return True


def _letters(headers: Headers, sources: dict[str, Source]) -> None:
    """Reads d, h and l beside one another as width, heads and layers; h alone beside a count of layers as the width."""
    letters = headers.letters
    given = {k: c for k, c in letters.items() if c not in headers.taken and headers.rows.is_numeric(c)}
    found = {}
    if "d" in given and "h" in letters:
        found = {"d_model": "d", "n_layers": "l"}
    elif "h" in given and "n_layers" in sources:
        found = {"d_model": "h"}
    for quantity, letter in found.items():
        if quantity not in sources and letter in given:
            sources[quantity] = Source(given[letter])
            headers.taken.add(given[letter])
