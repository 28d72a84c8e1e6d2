"""Detects the mapping that a table's column names suggest, and checks it against the first rows."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..core import (
    BITS_PER_BYTE,
    E_AS_EXPANSION,
    EXPERTS_FROM_E,
    PARAMS_AS_ACTIVE,
    PERPLEXITY,
    Mapping,
    Source,
    Table,
    count_unit,
    flop_unit,
    loss_unit,
    numbers,
)
from ..readers import READERS
from .evidence import Disagree, Evidence
from .releases import recognise

# Names without case, blanks, underscores and hyphens; the first that a file has is taken. Non-embedding counts come first.
ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "runname", "run", "runid", "displayname", "modelname", "experimentname", "hyperid", "model", "id"),
    "arch": ("arch", "architecture", "modeltype"),
    "n_active": (
        "nactive", "nactivenonemb", "activenonembeddingparams", "activeparams", "activeparameters", "nactiveparams",
        "activatedparams", "activatedparameters", "paramsactive", "paramsactiveprecise", "activeparametercount",
    ),
    "n_total": (
        "ntotal", "ntotalnonemb", "totalnonembeddingparams", "totalparams", "totalparameters", "ntotalparams",
        "paramstotal", "totalparametercount",
    ),
    "n_params": (
        "nonembeddingparams", "nonembeddingparameters", "nnoemb", "nparamsnonembedding", "paramsnonembedding", "n", "nparams",
        "numparams", "params", "parameters", "numparameters", "parametercount", "modelsize", "modelparams",
    ),
    "d_model": ("dmodel", "hiddendim", "hiddensize", "modeldim", "embeddim", "nembd", "width"),
    "n_layers": ("nlayers", "numlayers", "nlayer", "layers", "numhiddenlayers", "numblocks", "nblocks", "depth"),
    "n_experts": (
        "nexperts", "numexperts", "numberofexperts", "experts", "nroutedexperts", "numroutedexperts", "numlocalexperts",
        "moenumexperts",
    ),
    "top_k": ("topk", "moetopk", "moetopkk", "moeroutertopk", "routertopk", "numexpertspertok", "expertspertoken", "k"),
    "granularity": ("granularity", "g"),
    "expansion": ("expansion", "expansionrate"),
    "tokens": (
        "d", "tokens", "ntokens", "numtokens", "traintokens", "trainingtokens", "numtraintokens", "totaltokens", "tokensseen",
        "ntokensseen", "numinputtokensseen", "consumedtokens", "tokenstrained",
    ),
    "flops": (
        "c", "flops", "flop", "totalflops", "totalflop", "trainingflops", "trainingflop", "trainflops", "trainflop",
        "trainingcompute", "traincompute", "compute", "totalcompute", "totalflos", "cflops", "trainingcomputeflops",
        "computeflops", "numflops", "nflops", "flopbudget", "flopsbudget", "budgetflops",
    ),
    "seed": ("seed", "randomseed", "trainseed"),
    "status": ("status", "state"),
    "exclude_reason": ("excludereason",),
    "excluded": ("excluded", "outlier", "isoutlier"),
}  # fmt: skip
STEPS = ("step", "globalstep", "iteration", "iter", "trainstep", "trainingstep", "currentstep")
_TEXTS = frozenset({"name", "arch", "status", "excluded", "exclude_reason"})
_READ_AS = {"flops": ("flops",), "counts": ("n_active", "n_total", "n_params", "tokens")}
_SETTINGS = ("n_active", "n_total", "n_params", "arch", "d_model", "n_layers", "n_experts", "top_k", "granularity", "seed")
_LOSS = re.compile(r"loss|nll|cross.?entropy|perplexity|bits.?per|(?<![a-z])(ppl|bpb|bpt|ce|l)(?![a-z])")
_NO_LOSS = re.compile(
    r"aux|balanc|router|(?<![a-z])z.?loss|scale|std|stderr|variance|grad|predict|(?<![a-z])(__?)?(min|max|count|time)(?![a-z])"
)
_VALIDATION = re.compile(r"(?<![a-z])(val|valid|validation|eval|evaluation|test|held.?out|dev|paloma|macro)(?![a-z])")
_NAMED = ("validationloss", "lossvalidation", "valloss", "evalloss", "lossval", "losseval")
WITH_AUX = re.compile(r"total|overall|combined|(?<![a-z])with(?![a-z])|\+")
_MODEL_ONLY = re.compile(r"(?<![a-z])(lm|ce|nll)(?![a-z])|cross.?entropy|language")


def detect(table: Table) -> Mapping:
    """Returns the mapping of a known release, or else the one that column names and first rows suggest. Never raises."""
    if table.format in READERS:
        return _of_most_runs(table, READERS[table.format].mapping(table))
    known = recognise(list(table.frame.columns))
    return known if known is not None else _of_most_runs(table, _plain(Evidence(table)))


def detect_each(table: Table, of_row: np.ndarray) -> list[tuple[np.ndarray, Mapping]]:
    """Returns what `detect` finds for each of the files that a table is made of, computed once for all that answer alike.

    Which loss most runs have is not looked at: the losses are in order of their names. `of_row` holds the number of the file of
    each row, ascending from 0. Files of each mapping are ascending too, and every file is in one of them.
    """
    evidence = Evidence(table, of_row)
    every = np.arange(evidence.n_files)
    if table.format in READERS:
        return [(every, READERS[table.format].mapping(table))]
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


def _of_most_runs(table: Table, mapping: Mapping) -> Mapping:
    """Returns the mapping with the best loss among those that give most runs: a single validation loss must not cost the others."""
    if not table.sparse or not mapping.run_columns or len(mapping.loss_columns) < 2:
        return mapping
    run = table.frame.groupby(list(mapping.run_columns), dropna=False, sort=False).ngroup().to_numpy()
    given = {c: ~np.isnan(numbers(table.frame[c], table.decimal).values) for c in mapping.loss_columns}
    n_runs = {c: len(np.unique(run[there])) for c, there in given.items()}
    order = sorted(mapping.loss_columns, key=lambda c: -n_runs[c])  # stable: the best of equals stays first
    return replace(mapping, sources=mapping.sources | {"loss": Source(order[0])}, loss_columns=tuple(order))


def keys(header: str) -> list[str]:
    """Returns the names that a header may be matched by, most specific first: as a whole, then without its path."""
    whole = re.sub(r"\.value$", "", header.strip())
    leaf = re.split(r"[/.](?=[^/.]*[^\W\d])", whole)[-1]
    return list(dict.fromkeys([_key(whole), _key(leaf)]))


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def loss_rank(column: str) -> int | None:
    """Returns how good a candidate for the loss a column is by its name, 0 the best; None where it is no loss of the model."""
    text = column.lower()
    if not _LOSS.search(text) or _NO_LOSS.search(text):
        return None
    unit = loss_unit(column)
    if any(key in _NAMED for key in keys(column)):
        return 0
    if _VALIDATION.search(text):
        return {"": 1, PERPLEXITY: 2, BITS_PER_BYTE: 4}.get(unit, 3)
    if _MODEL_ONLY.search(text):
        return 5
    return {"": 8 if WITH_AUX.search(text) else 6, PERPLEXITY: 7, BITS_PER_BYTE: 9}.get(unit, 8)


def _plain(rows: Evidence) -> Mapping:
    taken: set[str] = set()
    sources: dict[str, Source] = {}
    ranks = {c: rank for c in rows.columns if (rank := loss_rank(c)) is not None and rows.is_numeric(c)}
    losses = tuple(sorted(ranks, key=lambda c: ranks[c]))
    headers = _headers(rows)
    mlflow_name = "tags.mlflow.runName"
    for quantity, aliases in ALIASES.items():
        if quantity == "name" and mlflow_name in rows.columns and rows.is_filled(mlflow_name):
            sources["name"] = Source(mlflow_name)  # beside it run_id, a hash
            taken.add(mlflow_name)
            continue
        source = _find(rows, headers, quantity, aliases, taken | set(losses))
        if source is not None:
            sources[quantity] = source
            taken.add(source.column)
    _experts(rows, sources, taken)
    if "n_active" in sources:
        sources.pop("n_params", None)  # stays in `extra`: nothing says what it counts
    elif "n_params" in sources:
        column, unit = sources["n_params"].column, sources["n_params"].unit
        sources["n_params"] = Source(column, unit, PARAMS_AS_ACTIVE)
    if losses:
        sources["loss"] = Source(losses[0])
    mapping = Mapping("plain", sources, loss_columns=losses)
    return _as_curves(rows, headers, mapping)


class _Reading(NamedTuple):
    """One way to read a header: a name it may be matched by, the unit it ends in, and of which quantities ("" is of all)."""

    of: str
    level: int  # 1 without its unit, else 0
    depth: int  # 1 without its path, else 0
    key: str
    unit: str


def _headers(rows: Evidence) -> dict[str, list[tuple[int, str, _Reading]]]:
    """Returns the columns by the names they may be matched by: number, column, how it is read."""
    found: dict[str, list[tuple[int, str, _Reading]]] = {}
    for i, column in enumerate(rows.columns):
        for reading in _readings(column):
            found.setdefault(reading.key, []).append((i, column, reading))
    return found


def _find(
    rows: Evidence,
    headers: dict[str, list[tuple[int, str, _Reading]]],
    quantity: str,
    aliases: tuple[str, ...],
    taken: set[str],
) -> Source | None:
    """Returns the first alias that a free column has, whole names before names without their path, plain ones before units."""
    options: list[tuple[int, int, int, int, Source]] = []
    for rank, alias in enumerate(aliases):
        for i, column, (of, level, depth, _, unit) in headers.get(alias, ()):
            if column in taken or quantity not in _READ_AS.get(of, (quantity,)):
                continue
            if depth and quantity == "tokens" and re.match(r"(val|eval|test)", column.lower()):
                continue
            options.append((depth + level, rank, i, level, Source(column, unit)))
    options.sort(key=lambda option: option[:4])
    return next((o[4] for o in options if quantity in _TEXTS or rows.is_numeric(o[4].column)), None)


@lru_cache(2**16)
def _readings(column: str) -> tuple[_Reading, ...]:
    """The header as it is, and without the unit that it ends in; nothing for rates."""
    if re.search(r"per[_\s]?(step|token|second|device|gpu)|/s\b", column.lower()):
        return ()
    readings = [("", column, "")]
    header, unit = flop_unit(column)
    # A bare "tflops" is a speed in most logs.
    if header and not re.fullmatch(r"(.*/)?([gt]|giga|tera)flops?", column.lower()):
        readings.append(("flops", header, unit))
    header, unit = count_unit(column)
    if header:
        readings.append(("counts", header, unit))
    return tuple(
        _Reading(of, int(of != ""), depth, key, unit) for of, header, unit in readings for depth, key in enumerate(keys(header))
    )


def _experts(rows: Evidence, sources: dict[str, Source], taken: set[str]) -> None:
    """Returns the meaning of a column E: the expansion beside a granularity column, the number of experts otherwise."""
    column = next((c for c in rows.columns if _key(c) == "e" and c not in taken and rows.is_numeric(c)), None)
    if column is None:
        return
    if "granularity" not in sources:
        if "n_experts" not in sources:
            sources["n_experts"] = Source(column)
    elif "expansion" not in sources:
        sources["expansion"] = Source(column, rule=E_AS_EXPANSION)
        if "n_experts" not in sources:
            sources["n_experts"] = Source(rule=EXPERTS_FROM_E)


def _as_curves(rows: Evidence, headers: dict[str, list[tuple[int, str, _Reading]]], mapping: Mapping) -> Mapping:
    """The mapping with step and run columns where the file has several rows a run, as it is otherwise."""
    sources = mapping.sources
    found = _find(rows, headers, "step", STEPS, {s.column for s in sources.values()} | set(mapping.loss_columns))
    if found is None or not rows.has_rows(2):
        return mapping
    points = rows.points(mapping.loss)
    settings = [sources[q].column for q in _SETTINGS if q in sources and sources[q].column]
    run_columns = settings
    if "name" in sources:
        run_columns = [sources["name"].column]
        for column in settings:  # those that change under one name part its runs; a blank is no change
            if points.changes(column, run_columns):
                run_columns.append(column)
    if points.repeats([*run_columns, found.column]):
        known = {*run_columns, found.column, *mapping.loss_columns, *(s.column for s in sources.values())}
        apart = points.telling_apart([*run_columns, found.column], [c for c in rows.columns if c not in known])
        run_columns += apart[:1]
    if not rows.has_several(run_columns) or rows.n_values(found.column) < 2:
        return mapping
    return Mapping(mapping.reader, sources | {"step": found}, tuple(run_columns), mapping.loss_columns)
