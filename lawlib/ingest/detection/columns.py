"""Detects the mapping that a table's column names suggest, and checks it against the first rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..core import (
    BESIDE_ACTIVE,
    E_AS_EXPANSION,
    EXPERTS_FROM_E,
    G_DECLARED,
    G_FROM_WIDTHS,
    PARAMS_AS_ACTIVE,
    Mapping,
    Source,
    Table,
    count_unit,
    flop_unit,
    numbers,
    ranked,
)
from ..readers import READERS
from .evidence import Disagree, Evidence
from .releases import recognise

# Names without case, blanks, underscores and hyphens; the first that a file has is taken. Non-embedding counts come first.
ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "runname", "run", "runid", "displayname", "modelname", "experimentname", "expname", "hyperid", "model", "id"),
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
        "nonembeddingparams", "nonembeddingparameters", "nnoemb", "nparamsnonembedding", "paramsnonembedding", "paramsnoembed",
        "paramsnoemb", "nparamsnoembed", "nonembparams", "nnonembedding", "nonembeddingparametercount", "n", "nparams", "numparams",
        "params", "parameters", "numparameters", "nparameters", "parametercount", "modelsize", "modelparams", "paramcount",
        "modelnumparameters", "modelparameters", "modelparametercount",
    ),
    "d_model": (
        "dmodel", "hiddendim", "hiddensize", "modeldim", "embeddim", "nembd", "width", "dim", "embdim", "baseembdim", "embeddingdim",
        "modelwidth", "hiddenwidth",
    ),
    "n_layers": (
        "nlayers", "numlayers", "nlayer", "layers", "numhiddenlayers", "numblocks", "nblocks", "depth", "numl", "numdecoderlayers",
        "basenumdecoderlayers", "layernum", "numlayer",
    ),
    "n_experts": (
        "nexperts", "numexperts", "numberofexperts", "experts", "nroutedexperts", "numroutedexperts", "numlocalexperts",
        "moenumexperts", "nummoeexperts", "nume", "nexpert", "numexpert", "expertcount", "routedexperts", "moeexperts", "moenexperts",
        "totalexperts", "numtotalexperts", "numexpertsperlayer", "expertsperlayer", "moenumroutedexperts", "nroutedexpert", "expertnum",
        "moeexpertnum", "numberexperts", "moenroutedexperts", "ffnnumexperts", "moenumlocalexperts", "numexpertstotal", "moeexpertcount",
    ),
    "top_k": (
        "topk", "moetopk", "moetopkk", "moeroutertopk", "routertopk", "numexpertspertok", "expertspertoken", "numexpertspertoken",
        "expertspertok", "nexpertspertoken", "nexpertspertok", "numactiveexperts", "nactiveexperts", "activeexperts", "nactivatedexperts",
        "numactivatedexperts", "activatedexperts", "moek", "topkexperts", "numselectedexperts", "expertusedcount", "nexpertsused",
        "numexpertsactivated", "routerk", "moetopkrouter", "moerouterk", "expertspertokentopk", "numexpertsselected", "ntopk",
        "moenumexpertspertok", "numexpertspertopk", "topkrouting", "moenumactiveexperts", "moenumselectedexperts", "k",
    ),
    "granularity": ("granularity", "expertgranularity", "moegranularity", "g"),
    "expansion": ("expansion", "expansionrate", "expertexpansion"),
    "tokens": (
        "d", "totaltokens", "tokenstotal", "tokens", "ntokens", "numtokens", "traintokens", "trainingtokens", "numtraintokens", "tokensseen",
        "ntokensseen", "numinputtokensseen", "consumedtokens", "tokensconsumed", "tokenstrained", "trainedtokens", "seentokens",
        "numtokensseen", "totaltokensseen", "tokensseentotal", "tokensprocessed", "processedtokens", "cumulativetokens", "timetoken",
        "totaltrainingtokens", "trainingtokensseen", "tokencount", "ntraintokens", "numtrainingtokens", "tokenssofar", "traintokensseen",
    ),
    "flops": (
        "c", "flops", "flop", "totalflops", "totalflop", "trainingflops", "trainingflop", "trainflops", "trainflop",
        "trainingcompute", "traincompute", "compute", "totalcompute", "totalflos", "cflops", "trainingcomputeflops",
        "computeflops", "numflops", "nflops", "flopbudget", "flopsbudget", "budgetflops", "totaltrainingflops", "totaltrainflops",
        "traincomputeflops", "computebudget", "computebudgetflops",
    ),
    "seed": ("seed", "randomseed", "trainseed"),
    "status": ("status", "state"),
    "exclude_reason": ("excludereason",),
    "excluded": ("excluded", "outlier", "isoutlier"),
}  # fmt: skip
WIDTHS: dict[str, tuple[str, ...]] = {
    "d_expert": (
        "dexpert", "moeintermediatesize", "moeffnhiddensize", "expertwidth", "expertdim", "expertsize", "moeh", "expertffn", "expertffndim",
        "expertintermediatesize", "expertffnhiddensize", "expertffdim", "expertdff", "dffexpert", "dffmoe", "moedff", "dmoe", "moeffn",
        "moeffndim", "moedim", "moeinterdim", "expertinterdim", "moemlpdim", "expertmlpdim", "basemoemlpdim", "moehiddensize", "moewidth",
        "experthiddensize", "experthiddendim", "moehiddendim", "moeexpertdim", "expertintermediatedim", "moeintermediatedim", "expertffnsize",
    ),
    "d_ff": (
        "dff", "ffnhiddensize", "intermediatesize", "intermediatesizemlp", "ffnh", "ffndim", "ffdim", "mlpdim", "basemlpdim", "interdim", "nff",
        "feedforwarddim", "ffnwidth", "ffwidth", "mlphiddensize", "mlphiddendim", "ffhiddensize", "ffnintermediatesize", "intermediatedim",
        "dffn", "dffdense", "densedff", "denseffndim", "densewidth", "ffnsize", "ninner", "mlpwidth", "ffnhiddendim", "denseintermediatesize",
    ),
}  # fmt: skip
"""Feed-forward widths, of an expert and of the dense layers: no quantities of a run, but G is their ratio."""
STEPS = (
    "step", "globalstep", "iteration", "iter", "trainstep", "trainingstep", "currentstep", "currentsteps", "trainerglobalstep", "globalsteps",
    "iternum", "iterations", "optimizerstep", "updatestep", "trainiter", "trainiteration", "trainingiteration", "numupdates", "updates", "timebatch",
)  # fmt: skip
COUNTERS = (
    "steps", "update", "batch", "it", "numsteps", "checkpoint", "ckpt", "samples", "consumedsamples", "sample", "samplesseen", "numsamples",
    "examples", "sequences", "timesample", "epoch", "relativetimeprocess", "relativetimewall", "walltime", "elapsed", "elapsedhours",
    "elapsedtime", "time", "hours", "trainhours", "timehours", "runtime", "seconds", "minutes", "times", "timestamp",
)  # fmt: skip
"""What may grow along a run in place of a step, after the tokens; taken only where it does."""
_TEXTS = frozenset({"name", "arch", "status", "excluded", "exclude_reason"})
_READ_AS = {"flops": ("flops",), "counts": ("n_active", "n_total", "n_params", "tokens")}
_SIZES = ("n_active", "n_total", "n_params", "arch", "d_model", "n_layers", "n_experts")
_SETTINGS = (*_SIZES, "top_k", "granularity", "seed")
_TRAINED = re.compile(
    r"(?<![a-z])(lr|learning.?rate|grad.?norm|throughput|tps|mfu|tflops|elapsed|per.?sec\w*|it/s|s/it|batch.?time|step.?time|epoch)(?![a-z])"
)
_FEW, _MANY = 3, 10


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
    return replace(
        mapping, sources=mapping.sources | {"loss": replace(mapping.sources["loss"], column=order[0])}, loss_columns=tuple(order)
    )


def keys(header: str) -> list[str]:
    """Returns the names that a header may be matched by, most specific first: as a whole, then without its path."""
    whole = re.sub(r"\.value$", "", header.strip())
    leaf = re.split(r"[/.](?=[^/.]*[^\W\d])", whole)[-1]
    return list(dict.fromkeys([_key(whole), _key(leaf)]))


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _plain(rows: Evidence) -> Mapping:
    taken: set[str] = set()
    sources: dict[str, Source] = {}
    losses = tuple(c for c in ranked(rows.columns) if rows.is_numeric(c))
    headers = _headers(rows)
    mlflow_name = "tags.mlflow.runName"
    letters = {_key(c) for c in rows.columns if len(_key(c)) == 1}
    for quantity, aliases in ALIASES.items():
        aliases = tuple(a for a in aliases if len(a) > 1 or _explained(a, letters, headers, sources))
        if quantity == "name" and mlflow_name in rows.columns and rows.is_filled(mlflow_name):
            sources["name"] = Source(mlflow_name)  # beside it run_id, a hash
            taken.add(mlflow_name)
            continue
        source = _find(rows, headers, quantity, aliases, taken | set(losses))
        if source is not None:
            sources[quantity] = source
            taken.add(source.column)
    _letters(rows, sources, taken, letters)
    _spelled(rows, sources, taken)
    _experts(rows, sources, taken)
    _widths(rows, headers, sources, taken)
    if "n_active" in sources:
        unsaid = sources.pop("n_params", None)  # stays in `extra` where nothing says what it counts
        mixed = "n_experts" in sources or "top_k" in sources
        if unsaid is not None and "n_total" not in sources and mixed and rows.exceeds(unsaid.column, sources["n_active"].column):
            sources["n_total"] = replace(unsaid, rule=BESIDE_ACTIVE)
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
    if re.search(r"per[_\s]?(step|token|sec|second|s\b|device|gpu|batch|iter)|/s(ec)?\b|(?<![a-z])max_", column.lower()):
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


def _explained(
    letter: str, letters: set[str], headers: dict[str, list[tuple[int, str, _Reading]]], sources: dict[str, Source]
) -> bool:
    """Whether a name of one letter has neighbours that say what it means."""
    shape = {"d", "l", "h"} <= letters or ("d" in letters and "h" in letters and "n" not in letters)
    if letter in ("d", "c"):
        return not (letter == "d" and shape)
    if letter in ("k", "g"):
        mixture = {"e", "g", "k"} & letters - {letter} or {"n_experts", "top_k"} & sources.keys()
        return bool(mixture) or any(a in headers for a in ALIASES["n_experts"] + WIDTHS["d_expert"])
    return True


def _letters(rows: Evidence, sources: dict[str, Source], taken: set[str], letters: set[str]) -> None:
    """Reads d, h and l beside one another as width, heads and layers; h alone beside a count of layers as the width."""
    given = {_key(c): c for c in rows.columns if len(_key(c)) == 1 and c not in taken and rows.is_numeric(c)}
    found = {}
    if "d" in given and "h" in letters:
        found = {"d_model": "d", "n_layers": "l"}
    elif "h" in given and "n_layers" in sources:
        found = {"d_model": "h"}
    for quantity, letter in found.items():
        if quantity not in sources and letter in given:
            sources[quantity] = Source(given[letter])
            taken.add(given[letter])


def _spelled(rows: Evidence, sources: dict[str, Source], taken: set[str]) -> None:
    """Finds active and total counts in any spelling: a word for parameters beside a word for active, or for all of them."""
    options: dict[str, list[tuple[bool, int, str]]] = {"n_active": [], "n_total": []}
    for i, column in enumerate(rows.columns):
        said = set(
            re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^N)(?=[a-z])", "_", re.split(r"[/.]", column)[-1]).lower())
        )
        bare = _key(column) in ("na", "nact", "nt", "ntot") and any(_key(c) == "n" for c in rows.columns)
        if column in taken or said & _NO_COUNT or not (bare or said & _PARAMETERS):
            continue
        active, total = (
            bool(said & _ACTIVE) or _key(column) in ("na", "nact"),
            bool(said & _ALL) or _key(column) in ("nt", "ntot"),
        )
        if active != total:
            options["n_active" if active else "n_total"].append(
                (not said & {"non", "nonembedding", "nonemb", "noembed"}, i, column)
            )
    for quantity, found in options.items():
        column = next((c for _, _, c in sorted(found) if rows.is_numeric(c)), None)
        if quantity not in sources and column is not None:
            sources[quantity] = Source(column, _count_unit(column))
            taken.add(column)


_PARAMETERS = frozenset(["param", "params", "parameter", "parameters", "n", "nparams", "numparams", "size", "paramcount"])
_ACTIVE = frozenset(["active", "activated", "act", "activ", "activeparams"])
_ALL = frozenset(["total", "all", "full", "tot"])
_NO_COUNT = frozenset(
    [
        "expert",
        "experts",
        "token",
        "tokens",
        "layer",
        "layers",
        "memory",
        "flop",
        "flops",
        "trainable",
        "frozen",
        "norm",
        "step",
        "steps",
        "batch",
        "loss",
        "vocab",
        "heads",
        "time",
    ]
)


def _count_unit(column: str) -> str:
    return count_unit(column)[1]


def _widths(
    rows: Evidence, headers: dict[str, list[tuple[int, str, _Reading]]], sources: dict[str, Source], taken: set[str]
) -> None:
    """Finds G from the widths of the feed-forward layers: the dense one's over the expert's, else 4 d_model over the expert's."""
    if "granularity" in sources or "n_experts" not in sources:
        return
    expert = _find(rows, headers, "d_expert", WIDTHS["d_expert"], taken)
    dense = _find(rows, headers, "d_ff", WIDTHS["d_ff"], taken)
    if expert is None:
        return
    if dense is not None:
        sources["granularity"] = Source(dense.column, per=expert.column, rule=G_FROM_WIDTHS)
    elif "d_model" in sources:
        sources["granularity"] = Source(sources["d_model"].column, per=expert.column, factor=4.0, rule=G_DECLARED)


def _experts(rows: Evidence, sources: dict[str, Source], taken: set[str]) -> None:
    """Reads a column E: the expansion beside a granularity column, the number of experts otherwise."""
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
    """The mapping with step and run columns where the file has several rows a run, as it is otherwise.

    A step column makes curves of rows that share a run's columns. Without one, the tokens, samples or time do, where they grow along
    every run. What only differs from row to row, as speeds and times do, never parts runs.
    """
    sources = mapping.sources
    used = {s.column for s in sources.values()} | set(mapping.loss_columns)
    found = _find(rows, headers, "step", STEPS, used)
    counted = found is None
    if not rows.has_rows(2):
        return mapping
    if found is None:
        found = next((s for s in _counters(rows, headers, mapping, used) if _is_along(rows, s.column, mapping)), None)
    if found is None:
        return mapping
    points = rows.points(mapping.loss)
    settings = [sources[q].column for q in _SETTINGS if q in sources and sources[q].column and sources[q].column != found.column]
    run_columns = settings
    if "name" in sources:
        run_columns = [sources["name"].column]
        for column in settings:  # those that change under one name part its runs; a blank is no change
            if points.changes(column, run_columns):
                run_columns.append(column)
    if points.repeats([*run_columns, found.column]):
        known = {*run_columns, found.column, *mapping.loss_columns, *(s.column for s in sources.values())}
        others = [c for c in rows.columns if c not in known and not _MEASURED.search(c.lower())]
        apart = points.telling_apart([*run_columns, found.column], others)
        run_columns += apart[:1]
    if not rows.has_several(run_columns) or rows.n_values(found.column) < 2:
        return mapping
    if counted:
        found = replace(found, rule=f"{found.column} takes the place of the step")
    return Mapping(mapping.reader, sources | {"step": found}, tuple(run_columns), mapping.loss_columns)


_MEASURED = re.compile(
    r"(?<![a-z])(time|secs?|seconds|ms|hours?|minutes|elapsed|remaining|eta|speed|throughput|tps|mfu|tflops|flops|memory|mem|gpu|cpu|grad|norm|"
    r"tokens?|samples?|epoch|percentage|percent|progress|loss|acc|accuracy|ppl|timestamp|date)(?![a-z])|per.?(sec|s\b|step|gpu|device|token)|/s\b|_s$"
)
"""Names of what is measured at each step and never tells runs apart."""


def _counters(
    rows: Evidence, headers: dict[str, list[tuple[int, str, _Reading]]], mapping: Mapping, used: set[str]
) -> Iterator[Source]:
    """Yields what may grow along a run in place of a step, the best first."""
    tokens = mapping.sources.get("tokens")
    if tokens is not None and tokens.column:
        yield Source(tokens.column, tokens.unit and "")
    for alias in COUNTERS:
        source = _find(rows, headers, "step", (alias,), used)
        if source is not None:
            yield source


def _is_along(rows: Evidence, column: str, mapping: Mapping) -> bool:
    """Whether a counter grows along every run, and the rows are those of a training and not of a table of runs."""
    sources = mapping.sources
    name = sources.get("name")
    sizes = [sources[q].column for q in _SIZES if q in sources and sources[q].column]
    within = [name.column] if name is not None else []
    if not rows.grows(column, [*within, *sizes]):
        return False
    trained = any(_TRAINED.search(c.lower()) for c in rows.columns if c != column) or _key(column) in ("checkpoint", "ckpt")
    if name is None:
        return rows.rows_each(sizes, _FEW if trained else _MANY)
    own = _key(name.column) in ("run", "runname", "runid", "displayname")
    return rows.rows_each([*within, *sizes], _FEW) and (trained or own)
