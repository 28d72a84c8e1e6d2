"""Recomputes single figures of the other papers, and the refit of Hoffmann's runs."""

from __future__ import annotations

import pandas as pd

from .. import seeds
from ..laws import FittedLaw, shared_experts_optimum
from ..optimum import best_loss, compute_optimal
from .section import Section, fitted, formula


def others() -> Section:
    """Compares other published laws with values computed from their printed coefficients."""
    abnar, ling, zhao = fitted("abnar2025"), formula("ling2025"), formula("zhao2025")
    g_opt, s_opt = shared_experts_optimum(zhao.params)
    dense, sparse = (float(best_loss(abnar, 1e20, e)) for e in (1.0, 50.0))
    hoffmann = compute_optimal(fitted("hoffmann2022"), 5.76e23)
    besiroglu = compute_optimal(fitted("besiroglu2024"), 5.76e23)
    rows = [
        ("Abnar 2025 (repository)", "optimal loss at 1e20 FLOPs, dense", dense, "nats"),
        ("Abnar 2025 (repository)", "optimal loss at 1e20 FLOPs, sparsity 98 %", sparse, "nats"),
        ("Ling 2025", "efficiency leverage at A = 3.1 %, G = 12, 1e22 FLOPs", float(ling(0.031, 12.0, 1e22)), "x"),
        ("Zhao 2025 (secondary source)", "best number of activated experts", g_opt, ""),
        ("Zhao 2025 (secondary source)", "best share of shared experts", s_opt, ""),
        (
            "Hoffmann 2022",
            "optimal tokens per parameter at 5.76e23 FLOPs (two-digit exponents)",
            hoffmann.tokens_per_parameter,
            "",
        ),
        ("Besiroglu 2024", "optimal tokens per parameter at 5.76e23 FLOPs", besiroglu.tokens_per_parameter, ""),
    ]
    out = pd.DataFrame(rows, columns=["law", "quantity", "here", "unit"])
    verdict = (
        f"Sparsity of 98 % lowers Abnar's optimal loss at 1e20 FLOPs from {dense:.3f} to {sparse:.3f}; Hoffmann's printed exponents ask for "
        f"{hoffmann.tokens_per_parameter:.0f} tokens per parameter at 5.76e23 FLOPs, the refit for {besiroglu.tokens_per_parameter:.0f}."
    )
    return Section(
        "Other laws, evaluated",
        "",
        verdict,
        out,
        "Computed from the published coefficients; not judged: nothing is printed to compare with.",
    )


def chinchilla_refit(fit: FittedLaw) -> Section:
    """Refits the 240 runs that Besiroglu 2024 extracted and compares with the printed coefficients."""
    claims = seeds.table("claims")
    claims = claims[claims["arxiv"] == "2404.10102"].set_index("quantity")
    errors = fitted("besiroglu2024").source
    assert errors is not None
    rows = []
    for name, row in claims.iterrows():
        here = fit.params[str(name)]
        deviation = here / row["value_printed"] - 1
        rows.append(
            (name, row["value_printed"], errors.standard_errors[str(name)], here, deviation, abs(deviation) <= row["tolerance"])
        )
    out = pd.DataFrame(rows, columns=["coefficient", "printed", "standard error", "here", "deviation", "holds"])
    assert fit.fit is not None
    verdict = (
        f"Refitting {len(fit.fit.runs)} runs (log-Huber, delta 1e-3) gives L_inf = {fit.params['L_inf']:.4f}, alpha = "
        f"{fit.params['alpha']:.4f}, beta = {fit.params['beta']:.4f} at an objective of {fit.objective:.9e}."
    )
    return Section("Besiroglu 2024, refit of Hoffmann's runs", "2404.10102", verdict, out)
