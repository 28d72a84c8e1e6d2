"""Parts of the Fit page: coefficient table, health card, backtest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

import lawlib
from lawlib import numbers
from lawlib.fitting import Backtest, Fit, verdicts
from lawlib.fitting.health import largest_budget
from lawlib.runs import included

from .. import cached
from ..explorer import Choice
from ..session import state
from ..session.markup import plain


def coefficients(choice: Choice) -> pd.DataFrame:
    """Returns a row a coefficient: value, interval, how it was obtained, for published laws the printed standard error."""
    law, samples = choice.law, choice.samples
    rows = []
    for name, value in law.params.items():
        low, high = samples.interval(name) if samples is not None else (np.nan, np.nan)
        how = "held" if name in law.held and law.fit is not None else ("printed" if law.source else "fitted")
        error = law.source.standard_errors.get(name, np.nan) if law.source else np.nan
        rows.append({"coefficient": name, "value": value, "low": low, "high": high, "how": how, "standard error": error})
    table = pd.DataFrame(rows)
    return table if table["standard error"].notna().any() else table.drop(columns="standard error")


def coefficient_table(table: pd.DataFrame) -> None:
    """Shows `coefficients`."""
    shown = table.assign(**{c: [numbers.plain(v, 5) for v in table[c]] for c in table.columns if c not in ("coefficient", "how")})
    names = {"low": "95 % low", "high": "95 % high", "how": "origin"}
    st.dataframe(shown.rename(columns=names), hide_index=True, width="stretch", key="coefficients")


def health_card(findings: list[lawlib.Finding]) -> None:
    """Shows the findings against the fit, each with its remedy."""
    st.markdown("**Health**")
    if not findings:
        st.success("No finding: the parameters are identified, the residuals show no trend.", icon=":material/check:")
    with st.container(key="health", gap="small"):
        for f in findings:
            show = st.warning if f.severity == "warning" else st.info
            show(f"{plain(f.sentence)} *{plain(f.remedy)}*")


def pull_table(law: Fit) -> None:
    """Shows the runs that move the optimum most when left out, at the largest compute of the data."""
    where = largest_budget(law)
    if where is None:
        return
    budget, expansion = where
    try:
        table = cached.remember(law, ("pulls", budget, expansion), lambda: lawlib.pulls(law, budget, expansion))
    except lawlib.OptimumError:
        return
    st.markdown("**Single runs that the optimum hangs on**")
    shown = pd.DataFrame(
        {
            "run": table.get("name", table.get("run_id")),
            "N_opt without it": [f"{np.expm1(v):+.1%}" for v in table["n_pull"]],
            "loss without it": [f"{np.expm1(v):+.2%}" for v in table["loss_pull"]],
            "residual": [f"{v:+.2%}" for v in table["residual"]],
        }
    )
    st.dataframe(shown.head(50), hide_index=True, width="stretch", height=240, key="pulls")
    st.caption(f"Refits without one run at a time; optimum at {numbers.flops(budget)} FLOPs, the largest of the data.")


def seed_caption(runs: pd.DataFrame) -> str:
    """Shows the noise that repeats measure, or that there are none."""
    noise = lawlib.seed_noise(runs)
    return noise.sentence if noise else "No repeats: the noise between seeds is not known for these runs."


def axis_menu(runs: pd.DataFrame) -> str:
    """Returns the quantity that residuals are drawn against, and shows its menu."""
    words = {"flops": "compute", "n_active": "active size", "n_total": "total size", "tokens": "tokens"}
    options = [c for c in words if c in runs and runs[c].notna().all() and runs[c].nunique() > 1]
    return (
        st.segmented_control("Residuals against", options, default=options[0], format_func=words.__getitem__, key="residual_axis")
        or options[0]
    )


def backtest(law: lawlib.FittedLaw) -> Backtest | None:
    """Fits the chosen laws to the runs below a compute cut and shows how well they predict the runs above it."""
    runs = cached.selection()
    budgets = sorted({float(f"{v:.3g}") for v in runs.loc[included(runs), "flops"].dropna()})
    if len(budgets) < 4:
        st.info("A backtest needs runs at four or more budgets.")
        return None
    steps = budgets[:-1] if len(budgets) <= 40 else [float(f"{v:.3g}") for v in np.geomspace(budgets[1], budgets[-2], 30)]
    chosen = state.get("cut") or steps[len(steps) // 2]
    nearest = min(steps, key=lambda v: abs(np.log(v / chosen)))
    possible = [n for n, why in cached.reasons().items() if why is None]
    left, right = st.columns([3, 2])
    with left:
        st.select_slider("Fit up to, training FLOPs", steps, format_func=numbers.flops, **state.bound("cut", nearest))
    with right:
        shown = [n for n in state.get("backtest") if n in possible] or [law.law.name]
        names = st.multiselect(
            "Laws",
            possible,
            format_func=lambda n: lawlib.FAMILIES[n].title,
            **state.bound("backtest", shown, lambda v: state.put("backtest", tuple(v))),
        )
    if not names:
        return None
    options = {field: state.get(field) for field in ("objective", "delta", "weights")}

    def make() -> Backtest:
        with cached.progress("Backtest, law") as report:
            return lawlib.backtest(runs, names, nearest, progress=report, **options)

    try:
        return cached.remember(law, ("backtest", tuple(names), nearest, *options.values()), make)
    except ValueError as error:
        st.warning(plain(error))
        return None


def backtest_table(summary: pd.DataFrame) -> None:
    """Returns laws side by side: error and bias above the cut, coverage of the 90 % band, AIC and BIC below it."""
    good = summary[summary["error"] == ""]
    if len(good):
        shown = pd.DataFrame(
            {
                "law": [lawlib.FAMILIES[n].title for n in good["law"]],
                "parameters": good["n_parameters"].astype(int).to_numpy(),
                "fitted on": good["n_train"].astype(int).to_numpy(),
                "rms below": [f"{v:.2%}" for v in good["rmse_train"]],
                "rms above": [f"{v:.2%}" for v in good["rmse_test"]],
                "bias above, nats": [f"{v:+.3f}" for v in good["bias_nats"]],
                "in 90 % band": [f"{v:.0%}" for v in good["coverage"]],
                "leave-one-size-out": [f"{v:.2%}" for v in good["loso"]],
                "AIC": [f"{v:.0f}" for v in good["aic"]],
                "BIC": [f"{v:.0f}" for v in good["bic"]],
            }
        )
        st.dataframe(shown, hide_index=True, width="stretch", key="backtest_table")
    for sentence in verdicts(summary):
        st.caption(sentence)
    for row in summary[summary["error"] != ""].itertuples():
        st.caption(f"{lawlib.FAMILIES[row.law].title}: {plain(row.error)}")
