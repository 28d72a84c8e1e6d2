"""Results of the Planner page: its sentence, neighbours, what would change it, starting points, and launch files."""

from __future__ import annotations

import numpy as np
import streamlit as st

import lawlib
from lawlib import numbers, planner
from lawlib.export import safe_csv
from lawlib.optimum import extrapolation
from lawlib.planner import STEPS, same
from lawlib.serving import N_SAMPLES

from .. import cached
from ..explorer import Choice
from ..session import markup, state, url_fields
from ..session.markup import plain
from . import plan_inputs, serving_inputs
from .next_runs_panel import next_runs
from .released import released_beside

FEWEST = 0.9 * STEPS
"""Below this number of optimiser steps the page warns; it is the minimum step count minus rounding."""
SEEN = 5e-4
"""Nats below which a lower loss is not mentioned: three decimals do not show it."""


def plan(choice: Choice) -> planner.Plan:
    """Returns the plan under the limits, computed once for each. Raises OptimumError with the sentence that names what conflicts."""
    limits, sequence = plan_inputs.limits(choice.law), int(state.get("sequence"))
    vocabulary = serving_inputs.vocabulary(choice.law)
    known = {} if vocabulary is None else {"vocabulary": vocabulary}
    recipe = planner.recipe_of(choice.law, multiple=int(state.get("multiple")), **known)
    samples = choice.samples

    def make() -> planner.Plan | str:
        first = samples.first(N_SAMPLES) if samples is not None else None
        try:
            return planner.plan(choice.law, limits, recipe, first, sequence)
        except lawlib.OptimumError as error:
            return str(error)

    found = cached.remember(choice.law, ("plan", limits, recipe, sequence, state.get("unit")), make)
    if isinstance(found, str):
        raise lawlib.OptimumError(found)
    return found


def sentence(found: planner.Plan) -> str:
    """Returns the page's answer: what to train, on what, how well, how long, and what limits it."""
    c, shape = found.best, found.best.shape
    experts = (
        f"one feed-forward layer of width {c.d_expert:,}"
        if c.dense
        else f"{shape.n_experts:,} experts of width {c.d_expert:,}, {shape.top_k} a token"
    )
    loss = numbers.loss(c.loss) + (f" {numbers.span(found.loss_low, found.loss_high)}" if np.isfinite(found.loss_low) else "")
    names = [*found.bound, *([f"largest E allowed ({c.expansion:g})"] if found.wider[1] >= SEEN else [])]
    bound = " and the ".join(names)
    return (
        f"Train **{shape.n_layers} layer{'s' * (shape.n_layers > 1)} of d_model {shape.d_model:,}** with **{experts}** ({numbers.count(shape.n_active)} active of "
        f"{numbers.count(shape.n_total)} parameters without embeddings) on **{numbers.count(c.tokens)} tokens**: predicted loss "
        f"**{loss}**, {time_words(c.flops)}"
        + (f"; what limits it is the **{bound}**." if bound else "; no limit binds: the law's own optimum is reached.")
    )


def time_words(flops: float) -> str:
    """Returns the wall-clock of a training at the stated utilisation, as words."""
    machines = plan_inputs.cluster()
    days, at = float(machines.days(flops)), f"{machines.gpu.name} at {machines.mfu:.0%} MFU"
    if state.get("trainers"):
        return f"**{_duration(days)}** on {machines.n_gpus:,} × {at}"
    return f"**{_duration(days)}** of one {at}"


def _duration(days: float) -> str:
    if days >= 1:
        return f"{numbers.count(days / 365.25)} years" if days > 1000 else f"{numbers.count(days)} days"
    for size, words in ((1 / 24, "hours"), (1 / 1440, "minutes")):
        if days >= size:
            return f"{numbers.plain(days / size, 3)} {words}"
    return f"{numbers.plain(days * 86400, 2)} seconds"


def notes(found: planner.Plan) -> list[str]:
    """Returns what the plan assumes, and where it is beyond the law's data."""
    c = found.best
    optimum = lawlib.Optimum(
        float(c.shape.n_active), float(c.shape.n_total), float(c.tokens), c.granularity, c.expansion, c.flops, c.loss,
        float(c.shape.n_active), float(c.shape.n_total), found.law.count,
    )  # fmt: skip
    used = ", ".join(f"{share:.0%} of the {name}" for name, share in found.usage.items())
    lines = [
        f"It takes {used}. Shapes: {found.recipe.source}; {c.steps:,} step{'s' * (c.steps > 1)} of {c.batch:,} sequences of {c.sequence:,} tokens. Memory at "
        "training: 18 bytes a parameter over all GPUs (mixed precision, Adam, everything sharded), activations recomputed."
    ]
    if len(found.options) > 1 and found.options["chosen_in"].notna().any():
        best = found.options.loc[found.options["chosen_in"].idxmax()]
        own = same(best["expansion"], c.expansion) and same(best["granularity"], c.granularity)
        words = "this E and G are" if own else f"{_kind(best)} is"
        lines.append(f"Of the law's own samples {words} the best in {best['chosen_in']:.0%}.")
    if c.steps < FEWEST:
        lines.append(
            f":orange[:material/warning: Only {c.steps:,} step{'s' * (c.steps > 1)}, too few for a learning-rate schedule: shorter sequences "
            "(Options), more tokens or a larger budget would give more.]"
        )
    if beyond := extrapolation.sentences(found.law, optimum):
        lines.append(f":orange[:material/warning: Extrapolated: {'; '.join(beyond)}.]")
    return lines


def _kind(row) -> str:
    e, g = float(row["expansion"]), float(row["granularity"])
    if e == 1:
        return "dense"
    known = [f"{letter} = {v:g}" for letter, v in (("E", e), ("G", g)) if np.isfinite(v)]
    return ", ".join(known) or "the runs' own experts"


def parts(choice: Choice, found: planner.Plan) -> None:
    """Shows the other parts of a plan, a tab each; only the open one is computed."""
    drawn = {
        "Neighbours": lambda: neighbours(found),
        "Launch it": lambda: launchers(found),
        "Next runs": lambda: next_runs(choice, found),
        "Released models": lambda: released_beside(choice),
    }
    fields = dict(zip(drawn, url_fields.PLAN_PARTS, strict=True))
    shown = next(name for name, field in fields.items() if field == state.get("part"))
    tabs = st.tabs(list(drawn), **state.bound("part", shown, lambda name: state.put("part", fields[str(name)])))
    for tab, draw in zip(tabs, drawn.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def neighbours(found: planner.Plan) -> None:
    """Shows the plan and its neighbours under the same limits, a table in words: what each costs and breaks."""
    table = cached.remember(found.law, ("neighbours", id(found)), lambda: (planner.neighbours(found), found))[0]
    machines = plan_inputs.cluster()
    columns = {
        "model": [f"**{m}**" for m in table["model"]],
        "E": [_plain(v) for v in table["expansion"]],
        "G": [_plain(v) for v in table["granularity"]],
        "N active": [numbers.count(v) for v in table["n_active"]],
        "N total": [numbers.count(v) for v in table["n_total"]],
        "tokens": [numbers.count(v) for v in table["tokens"]],
        "loss": [numbers.loss(v) for v in table["loss"]],
        "nats more": [f"{v:+.4f}" if v else "" for v in table["loss_more"]],
        "training": [_duration(float(machines.days(v))) for v in table["flops"]],
        "GB a GPU, training": [_gigabytes(v) for v in table["train_bytes"]],
        "GB, serving": [_gigabytes(v) for v in table["serve_bytes"]],
        "ms a token": [_plain(v * 1e3) for v in table["step"]],
        "breaks": list(table["broken"]),
    }
    shown = {c: words for c, words in columns.items() if c in ("model", "loss") or any(w not in ("", "–") for w in words)}
    st.markdown(markup.table(shown, right=[c for c in shown if c not in ("model", "breaks")]))
    st.download_button("Download neighbours.csv", lambda: safe_csv(table), "neighbours.csv", "text/csv", on_click="ignore")


def _plain(value: float) -> str:
    return numbers.plain(value, 3)


def _gigabytes(value: float) -> str:
    return f"{value / 1e9:,.1f}" if np.isfinite(value) else "–"


def changes(found: planner.Plan) -> list[str]:
    """Shows which limit, moved how far, makes another E or G the best; a sentence each."""
    table = cached.remember(found.law, ("changes", id(found)), lambda: (planner.changes(found), found))[0]
    gain = found.wider[1]
    lines = [f"**E = {found.wider[0]:g}, were it allowed**: {gain:.3f} nats lower."] if gain >= SEEN else []
    if table.empty:
        return [
            *lines,
            "No limit, moved alone by up to a thousand times either way, makes another of the allowed E or G the best.",
        ]
    return lines + [
        f"**{numbers.times(float(r.factor))} the {planner.described(found.limits, r.limit, float(r.factor))}**: "
        f"{_kind({'expansion': r.expansion, 'granularity': r.granularity})} becomes the best."
        for r in table.itertuples()
    ]


def starting_points(found: planner.Plan) -> list[str]:
    """Shows learning rates and batch by published rules, each with its source; none of this is a result of the law."""
    c = found.best
    e = max(float(np.nan_to_num(c.expansion, nan=1.0)), 1.0)
    rates = (
        (float(planner.joint_rate(float(c.shape.n_active), e)), planner.JOINT_RATE),
        (float(planner.ling_rate(c.flops)), planner.LING_RATE),
    )
    beyond = (_beyond(float(c.shape.n_active), planner.JOINT_RANGE), _beyond(c.flops, planner.LING_RANGE))
    lines = [
        f"Peak learning rate **{numbers.plain(rate, 3)}** ({plain(source)}){far}"
        for (rate, source), far in zip(rates, beyond, strict=True)
    ]
    rule, own = float(planner.ling_batch(c.flops)), c.batch * c.sequence
    taken = f"; the plan takes {numbers.count(own)}, whole sequences" if abs(own / rule - 1) > 0.1 else ""
    return [*lines, f"Batch of **{numbers.count(rule)} tokens** ({plain(planner.LING_BATCH)}){beyond[1]}{taken}"]


def _beyond(value: float, known: tuple[float, float]) -> str:
    """Says how far a value lies outside the range in which a rule was found; "" inside."""
    low, high = known
    if low <= value <= high:
        return ""
    side = "above" if value > high else "below"
    return f" :orange[extrapolated, {numbers.times(float(extrapolation.beyond(value, low, high)))} {side}]"


def launchers(found: planner.Plan) -> None:
    """Shows the configuration for Megatron-LM, Hugging Face and torchtitan, to read and to download."""
    megatron, hub, titan = st.tabs(["Megatron-LM", "Hugging Face", "torchtitan"])
    with megatron:
        _file(planner.megatron(found.best), "megatron_args.sh", "bash", "megatron")
    with hub:
        if not found.best.dense:
            st.selectbox(
                "Style", list(planner.STYLES), format_func=planner.STYLES.__getitem__, **state.bound("style", state.get("style"))
            )
        _file(planner.huggingface(found.best, state.get("style")), "config.json", "json", "hub")
    with titan:
        _file(planner.torchtitan(found.best), "train.toml", "toml", "titan")


def _file(text: str, name: str, language: str, key: str) -> None:
    st.download_button(f"Download {name}", text, name, key=f"launch_{key}", on_click="ignore")
    st.code(text, language=language, wrap_lines=True)
