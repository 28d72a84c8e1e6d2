"""Writes the coefficients as a LaTeX table (booktabs) with their intervals and the notes a reader needs."""

from __future__ import annotations

import math
import re

from .. import numbers
from ..laws import COUNTS
from .analysis import Analysis, Part

_GREEK = ("alpha", "beta", "gamma", "delta", "zeta", "omega", "lambda")
_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_WORDS = {"–": "--", "—": "---", "·": r"$\cdot$", "²": r"$^2$", "×": r"$\times$", "“": "``", "”": "''", "<": r"$<$", ">": r"$>$"}


def latex_table(analysis: Analysis, level: float = 0.95) -> str:
    r"""Returns a LaTeX `table` environment for each law; it needs \usepackage{booktabs}."""
    return "\n\n".join(_table(part, level) for part in analysis.parts) + "\n"


def _table(part: Part, level: float) -> str:
    law, samples = part.law, part.samples
    rows = []
    for name, value in law.params.items():
        how = " (held)" if law.fit is not None and name in law.held else ""
        low, high = samples.interval(name, level) if samples is not None else (math.nan, math.nan)
        interval = f"$[{number(low)},\\ {number(high)}]$" if math.isfinite(low) else "--"
        rows.append(f"    ${letter(name)}${how} & ${number(value)}$ & {interval} \\\\")
    return "\n".join(
        [
            "% \\usepackage{booktabs}",
            "\\begin{table}[t]",
            "  \\centering",
            f"  \\caption{{{_caption(part, level)}}}",
            f"  \\label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', law.name)}}}",
            "  \\begin{tabular}{lrr}",
            "    \\toprule",
            f"    coefficient & value & {100 * level:.0f}\\,\\% interval \\\\",
            "    \\midrule",
            *rows,
            "    \\bottomrule",
            "  \\end{tabular}",
            "\\end{table}",
        ]
    )


def _caption(part: Part, level: float) -> str:
    law, origin = part.law, part.origin
    words = [f"{escape(law.law.title)} law, ${law.law.formula}$."]
    if law.source is not None:
        words.append(escape(f"{law.source.citation}."))
    elif law.fit is not None:
        fit = law.fit
        goal = {"huber": f"Huber loss on ln L, delta = {fit.delta:g}", "squared_log": "squared error on ln L"}
        words.append(
            escape(
                f"Fitted to {len(fit.runs)} runs of {origin.title or origin.dataset} ({goal.get(fit.objective_name, 'squared error on L')}; "
                f"rms residual {law.rmse:.2%} of the loss; {law.status})."
            )
        )
    words.append(escape(f"N: {COUNTS[law.count]}; D in tokens; L in nats per token; {law.flops_rule.sentence}."))
    if part.samples is not None:
        kind = f"{len(part.samples)} refits, {part.samples.label}" if part.samples.kind == "bootstrap" else "print rounding only"
        words.append(escape(f"Intervals: {level:.0%}, {kind}."))
    return " ".join(words)


def letter(name: str) -> str:
    r"""Returns a parameter's name as LaTeX mathematics: `gamma_g` as \gamma_{\mathrm{g}}, `L_inf` as L_\infty."""
    base, _, index = name.partition("_")
    base = f"\\{base}" if base in _GREEK else base
    if not index:
        return base
    return f"{base}_\\infty" if index == "inf" else f"{base}_{{\\mathrm{{{index}}}}}"


def number(value: float, digits: int = 4) -> str:
    """Returns a number as LaTeX mathematics with this many digits: 477.8, 1.2 \times 10^{-5}."""
    if not math.isfinite(value):
        return r"\infty" if value > 0 else r"-\infty" if value < 0 else "-"
    text = numbers.plain(value, digits)
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa} \\times 10^{{{int(exponent)}}}" if exponent else mantissa


def escape(text: str) -> str:
    """Returns any words as LaTeX text."""
    return "".join(_ESCAPES.get(c) or _WORDS.get(c) or c for c in " ".join(text.split()))
