"""Writes a Python script that repeats an analysis with lawlib: runs, fits, intervals, optimum, figures.

Names in it: `runs`, `law` and `samples` (of a pair also `dense` and `dense_samples`, of a comparison `left` and `right`), `budget`,
`expansion`, `granularity`, `optimum`, `charts`. Values are written out, so that the script reads as what was done.
"""

from __future__ import annotations

from . import drawing
from .analysis import Analysis
from .naming import Named, named


def script(analysis: Analysis) -> str:
    """Returns the source of the script, which writes one HTML file a figure into the working directory and prints the coefficients."""
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
    """Returns the import lines that the body needs, in order."""
    wanted = [
        ("replace(", "from dataclasses import replace"),
        ("Path(", "from pathlib import Path"),
        ("", ""),
        ("np.", "import numpy as np"),
        ("pd.", "import pandas as pd"),
        ("", ""),
        ("", "import lawlib"),
        ("figures.", "from lawlib import figures"),
        ("serving.", "from lawlib import serving"),
        ("tables.", "from lawlib import tables"),
        ("slice_labels(", "from lawlib import slice_labels"),
        ("shared_rounding(", "from lawlib import shared_rounding"),
        ("as_runs(", "from lawlib import as_runs"),
        ("at_point(", "from lawlib import at_point"),
    ]
    found = [line for sign, line in wanted if sign in body]
    return [line for i, line in enumerate(found) if line or (i and found[i - 1])]


def _runs(analysis: Analysis) -> list[str]:
    lines = []
    for known in {n.runs: n for n in reversed(named(analysis)) if n.runs}.values():
        origin = known.part.origin
        if not origin.bundled:
            lines += [
                "# The runs as they were selected, those left out of the fit marked",
                f'{known.runs} = as_runs(pd.read_csv(Path(__file__).with_name("{known.file}")))',
                "",
            ]
            continue
        lines += [
            "# The runs come with the program; what is left out of the fit is marked",
            'with lawlib.open_store(workspace=":memory:") as store:',
            f"    {known.runs} = store.runs({origin.dataset!r})",
        ]
        if origin.filters:
            lines += [
                f"{known.runs} = lawlib.select(",
                f"    {known.runs},",
                *(f"    {name}={value!r}," for name, value in origin.filters.items()),
                ")",
            ]
        lines += [""]
    return lines


def _laws(analysis: Analysis) -> list[str]:
    laws = named(analysis)
    shared = len(laws) == 2 and [n.law for n in laws] == ["law", "dense"] and all(n.part.origin.published for n in laws)
    shared = shared and all(n.part.samples is not None for n in laws)
    lines = []
    for n in laws:
        lines += [f"# {' '.join(n.part.label.split())}", *_law(n)]
        if n.part.samples is not None and not shared:
            lines += _samples(n)
        lines += [""]
    if shared:
        lines += [
            "# The coefficients that both laws share are drawn together",
            f"samples, dense_samples = shared_rounding(law, dense, {len(laws[0].part.samples or ())})",
            "",
        ]
    for n in laws:
        lines += [f'print("{n.law}:", {n.law}.name, {n.law}.status)', f"for name, value in {n.law}.params.items():"]
        if n.part.samples is not None:
            lines += [
                f"    low, high = {n.samples}.interval(name)",
                '    print(f"  {name} = {value!r}  [{low:.5g}, {high:.5g}]")',
            ]
        else:
            lines += ['    print(f"  {name} = {value!r}")']
    return [*lines, ""]


def _law(n: Named) -> list[str]:
    origin = n.part.origin
    if origin.published:
        return [f"{n.law} = lawlib.published({origin.law!r})"]
    runs = f'{n.runs}[{n.runs}["arch"] == {origin.arch!r}]' if origin.arch else n.runs
    options = "".join(f", {name}={value!r}" for name, value in origin.options.items())
    lines = [f"{n.law} = lawlib.fit({runs}, {origin.law!r}{options})"]
    if g := n.part.law.granularities:
        lines.append(f"{n.law} = replace({n.law}, granularities={g!r})  # the best G is sought within the data")
    return lines


def _samples(n: Named) -> list[str]:
    samples, seed = n.part.samples, n.part.seed
    assert samples is not None
    size = len(samples) + samples.n_failed
    if samples.kind == "rounding":
        return [f"{n.samples} = {n.law}.rounding({size}, seed={seed})"]
    groups = {"slices": f", groups=slice_labels({n.law}.fit.runs)", "sizes": ', groups="n_active"'}.get(n.part.origin.unit, "")
    return [f"{n.samples} = lawlib.bootstrap({n.law}, {size}, seed={seed}{groups})"]


def _point(analysis: Analysis) -> list[str]:
    lines = []
    for n in named(analysis):
        if n.part.at is not None:
            budget, expansion, granularity = n.part.at
            lines += _optimum(n.law, f"{n.law}_optimum", f"{budget!r}, {expansion!r}, {granularity!r}")
    if analysis.budget is not None:
        lines += [
            f"budget, expansion, granularity = {analysis.budget!r}, {analysis.expansion!r}, {analysis.granularity!r}  # FLOPs, E, G",
            *_optimum("law", "optimum", "budget, expansion, granularity"),
        ]
    return [*lines, ""] if lines else []


def _optimum(law: str, name: str, point: str) -> list[str]:
    return [
        f"{name} = lawlib.compute_optimal({law}, {point})",
        f'print(f"N_active = {{{name}.n_active:.6g}}, tokens = {{{name}.tokens:.6g}}, loss = {{{name}.loss:.6g}}")',
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
