"""A Python script that makes an analysis again with lawlib: runs, fits, intervals, optimum, figures.

Names in it: `runs`, `law` and `samples` (of a pair also `dense` and `dense_samples`), `budget`, `expansion`, `granularity`,
`optimum`, `charts`. Values are written out, so that the script reads as what was done.
"""

from __future__ import annotations

from . import drawing
from .analysis import Analysis, Origin, Part

RUNS_FILE = "runs.csv"
"""Uploaded runs travel under this name beside the script."""
_NAMES = (("law", "samples"), ("dense", "dense_samples"))


def script(analysis: Analysis) -> str:
    """The source of the script. It writes one HTML file a figure into the working directory and prints the coefficients."""
    body = [*_runs(analysis), *_laws(analysis), *_point(analysis), *_figures(analysis)]
    text = "\n".join(body)
    return "\n".join([*_head(analysis), *_imports(text), "", text, ""])


def _head(analysis: Analysis) -> list[str]:
    said = f"{analysis.title}: {analysis.answer}".replace("\\", "\\\\").replace('"""', "'''")
    lines = _wrapped(said)
    link = analysis.link.replace("\\", "").replace('"""', "")
    return [
        f'"""{lines[0]}',
        *lines[1:],
        *(["", link] if link else []),
        "",
        "Needs lawlib: run it in the folder of the scaling-law dashboard, or with PYTHONPATH naming that folder.",
        '"""',
        "",
    ]


def _wrapped(text: str, width: int = 120) -> list[str]:
    lines = [""]
    for word in text.split():
        lines = [*lines, word] if len(lines[-1]) + len(word) > width else [*lines[:-1], f"{lines[-1]} {word}".strip()]
    return lines


def _imports(body: str) -> list[str]:
    """The imports that the body needs, in order."""
    wanted = [
        ("replace(", "from dataclasses import replace"),
        ("Path(", "from pathlib import Path"),
        ("", ""),
        ("np.", "import numpy as np"),
        ("pd.", "import pandas as pd"),
        ("", ""),
        ("", "import lawlib"),
        ("figures.", "from lawlib import figures"),
        ("tables.", "from lawlib import tables"),
        ("slice_labels(", "from lawlib.approaches import slice_labels"),
        ("shared_rounding(", "from lawlib.gap import shared_rounding"),
        ("as_runs(", "from lawlib.runs import as_runs"),
        ("at_point(", "from lawlib.selection import at_point"),
    ]
    found = [line for sign, line in wanted if sign in body]
    return [line for i, line in enumerate(found) if line or (i and found[i - 1])]


def _runs(analysis: Analysis) -> list[str]:
    origin = next((p.origin for p in analysis.parts if not p.origin.published), None)
    if origin is None:
        return []
    if not origin.bundled:
        return [
            "# The runs as they were selected, those left out of the fit marked",
            f'runs = as_runs(pd.read_csv(Path(__file__).with_name("{RUNS_FILE}")))',
            "",
        ]
    lines = [
        "# The runs come with the program; what is left out of the fit is marked",
        'with lawlib.open_store(workspace=":memory:") as store:',
        f"    runs = store.runs({origin.dataset!r})",
    ]
    if origin.filters:
        lines += [
            "runs = lawlib.select(",
            "    runs,",
            *(f"    {name}={value!r}," for name, value in origin.filters.items()),
            ")",
        ]
    return [*lines, ""]


def _laws(analysis: Analysis) -> list[str]:
    lines = []
    for part, (law, samples) in zip(analysis.parts, _NAMES, strict=False):
        lines += [f"# {' '.join(part.label.split())}", *_law(part, law)]
        if part.samples is not None and not _shared(analysis):
            lines += _samples(part, law, samples)
        lines += [""]
    if _shared(analysis):
        n = len(analysis.parts[0].samples or ())
        lines += [
            "# The coefficients that both laws share are drawn together",
            f"samples, dense_samples = shared_rounding(law, dense, {n})",
            "",
        ]
    for part, (law, samples) in zip(analysis.parts, _NAMES, strict=False):
        lines += [f'print("{law}:", {law}.name, {law}.status)', f"for name, value in {law}.params.items():"]
        if part.samples is not None:
            lines += [f"    low, high = {samples}.interval(name)", '    print(f"  {name} = {value!r}  [{low:.5g}, {high:.5g}]")']
        else:
            lines += ['    print(f"  {name} = {value!r}")']
    return [*lines, ""]


def _shared(analysis: Analysis) -> bool:
    """Whether the pair is of two printed laws, whose print rounding is drawn for both at once."""
    return len(analysis.parts) == 2 and all(p.origin.published and p.samples is not None for p in analysis.parts)


def _law(part: Part, name: str) -> list[str]:
    origin = part.origin
    if origin.published:
        return [f"{name} = lawlib.published({origin.law!r})"]
    lines = [f"{name} = lawlib.fit({_runs_of(origin)}, {origin.law!r}{_arguments(origin)})"]
    if part.law.granularities:
        lines.append(
            f"{name} = replace({name}, granularities={part.law.granularities!r})  # the best G is sought within the data"
        )
    return lines


def _runs_of(origin: Origin) -> str:
    return f'runs[runs["arch"] == {origin.arch!r}]' if origin.arch else "runs"


def _arguments(origin: Origin) -> str:
    return "".join(f", {name}={value!r}" for name, value in origin.options.items())


def _samples(part: Part, law: str, samples: str) -> list[str]:
    assert part.samples is not None
    n, seed = len(part.samples) + part.samples.n_failed, part.seed
    if part.samples.kind == "rounding":
        return [f"{samples} = {law}.rounding({n}, seed={seed})"]
    groups = {"slices": f", groups=slice_labels({law}.fit.runs)", "sizes": ', groups="n_active"'}.get(part.origin.unit, "")
    return [f"{samples} = lawlib.bootstrap({law}, {n}, seed={seed}{groups})"]


def _point(analysis: Analysis) -> list[str]:
    if analysis.budget is None:
        return []
    return [
        f"budget, expansion, granularity = {analysis.budget!r}, {analysis.expansion!r}, {analysis.granularity!r}  # FLOPs, E, G",
        "optimum = lawlib.compute_optimal(law, budget, expansion, granularity)",
        'print(f"N_active = {optimum.n_active:.6g}, tokens = {optimum.tokens:.6g}, loss = {optimum.loss:.6g}")',
        "",
    ]


def _figures(analysis: Analysis) -> list[str]:
    drawn = drawing.lines(analysis)
    if not drawn:
        return []
    return [
        *drawn,
        "for name, figure in charts.items():",
        '    figure.update_layout(paper_bgcolor=style.page).write_html(f"{name}.html", include_plotlyjs="directory")',
    ]
