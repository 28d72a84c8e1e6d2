"""Results of the Serving page: its question, sentence, notes and tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers, serving
from lawlib.optimum import extrapolation
from lawlib.serving import break_even

from .. import cached
from ..explorer import Choice, bracket
from ..session import markup, on_page, state
from ..session.point import Point
from .serving_inputs import price, server

_ANSWER = "serving_answer"


def results(choice: Choice, point: Point, optimum: lawlib.Optimum) -> serving.Answer:
    """Returns everything the page shows, computed once for each setting. Raises OptimumError where there is nothing.

    What the moved slider does not change is taken from what this session was shown last.
    """
    g = float(optimum.granularity) if np.isfinite(optimum.granularity) else None
    q = serving.Question(
        choice.law, server(choice.law), point.budget, point.expansion or 1.0, state.get("reference"), g, state.get("mfu")
    )
    served, samples, earlier = state.get("served"), choice.samples, st.session_state.get(_ANSWER)
    key = ("serving", q.server, q.budget, q.expansion, q.reference, g, q.utilisation, served, state.get("unit"))
    found = cached.remember(choice.law, key, lambda: serving.answer(q, served, samples, earlier))
    st.session_state[_ANSWER] = found
    on_page.serving(found, price())
    return found


def sentence(found: serving.Answer, price: float) -> str:
    """Returns the page's answer."""
    q = found.question
    same, cost = found.row(found.equal_loss), found.row(found.equal_cost)
    other = _named(q.reference)
    words = f"At **{numbers.flops(q.budget, 3)} FLOPs**"
    if q.expansion == q.reference:
        words += f" the compute-optimal {other} model is the reference itself: choose another E."
    elif not np.isfinite(same["n_active"]):
        words += f" no model with **E = {q.expansion:g}** reaches the loss of the compute-optimal {other} one."
    else:
        words += (
            f" a model with **E = {q.expansion:g}**, over-trained at **{_percent(same['shrink'])}**{bracket(same, 'shrink', _percent)} of its "
            f"loss-optimal size ({numbers.count(same['n_active'])} active parameters, {numbers.count(same['tokens'])} tokens), has the loss "
            f"of the compute-optimal {other} one ({numbers.loss(same['loss'])})"
        )
        if np.isfinite(same["cost_ratio"]):
            words += (
                f" at **{numbers.times(same['cost_ratio'])}**{bracket(same, 'cost_ratio', numbers.times)} its serving price, "
                f"**{numbers.money(same['gpu_hours'] * price)}** a million tokens"
            )
        elif np.isfinite(same["gpu_hours"]):
            words += f" and costs **{numbers.money(same['gpu_hours'] * price)}** a million tokens to serve; the {other} one does not fit on these GPUs"
        else:
            words += ", but does not fit on these GPUs"
        if np.isfinite(cost["gain"]):
            words += f"; at the same price it gains **{numbers.loss(cost['gain'])} nats**{bracket(cost, 'gain', numbers.loss)}"
        words += "."
    return f"{words} {_lifetime_sentence(found, price)}"


def _lifetime_sentence(found: serving.Answer, price: float) -> str:
    best = _cheapest(found)
    if best is None:
        return "No model that reaches this loss fits on these GPUs."
    return (
        f"With **{numbers.count(found.served)} tokens** to serve, the cheapest way to a loss of {numbers.loss(found.loss)} is "
        f"**{_named(best['expansion'], 'E = ')}** with {numbers.count(best['n_active'])} active parameters on {numbers.count(best['tokens'])} tokens: "
        f"**{numbers.money(best['total'] * price)}**, {best['train'] / best['total']:.0%} of it for training."
    )


def _cheapest(found: serving.Answer) -> pd.Series | None:
    """Returns the configuration of the loss that is cheapest to train and serve; None where none fits."""
    rows = np.flatnonzero(found.configurations["kind"].to_numpy() == "lifetime")
    return found.configurations.iloc[rows[0]] if len(rows) else None


def notes(found: serving.Answer, choice: Choice) -> list[str]:
    """Returns what to know about the answer: assumptions, limits, extrapolation."""
    q, work, machine = found.question, found.question.server.work, found.question.server.machine
    pace = f", at least {1 / work.max_step:.3g} tokens a second a reader" if np.isfinite(work.max_step) else ""
    lines = [
        f"Roofline of {machine.gpu.name} ({machine.gpu.sheet}) in {machine.precision}, at {machine.compute:.0%} of its rate and "
        f"{machine.bandwidth:.0%} of its bandwidth; {work.prompt:,.0f} tokens of prompt and {work.output:,.0f} of answer, up to "
        f"{work.max_batch:.0f} sequences at once{pace}; price at the cheapest number of GPUs; training at {q.utilisation:.0%} MFU. "
        "Shares, price and batch are examples until you put in your own.",
        f"Shapes are the papers' (d_model = 64 n_blocks, one KV head for 4 query heads) with a vocabulary of {q.server.vocabulary:,}, whose two "
        "matrices are in N total; speculative decoding, prefix caching and "
        "messages' latency between GPUs are left out.",
    ]
    same, life = found.row(found.equal_loss), _cheapest(found)
    beyond = extrapolation.sentences(choice.law, _as_optimum(q, same))
    if life is not None:
        more = extrapolation.sentences(
            choice.law, _as_optimum(replace(q, expansion=life["expansion"], budget=life["flops"]), life)
        )
        beyond += [f"of the cheapest to train and serve, {words}" for words in more if words not in beyond]
    if beyond:
        lines.append(
            f":orange[:material/warning: Extrapolated: {'; '.join(beyond)}. Over-training is where laws are least tested.]"
        )
    if choice.law.law.name == "inference_optimal":
        lines.append("Yun et al. never published their coefficients: this is their form, fitted to the selected runs.")
    return lines


def expert_counts(found: serving.Answer, price: float) -> None:
    """Shows every E in one table: its optimum, and both algorithms against the reference."""
    ladder = _ladder(found, price)
    st.markdown(f"**Every expert count at the budget**\n\n{markup.table(ladder, right=ladder)}")


def _ladder(found: serving.Answer, price: float) -> dict[str, list[str]]:
    o = {
        c: found.optima[c].tolist() for c in ("expansion", "n_active", "n_total", "loss", "gpu_hours", "n_gpus", "batch", "step")
    }
    a, b = (
        {c: table[c].tolist() for c in ("shrink", name, f"{name}_low", f"{name}_high") if c in table}
        for table, name in ((found.equal_loss, "cost_ratio"), (found.equal_cost, "gain"))
    )
    return {
        "E": [f"{v:g}" for v in o["expansion"]],
        "N active": [numbers.count(v) for v in o["n_active"]],
        "N total": [numbers.count(v) for v in o["n_total"]],
        "loss": [numbers.loss(v) for v in o["loss"]],
        "USD a million": ["does not fit" if np.isposinf(v) else numbers.count(v * price) for v in o["gpu_hours"]],
        "GPUs": _where_served(o, "n_gpus", lambda v: f"{v:g}"),
        "batch": _where_served(o, "batch", lambda v: f"{v:,.0f}"),
        "ms a token": _where_served(o, "step", lambda v: numbers.count(v * 1e3, 2)),
        "same loss: size": [_percent(v) for v in a["shrink"]],
        "same loss: price": [
            numbers.times(v) + ends for v, ends in zip(a["cost_ratio"], _brackets(a, "cost_ratio", numbers.times), strict=True)
        ],
        "same price: size": [_percent(v) for v in b["shrink"]],
        "same price: nats gained": [
            ("–" if not np.isfinite(v) else f"{v:+.3f}") + ends
            for v, ends in zip(b["gain"], _brackets(b, "gain", numbers.loss), strict=True)
        ],
    }


def _where_served(optima: dict[str, list], name: str, write: Callable[[float], str]) -> list[str]:
    """Returns a column of `serving.answer`'s optima as text, "–" for models that do not fit."""
    return [write(v) if np.isfinite(hours) else "–" for v, hours in zip(optima[name], optima["gpu_hours"], strict=True)]


def _brackets(table: dict[str, list], name: str, write: Callable[[float], str]) -> list[str]:
    """Returns a column's intervals, row by row."""
    ends = {c: table[c] for c in (f"{name}_low", f"{name}_high") if c in table}
    return [
        bracket({c: values[row] for c, values in ends.items()}, name, write) if np.isfinite(value) else ""
        for row, value in enumerate(table[name])
    ]


def break_even_table(found: serving.Answer) -> None:
    """Shows a menu of configurations, and from how many tokens served each pays off against each other."""
    st.markdown("**Break-even: for how many tokens served the row is cheaper than the column**")
    table, q = (
        {c: found.configurations[c].to_numpy() for c in ("expansion", "kind", "n_active", "train", "serve")},
        found.question,
    )
    if len(table["kind"]) < 2:
        st.caption("Fewer than two configurations reach this loss and fit on these GPUs.")
        return
    best = table["expansion"][0]
    order = np.lexsort((table["kind"].astype(str), table["expansion"]))
    table = {c: values[order] for c, values in table.items()}
    # Named by what stays when a slider moves, so that what was chosen stays chosen.
    names = [
        _named(e, "E ") + (", fewest FLOPs" if kind == "fewest FLOPs" else "")
        for e, kind in zip(table["expansion"], table["kind"], strict=True)
    ]
    default = [name for name, e in zip(names, table["expansion"], strict=True) if e in (best, q.expansion, q.reference)]
    chosen = st.multiselect(
        "Configurations",
        names,
        default=default,
        key=f"configurations_{best:g}_{q.expansion:g}_{q.reference:g}_{len(names)}",
        help="All reach the same loss: of each E the one of fewest training FLOPs, and the one that is cheapest for the tokens to serve.",
    )
    rows = [names.index(c) for c in chosen]
    if len(rows) < 2:
        return
    tokens = break_even(table["train"][rows], table["serve"][rows])
    sizes = numbers.counts(table["n_active"])
    shown = [f"{names[i]}, {sizes[i]}" for i in rows]
    cells = {name: [_break_even(tokens, i, j) for i in range(len(rows))] for j, name in enumerate(shown)}
    st.markdown(markup.table({"is cheaper than": [f"**{name}**" for name in shown]} | cells, right=shown))


def _break_even(tokens: np.ndarray, i: int, j: int) -> str:
    """Says for which numbers of tokens served row i is cheaper than column j."""
    if i == j:
        return ""
    if tokens[i, j] == 0:
        return "always"
    if np.isfinite(tokens[i, j]):
        return f"from {numbers.count(tokens[i, j])}"
    return f"up to {numbers.count(tokens[j, i])}" if np.isfinite(tokens[j, i]) and tokens[j, i] > 0 else "never"


def _as_optimum(q: serving.Question, row: pd.Series) -> lawlib.Optimum:
    """Returns a row of the algorithms, or a configuration, in the form that `extrapolation` takes."""
    n, loss = float(row["n_active"]), float(row.get("loss", np.nan))
    g = np.nan if q.granularity is None else q.granularity
    return lawlib.Optimum(n, np.nan, float(row["tokens"]), g, q.expansion, q.budget, loss, n, np.nan, q.law.count)


def _named(expansion: float, prefix: str = "E = ") -> str:
    return "dense" if expansion == 1 else f"{prefix}{expansion:g}"


def _percent(value: float) -> str:
    return f"{value:.1%}" if np.isfinite(value) else "–"
