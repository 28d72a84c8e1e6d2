"""Chooses the law of a page: fitted to the selection where the runs allow it, else published, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

import lawlib
from lawlib.fitting import Fit, health
from lawlib.laws import COUNTS, MARKS, interval_words
from lawlib.runs import included

from .. import cached
from ..session import folded, on_page, state
from ..session.markup import plain

PREFERRED_PUBLISHED = {"G": "krajewski2024-moe-e64", "E": "ludziejewski2025", "D": "besiroglu2024"}
_HIDDEN = ("ling2025", "zhao2025")
_OPTIONS = ("objective", "delta", "weights", "unit", "rule")


@dataclass(frozen=True)
class Choice:
    """The law of a page. notice: one line that says why it is not fitted to the data, "" where it is."""

    law: lawlib.FittedLaw
    label: str
    notice: str

    @property
    def samples(self) -> lawlib.Ensemble | None:
        return cached.ensemble(self.law)

    @property
    def interval(self) -> str:
        """What the bands of this law mean."""
        return interval_words(self.samples)


def has(law: lawlib.FittedLaw | lawlib.Law, need: str) -> bool:
    """Whether a law has what a page needs: "D", "G" or "E"."""
    form = law.law if isinstance(law, lawlib.FittedLaw) else law
    return form.has_expansion if need == "E" else need in form.variables


def label(name: str) -> str:
    """Returns the name of a law in menus."""
    if name in lawlib.FAMILIES:
        return f"{lawlib.FAMILIES[name].title}, fitted"
    law = lawlib.published(name)
    assert law.source is not None
    return name if law.source.mark in ("P", "") else f"{name} ({MARKS[law.source.mark]})"


def options(need: str) -> tuple[list[str], dict[str, str], list[str]]:
    """Returns (families the selection identifies, why the others are not offered, published laws) that have what is needed."""
    return _options(*cached.selected(), need)


@st.cache_resource(max_entries=64, show_spinner=False)
def _options(dataset: str, version: int, chosen: tuple, need: str) -> tuple[list[str], dict[str, str], list[str]]:
    key = (dataset, version, chosen)
    families = {name: law for name, law in lawlib.FAMILIES.items() if all(has(law, n) for n in need)}
    reasons = {name: why for name, why in cached.reasons_of(*key).items() if name in families}
    fits = [name for name in _by_preference(cached.selection_of(*key)) if name in families and reasons[name] is None]
    printed = [n for n in lawlib.published_names() if n not in _HIDDEN]
    printed = [n for n in printed if all(has(lawlib.published(n), x) for x in need)]  # type: ignore[arg-type]
    return fits, {n: why for n, why in reasons.items() if why}, printed


def _by_preference(runs: pd.DataFrame) -> list[str]:
    """Returns the families, the one that suits the data's E and G first."""
    varies = {c: runs.loc[included(runs), c].nunique() > 1 for c in ("expansion", "granularity")}
    first = {
        (True, True): "joint_granular",
        (True, False): "joint",
        (False, True): "fine_grained",
        (False, False): "chinchilla",
    }[varies["expansion"], varies["granularity"]]
    next_ones = ("joint_granular", "joint", "fine_grained", "chinchilla")
    return list(dict.fromkeys((first, *next_ones, *lawlib.FAMILIES)))


def resolved(need: str = "", field: str = "law") -> Choice:
    """Returns the law that `choose` would take, without showing its menu."""
    fits, _, printed = options(need)
    chosen = _taken(fits, printed, need, field)
    return Choice(resolve(chosen), label(chosen), missing(need) if chosen in printed and not fits else "")


def _taken(fits: list[str], printed: list[str], need: str, field: str) -> str:
    chosen = state.get(field) or (state.get("law") if field != "law" else "")
    if chosen in fits or chosen in printed:
        return chosen
    return fits[0] if fits else next((PREFERRED_PUBLISHED[n] for n in need if n in PREFERRED_PUBLISHED), printed[0])


def choose(need: str = "", field: str = "law") -> Choice:
    """Returns the page's law and shows its menu in the sidebar. `need`: what the law must have, letters among "D", "G", "E".

    Stops the page with the reason where the chosen law cannot be fitted.
    """
    fits, reasons, printed = options(need)
    chosen = _taken(fits, printed, need, field)
    notice = missing(need) if chosen in printed and not fits else ""
    if (asked := state.get(field)) not in ("", chosen):
        notice = f"{_called(asked)} cannot answer this page's question for these runs; shown is {label(chosen)}. {notice}".strip()
    with st.sidebar:
        st.selectbox(
            "Law",
            [*fits, *printed],
            format_func=label,
            help="Laws fitted to the selected runs come first, then published ones.",
            **state.bound(field, chosen),
        )
        if chosen in lawlib.FAMILIES:
            n = folded.changed(_OPTIONS)
            with folded.expander(f"Fit options ({n} changed)" if n else "Fit options", "fit options", n > 0):
                _fit_options()
        if reasons:
            with st.popover("Laws not offered", width="stretch"):
                for name, why in reasons.items():
                    st.markdown(f"**{lawlib.FAMILIES[name].title}** — {plain(why)}")
    choice = Choice(resolve(chosen), label(chosen), notice)
    on_page.law(choice.law, choice.label, cached.origin(chosen), lambda: choice.samples)
    return choice


def _called(name: str) -> str:
    """Returns the name of a law as an address gives it, which may be none."""
    try:
        return label(name)
    except (KeyError, ValueError):
        return f"The law {plain(name[:60])}"


def resolve(name: str, arch: str = "") -> lawlib.FittedLaw:
    """Returns the published law of this name, or the family fitted to the selection; stops the page with the reason where it cannot."""
    law = cached.fit(name, arch) if name in lawlib.FAMILIES else lawlib.published(name)
    if isinstance(law, str):
        st.warning(plain(law))
        st.stop()
    assert isinstance(law, lawlib.FittedLaw)
    return law


def missing(need: str) -> str:
    """Says why no law is fitted to the selection, and what would change that."""
    shown = "Shown is a published law."
    if why := cached.too_many():
        return f"{why} {shown}"
    runs = cached.selection()
    counted = runs[included(runs)]
    if runs.empty:
        return f"No run passes the filters. {shown}"
    if counted.empty:
        return f"All {len(runs)} selected runs are left out: take some back on the Runs page. {shown}"
    columns = {"n_active": "active parameters", "tokens": "training tokens", "loss": "loss"}
    columns |= {"G": {"granularity": "granularity"}, "E": {"n_experts": "experts"}}.get(need[:1], {})
    absent = [words for column, words in columns.items() if counted[column].isna().all()]
    silent = f": they do not say their {' or '.join(absent)}" if absent else ""
    what = {
        "G": "runs at two or more granularities",
        "E": "runs at two or more expansion rates, or dense ones beside MoE",
        "D": "runs at two or more sizes and token counts",
    }
    wanted = " and ".join(what[n] for n in need or "D" if n in what and (n != "D" or need in ("", "D")))
    return f"The selected runs cannot answer this{silent}; it needs {wanted}. {shown}"


def _fit_options() -> None:
    words = {"huber": "Huber on ln L", "squared_log": "squared error on ln L", "squared": "squared error on L"}
    st.selectbox("Objective", list(words), format_func=words.__getitem__, **state.bound("objective", state.get("objective")))
    if state.get("objective") == "huber":
        deltas = sorted({1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, state.get("delta")})
        st.selectbox("Huber delta", deltas, format_func=lambda v: f"{v:g}", **state.bound("delta", state.get("delta")))
    words = {"equal": "equal", "compute": "by compute", "seed_variance": "by seed variance"}
    st.selectbox(
        "Weights of the runs", list(words), format_func=words.__getitem__, **state.bound("weights", state.get("weights"))
    )
    st.selectbox(
        "Bootstrap draws",
        list(cached.UNITS),
        format_func=cached.UNITS.__getitem__,
        help="What is drawn with replacement for the intervals: whole slices or sizes where their runs share an error.",
        **state.bound("unit", state.get("unit")),
    )
    rules = {"": "as the runs' own FLOPs", "6ND": "6·N_active·D", "krajewski": "Krajewski's, with router"}
    st.selectbox("FLOPs rule", list(rules), format_func=rules.__getitem__, **state.bound("rule", state.get("rule")))


def facts(law: lawlib.FittedLaw) -> str:
    """Returns one line: where the law comes from, which N it takes, how FLOPs are counted."""
    n = f"N: {COUNTS[law.count]}"
    if law.source is not None:
        mark = MARKS[law.source.mark]
        return f"{law.source.citation} ({mark}) · {n} · {law.flops_rule.sentence}"
    assert isinstance(law, Fit)
    kind = cached.datasets().set_index("dataset")["kind"].get(state.get("dataset"))
    label = "SIMULATED runs: " if kind == "simulated" else ""
    found = cached.remember(law, ("missed",), lambda: health.missed(law))
    missed = "".join(f":orange[:material/warning: {plain(f.sentence)}]  \n" for f in found)
    return f"{missed}{label}{len(law.fit.runs)} runs, {law.status}, rms residual {law.rmse:.2%} of the loss · {n} · {law.flops_rule.sentence}"
