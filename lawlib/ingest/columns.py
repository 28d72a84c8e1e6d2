"""Detection: the mapping that a table's column names suggest, checked against its first rows."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from .mapping import E_AS_EXPANSION, EXPERTS_FROM_E, PARAMS_AS_ACTIVE, Mapping, Source
from .readers import READERS
from .releases import recognise
from .table import Table
from .units import BITS_PER_BYTE, PERPLEXITY, count_unit, flop_unit, loss_unit, numbers

SAMPLE = 2000  # rows that show whether a column holds numbers

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
    """The mapping of a known release, or else the one that column names and first rows suggest. Never raises."""
    if table.format in READERS:
        return _of_most_runs(table, READERS[table.format].mapping(table))
    known = recognise(list(table.frame.columns))
    return known if known is not None else _of_most_runs(table, _plain(table))


def _of_most_runs(table: Table, mapping: Mapping) -> Mapping:
    """The mapping with the best loss among those that most runs have: one validation loss must not cost the others."""
    if not table.sparse or not mapping.run_columns or len(mapping.loss_columns) < 2:
        return mapping
    run = table.frame.groupby(list(mapping.run_columns), dropna=False, sort=False).ngroup().to_numpy()
    given = {c: ~np.isnan(numbers(table.frame[c], table.decimal).values) for c in mapping.loss_columns}
    n_runs = {c: len(np.unique(run[there])) for c, there in given.items()}
    order = sorted(mapping.loss_columns, key=lambda c: -n_runs[c])  # stable: the best of equals stays first
    return replace(mapping, sources=mapping.sources | {"loss": Source(order[0])}, loss_columns=tuple(order))


def keys(header: str) -> list[str]:
    """The names a header may go by, most specific first: as a whole, then without its path."""
    whole = re.sub(r"\.value$", "", header.strip())
    leaf = re.split(r"[/.](?=[^/.]*[^\W\d])", whole)[-1]
    return list(dict.fromkeys([_key(whole), _key(leaf)]))


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def is_numeric(table: Table, column: str) -> bool:
    """Whether at least half of the filled cells in the first rows are numbers."""
    found = numbers(table.frame[column].head(SAMPLE), table.decimal)
    n_numbers = (~np.isnan(found.values)).sum() + found.nan.sum()
    return n_numbers > 0 and n_numbers >= found.text.sum()


def loss_rank(column: str) -> int | None:
    """How good a candidate for the loss a column is by its name, 0 the best; None where it is no loss of the model."""
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


def _plain(table: Table) -> Mapping:
    taken: set[str] = set()
    sources: dict[str, Source] = {}
    ranks = {c: rank for c in table.frame.columns if (rank := loss_rank(c)) is not None and is_numeric(table, c)}
    losses = tuple(sorted(ranks, key=lambda c: ranks[c]))
    mlflow_name = "tags.mlflow.runName"
    for quantity, aliases in ALIASES.items():
        if quantity == "name" and mlflow_name in table.frame and table.frame[mlflow_name].notna().all():
            sources["name"] = Source(mlflow_name)  # beside it run_id, a hash
            taken.add(mlflow_name)
            continue
        source = _find(table, quantity, aliases, taken | set(losses))
        if source is not None:
            sources[quantity] = source
            taken.add(source.column)
    _experts(table, sources, taken)
    if "n_active" in sources:
        sources.pop("n_params", None)  # stays in `extra`: nothing says what it counts
    elif "n_params" in sources:
        column, unit = sources["n_params"].column, sources["n_params"].unit
        sources["n_params"] = Source(column, unit, PARAMS_AS_ACTIVE)
    if losses:
        sources["loss"] = Source(losses[0])
    mapping = Mapping("plain", sources, loss_columns=losses)
    return _as_curves(table, mapping)


def _find(table: Table, quantity: str, aliases: tuple[str, ...], taken: set[str]) -> Source | None:
    """The first alias that a free column has, whole names before names without their path, plain ones before units."""
    best: tuple[int, int, int, Source] | None = None
    for i, column in enumerate(table.frame.columns):
        if column in taken or re.search(r"per[_\s]?(step|token|second|device|gpu)|/s\b", column.lower()):
            continue
        for level, (header, unit) in enumerate(_readings(column, quantity)):
            for depth, key in enumerate(keys(header)):
                if key not in aliases or (depth and re.match(r"(val|eval|test)", column.lower()) and quantity == "tokens"):
                    continue
                found = (depth + level, aliases.index(key), i, Source(column, unit))
                if (best is None or found[:3] < best[:3]) and (quantity in _TEXTS or is_numeric(table, column)):
                    best = found
    return best[3] if best else None


def _readings(column: str, quantity: str) -> list[tuple[str, str]]:
    """The header as it is, and without the unit that it ends in."""
    readings = [(column, "")]
    if quantity == "flops":
        header, unit = flop_unit(column)
        # A bare "tflops" is a speed in most logs.
        if header and not re.fullmatch(r"(.*/)?([gt]|giga|tera)flops?", column.lower()):
            readings.append((header, unit))
    elif quantity in ("n_active", "n_total", "n_params", "tokens"):
        header, unit = count_unit(column)
        if header:
            readings.append((header, unit))
    return readings


def _experts(table: Table, sources: dict[str, Source], taken: set[str]) -> None:
    """A column E: the expansion beside a granularity column, the number of experts otherwise."""
    column = next((c for c in table.frame.columns if _key(c) == "e" and c not in taken and is_numeric(table, c)), None)
    if column is None:
        return
    if "granularity" not in sources:
        if "n_experts" not in sources:
            sources["n_experts"] = Source(column)
    elif "expansion" not in sources:
        sources["expansion"] = Source(column, rule=E_AS_EXPANSION)
        if "n_experts" not in sources:
            sources["n_experts"] = Source(rule=EXPERTS_FROM_E)


def _as_curves(table: Table, mapping: Mapping) -> Mapping:
    """The mapping with step and run columns where the file has several rows a run, as it is otherwise."""
    frame = table.frame
    found = _find(table, "step", STEPS, {s.column for s in mapping.sources.values()} | set(mapping.loss_columns))
    if found is None or len(frame) < 2:
        return mapping
    points = frame.loc[~np.isnan(numbers(frame[mapping.loss], table.decimal).values)] if mapping.loss else frame
    sources = mapping.sources
    if "name" in sources:
        run_columns = [sources["name"].column]
        # Settings that change under one name part its runs; a blank is no change.
        for column in (sources[q].column for q in _SETTINGS if q in sources and sources[q].column):
            filled = points[points[column].notna() & (points[column].astype("str").str.strip() != "")]
            if (filled.groupby(run_columns)[column].nunique() > 1).any():
                run_columns.append(column)
    else:
        run_columns = [sources[q].column for q in _SETTINGS if q in sources and sources[q].column]
    if _n_repeats(points, run_columns, found.column):
        varying = [c for c in frame.columns if c not in {*run_columns, found.column, *mapping.loss_columns}]
        varying = [c for c in varying if c not in {s.column for s in sources.values()}]
        apart = [c for c in varying if not _n_repeats(points, [*run_columns, c], found.column)]
        if apart:
            run_columns.append(min(apart, key=lambda c: points[c].nunique()))
    largest = frame.groupby(run_columns, dropna=False).size().max() if run_columns else len(frame)
    if largest < 2 or frame[found.column].nunique() < 2:
        return mapping
    return Mapping(mapping.reader, sources | {"step": found}, tuple(run_columns), mapping.loss_columns)


def _n_repeats(frame: pd.DataFrame, run_columns: list[str], step: str) -> int:
    return int(frame.duplicated([*run_columns, step]).sum())
