"""Finds what describes a mixture of experts: active and total counts, the experts, the granularity."""

from __future__ import annotations

import re
from dataclasses import replace

from ..core import (
    BESIDE_ACTIVE,
    E_AS_EXPANSION,
    EXPERTS_FROM_E,
    G_DECLARED,
    G_FROM_WIDTHS,
    PARAMS_AS_ACTIVE,
    Source,
    count_unit,
    name_words,
    word_set,
)
from .aliases import WIDTHS
from .headers import Headers, key

_COUNTED = word_set(
    """
    expert experts exp exps n nb nr no num number count total routed local moe model of sparse ffn router
    """
)
_CHOSEN = frozenset(["per", "token", "tok", "active", "activated", "selected", "used", "chosen", "top", "topk", "k"])
_OF_EXPERTS = word_set(
    """
    shared dim size width hidden intermediate inter dff ff mlp parallel ep capacity
    """
)
_FEED_FORWARD = frozenset(["ffn", "ff", "mlp", "inter", "intermediate", "feedforward", "feed", "forward", "dense", "dff"])
_WIDTH_WORDS = frozenset(["size", "dim", "width", "hidden", "inter", "intermediate", "dff", "ffn", "features"])
_PARAMETERS = frozenset(["param", "params", "parameter", "parameters", "n", "nparams", "numparams", "size", "paramcount"])
_ACTIVE = frozenset(["active", "activated", "act", "activ", "activeparams"])
_ALL = frozenset(["total", "all", "full", "tot", "overall"])
_NO_COUNT = word_set(
    """
    expert experts token tokens layer layers memory flop flops trainable frozen norm step steps batch loss vocab heads
    time
    """
)


def mixture(headers: Headers, sources: dict[str, Source]) -> None:
    """Adds to the sources what describes mixtures, and takes its columns."""
    _spelled(headers, sources)
    _routing(headers, sources)
    _experts(headers, sources)
    _widths(headers, sources)
    _counts(headers, sources)


def _spelled(headers: Headers, sources: dict[str, Source]) -> None:
    """Finds active and total counts in any spelling: a word for parameters beside a word for active, or for all of them."""
    options: dict[str, list[tuple[bool, int, str]]] = {"n_active": [], "n_total": []}
    for i, column in enumerate(headers.rows.columns):
        said = set(
            re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=^N)(?=[a-z])", "_", re.split(r"[/.]", column)[-1]).lower())
        )
        bare = key(column) in ("na", "nact", "nt", "ntot") and any(key(c) == "n" for c in headers.rows.columns)
        if column in headers.taken or said & _NO_COUNT or not (bare or said & _PARAMETERS):
            continue
        active, total = (
            bool(said & _ACTIVE) or key(column) in ("na", "nact"),
            bool(said & _ALL) or key(column) in ("nt", "ntot"),
        )
        if active != total:
            options["n_active" if active else "n_total"].append(
                (not said & {"non", "nonembedding", "nonemb", "noembed"}, i, column)
            )
    for quantity, found in options.items():
        column = next((c for _, _, c in sorted(found) if headers.rows.is_numeric(c)), None)
        if quantity not in sources and column is not None:
            sources[quantity] = Source(column, count_unit(column)[1])
            headers.taken.add(column)


def _routing(headers: Headers, sources: dict[str, Source]) -> None:
    """Finds the experts, and how many a token takes, in any spelling: a word for experts beside a word for their number."""
    for column in headers.rows.columns:
        said = _said(column)
        expert = {"expert", "experts"} if not set(said) & {"routed", "moe"} else {"expert", "experts", "exp", "exps"}
        if column in headers.taken or not set(said) & expert or set(said) & _OF_EXPERTS:
            continue
        chosen = set(said) & _CHOSEN
        quantity = "top_k" if chosen else "n_experts"
        if quantity in sources or not set(said) <= _COUNTED | _CHOSEN or not headers.rows.is_numeric(column):
            continue
        sources[quantity] = Source(column)
        headers.taken.add(column)


def _said(column: str) -> list[str]:
    """Returns the words of a column's name without its path."""
    return name_words(re.split(r"[/.]", column)[-1])


def _width(headers: Headers, of_expert: bool) -> Source | None:
    """Returns a feed-forward width in any spelling: a word for width beside one for experts, or one for feed-forward layers alone."""
    for column in headers.rows.columns:
        said = set(_said(column))
        named = (
            said & {"expert", "experts", "moe", "routed"}
            if of_expert
            else said & _FEED_FORWARD and not said & {"expert", "experts", "moe"}
        )
        fits = (
            named
            and said & _WIDTH_WORDS
            and said <= _WIDTH_WORDS | _FEED_FORWARD | {"expert", "experts", "moe", "routed", "d", "n", "of", "the"}
        )
        if fits and column not in headers.taken and headers.rows.is_numeric(column):
            return Source(column)
    return None


def _widths(headers: Headers, sources: dict[str, Source]) -> None:
    """Finds G from the widths of the feed-forward layers: the dense one's over the expert's, else 4 d_model over the expert's."""
    if "granularity" in sources or "n_experts" not in sources:
        return
    expert = headers.find("d_expert", WIDTHS["d_expert"]) or _width(headers, of_expert=True)
    dense = headers.find("d_ff", WIDTHS["d_ff"]) or _width(headers, of_expert=False)
    if expert is None:
        return
    if dense is not None:
        sources["granularity"] = Source(dense.column, per=expert.column, rule=G_FROM_WIDTHS)
    elif "d_model" in sources:
        sources["granularity"] = Source(sources["d_model"].column, per=expert.column, factor=4.0, rule=G_DECLARED)


def _experts(headers: Headers, sources: dict[str, Source]) -> None:
    """Reads a column E: the expansion beside a granularity column, the number of experts otherwise."""
    column = next(
        (c for c in headers.rows.columns if key(c) == "e" and c not in headers.taken and headers.rows.is_numeric(c)), None
    )
    if column is None:
        return
    if "granularity" not in sources:
        if "n_experts" not in sources:
            sources["n_experts"] = Source(column)
    elif "expansion" not in sources:
        sources["expansion"] = Source(column, rule=E_AS_EXPANSION)
        if "n_experts" not in sources:
            sources["n_experts"] = Source(rule=EXPERTS_FROM_E)


def _counts(headers: Headers, sources: dict[str, Source]) -> None:
    """Takes a count that does not say what it counts as all parameters beside a smaller active one, else as the active ones."""
    if "n_active" in sources:
        unsaid = sources.pop("n_params", None)  # stays in `extra` where nothing says what it counts
        mixed = "n_experts" in sources or "top_k" in sources
        if (
            unsaid is not None
            and "n_total" not in sources
            and mixed
            and headers.rows.exceeds(unsaid.column, sources["n_active"].column)
        ):
            sources["n_total"] = replace(unsaid, rule=BESIDE_ACTIVE)
    elif "n_params" in sources:
        sources["n_params"] = replace(sources["n_params"], rule=PARAMS_AS_ACTIVE)
