"""Writes the lines of an exported script that draw the page's figures, chart by chart; ranges are taken from the charts' tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..architecture import LUDZIEJEWSKI_VOCABULARY
from ..figures import AXES
from ..laws import interval_words, published
from .analysis import Analysis, Chart
from .naming import named

Lines = list[str]


def drawable(chart: Chart) -> bool:
    """Whether a script can draw this chart."""
    return chart.key in _DRAW


def lines(analysis: Analysis) -> Lines:
    """Returns the lines that define `style` and `charts`; none where no chart can be drawn by a script."""
    known = [c for c in analysis.charts if drawable(c)]
    if not known:
        return []
    out = [
        "style = figures.LIGHT  # or figures.DARK",
        f"label, interval = {_label(analysis)!r}, {_interval(analysis)!r}",
        "charts = {}",
        "",
        *_serving(analysis),
    ]
    for chart in known:
        out += [f"# {' '.join(chart.title.split())}", *_DRAW[chart.key](analysis, chart), ""]
    return out


def _label(analysis: Analysis) -> str:
    return analysis.parts[0].label


def _interval(analysis: Analysis) -> str:
    return interval_words(analysis.parts[0].samples)


def _samples(analysis: Analysis) -> str:
    return "samples" if analysis.parts[0].samples is not None else "None"


def _fitted(analysis: Analysis) -> bool:
    return analysis.parts[0].law.fit is not None


def _grid(values: np.ndarray) -> str:
    """Returns budgets as code: a geometric series where they are one to the last digit, else a list."""
    values = np.asarray(values, dtype=float)
    if len(values) > 2 and np.array_equal(np.geomspace(values[0], values[-1], len(values)), values):
        return f"np.geomspace({float(values[0])!r}, {float(values[-1])!r}, {len(values)})"
    return repr([float(v) for v in values])


def _path(analysis: Analysis, chart: Chart, g: str = "granularity") -> str:
    table = chart.table
    assert table is not None
    table = table[table["law"] == _label(analysis)] if "law" in table else table
    return f"tables.optimal_path(law, {_grid(table['flops'].to_numpy())}, expansion, {g}, {_samples(analysis)})"


def _own(analysis: Analysis) -> Lines:
    """The runs at the optimum's E and G, and the others."""
    return (
        ["same, others = at_point(runs, optimum.expansion, optimum.granularity)"]
        if _fitted(analysis)
        else ["same = others = None"]
    )


def _loss(analysis: Analysis, chart: Chart) -> Lines:
    runs = "runs" if _fitted(analysis) else "None"
    return [f"path = {_path(analysis, chart)}", f'charts["loss"] = figures.loss_frontier(path, {runs}, style, budget, interval)']


def _isoflop(analysis: Analysis, chart: Chart) -> Lines:
    assert chart.table is not None
    height = chart.figure.layout.height
    along = next((c for c in analysis.charts if c.key in ("loss", "n_opt")), None)
    reach = f"reach={_path(analysis, along)}" if along else "reach=None"
    return [
        f"budgets = {[float(v) for v in np.unique(chart.table['flops'])]!r}",
        f"curves = tables.isoflop_curves(law, budgets, expansion, granularity, {_samples(analysis)})",
        *_own(analysis),
        f'charts["isoflop"] = figures.isoflop_figure(curves, same, style, budget, interval, {height}, others, {reach})',
    ]


def _allocation(analysis: Analysis, chart: Chart) -> Lines:
    assert chart.table is not None
    column = "tokens" if "token" in str(chart.figure.layout.yaxis.title.text) else "n_active"
    out = [f"paths = {{label: {_path(analysis, chart)}}}"]
    for name in chart.table["law"].unique():
        if name == _label(analysis):
            continue
        law, _, rest = str(name).partition(",")
        e = rest.partition("E ")[2].partition(",")[0]
        budgets = _grid(chart.table.loc[chart.table["law"] == name, "flops"].to_numpy())
        other = published(law)
        at = float(e) if e else 1.0 if other.law.has_expansion else other.expansion  # type: ignore[union-attr]
        out.append(f"paths[{str(name)!r}] = tables.optimal_path(lawlib.published({law!r}), {budgets}, {at!r})")
    return [*out, f'charts["allocation"] = figures.allocation(paths, label, style, budget, "{column}", interval)']


def _optimal(column: str) -> Callable[[Analysis, Chart], Lines]:
    def draw(analysis: Analysis, chart: Chart) -> Lines:
        out = [f"path = {_path(analysis, chart)}"]
        minima = "None"
        if _fitted(analysis):
            out += [*_own(analysis), "vertices = lawlib.isoflop_optima(same)"]
            minima = "vertices.slices if vertices else None"
        drawn = f'figures.allocation({{label: path}}, label, style, budget, "{column}", interval, {minima})'
        return [*out, f'charts["{chart.key}"] = {drawn}']

    return draw


def _compared(analysis: Analysis, chart: Chart) -> Lines:
    """Returns the lines for one of two laws side by side: its iso-FLOP curves at its own budget, E and G."""
    assert chart.table is not None
    n = named(analysis)[int(chart.key == "compare_b")]
    assert n.part.at is not None
    (budget, expansion, granularity), samples = n.part.at, n.part.samples
    budgets = [float(v) for v in np.unique(chart.table["flops"])]
    drawn = n.samples if samples is not None else "None"
    at = f"{n.law}_optimum.expansion, {n.law}_optimum.granularity"
    interval = interval_words(samples)
    return [
        f"curves = tables.isoflop_curves({n.law}, {budgets!r}, {expansion!r}, {granularity!r}, {drawn})",
        f"same, others = at_point({n.runs}, {at})" if n.runs else "same = others = None",
        f'charts["{chart.key}"] = figures.isoflop_figure(curves, same, style, {budget!r}, {interval!r}, 380, others)',
    ]


def _residuals(analysis: Analysis, chart: Chart) -> Lines:
    words = chart.figure.layout.xaxis.title.text
    axis = next((c for c, w in AXES.items() if w == words), "flops")
    return [f'charts["residuals"] = figures.residual_figure(law.fit.runs, law.fit.residuals, style, "{axis}")']


def _predicted(analysis: Analysis, chart: Chart) -> Lines:
    return ['charts["predicted"] = figures.prediction_figure(law.fit.runs, law.predict(law.fit.runs), style)']


def _backtest(analysis: Analysis, chart: Chart) -> Lines:
    assert chart.table is not None
    cut = next(s.x0 for s in chart.figure.layout.shapes if s.x0 == s.x1)
    options = {k: v for k, v in analysis.parts[0].origin.options.items() if k != "flops_rule"}
    arguments = "".join(f", {name}={value!r}" for name, value in options.items())
    return [
        f"test = lawlib.backtest(runs, {list(chart.table['law'].unique())!r}, {float(cut)!r}{arguments})",
        "print(test.summary.to_string())",
        'charts["backtest"] = figures.backtest_figure(test.points, test.cut, style)',
    ]


def _excess(analysis: Analysis, chart: Chart) -> Lines:
    assert chart.table is not None
    return [
        f"budgets = {[float(v) for v in chart.table['flops'].unique()]!r}",
        f"by_granularity = tables.granularity_curves(law, budgets, expansion, {_samples(analysis)})",
        'charts["excess"] = figures.excess_figure(by_granularity, style, budget, interval)',
    ]


def _best(analysis: Analysis, chart: Chart) -> Lines:
    x = np.asarray(chart.figure.data[0].x, dtype=float)
    return [
        f"path = tables.optimal_path(law, {_grid(x)}, expansion, None, {_samples(analysis)})",
        "switches = lawlib.switching_budgets(law, expansion)",
        'charts["best_g"] = figures.best_figure(path, switches, style, budget)',
    ]


def _router(analysis: Analysis, chart: Chart) -> Lines:
    return [
        f"by_granularity = tables.granularity_curves(law, [budget], expansion, {_samples(analysis)})",
        'charts["router"] = figures.router_figure(by_granularity, style, budget)',
    ]


def _measured_granularity(analysis: Analysis, chart: Chart) -> Lines:
    return ['charts["measured_g"] = figures.measured_granularity(runs, style)'] if _fitted(analysis) else []


def _gaps(analysis: Analysis, chart: Chart) -> Lines:
    assert chart.table is not None
    dense = "dense" if len(analysis.parts) == 2 else "law"
    both = f"{{expansion: (samples, {'dense_samples' if dense == 'dense' else 'samples'})}}"
    part = chart.table[chart.table["expansion"] == analysis.expansion]
    out = [
        f"pairs = {{e: (law, {dense}) for e in {[float(e) for e in chart.table['expansion'].unique()]!r}}}",
        f"budgets = {_grid(part['flops'].to_numpy())}",
        f"curves = tables.gap_curves(pairs, budgets, {both if _samples(analysis) != 'None' else None}, granularity)",
    ]
    if chart.key == "losses":
        return [*out, 'charts["losses"] = figures.losses_figure(curves, style, budget, expansion)']
    if any(t.name == "measured (between runs)" for t in chart.figure.data) and _fitted(analysis):
        out.append("measured = lawlib.measured_gap(runs)")
        return [*out, 'charts["gap"] = figures.gap_figure(curves, style, budget, expansion, interval, measured)']
    return [*out, 'charts["gap"] = figures.gap_figure(curves, style, budget, expansion, interval)']


def _serving(analysis: Analysis) -> Lines:
    """Returns the lines that compute `found`, the serving answer, from the question's values; none where the page asks none."""
    if analysis.serving is None:
        return []
    found, price = analysis.serving
    q = found.question
    machine, work = q.server.machine, q.server.work
    slowest = f", {work.max_step!r}" if np.isfinite(work.max_step) else ""
    vocabulary = f", vocabulary={q.server.vocabulary!r}" if q.server.vocabulary != LUDZIEJEWSKI_VOCABULARY else ""
    return [
        "# Serving",
        f"machine = serving.Machine(serving.gpu({machine.gpu.name!r}), {machine.precision!r}, compute={machine.compute!r}, "
        f"bandwidth={machine.bandwidth!r})",
        f"server = serving.Server(machine, serving.Workload({work.prompt!r}, {work.output!r}, {work.max_batch!r}{slowest}){vocabulary})",
        f"question = serving.Question(law, server, budget, {q.expansion!r}, {q.reference!r}, {q.granularity!r}, {q.utilisation!r})",
        f"price, served = {price!r}, {found.served!r}  # USD a GPU-hour, tokens",
        f"found = serving.answer(question, served, {_samples(analysis)})",
        "",
    ]


def _served(arguments: str, builder: str) -> Callable[[Analysis, Chart], Lines]:
    def draw(analysis: Analysis, chart: Chart) -> Lines:
        if analysis.serving is None:
            return []
        return [f'charts["{chart.key}"] = figures.{builder}({arguments})']

    return draw


_DRAW: dict[str, Callable[[Analysis, Chart], Lines]] = {
    "loss": _loss,
    "isoflop": _isoflop,
    "compare_a": _compared,
    "compare_b": _compared,
    "allocation": _allocation,
    "n_opt": _optimal("n_active"),
    "d_opt": _optimal("tokens"),
    "residuals": _residuals,
    "predicted": _predicted,
    "backtest": _backtest,
    "excess": _excess,
    "best_g": _best,
    "router": _router,
    "measured_g": _measured_granularity,
    "gap": _gaps,
    "losses": _gaps,
    "trilemma": _served(
        "found.sizes, found.optima, found.picks, style, price, question.expansion, question.reference", "trilemma_figure"
    ),
    "equal_loss": _served("found.at_loss, style, price, question.expansion", "equal_loss_figure"),
    "over_training": _served(
        "found.sizes, style, price, question.expansion, found.region, found.interval", "over_training_figure"
    ),
    "lifetime": _served("found.lifetimes, style, price, question.expansion, served", "lifetime_figure"),
}
