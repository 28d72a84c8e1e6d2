"""Writes an analysis as JSON for programs and as one self-contained HTML file for people."""

from __future__ import annotations

import html
import json
from importlib import metadata

import plotly.graph_objects as go

from ..figures import CONFIG
from ..numbers import finite
from ..optimum import portable
from ..runs import fingerprint
from .analysis import Analysis, Part

PACKAGES = ("numpy", "scipy", "pandas", "plotly")


def fit_json(analysis: Analysis, level: float = 0.95) -> str:
    """Returns every law of the analysis as JSON: parameters with intervals, how it was fitted, and `lawlib.portable` for other programs."""
    content = {
        "title": analysis.title,
        "answer": analysis.answer,
        "link": analysis.link,
        "units": {"loss": "nats per token", "tokens": "training tokens", "flops": "training FLOPs, forward and backward"},
        "point": {"budget": analysis.budget, "expansion": analysis.expansion, "granularity": analysis.granularity},
        "laws": [_law(part, level) for part in analysis.parts],
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
    return json.dumps(finite(content), indent=1, ensure_ascii=False) + "\n"


def _law(part: Part, level: float) -> dict:
    law, origin, samples = part.law, part.origin, part.samples
    found: dict = {
        "law": law.law.name,
        "name": law.name,
        "formula": law.law.formula,
        "paper": law.law.paper,
        "n": law.count,
        "parameters": law.params,
        "intervals": {p: list(samples.interval(p, level)) for p in law.params} if samples is not None else {},
        "interval": f"{level:.0%}, {samples.label}, {len(samples)} samples" if samples is not None else "",
        "flops_rule": law.flops_rule.sentence,
        "ranges": law.ranges,
        "status": law.status,
        "portable": portable(law),
    }
    if law.source is not None:
        return found | {"source": law.source.citation}
    assert law.fit is not None
    fit = law.fit
    found |= {
        "objective": {"name": fit.objective_name, "delta": fit.delta, "value": law.objective},
        "rmse_log_loss": law.rmse,
        "starts": {"n": fit.n_starts, "agreeing": fit.n_agreeing},
        "held": dict(law.held),
        "runs": {"dataset": origin.dataset, "n_fitted": len(fit.runs), "filters": dict(origin.filters), "arch": origin.arch},
        "options": dict(origin.options),
    }
    if origin.runs is not None:
        found["runs"]["fingerprint"] = str(fingerprint(origin.runs))
    return found


_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:%(text)s;background:%(page)s}
h1{font-size:1.6rem}h2{font-size:1.05rem;margin:2rem 0 0}a{color:inherit}footer{font-size:.85rem}"""


def html_page(analysis: Analysis, text: str, page: str) -> str:
    """Returns one HTML file with all figures, plotly.js included (5 MB), below the answer; `text` and `page` are its colours."""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(analysis.title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE % {'text': text, 'page': page}}</style></head><body><main>",
        f"<h1>{html.escape(analysis.title)}</h1>",
        f"<p>{html.escape(analysis.answer)}</p>",
    ]
    for i, chart in enumerate(analysis.charts):
        # The title names the figure for readers who do not see it: plotly draws plain SVG.
        figure = go.Figure(chart.figure).update_layout(paper_bgcolor=page, width=None, autosize=True)
        drawn = figure.to_html(full_html=False, include_plotlyjs=(i == 0), config=CONFIG | {"responsive": True})
        parts.append(f'<h2>{html.escape(chart.title)}</h2><div role="img" aria-label="{html.escape(chart.title)}">{drawn}</div>')
    sources = "; ".join(dict.fromkeys(p.law.source.citation if p.law.source else p.label for p in analysis.parts))
    link = f' · <a href="{html.escape(analysis.link)}">the page this is from</a>' if analysis.link.startswith("http") else ""
    parts.append(f"<footer><p>{html.escape(sources)}{link}</p></footer></main></body></html>")
    return "\n".join(parts)
