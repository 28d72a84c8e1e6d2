"""Tells whether the rows of a table are runs or points of curves, and what parts the runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ..core import Mapping, Source, Table, shown
from .aliases import COUNTERS, LIKE_STEPS, STEPS
from .evidence import Evidence
from .headers import Headers, key

TAKES_PLACE = "takes the place of the step"
"""How the rule of a counter that is read as the step ends."""
_SIZES = ("n_active", "n_total", "n_params", "arch", "d_model", "n_layers", "n_experts")
_SETTINGS = (*_SIZES, "top_k", "granularity", "seed")
_TRAINED = re.compile(
    r"(?<![a-z])(lr|learning.?rate|grad.?norm|throughput|tps|mfu|tflops|elapsed|per.?sec\w*|it/s|s/it|batch.?time|step.?time|epoch)(?![a-z])"
)
_FEW, _MANY = 3, 10
_SUSPECT = 4  # rows: fewer are no curve

_MEASURED = re.compile(
    r"(?<![a-z])(time|secs?|seconds|ms|hours?|minutes|elapsed|remaining|eta|speed|throughput|tps|mfu|tflops|flops|memory|mem|gpu|cpu|grad|norm|"
    r"tokens?|samples?|epoch|rank|worker|host|node|percentage|percent|progress|loss|acc|accuracy|ppl|timestamp|date)(?![a-z])|per.?(sec|s\b|step|gpu|device|token)|/s\b|_s$"
)
"""Names of what is measured at each step and never tells runs apart."""


def as_curves(headers: Headers, mapping: Mapping) -> Mapping:
    """The mapping with step and run columns where the file has several rows a run, as it is otherwise.

    A step column makes curves of rows that share a run's columns. Without one, the tokens, samples or time do, where they grow along
    every run. What only differs from row to row, as speeds and times do, never parts runs.
    """
    sources, rows = mapping.sources, headers.rows
    headers.taken |= {s.column for s in sources.values()} | set(mapping.loss_columns)
    found = headers.find("step", STEPS)
    counted = found is None
    if not rows.has_rows(2):
        return mapping
    if found is None:
        found = next((s for s in _counters(headers, mapping) if _is_along(headers, s.column, mapping)), None)
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
    if counted and not any(key(found.column).endswith(alias) for alias in LIKE_STEPS):
        found = replace(found, rule=f"{found.column} {TAKES_PLACE}")
    return Mapping(mapping.reader, sources | {"step": found}, tuple(run_columns), mapping.loss_columns)


def _counters(headers: Headers, mapping: Mapping) -> Iterator[Source]:
    """Yields what may grow along a run in place of a step, the best first."""
    tokens = mapping.sources.get("tokens")
    yield from filter(None, (headers.find("step", (alias,)) for alias in LIKE_STEPS))
    if tokens is not None and tokens.column:
        yield Source(tokens.column)
    yield from filter(None, (headers.find("step", (alias,)) for alias in COUNTERS))


def _is_along(headers: Headers, column: str, mapping: Mapping) -> bool:
    """Whether a counter grows along every run, and the rows are those of a training and not of a table of runs."""
    sources, rows = mapping.sources, headers.rows
    name = sources.get("name")
    sizes = [sources[q].column for q in _SIZES if q in sources and sources[q].column]
    within = [name.column] if name is not None else []
    if not rows.grows(column, [*within, *sizes]):
        return False
    trained = any(_TRAINED.search(c.lower()) for c in rows.columns if c != column) or key(column) in ("checkpoint", "ckpt")
    if name is None:
        return rows.rows_each(sizes, _FEW if trained else _MANY)
    own = key(name.column) in ("run", "runname", "runid", "displayname")
    return rows.rows_each([*within, *sizes], _FEW if trained or own else _MANY)


def other_reading(table: Table, mapping: Mapping) -> tuple[str, Mapping] | None:
    """Returns what speaks against the reading of a plain table's rows, as a question, and the mapping that reads them in the other way.

    None where nothing does. Rows that were read as runs may be points of a curve, points of curves may be runs, and more runs than
    a third of the rows, while the step grows along the file, may be one.
    """
    if mapping.reader != "plain" or table.sparse or len(table.frame) < _SUSPECT or not mapping.loss:
        return None
    if not mapping.step:
        return _as_points(table, mapping)
    source = mapping.sources["step"]
    if source.rule.endswith(TAKES_PLACE):
        text = (
            f'No column counts steps, but "{shown(source.column)}" grows along each run, so the {len(table.frame):,} rows are read as points of '
            "curves. Is each row a run of its own?"
        )
        return text, replace(mapping.with_source("step", None), run_columns=())
    n_runs = len(table.frame[list(mapping.run_columns)].drop_duplicates()) if mapping.run_columns else 1
    if 3 * n_runs <= len(table.frame) or not Evidence(table).grows(source.column, []):
        return None
    name = mapping.sources["name"].column if "name" in mapping.sources else ""
    names = (name,) if name in mapping.run_columns and 3 * table.frame[name].nunique() <= len(table.frame) else ()
    text = (
        f"The {len(table.frame):,} rows give {n_runs:,} runs, told apart by {shown(', '.join(mapping.run_columns), 200)}, while "
        f'"{shown(source.column)}" grows along the file as it does along one training. Are they '
        f"{'the runs that the names say' if names else 'points of one run'}?"
    )
    return text, replace(mapping, run_columns=names)


def _as_points(table: Table, mapping: Mapping) -> tuple[str, Mapping] | None:
    """Returns the reading of a table of runs as curves, where a counter grows from row to row of one size, or of each name."""
    rows = Evidence(table)
    headers = Headers(rows)
    headers.taken |= {s.column for s in mapping.sources.values()} | set(mapping.loss_columns)
    sizes = [mapping.sources[q].column for q in _SETTINGS if q in mapping.sources and mapping.sources[q].column]
    name = mapping.sources["name"].column if "name" in mapping.sources else ""
    within = [name] if name and rows.n_values(name) > 1 else []
    if any(rows.n_values(column) > 1 and not within for column in sizes) or not rows.rows_each(within, _FEW):
        return None
    step = headers.find("step", STEPS)
    found = next((s for s in ([step] if step is not None else _counters(headers, mapping)) if rows.grows(s.column, within)), None)
    if found is None:
        return None
    where = f'from row to row of each "{shown(name)}"' if within else "from row to row, and no size of the model changes"
    text = (
        f'"{shown(found.column)}" grows {where}, yet each of the {len(table.frame):,} rows is read as a run. '
        f"Are they points of {'curves' if within else 'one curve'}?"
    )
    source = found if found is step else replace(found, rule=f"{found.column} {TAKES_PLACE}")
    points = rows.points(mapping.loss)
    parted = [column for column in sizes if within and points.changes(column, within)]
    return text, replace(mapping.with_source("step", source), run_columns=(*within, *parted))
