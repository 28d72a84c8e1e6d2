"""Parts of the Fine-grained at scale page: the result of the comparison, and what laws predict for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers
from lawlib.comparisons import Ratio, convergence

from ... import cached
from ...explorer import law_choice
from ...session import on_page, state
from ...session.markup import plain
from .groups import ALONG, MOST_PAIRED, Groups
from .reported_figures import E16


def speedup_sentence(groups: Groups) -> str:
    """Returns the page's answer."""
    parts = []
    for along in ("tokens", "flops") if groups.along != "step" else ("step", "flops"):
        ratio = groups.speedup(along)
        if np.isfinite(ratio.value):
            whom = "" if parts else f" as fast as **{plain(groups.a)}**"
            parts.append(f"**{numbers.times(ratio.value)}**{_bracket(ratio)}{whom} in {ALONG[along]}")
    if parts:
        sentence = f"To the lowest loss that both reach, **{plain(groups.b)}** is {' and '.join(parts)}"
    else:
        sentence = (
            f"How much sooner **{plain(groups.b)}** reaches a loss than **{plain(groups.a)}** cannot be told from these runs"
        )
    gain = groups.gain
    if np.isfinite(gain.value):
        word = "lower" if gain.value >= 0 else "higher"
        low, high = (gain.low, gain.high) if gain.value >= 0 else (-gain.high, -gain.low)
        span = f" {numbers.span(low, high)}" if np.isfinite(low) else ""
        sentence += f"; its final loss is **{abs(gain.value):.3f} nats**{span} {word}"
    n = len(groups.found.pairs)
    sizes = groups.pairs["n_active"].round(-3).nunique()
    what = "pairs of curves" if groups.finished else "pairs of runs"
    return f"{sentence} ({n} {what if n != 1 else what.replace('pairs', 'pair')}, {sizes} {'sizes' if sizes != 1 else 'size'})."


def _bracket(ratio: Ratio) -> str:
    return f" {numbers.span(ratio.low, ratio.high, numbers.times)}" if np.isfinite(ratio.low) else ""


def why_none(groups: Groups | None) -> str:
    """Says why there is nothing to compare, and which runs would answer the page's question."""
    n = len(cached.passing())
    if n > MOST_PAIRED:
        return (
            f"{n:,} runs are selected, and pairs are looked for among at most {MOST_PAIRED:,}: narrow them down with the filters in the "
            "sidebar. Shown is what is published."
        )
    if groups is None:
        return (
            "The selected runs hold no two groups to compare; it needs runs of one size at two granularities, at two E, or dense ones beside "
            "MoE, best with training curves. Shown is what is published."
        )
    return f"No run of {plain(groups.b)} has a partner of its size among {plain(groups.a)}: the two hold no like runs. Shown is what is published."


def groups_notes(groups: Groups) -> list[str]:
    """Returns what to know about the comparison, a line each."""
    ratio = groups.speedup(groups.along)
    n = ratio.n_clusters
    brackets = (
        f"Brackets: 95 %, Student's t over the {n} runs of {plain(groups.a)} that have partners."
        if np.isfinite(ratio.low)
        else "No interval: it needs at least two pairs with different reference runs."
    )
    return [x for x in (_simulated(), _schedules(groups), brackets, _crossing(groups), _noise(groups), *_left_over(groups)) if x]


def _simulated() -> str:
    kind = cached.datasets().set_index("dataset")["kind"].get(state.get("dataset"))
    return "SIMULATED runs, not measured ones." if kind == "simulated" else ""


def _schedules(groups: Groups) -> str:
    if groups.finished:
        return (
            "Finished runs are compared: every loss comes after a whole learning-rate schedule, and between two token counts it is "
            "interpolated, never beyond them."
        )
    differ = int((~groups.pairs["same_schedule"]).sum())
    if differ:
        return (
            f":orange[:material/warning: {differ} of {len(groups.pairs)} pairs were planned for different token counts: with a decaying "
            "learning rate their curves are not like for like in mid-training.] The longer run is read before its rate has decayed, and "
            "looks worse there than it would if planned for fewer tokens."
        )
    return (
        "All pairs were planned for the same number of tokens. If the learning rate decays, the faster run is read in mid-schedule at "
        "the other's last loss: planned for fewer tokens it would be faster still (where runs of several token counts are at hand, compare "
        "finished ones)."
    )


def _crossing(groups: Groups) -> str:
    found = groups.found.crossings
    if found.empty:
        return "No two curves cross." if len(groups.found.points) else ""
    n = found["pair"].nunique()
    where = f"{numbers.count(found['tokens'].min())} and {numbers.count(found['tokens'].max())} tokens"
    return (
        f"Curves cross in {n} of {len(groups.found.pairs)} pairs, between {where}."
        if len(found) > 1
        else (
            f"One pair of curves crosses, at {numbers.count(found['tokens'].iloc[0])} tokens and loss {numbers.loss(found['loss'].iloc[0])}."
        )
    )


def seed_sigma() -> float:
    """Returns the seed noise of ln L of the selection, NaN where it is not known."""
    noise = lawlib.seed_noise(cached.selection())
    return noise.sigma if noise else np.nan


def _noise(groups: Groups) -> str:
    noise = lawlib.seed_noise(cached.selection())
    if noise is None:
        return "Seed noise is not known: no runs differ in their seed alone."
    gain = groups.gain.value
    error = noise.sigma * float(np.hypot(groups.like["loss_a"], groups.like["loss_b"]).mean())
    against = (
        f" A pair's gain of {gain:+.3f} nats is {abs(gain) / error:.1f} times that noise."
        if error > 0 and np.isfinite(gain)
        else ""
    )
    return noise.sentence + against


def _left_over(groups: Groups) -> list[str]:
    found = []
    why = groups.found.pairs["why"].replace("", np.nan).dropna()
    if len(why) and not (why == "no curve").all():
        found.append(f"{len(why)} of {len(groups.found.pairs)} pairs share no loss along their curves (first: {why.iloc[0]}).")
    if groups.n_unmatched > 0:
        held = {"G": "size and E", "E": "size and G", "arch": "size", "hand": "loss"}[groups.by]
        words = "1 run" if groups.n_unmatched == 1 else f"{groups.n_unmatched} runs"
        has = "has" if groups.n_unmatched == 1 else "have"
        found.append(f"{words} of {plain(groups.b)} {has} no partner of the same {held} among {plain(groups.a)}.")
    if not groups.pairs["same_schedule"].all() and groups.pairs["same_schedule"].any():
        n = int(groups.pairs["same_schedule"].sum())
        found.append(f"Final losses are compared in the {'one pair' if n == 1 else f'{n} pairs'} with equal token counts.")
    return found


@dataclass(frozen=True)
class Predicted:
    """A law's gains for `Groups.like`: gain and, with an ensemble, gain_low and gain_high; mean speed-up in tokens."""

    label: str
    table: pd.DataFrame
    speedup: float
    note: str = ""


def predictions(groups: Groups) -> list[Predicted]:
    """Returns the gains predicted by the fitted law of the sidebar's menu and, where G is given, Krajewski's E = 16 law."""
    a, b = groups.side(groups.like, "a"), groups.side(groups.like, "b")
    found = []
    fitted = _fitted_law(groups.by)
    if fitted is not None:
        label = law_choice.label(fitted.name)
        on_page.law(fitted, label, cached.origin(fitted.name), lambda: cached.ensemble(fitted))
        found.append(_predicted(fitted, label, a, b, cached.ensemble(fitted)))
    known = all((t[c] > 0).all() for t in (a, b) for c in ("granularity", "n_total")) and len(a)
    if known and (a["granularity"].to_numpy() != b["granularity"].to_numpy()).any() and groups.by in ("G", "hand"):
        law = lawlib.published(E16)
        assert isinstance(law, lawlib.FittedLaw)
        note = "Krajewski's law holds at E = 16 on C4, in nats per GPT-2 token: other data and tokens than these runs', so compare its sign and size roughly."
        found.append(_predicted(law, "Krajewski 2024, E = 16", a, b, None, note))
    return found


def _fitted_law(by: str) -> lawlib.FittedLaw | None:
    """Returns the fitted law that the comparison needs, by the sidebar's menu; None where no law can be fitted."""
    need = {"G": "G", "E": "E", "arch": "E", "hand": ""}[by]
    fits, reasons, _ = law_choice.options(need)
    if not fits:
        with st.sidebar:
            why = next(iter(reasons.values()), "no law knows these quantities")
            st.caption(f"No fitted law beside the measurement: {plain(why)}")
        return None
    chosen = state.get("law_f") if state.get("law_f") in fits else fits[0]
    with st.sidebar:
        st.selectbox("Law beside the measurement", fits, format_func=law_choice.label, **state.bound("law_f", chosen))
    law = cached.fit(chosen)
    if isinstance(law, str):
        st.caption(plain(law))
        return None
    return law


def _predicted(law: lawlib.FittedLaw, label: str, a: pd.DataFrame, b: pd.DataFrame, samples, note: str = "") -> Predicted:
    table = pd.DataFrame({"gain": convergence.predicted_gain(law, a, b)})
    if samples is not None and len(a):
        low, high = samples.interval(lambda many: convergence.predicted_gain(many, a, b))
        table = table.assign(gain_low=low, gain_high=high)
    ratio = convergence.mean_ratio(np.where((r := convergence.predicted_speedup(law, a, b)) > 0, r, np.nan), a["run_id"])
    return Predicted(label, table, ratio.value, note)


def prediction_line(groups: Groups, found: list[Predicted]) -> str:
    """Returns measured and predicted mean gains in one sentence."""
    if not found:
        return ""
    words = [
        f"{p.label}: {p.table['gain'].mean():+.3f} nats"
        + (f", {numbers.times(p.speedup)} in tokens" if np.isfinite(p.speedup) else "")
        for p in found
    ]
    notes = " ".join(p.note for p in found if p.note)
    return f"Measured {groups.gain.value:+.3f} nats; predicted for the same pairs: {'; '.join(words)}. {notes}"


def pair_menu(groups: Groups) -> int | None:
    """Returns the pair whose curves are drawn, a row of `groups.found.pairs`; by default the largest with a speed-up."""
    pairs = groups.found.pairs
    with_both = [i for i in range(len(pairs)) if np.isfinite(pairs["level"].iloc[i])]
    if not with_both:
        return None
    default = max(with_both, key=lambda i: pairs["n_active"].fillna(0).iloc[i])
    words = {i: _pair_words(pairs.iloc[i]) for i in with_both}
    return st.selectbox(
        "Pair",
        with_both,
        index=with_both.index(default),
        format_func=words.__getitem__,
        key=f"pair_{len(pairs)}_{groups.a}_{groups.b}",
    )


def _pair_words(p: pd.Series) -> str:
    names = " and ".join(n for n in (p["name_a"], p["name_b"]) if n)
    parts = [f"N {numbers.count(p['n_active'])}", f"D {numbers.count(p['tokens_a'])}"]
    parts += [] if p["same_schedule"] else [f"against {numbers.count(p['tokens_b'])}"]
    parts += [f"{p['flops_per_token']:.3g}x FLOPs per token"] if abs(np.log(p["flops_per_token"])) > 0.02 else []
    return " · ".join([*([names] if names else []), *parts, f"{numbers.times(p['tokens'])} in tokens, {p['gain']:+.3f} nats"])


def pair_table(groups: Groups) -> pd.DataFrame:
    """Returns every pair with its speed-ups and final losses, for reading and as CSV."""
    speed = groups.found.pairs[["a", "b", "level", *ALONG, "why"]].rename(columns={c: f"speedup_{c}" for c in ALONG})
    return (
        speed.assign(n_active=groups.found.pairs["n_active"])
        if groups.finished
        else groups.pairs.merge(speed, on=["a", "b"], how="left")
    )


def show_pairs(groups: Groups) -> None:
    """Shows the table of pairs, folded away."""
    with st.expander(f"The {len(groups.pairs)} pairs of runs"):
        table = groups.pairs if groups.finished else pair_table(groups)
        count = st.column_config.NumberColumn(format="compact")
        st.dataframe(
            table.drop(columns=["a", "b"]),
            hide_index=True,
            width="stretch",
            key="pair_table",
            column_config={"n_active": count, "tokens_a": count, "tokens_b": count},
        )
        st.caption(
            "flops_per_token: of b over a. gain: loss of a minus loss of b, nats per token. speedup: x of a over x of b at the lowest loss "
            "(level) that both reach."
        )
