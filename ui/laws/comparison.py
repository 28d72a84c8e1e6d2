"""Parts of the Compare page: two views side by side, this one, saved ones, or this one with one thing changed."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import figures, numbers
from lawlib.export import Origin
from lawlib.laws import COUNTS
from lawlib.runs import selection

from .. import cached
from ..charts import chart, style
from ..explorer import Choice, bracket, law_choice, results, sliders
from ..frame import link
from ..session import on_page, state, url_fields
from ..session.markup import plain
from ..session.point import Point

TENFOLD = "This view, ten times the budget"
OTHER_LAW = "besiroglu2024"
"""The published law that a view is compared with where nothing else is chosen."""
HERE = "This view"
_ROWS = (
    ("n_active", "optimal active parameters N", numbers.count),
    ("tokens", "optimal tokens D", numbers.count),
    ("tokens_per_parameter", "tokens per parameter", numbers.count),
    ("loss", "loss there, nats per token", numbers.loss),
)


@dataclass(frozen=True)
class Side:
    """One of the two: its name, law and point, the optimum's row with intervals, its figure, and what its data are."""

    name: str
    choice: Choice
    point: Point
    at: pd.Series
    figure: figures.Figure
    curves: pd.DataFrame
    dataset: str
    fingerprint: str
    differs: str
    origin: Origin


def choose_sides() -> tuple[Side, Side]:
    """Returns the two views, each with its menu. Stops the page with the reason where one cannot be computed."""
    here = link.view()
    options = {here: HERE} | _changed(here) | {row.query: row.name for row in cached.analyses().itertuples()}
    sides = []
    for field, words, column in zip(url_fields.PINS, ("Left", "Right"), st.columns(2), strict=True):
        pinned = state.get(field)
        named = options if not pinned or pinned in options else {pinned: "Pinned view"} | options
        chosen = pinned or (here if field == "a" else next(q for q, name in options.items() if name != HERE))
        with column:
            st.selectbox(
                words,
                list(named),
                format_func=named.__getitem__,
                **state.bound(field, chosen, lambda q, f=field: state.put(f, "" if q == here and f == "a" else q)),
            )
        sides.append((named[chosen], chosen))
    try:
        left, right = (_side(name, query) for name, query in sides)
    except lawlib.OptimumError as error:
        st.warning(plain(error))
        st.stop()
    for name, side in (("left", left), ("right", right)):
        at = (side.point.budget, side.point.expansion, side.point.granularity)
        samples = side.choice.samples
        label = f"{side.name}: {side.choice.label}"
        on_page.law(side.choice.law, label, side.origin, lambda s=samples: s, name=name, at=at)
    return left, right


def _changed(here: str) -> dict[str, str]:
    """Returns this view with one thing changed, by its parameters, as a first comparison."""
    known = dict(parse_qsl(here))
    law = law_choice.resolved("D").law
    found = {urlencode(known | {"budget": f"{10 * sliders.chosen_budget(law):.12g}"}): TENFOLD}
    if law.name != OTHER_LAW:
        found[urlencode(known | {"law": OTHER_LAW})] = f"This view, law {OTHER_LAW}"
    return found


def _side(name: str, query: str) -> Side:
    with state.viewed(dict(parse_qsl(query))):
        dataset = state.get("dataset")
        if dataset not in cached.datasets()["dataset"].tolist():
            st.warning(
                f"“{plain(name)}” is of the data set “{plain(dataset)}”, which is not here: upload its log, or choose another view."
            )
            st.stop()
        choice = law_choice.resolved("D", next((f for f in ("law", "law_g", "law_e") if state.get(f)), "law"))
        point = sliders.point_of(choice.law)
        optimum = results.optimum(choice.law, point)
        at = results.path(choice, point, [point.budget]).iloc[0]
        at = pd.concat([at, pd.Series({"tokens_per_parameter": float(optimum.tokens_per_parameter)})])
        own = cached.selection() if choice.law.fit is not None else None
        same, others = results.at_point(choice.law, own, optimum)
        curves = results.isoflops(choice, point, own)
        figure = figures.isoflop_figure(curves, same, style(), point.budget, choice.interval, 380, others)
        here = cached.fingerprint_of(dataset)
        asked = state.get("data")
        differs = selection.Fingerprint.read(asked).difference(here) if asked else ""
        law = choice.law
        origin = cached.origin(law.law.name if law.fit is not None else law.name)
        own_data = dataset if own is not None else ""
        return Side(name, choice, point, at, figure, curves, own_data, str(here), differs, origin)


def same_data(left: Side, right: Side) -> bool:
    """Whether the two losses may be compared: one published law, or laws of one data set's runs."""
    if not left.dataset and not right.dataset:
        return left.choice.law.name == right.choice.law.name
    return bool(left.dataset) and left.fingerprint == right.fingerprint and bool(right.dataset)


def compared(left: Side, right: Side) -> pd.DataFrame:
    """Returns a table, quantity by quantity: both sides with their intervals, and right over left where that means something."""
    rows = [
        ("data set", *(s.dataset or "none: a published law" for s in (left, right)), ""),
        ("law", *(s.choice.label for s in (left, right)), ""),
        ("runs fitted", *(f"{len(s.choice.law.fit.runs)}" if s.choice.law.fit else "–" for s in (left, right)), ""),
        (
            "N counts",
            *(COUNTS[s.choice.law.count].replace(" parameters", "").replace(", router excluded", "") for s in (left, right)),
            "",
        ),
        (
            "budget, FLOPs",
            *(numbers.flops(s.point.budget, 3) for s in (left, right)),
            _ratio(left.point.budget, right.point.budget),
        ),
        ("E", *(numbers.plain(s.at["expansion"]) for s in (left, right)), ""),
        ("G", *(numbers.plain(s.at["granularity"]) for s in (left, right)), ""),
    ]
    for column, words, write in _ROWS:
        texts = [f"{write(s.at[column])}{bracket(s.at, column, write)}" for s in (left, right)]
        rows.append((words, *texts, _change(column, left, right)))
    return pd.DataFrame(rows, columns=["quantity", left.name, right.name + " " * (left.name == right.name), "right / left"])


def _change(column: str, left: Side, right: Side) -> str:
    a, b = float(left.at[column]), float(right.at[column])
    if column == "loss":
        return f"{b - a:+.3f} nats" if same_data(left, right) else "other data"
    same_count = left.choice.law.count == right.choice.law.count
    return _ratio(a, b) if column == "tokens" or same_count else "other count of N"


def _ratio(a: float, b: float) -> str:
    return numbers.times(b / a)


def coefficients(left: Side, right: Side) -> pd.DataFrame:
    """Returns every coefficient of both laws with its interval; equal letters mean the same only in laws of one form."""
    letters = dict.fromkeys([*left.choice.law.params, *right.choice.law.params])
    columns = {name: [_coefficient(side, p) for p in letters] for name, side in (("left", left), ("right", right))}
    return pd.DataFrame({"coefficient": list(letters), **columns})


def _coefficient(side: Side, name: str) -> str:
    law, samples = side.choice.law, side.choice.samples
    if name not in law.params:
        return "–"
    low, high = samples.interval(name) if samples is not None else (np.nan, np.nan)
    inner = f" {numbers.span(low, high, lambda v: numbers.plain(v, 4))}" if np.isfinite(low) else ""
    return f"{numbers.plain(law.params[name], 5)}{inner}"


def sentence(left: Side, right: Side) -> str:
    """Returns the answer: what is different about the two optima."""
    first, second = (
        f"**{numbers.count(s.at['n_active'])}**{bracket(s.at, 'n_active', numbers.count)} parameters on "
        f"**{numbers.count(s.at['tokens'])}** tokens"
        for s in (left, right)
    )
    loss = ""
    if same_data(left, right):
        difference = float(right.at["loss"] - left.at["loss"])
        loss = f"; the loss is **{abs(difference):.3f} nats {'lower' if difference < 0 else 'higher'}** on the right"
    budgets = [f"{numbers.flops(s.point.budget, 3)} FLOPs" for s in (left, right)]
    return f"Left, at {budgets[0]}: {first}. Right, at {budgets[1]}: {second}{loss}."


def notes(left: Side, right: Side) -> list[str]:
    """Returns what must be known before the two are compared."""
    found = [cached.too_many()] if cached.too_many() else []
    if not same_data(left, right):
        found.append("The two laws come from different data: their losses are not compared.")
    if left.choice.law.law.name != right.choice.law.law.name:
        found.append("The laws have different forms: equal letters need not mean the same.")
    return found + [f"“{plain(s.name)}” was kept with other data: {s.differs}." for s in (left, right) if s.differs]


def side_by_side(left: Side, right: Side) -> None:
    """Shows the two figures, on the same axes."""
    figures.same_axes(left.figure, right.figure)
    for key, side, column in zip(url_fields.PINS, (left, right), st.columns(2), strict=True):
        with column:
            where = "Left" if key == "a" else "Right"
            words = f"{where}: {plain(side.choice.label)} at {numbers.flops(side.point.budget, 3)} FLOPs"
            chart(side.figure, f"compare_{key}", words, side.curves)


def saved_views() -> None:
    """Shows the saved analyses, each to be opened or deleted."""
    store = cached.store()
    table = cached.analyses()
    st.subheader("Saved analyses", anchor=False, divider="gray")
    if table.empty:
        st.caption("None yet. “Share”, beside the title of every page, keeps the view under a name; then it can be chosen above.")
    for i, row in enumerate(table.itertuples()):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(row.name)}**  \n{plain(row.summary) or plain(row.query)}")
            link.open_button(row.page, row.query, f"Open “{row.name}”", key=f"open_saved_{i}")
            st.button(
                "Delete",
                key=f"delete_saved_{i}",
                on_click=_delete,
                args=(row.name,),
                disabled=not store.writable,
                icon=":material/delete:",
                help=f"Forgets “{row.name}”",
            )


def _delete(name: str) -> None:
    try:
        cached.store().delete_analysis(name)
    except lawlib.StoreError as error:
        st.toast(plain(error), icon=":material/error:")
