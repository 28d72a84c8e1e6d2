"""Backtest: fits laws to the runs below a compute cut and compares their predictions with the runs above it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import FitError
from ..laws import Ensemble, Law, family
from ..runs import usable
from .influence import leave_one_size_out
from .procedure import fit
from .resampling import bootstrap
from .result import Fit

LEVEL = 0.90
EARNED = 0.02
"""Share by which a larger law must lower the held-out error to have earned its parameters."""
_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True)
class Backtest:
    """How well laws that were fitted to runs up to `cut` predict the runs above it.

    summary: a row a law: law, n_parameters, n_train, n_test, rmse_train, rmse_test, bias_test (mean of ln L_pred - ln L;
    positive: the law expects too much loss), bias_nats, coverage (share of held-out runs inside the 90 % band),
    loso (leave-one-size-out rms error below the cut), aic, bic, error (a sentence where the law could not be fitted).
    points: a row for each law and held-out run: law, run_id, name, flops, loss, predicted, low, high, inside. fits: the law
    fitted below the cut, by name.
    """

    cut: float
    summary: pd.DataFrame
    points: pd.DataFrame
    fits: dict[str, Fit]


def backtest(
    runs: pd.DataFrame,
    laws: Iterable[str | Law],
    cut: float,
    n_resamples: int = 200,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Backtest:
    """Fits every law to the runs with C <= cut (training FLOPs) and returns how well each predicts those above.

    The 90 % band of a held-out run joins the bootstrap's spread of the prediction and the training residuals' own.
    `options` go to `fit`. Raises ValueError when one side of the cut is empty or runs have no flops.
    """
    runs = usable(runs)
    if "flops" not in runs or not runs["flops"].notna().any():
        raise ValueError("A backtest cuts by training FLOPs, and these runs have none.")
    below = runs["flops"].to_numpy(dtype=float) <= cut * (1 + 1e-9)
    above = runs["flops"].to_numpy(dtype=float) > cut * (1 + 1e-9)
    if not below.any() or not above.any():
        low, high = runs["flops"].min(), runs["flops"].max()
        raise ValueError(f"The cut {cut:.3g} leaves one side empty: the runs span {low:.3g} to {high:.3g} FLOPs.")
    train, test = runs[below].reset_index(drop=True), runs[above].reset_index(drop=True)
    rows, points, fits = [], [], {}
    names = list(laws)
    for i, law in enumerate(names):
        name = law if isinstance(law, str) else law.name
        try:
            fitted = fit(train, law, **options)
            samples = bootstrap(fitted, n_resamples, seed)
        except (FitError, ValueError) as error:
            rows.append({"law": name, "n_train": len(train), "n_test": len(test), "error": str(error)})
            continue
        fits[name] = fitted
        judged = _judge(fitted, samples, test[np.isfinite(fitted.predict(test))])
        points.append(judged.assign(law=name))
        rows.append(_summary(name, fitted, judged))
        if progress is not None:
            progress(i + 1, len(names))
    return Backtest(
        cut, pd.DataFrame(rows, columns=_SUMMARY), pd.concat(points, ignore_index=True) if points else pd.DataFrame(), fits
    )


def verdicts(summary: pd.DataFrame) -> list[str]:
    """Returns a sentence for each pair of laws: whether the one with more parameters predicts the held-out runs better.

    Compared with the best law of fewer parameters; "better" means a held-out rms error lower by more than `EARNED`.
    """
    good = summary[summary["error"] == ""].sort_values("n_parameters")
    out = []
    for row in good.itertuples():
        smaller = good[good["n_parameters"] < row.n_parameters]
        if smaller.empty:
            continue
        rival = smaller.loc[smaller["rmse_test"].idxmin()]
        extra = ", ".join(sorted(set(family(row.law).variables) - set(family(rival["law"]).variables)))
        what = f"{row.law} ({row.n_parameters:.0f} parameters{f', adds {extra}' if extra else ''})"
        numbers = f"{row.rmse_test:.2%} against {rival['rmse_test']:.2%} of {rival['law']} ({rival['n_parameters']:.0f})"
        earned = row.rmse_test < rival["rmse_test"] * (1 - EARNED)
        out.append(f"{what} {'earns its parameters' if earned else 'does not earn its parameters'}: held-out error {numbers}.")
    return out


def information(fitted: Fit) -> tuple[float, float]:
    """Returns (AIC, BIC) with normal residuals of ln L: n ln(RSS/n) + 2 p, and + p ln n."""
    n = len(fitted.fit.residuals)
    p = len(fitted.phi) + 1
    likelihood = n * np.log(max(float(np.mean(fitted.fit.residuals**2)), 1e-300))
    return likelihood + 2 * p, likelihood + p * np.log(n)


def _judge(fitted: Fit, samples: Ensemble, test: pd.DataFrame) -> pd.DataFrame:
    predicted = fitted.predict(test)
    spread = np.log(samples.law.predict(test))
    noise = float(np.std(fitted.fit.residuals, ddof=min(len(fitted.law.linear), len(fitted.fit.residuals) - 1)))
    low_q, high_q = np.nanquantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    center = np.log(predicted)
    low = center - np.hypot(center - low_q, _NORMAL_90 * noise)
    high = center + np.hypot(high_q - center, _NORMAL_90 * noise)
    loss = test["loss"].to_numpy(dtype=float)
    columns = {c: test[c].to_numpy() for c in ("run_id", "name", "n_active", "tokens", "flops") if c in test}
    bands = {"loss": loss, "predicted": predicted, "low": np.exp(low), "high": np.exp(high)}
    inside = (np.log(loss) >= low) & (np.log(loss) <= high)
    return pd.DataFrame(columns | bands | {"inside": inside})


_SUMMARY = [
    "law", "n_parameters", "n_train", "n_test", "rmse_train", "rmse_test", "bias_test", "bias_nats", "coverage", "loso", "aic",
    "bic", "error",
]  # fmt: skip


def _summary(name: str, fitted: Fit, judged: pd.DataFrame) -> dict:
    error = np.log(judged["predicted"]) - np.log(judged["loss"])
    aic, bic = information(fitted)
    return {
        "law": name,
        "n_parameters": len(fitted.phi),
        "n_train": len(fitted.fit.runs),
        "n_test": len(judged),
        "rmse_train": fitted.rmse,
        "rmse_test": float(np.sqrt(np.mean(error**2))),
        "bias_test": float(np.mean(error)),
        "bias_nats": float(np.mean(judged["predicted"] - judged["loss"])),
        "coverage": float(judged["inside"].mean()),
        "loso": leave_one_size_out(fitted),
        "aic": aic,
        "bic": bic,
        "error": "",
    }
