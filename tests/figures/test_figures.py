"""Every figure from tables of a real law, light and dark: what is drawn, on which axes, in whose colours, and whose words."""

import copy
import json
import pickle
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

import lawlib
from lawlib import figures, numbers, planner, serving
from lawlib.comparisons.benchmarks import compare_benchmarks
from lawlib.comparisons.convergence import along_training, gain_curves, predicted_gain
from lawlib.comparisons.pairing import HELD
from lawlib.figures.labels import LINE_HEIGHT, End, free_sides, name_ends, spread
from lawlib.figures.layout import LEGEND_WIDTH, figure, finish, line, set_decades, split_line, vertical
from lawlib.figures.palette import fade, ink
from lawlib.optimum.approaches import slice_budgets
from lawlib.optimum.gap import shared_rounding
from lawlib.optimum.released import placed
from lawlib.optimum.tables import gap_curves, granularity_curves, isoflop_curves, optimal_path
from lawlib.runs.canonical import as_runs
from lawlib.seeds.byte_models import repeats
from tests.support.planted import grid, sweep

ROOT = Path(__file__).resolve().parents[2]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
NAUGHTY = '<a href="javascript:x">big</a> & <b>bold</b>'
PLAIN = '&lt;a href="javascript:x"&gt;big&lt;/a&gt; &amp; &lt;b&gt;bold&lt;/b&gt;'
BOTH = pytest.mark.parametrize("style", [figures.LIGHT, figures.DARK], ids=["light", "dark"])

RUNS = as_runs(grid("chinchilla", noise=0.01, seed=3).assign(arch="dense"), "planted")
RUNS.loc[0, "name"] = NAUGHTY
FIT = lawlib.fit(RUNS, "chinchilla", objective="squared_log")
BOOT = lawlib.bootstrap(FIT, 40, seed=1)
LOW, HIGH = FIT.ranges["flops"]
WIDE = np.geomspace(LOW, HIGH * 1e3, 30)
CHOSEN = 1e20
PATH = optimal_path(FIT, WIDE, samples=BOOT)
ISOFLOPS = isoflop_curves(FIT, [1e19, CHOSEN, 1e21], samples=BOOT)
MOE, DENSE = lawlib.published("krajewski2024-moe-e64"), lawlib.published("krajewski2024-dense")
MANY = shared_rounding(MOE, DENSE, 40)
GRANULAR = granularity_curves(MOE, [1e18, CHOSEN, 1e22], 64, MANY[0])
MOE_PATH = optimal_path(MOE, np.geomspace(1e17, 1e24, 40), 64)
SWITCHES = lawlib.switching_budgets(MOE, 64)
JOINT = lawlib.published("ludziejewski2025")
GAPS = gap_curves({64.0: (MOE, DENSE), 8.0: (JOINT, JOINT), 2.0: (JOINT, JOINT)}, np.geomspace(1e18, 1e24, 13), {64.0: MANY})
GAPPED = pd.DataFrame({"expansion": [8.0, 8.0], "flops": [1e19, 1e20], "loss": [3.0, 2.8], "gap": [3.0, 4.0]})
BACKTEST = lawlib.backtest(RUNS, ["chinchilla"], cut=1e20)
LADDER = as_runs(
    grid("fine_grained", sizes=[1e8, 1e9], tokens=[1e10, 1e11], noise=0.001).assign(n_experts=lambda r: 64 * r["granularity"])
)
CURVES = pd.DataFrame(
    {
        "run_id": np.repeat(["a", "b"], 4), "step": list(range(4)) * 2, "tokens": [0, 1e8, 2e8, 4e8] * 2,
        "flops": [0, 1e17, 2e17, 4e17] * 2, "loss": [11.0, 6, np.nan, 4, 11, 7, 6, 5],
    }
)  # fmt: skip
SWEPT, SWEPT_CURVES = sweep()
SWEPT.loc[SWEPT["granularity"] == 8, "name"] = NAUGHTY
PAIRS = lawlib.pair_runs(
    as_runs(SWEPT), *(SWEPT.loc[(SWEPT["granularity"] == g) & (SWEPT["expansion"] == 8), "run_id"] for g in (1, 8)), HELD["G"]
)
SPEEDUPS = lawlib.speedups(PAIRS, SWEPT_CURVES)
E16 = lawlib.published("krajewski2024-moe-e16")
SIDES = [SWEPT.set_index("run_id").loc[PAIRS[side]].reset_index() for side in "ab"]
PREDICTED = pd.DataFrame({"gain": predicted_gain(E16, *SIDES)}).assign(gain_low=0.1, gain_high=0.2)
CROSSED = pd.DataFrame({"pair": [0], "loss": [4.0], "tokens": [1e8]})
REPORTED = pd.DataFrame({"n_total": [11e9], "granularity": [8.0], "gain": [0.05], "comparison": [NAUGHTY]})
SCORES = pd.DataFrame(
    [
        (r, b, "acc", v + 2 * (i % 2))
        for i, r in enumerate(PAIRS[["a", "b"]].iloc[0])
        for b, v in ((NAUGHTY, 40.0), ("piqa", 70.0))
    ],
    columns=["run_id", "benchmark", "metric", "value"],
)
COMPARED = compare_benchmarks(SCORES, PAIRS, "acc")
REPEATS = (
    as_runs(grid("chinchilla", noise=0.01, seed=5).assign(arch="dense")).head(4).assign(n_active=1e8, tokens=1e10, flops=6e18)
)
REPEATS = REPEATS.assign(seed=range(4), configuration=0)
SEARCH = pd.DataFrame(
    {
        "d_model": [32, 32, 64, 64],
        "n_layers": [1, 1, 2, 2],
        "flops": 1e11,
        "learning_rate": [3e-3, 6e-3] * 2,
        "loss": [1.8, 1.7, 1.9, 1.8],
    }
)
PLAN = planner.plan(JOINT, planner.Limits(1e21))
PLACED = placed(MOE)
POWER, COUNT = "training compute C (FLOPs)", "active parameters N"
LOSS = "loss (nats per token)"

SERVER = serving.Server(serving.Machine(serving.gpu("H100 SXM"), compute=0.5, bandwidth=0.7), serving.Workload(max_batch=256))
SERVED = serving.answer(serving.Question(JOINT, SERVER, 1e21, 8.0), 1e12, JOINT.rounding(20))

BUILDERS = {
    "loss_frontier": lambda s: figures.loss_frontier(PATH, RUNS, s, CHOSEN, "95 %"),
    "allocation_n": lambda s: figures.allocation({"mine": PATH, "other": PATH}, "mine", s, CHOSEN, "n_active", "95 %"),
    "allocation_d": lambda s: figures.allocation({"mine": PATH}, "mine", s, CHOSEN, "tokens", "95 %"),
    "isoflop": lambda s: figures.isoflop_figure(ISOFLOPS, RUNS, s, CHOSEN, "95 %"),
    "excess": lambda s: figures.excess_figure(GRANULAR, s, CHOSEN, "95 %"),
    "best": lambda s: figures.best_figure(MOE_PATH, SWITCHES, s, CHOSEN),
    "router": lambda s: figures.router_figure(GRANULAR, s, CHOSEN),
    "ladder": lambda s: figures.measured_granularity(LADDER, s),
    "losses": lambda s: figures.losses_figure(GAPS, s, CHOSEN, 64.0),
    "gap": lambda s: figures.gap_figure(GAPS, s, CHOSEN, 64.0, "95 %", GAPPED),
    "residuals": lambda s: figures.residual_figure(FIT.fit.runs, FIT.fit.residuals, s, "tokens"),
    "predictions": lambda s: figures.prediction_figure(FIT.fit.runs, FIT.predict(FIT.fit.runs), s),
    "backtest": lambda s: figures.backtest_figure(BACKTEST.points, BACKTEST.cut, s),
    "runs": lambda s: figures.runs_figure(RUNS, "flops", "n_active", s),
    "curves": lambda s: figures.curves_figure(CURVES, {"a": NAUGHTY}, "tokens", s),
    "speedup": lambda s: figures.speedup_figure(SPEEDUPS.points, SPEEDUPS.pairs, s, "tokens", "G = 1", NAUGHTY),
    "progress": lambda s: figures.progress_figure(along_training(SPEEDUPS), s, "flops", "G = 1", NAUGHTY, "95 %"),
    "pair": lambda s: figures.pair_figure(
        SWEPT_CURVES, SPEEDUPS.pairs.iloc[0], SPEEDUPS.points.query("pair == 0"), CROSSED, s, "tokens", "G = 1", NAUGHTY
    ),
    "gain": lambda s: figures.gain_figure(PAIRS, s, "G = 1", NAUGHTY, 0.001, {"a law": PREDICTED}),
    "benchmarks": lambda s: figures.benchmark_figure(COMPARED, s, "G = 1", NAUGHTY),
    "options": lambda s: figures.options_figure(PLAN.options, PLAN.best.expansion, PLAN.best.granularity, s),
    "ratio": lambda s: figures.ratio_figure(PLACED, s, "a law"),
    "shape": lambda s: figures.shape_figure(PLACED, s),
    "repeats": lambda s: figures.repeats_figure(REPEATS, repeats(REPEATS), 0.02, s),
    "rates": lambda s: figures.rates_figure(SEARCH, s),
    "trilemma": lambda s: figures.trilemma_figure(SERVED.sizes, SERVED.optima, SERVED.picks, s, 2.5, 8.0, 1.0),
    "equal_loss": lambda s: figures.equal_loss_figure(SERVED.at_loss, s, 2.5, 8.0),
    "over_training": lambda s: figures.over_training_figure(SERVED.sizes, s, 2.5, 8.0, SERVED.region, SERVED.interval),
    "lifetime": lambda s: figures.lifetime_figure(SERVED.lifetimes, s, 2.5, 8.0, 1e12),
    "reported": lambda s: figures.reported_figure(gain_curves(E16, np.geomspace(1e8, 1e12, 9), [2, 8]), REPORTED, s),
}
AXES = {
    "loss_frontier": (POWER, "log", LOSS, None),
    "allocation_n": (POWER, "log", "optimal active parameters N", "log"),
    "allocation_d": (POWER, "log", "optimal training tokens D", "log"),
    "isoflop": (COUNT, "log", LOSS, None),
    "excess": ("granularity G (experts per feed-forward width)", "log", "loss above the best G (nats)", None),
    "best": (POWER, "log", "best granularity G", "log"),
    "router": ("granularity G", "category", "router's share of FLOPs", None),
    "ladder": ("granularity G", "log", "loss above that of the coarsest (nats)", None),
    "losses": (POWER, "log", "compute-optimal loss (nats per token)", None),
    "gap": ("MoE training compute C (FLOPs)", "log", "dense FLOPs / MoE FLOPs at equal loss", "log"),
    "residuals": ("training tokens D", "log", "predicted above measured (% of the loss)", None),
    "predictions": ("measured loss (nats per token)", None, "predicted loss (nats per token)", None),
    "backtest": (POWER, "log", "predicted minus measured loss (nats)", None),
    "runs": (POWER, "log", LOSS, None),
    "curves": ("training tokens D", "log", LOSS, None),
    "speedup": ("loss reached by both (nats per token)", None, f"tokens: G = 1 / {PLAIN}", "log"),
    "progress": ("share of G = 1's training", None, f"FLOPs: G = 1 / {PLAIN}", "log"),
    "pair": ("training tokens D", "log", LOSS, None),
    "gain": (COUNT, "log", f"loss of G = 1 minus {PLAIN} (nats per token)", None),
    "benchmarks": ("acc", None, "", None),
    "options": ("expansion E (1 is dense)", "log", "lowest loss under the limits (nats per token)", None),
    "ratio": ("training compute C = 6 N D (FLOPs)", "log", "tokens per active parameter", "log"),
    "shape": ("expansion E = experts / G", "log", "granularity G = 4 d_model / d_expert", "log"),
    "repeats": ("loss less the mean of its seeds (nats per byte)", None, "", None),
    "rates": ("peak learning rate", "log", "loss (nats per byte)", None),
    "trilemma": ("price per million tokens served (USD)", "log", LOSS, "linear"),
    "equal_loss": (
        "training compute for the loss (FLOPs)",
        "log",
        "price per million tokens served (USD)",
        "log",
    ),
    "over_training": ("active parameters", "log", "loss (nats)", "linear"),
    "lifetime": ("tokens served, prompt and answer", "log", "USD in all", "log"),
    "reported": ("total parameters N", "log", "gain over G = 1 (nats per token)", None),
}


def palette(style):
    own = {style.text, style.muted, style.grid, style.page, style.accent, *style.series}
    own |= {*style.ramp, *style.expansions, *style.granularities}
    return own | {ink(color, style) for color in own}


def strings(value, key=""):
    """(key, text) of every text anywhere in a figure."""
    if isinstance(value, dict):
        return [s for k, v in value.items() for s in strings(v, k)]
    if isinstance(value, list):
        return [s for v in value for s in strings(v, key)]
    return [(key, value)] if isinstance(value, str) else []


def texts(fig):
    return strings(json.loads(fig.to_json()))


def bands(fig):
    """(lower, upper) traces of every interval."""
    return [(fig.data[i - 1], t) for i, t in enumerate(fig.data) if t.fill == "tonexty"]


def drawn(trace):
    """The points of a trace that are not gaps."""
    x, y = np.asarray(trace.x, dtype=float), np.asarray(trace.y, dtype=float)
    return x[np.isfinite(y)]


class TestAllFigures:
    def test_every_builder_is_tested_here(self):
        builders = {n for n in figures.__all__ if n.endswith("_figure")} | {"loss_frontier", "allocation", "measured_granularity"}
        source = Path(__file__).read_text()
        assert not [n for n in builders if f"figures.{n}(" not in source]

    @BOTH
    @pytest.mark.parametrize("name", BUILDERS)
    def test_colours_are_the_styles_own(self, name, style):
        found = {text.lower() for _, text in texts(BUILDERS[name](style)) if re.fullmatch(r"#[0-9a-fA-F]{3,8}|rgba?\(.*\)", text)}
        faded = {fade(c, a) for c in palette(style) for a in (0.18, 0.7)} | {"rgba(0,0,0,0)"}
        assert found
        assert found <= palette(style) | faded

    @BOTH
    @pytest.mark.parametrize("name", BUILDERS)
    def test_every_mark_has_a_colour_of_its_own(self, name, style):
        """What has none takes plotly's default cycle or the order of traces."""
        for trace in BUILDERS[name](style).data:
            if trace.type == "bar" or "markers" in trace.mode:
                assert trace.marker.color is not None
            elif trace.fill == "tonexty":
                assert trace.fillcolor
            elif trace.line.width != 0:
                assert trace.line.color is not None

    @BOTH
    @pytest.mark.parametrize("name", BUILDERS)
    def test_axes_have_titles_with_units_and_the_right_scale(self, name, style):
        fig = BUILDERS[name](style)
        assert (fig.layout.xaxis.title.text, fig.layout.xaxis.type, fig.layout.yaxis.title.text, fig.layout.yaxis.type) == AXES[
            name
        ]

    @BOTH
    @pytest.mark.parametrize("name", BUILDERS)
    def test_something_is_drawn_and_it_is_finite(self, name, style):
        fig = BUILDERS[name](style)
        assert sum(len(drawn(t)) if t.type != "bar" else len(t.y) for t in fig.data) > 3
        for axis, log in ((t.x, fig.layout.xaxis.type) for t in fig.data):
            if log == "log":
                assert (np.asarray(axis, dtype=float) > 0).all()
        assert "Infinity" not in fig.to_json()

    @BOTH
    @pytest.mark.parametrize("name", BUILDERS)
    def test_no_users_words_are_markup(self, name, style):
        for key, text in texts(BUILDERS[name](style)):
            assert key == "hovertemplate" or not re.search(r"<\s*/?\w", text), f"{key}: {text}"
            assert NAUGHTY not in text

    @BOTH
    @pytest.mark.parametrize("name", BUILDERS)
    def test_the_legend_has_room(self, name, style):
        fig = BUILDERS[name](style)
        names = [t.name for t in fig.data if t.showlegend is not False and t.name]
        assert fig.layout.showlegend is bool(names)
        needed = sum(52 + 6.3 * len(n) for n in names) / LEGEND_WIDTH
        assert fig.layout.margin.t >= 14 + 20 * needed
        assert fig.layout.margin.t <= 14 + 20 * len(names)
        assert fig.layout.legend.yref == "container"


@pytest.mark.parametrize("name", ["repeats", "benchmarks"])
def test_names_along_an_axis_have_room(name):
    """Margins are fixed elsewhere, wide enough for numbers."""
    axis = BUILDERS[name](figures.LIGHT).layout.yaxis
    assert max(map(len, axis.ticktext)) > 9
    assert axis.automargin is True


@pytest.mark.parametrize(
    "name", ["residuals", "predictions", "loss_frontier", "isoflop", "runs", "curves", "speedup", "gain", "benchmarks"]
)
def test_a_run_called_in_tags_is_shown_as_it_is_spelt(name):
    assert any(PLAIN in text for _, text in texts(BUILDERS[name](figures.LIGHT)))


class TestStyle:
    @BOTH
    def test_the_palette_is_the_themes(self, style):
        theme = THEME[style.name]
        assert list(style.series) == theme["chartCategoricalColors"]
        assert list(style.ramp) == theme["chartSequentialColors"]
        assert (style.page, style.text) == (theme["backgroundColor"], theme["textColor"])
        assert style.accent == style.series[2]
        assert style.dense == style.muted == theme["grayColor"]

    def test_the_style_follows_the_pages_theme(self):
        assert figures.style("dark") is figures.DARK
        assert figures.style("light") is figures.style(None) is figures.LIGHT

    def test_a_legend_of_many_names_gets_more_rows(self):
        tops = []
        for n in (0, 1, 2, 6, 12):
            fig = figure(figures.LIGHT, "x", "y")
            fig.add_traces([line([1, 2], [1, 2], "#1763d1", "a name of twenty-five c") for _ in range(n)])
            tops.append(finish(fig).layout.margin.t)
        assert tops == [14, 34, 34, 74, 134]

    def test_names_that_are_not_in_the_legend_take_no_room(self):
        fig = figure(figures.LIGHT, "x", "y").add_traces([line([1], [1], "#1763d1", "hidden", showlegend=False)] * 9)
        assert (finish(fig).layout.margin.t, fig.figure.layout.showlegend) == (14, False)

    @pytest.mark.parametrize(("decades", "step"), [(0.5, "D2"), (2, 1), (6, 1), (6.5, 2), (13, 3)])
    def test_at_most_six_ticks_along_x(self, decades, step):
        fig = figure(figures.LIGHT, "x", "y")
        set_decades(fig, [1e18, 10 ** (18 + decades)])
        assert fig.figure.layout.xaxis.dtick == step

    def test_the_marker_line_is_at_the_budget_on_either_axis(self):
        for log in (True, False):
            fig = figure(figures.LIGHT, "x", "y", log_x=log)
            vertical(fig, 1e20, figures.LIGHT, "1e20")
            layout = fig.figure.layout
            assert layout.shapes[0].x0 == 1e20
            assert layout.annotations[0].x == (20 if log else 1e20)
            assert layout.annotations[0].text == "1e20"


class TestNamesAtTheEnds:
    def test_names_are_where_the_lines_end_and_in_a_colour_that_can_be_read(self):
        fig = BUILDERS["losses"](figures.LIGHT)
        names = {a.text: a for a in fig.layout.annotations}
        assert {"dense", "E 2", "E 8", "E 64"} <= set(names)
        line = next(t for t in fig.data if t.name == "E = 8")
        assert (names["E 8"].x, names["E 8"].y) == (np.log10(line.x[-1]), GAPS.query("expansion == 8")["loss_moe"].iloc[-1])
        assert names["E 8"].font.color == ink(figures.LIGHT.expansions[3], figures.LIGHT)
        assert fig.layout.showlegend is False

    def test_names_of_lines_that_end_together_keep_clear_of_each_other(self):
        fig = figure(figures.LIGHT, "x", "y").add_traces([line([1, 10], [0, y], "#1763d1", "a") for y in (1.0, 1.001, 1.002, 9)])
        name_ends(fig, [End(10, y, f"{y}", "#1763d1") for y in (1.0, 1.001, 1.002, 9)], figures.LIGHT)
        heights = [(a.y / 9.0) * 300 + a.yshift for a in fig.figure.layout.annotations]
        assert min(np.diff(heights)) >= LINE_HEIGHT - 1
        assert fig.figure.layout.annotations[3].yshift == 0

    def test_a_line_without_an_end_has_no_name(self):
        fig = figure(figures.LIGHT, "x", "y").add_trace(line([1, 10], [1, 2], "#1763d1", "a"))
        name_ends(fig, [End(10, np.nan, "lost", "#1763d1")], figures.LIGHT)
        assert not fig.figure.layout.annotations

    def test_names_of_points_take_free_sides(self):
        fig = figure(figures.LIGHT, "x", "y", log_y=True).update_xaxes(range=[0, 2]).update_yaxes(range=[0, 2])
        alone, twins = ([10.0], [10.0]), ([10.0, 10.0], [10.0, 10.0])
        assert free_sides(fig, *map(np.array, alone), ["a model"]) == ["top center"]
        assert free_sides(fig, *map(np.array, alone), ["a model"], also=np.array([[10.0, 11.0]])) == ["bottom center"]
        assert set(free_sides(fig, *map(np.array, twins), ["a model", "another"])) == {"top center", "bottom center"}
        at_edges = free_sides(fig, np.array([1.0, 100.0]), np.array([3.0, 3.0]), ["on the left", "on the right"])
        assert at_edges == ["middle right", "middle left"]

    @pytest.mark.parametrize(
        "chart", [lambda s: figures.ratio_figure(PLACED, s, "a law"), lambda s: figures.shape_figure(PLACED, s)]
    )
    def test_released_models_are_named_inside_of_their_chart(self, chart):
        fig = chart(figures.LIGHT)
        (models,) = (t for t in fig.data if t.name == "released models")
        low, high = fig.layout.xaxis.range
        for x, name, side in zip(models.x, models.text, models.textposition, strict=True):
            width, at = 5.6 * len(name), 300 * (np.log10(x) - low) / (high - low)
            left = at - width / 2 if side.endswith("center") else at - width if side.endswith("left") else at
            assert np.isnan(x) or (left > -20 and left + width < 320), name

    @pytest.mark.parametrize("seed", range(5))
    def test_spreading_moves_as_little_as_possible(self, seed):
        from scipy.optimize import minimize

        places, gap = np.random.default_rng(seed).uniform(0, 60, 6), 13.0
        found = spread(places, gap)
        order = np.argsort(places)
        apart = [{"type": "ineq", "fun": lambda v, i=i: v[order[i + 1]] - v[order[i]] - gap} for i in range(5)]
        best = minimize(lambda v: ((v - places) ** 2).sum(), gap * np.argsort(order) + places.min(), constraints=apart)
        assert found == pytest.approx(best.x, abs=1e-3)


def test_figures_side_by_side_have_the_same_axes_and_each_holds_all_points():
    far = isoflop_curves(FIT, [1e24], samples=BOOT)
    left, right = (
        figures.isoflop_figure(ISOFLOPS, RUNS, figures.LIGHT, CHOSEN),
        figures.isoflop_figure(far, None, figures.LIGHT, 1e24),
    )
    figures.same_axes(left, right)
    for axis in ("xaxis", "yaxis"):
        assert left.layout[axis].range == right.layout[axis].range
    sizes = np.log10(np.concatenate([ISOFLOPS["n_active"], far["n_active"]]))
    low, high = left.layout.xaxis.range
    assert low < sizes.min()
    assert high > sizes.max()


class TestDashes:
    X, Y = np.arange(1.0, 7.0), np.arange(6.0)

    def split(self, inside):
        return go.Figure(split_line(self.X, self.Y, np.array(inside, dtype=bool), "#1763d1", "law")).data

    def test_solid_inside_and_dashed_outside_meet_without_a_gap(self):
        solid, dashed = self.split([0, 0, 1, 1, 1, 0])
        assert (solid.line.dash, dashed.line.dash) == ("solid", "dash")
        assert drawn(solid).tolist() == [3, 4, 5]
        assert drawn(dashed).tolist() == [1, 2, 3, 5, 6]
        assert (solid.showlegend, dashed.showlegend) == (None, False)
        assert solid.legendgroup == dashed.legendgroup

    def test_one_line_where_all_is_inside_or_all_outside(self):
        (solid,), (dashed,) = self.split([1] * 6), self.split([0] * 6)
        assert (solid.line.dash, dashed.line.dash) == ("solid", "dash")
        assert drawn(solid).tolist() == drawn(dashed).tolist() == self.X.tolist()

    @pytest.mark.parametrize("name", ["loss_frontier", "allocation_n", "allocation_d"])
    def test_budgets_beyond_the_runs_are_dashed(self, name):
        fig = BUILDERS[name](figures.LIGHT)
        dashed = next(t for t in fig.data if t.line.dash == "dash")
        outside = PATH.loc[~PATH["inside"], "flops"]
        assert set(outside) <= set(drawn(dashed))
        assert len(drawn(dashed)) - len(outside) <= 2, "and no more than where the dashes begin"

    def test_gaps_of_each_e_are_dashed_beyond_its_law(self):
        fig = BUILDERS["gap"](figures.LIGHT)
        for e in (2.0, 8.0, 64.0):
            lines = [t for t in fig.data if t.name == f"E = {e:g}" and t.fill is None]
            solid = np.concatenate([drawn(t) for t in lines if t.line.dash == "solid"] or [np.empty(0)])
            part = GAPS[GAPS["expansion"] == e]
            assert set(solid) == set(part.loc[part["inside"], "flops"])


class TestBands:
    @pytest.mark.parametrize(
        ("name", "frame", "column", "x"),
        [
            ("loss_frontier", PATH, "loss", "flops"), ("allocation_n", PATH, "n_active", "flops"),
            ("allocation_d", PATH, "tokens", "flops"), ("isoflop", ISOFLOPS[ISOFLOPS["flops"] == CHOSEN], "loss", "n_active"),
            ("excess", GRANULAR[GRANULAR["flops"] == CHOSEN], "excess", "granularity"),
            ("gap", GAPS[GAPS["expansion"] == 64], "gap", "flops"),
        ],
    )  # fmt: skip
    def test_the_band_is_the_tables_interval(self, name, frame, column, x):
        ((low, high),) = bands(BUILDERS[name](figures.LIGHT))
        np.testing.assert_array_equal(low.y, frame[f"{column}_low"])
        np.testing.assert_array_equal(high.y, frame[f"{column}_high"])
        np.testing.assert_array_equal(low.x, frame[x])
        assert high.fillcolor == fade(figures.LIGHT.accent, 0.18)
        assert (high.name, low.showlegend) == ("95 %", False)

    def test_no_band_without_an_ensemble(self):
        bare = PATH[[c for c in PATH if not c.endswith(("_low", "_high"))]]
        assert bands(figures.loss_frontier(bare, None, figures.LIGHT, CHOSEN, "")) == []
        assert bands(figures.allocation({"a": bare}, "a", figures.LIGHT, CHOSEN)) == []
        assert bands(figures.isoflop_figure(isoflop_curves(FIT, [CHOSEN]), None, figures.LIGHT, CHOSEN)) == []
        assert bands(figures.excess_figure(granularity_curves(MOE, [CHOSEN], 64), figures.LIGHT, CHOSEN)) == []
        assert bands(figures.gap_figure(GAPS.drop(columns=["gap_low", "gap_high"]), figures.LIGHT, CHOSEN, 64.0)) == []

    def test_only_the_chosen_budget_and_e_have_one(self):
        assert bands(figures.excess_figure(GRANULAR, figures.LIGHT, 1e18))[0][0].y == pytest.approx(
            GRANULAR.loc[GRANULAR["flops"] == 1e18, "excess_low"].to_numpy()
        )
        ((low, _),) = bands(figures.gap_figure(GAPS, figures.LIGHT, CHOSEN, 8.0)) or [(None, None)]
        assert low is None or len(low.x) == 0, "E = 8 has no samples"


class TestEachFigure:
    def test_loss_frontier_shows_runs_when_there_are_some(self):
        with_runs, without = (figures.loss_frontier(PATH, r, figures.LIGHT, CHOSEN, "95 %") for r in (RUNS, None))
        assert len(with_runs.data) == len(without.data) + 1 == 5
        points = next(t for t in with_runs.data if t.mode == "markers")
        assert points.y.tolist() == RUNS["loss"].tolist()
        assert points.x.tolist() == RUNS["flops"].tolist()

    def test_allocation_draws_other_laws_thin_and_usable_vertices_as_points(self):
        optima = pd.DataFrame(
            {
                "flops": [1e19, 1e20, 1e21], "n_opt": [1e8, 2e8, 4e8], "tokens_opt": [1e9, 2e9, 4e9],
                "inside": [True, False, True], "opens_up": [True, True, False],
            }
        )  # fmt: skip
        fig = figures.allocation({NAUGHTY: PATH, "b": PATH, "c": PATH}, "b", figures.LIGHT, CHOSEN, "tokens", optima=optima)
        assert [t.line.dash for t in fig.data if t.name in (PLAIN, "c")] == ["dot", "dot"]
        points = next(t for t in fig.data if t.mode == "markers")
        assert (points.x.tolist(), points.y.tolist()) == ([1e19], [1e9])

    def test_isoflops_share_the_runs_out_among_the_nearest_budgets(self):
        fig = BUILDERS["isoflop"](figures.LIGHT)
        points = [t for t in fig.data if t.name and t.name.startswith("runs at")]
        assert sum(len(t.x) for t in points) == len(RUNS)
        curves = {t.name: t.line.color for t in fig.data if t.mode == "lines" and t.name and t.name.endswith("FLOPs")}
        (points,) = points
        for flops, color in zip(RUNS["flops"], points.marker.color, strict=True):
            nearest = min((1e19, 1e20, 1e21), key=lambda b: abs(np.log(flops / b)))
            assert color == curves[f"{numbers.flops(nearest)} FLOPs"]
        diamond = next(t for t in fig.data if t.mode == "markers+text")
        best = lawlib.compute_optimal(FIT, CHOSEN)
        assert (diamond.x[0], diamond.y[0]) == pytest.approx((best.n_active, best.loss), rel=1e-8)
        low, high = fig.layout.yaxis.range
        assert low < ISOFLOPS["loss"].min()
        assert high > ISOFLOPS.loc[ISOFLOPS["optimal"], "loss"].max()

    def test_a_curve_that_leaves_the_plot_is_named_where_it_does(self):
        fig = figures.isoflop_figure(isoflop_curves(FIT, [1e17, 1e21]), None, figures.LIGHT, 1e21)
        top = fig.layout.yaxis.range[1]
        (name,) = (a for a in fig.layout.annotations if a.text == "1e17")
        curves = [t for t in fig.data if t.name == "1e17 FLOPs" and t.mode == "lines"]
        assert max(np.nanmax(np.asarray(t.y, dtype=float)) for t in curves) > top >= name.y
        assert np.log10(max(max(t.x) for t in curves)) > name.x

    def test_slices_are_the_budgets_that_several_sizes_share(self):
        flops = [1e19, 1.02e19, 1e20, 1e20, 1e21, 3e21]
        runs = RUNS.iloc[:6].assign(flops=flops, n_active=[1e8, 2e8, 1e8, 1e8, 1e8, 2e8])
        assert slice_budgets(runs) == [pytest.approx(np.sqrt(1e19 * 1.02e19), rel=1e-9)]
        many = pd.concat([RUNS.iloc[:2].assign(flops=10.0 ** (18 + i / 4), n_active=[1e8, 2e8]) for i in range(20)])
        assert len(slice_budgets(many)) == 12
        assert slice_budgets(many, most=3) == pytest.approx([1e18, 10.0**20.25, 10.0**22.75])

    def test_excess_has_a_line_a_budget_and_the_chosen_one_thick(self):
        fig = BUILDERS["excess"](figures.LIGHT)
        lines = [t for t in fig.data if t.mode == "lines+markers"]
        assert [t.name for t in lines] == ["1e18 FLOPs", "1e20 FLOPs", "1e22 FLOPs"]
        assert [t.line.width for t in lines] == [1.5, 3, 1.5]
        assert lines[1].line.color == figures.LIGHT.accent
        assert min(lines[1].y) == 0

    def test_the_staircase_names_its_steps(self):
        fig = BUILDERS["best"](figures.LIGHT)
        (stairs,) = fig.data
        assert stairs.line.shape == "hv"
        assert stairs.y.tolist() == MOE_PATH["granularity"].tolist()
        seen = SWITCHES[SWITCHES["flops"].between(1e17, 1e24)]
        words = [a.text for a in fig.layout.annotations if a.text.startswith("from ")]
        assert words == [f"from {lawlib.numbers.flops(f)}" for f in seen["flops"]]
        assert len(words) >= 2

    def test_the_routers_best_bar_stands_out(self):
        (bars,) = BUILDERS["router"](figures.LIGHT).data
        part = GRANULAR[GRANULAR["flops"] == CHOSEN]
        assert bars.y.tolist() == part["router_share"].tolist()
        assert [c == figures.LIGHT.accent for c in bars.marker.color] == part["best"].tolist()

    def test_ladders_are_runs_that_differ_in_g_alone(self):
        fig = figures.measured_granularity(LADDER, figures.LIGHT)
        assert len(fig.data) == 4, "two sizes by two token counts"
        assert all(t.x.tolist() == [1, 2, 4, 8, 16] for t in fig.data)
        first = LADDER.sort_values(["flops", "granularity"]).iloc[:5]
        np.testing.assert_allclose(fig.data[0].y, first["loss"] - first["loss"].iloc[0])
        one = figures.measured_granularity(LADDER[LADDER["granularity"] == 1], figures.LIGHT)
        assert (len(one.data), one.layout.showlegend) == (0, False)

    def test_runs_that_share_only_their_flops_make_a_ladder_and_repeats_their_mean(self):
        """A router that costs compute leaves fewer tokens to finer experts at one budget."""
        runs = LADDER[LADDER["flops"] == LADDER["flops"].min()].sort_values("granularity")
        runs = runs.assign(tokens=runs["tokens"] * (1 - 0.03 * np.arange(len(runs))))
        again = runs.iloc[[0]].assign(loss=lambda r: r["loss"] + 0.02, seed=1)
        (trace,) = figures.measured_granularity(pd.concat([runs, again]), figures.LIGHT).data
        assert list(trace.x) == list(runs["granularity"])
        assert trace.y[1] == pytest.approx(runs["loss"].iloc[1] - runs["loss"].iloc[0] - 0.01)
        assert "FLOPs" in trace.name

    def test_dense_is_grey_and_the_chosen_e_is_the_accent(self):
        fig = BUILDERS["losses"](figures.LIGHT)
        colors = {t.name: t.line.color for t in fig.data}
        assert colors["dense"] == figures.LIGHT.dense
        assert colors["E = 64"] == figures.LIGHT.accent
        assert (colors["E = 2"], colors["E = 8"]) == (figures.LIGHT.expansions[1], figures.LIGHT.expansions[3])

    def test_an_infinite_gap_is_left_out_of_the_line(self):
        curves = GAPS.assign(gap=GAPS["gap"].where((GAPS["expansion"] != 8) | (GAPS["flops"] < 1e22), np.inf))
        fig = figures.gap_figure(curves, figures.LIGHT, CHOSEN, 64.0)
        eight = np.concatenate([drawn(t) for t in fig.data if t.name == "E = 8"])
        assert eight.max() < 1e22
        assert all(np.isfinite(a.y) for a in fig.layout.annotations)

    def test_measured_gaps_are_points(self):
        points = next(t for t in BUILDERS["gap"](figures.LIGHT).data if t.mode == "markers")
        assert (points.x.tolist(), points.y.tolist()) == ([1e19, 1e20], [3.0, 4.0])

    def test_residuals_are_in_per_cent(self):
        (points,) = BUILDERS["residuals"](figures.LIGHT).data
        np.testing.assert_allclose(points.y, 100 * FIT.fit.residuals)

    def test_predictions_lie_about_the_diagonal(self):
        diagonal, points = BUILDERS["predictions"](figures.LIGHT).data
        assert list(diagonal.x) == list(diagonal.y)
        assert diagonal.x[0] <= min(*points.x, *points.y)
        assert diagonal.x[1] >= max(*points.x, *points.y)

    def test_backtest_errors_are_predicted_minus_measured_with_their_band(self):
        points = BACKTEST.points
        (trace,) = BUILDERS["backtest"](figures.LIGHT).data
        np.testing.assert_allclose(trace.y, points["predicted"] - points["loss"])
        np.testing.assert_allclose(trace.y + trace.error_y.array, points["high"] - points["loss"])
        np.testing.assert_allclose(trace.y - trace.error_y.arrayminus, points["low"] - points["loss"])

    def test_runs_are_grouped_and_excluded_ones_are_crosses(self):
        marked = RUNS.assign(excluded=RUNS.index < 3)
        assert 1 < RUNS["n_active"].nunique() <= 8
        fig = figures.runs_figure(marked, "tokens", "n_active", figures.LIGHT)
        assert len(fig.data) == RUNS["n_active"].nunique()
        symbols = np.concatenate([np.atleast_1d(t.marker.symbol) for t in fig.data])
        assert (symbols == "x-thin-open").sum() == 3
        assert sorted(i for t in fig.data for i in t.ids) == sorted(RUNS["run_id"])

    def test_users_words_name_the_groups_of_runs_as_they_are(self):
        runs = RUNS.assign(status=np.where(RUNS.index % 2, NAUGHTY, ""))
        names = {t.name for t in figures.runs_figure(runs, "flops", "status", figures.LIGHT).data}
        assert names == {PLAIN, "(none)"}

    def test_many_values_of_a_quantity_are_a_colour_bar(self):
        fig = figures.runs_figure(RUNS, "n_active", "flops", figures.DARK)
        assert len(fig.data) == 1
        marker = fig.data[0].marker
        assert [c for _, c in marker.colorscale] == list(figures.DARK.ramp)
        assert dict(zip(marker.colorbar.ticktext, marker.colorbar.tickvals, strict=True)) == pytest.approx(
            {f"1e{d}": d for d in range(int(np.ceil(np.log10(LOW))), int(np.log10(HIGH)) + 1)}
        )

    def test_runs_under_a_colour_bar_can_be_picked_and_excluded_ones_are_crosses(self):
        marked = RUNS.assign(excluded=RUNS.index < 3)
        (trace,) = figures.runs_figure(marked, "n_active", "flops", figures.LIGHT).data
        assert list(trace.ids) == list(RUNS["run_id"])
        assert list(trace.marker.symbol[:4]) == ["x-thin-open"] * 3 + ["circle"]

    def test_thousands_of_runs_are_drawn_in_webgl(self):
        many = pd.concat([RUNS] * 30, ignore_index=True)
        assert {t.type for t in figures.runs_figure(many, "flops", "arch", figures.LIGHT).data} == {"scattergl"}
        assert {t.type for t in figures.runs_figure(RUNS, "flops", "arch", figures.LIGHT).data} == {"scatter"}

    def test_dense_runs_are_grey_among_expert_counts(self):
        runs = as_runs(grid("joint", sizes=[1e9], tokens=[1e10]).assign(n_experts=lambda r: r["expansion"]))
        fig = figures.runs_figure(runs, "flops", "expansion", figures.LIGHT)
        assert [t.name for t in fig.data] == ["dense", "E 2", "E 4", "E 8", "E 16", "E 32"]
        colors = [t.marker.color for t in fig.data]
        assert colors == [figures.LIGHT.dense, *figures.LIGHT.expansions[1:6]]
        mixed = pd.concat([runs.assign(arch="moe"), RUNS], ignore_index=True)
        by_arch = {t.name: t.marker.color for t in figures.runs_figure(mixed, "flops", "arch", figures.LIGHT).data}
        assert by_arch["dense"] == figures.LIGHT.dense != by_arch["moe"]

    def test_missing_quantities_are_written_as_dashes(self):
        runs = RUNS.assign(granularity=np.nan, expansion=np.nan, tokens=np.nan)
        row = figures.measured(runs, "flops", figures.LIGHT)["customdata"][0]
        assert (row[2], row[5], row[6]) == ("–", "–", "–")

    def test_curves_leave_out_what_has_no_place_on_the_axes(self):
        logarithmic, linear = (figures.curves_figure(CURVES, {}, "tokens", figures.LIGHT, log_x=x) for x in (True, False))
        assert [t.x.tolist() for t in logarithmic.data] == [[1e8, 4e8], [1e8, 2e8, 4e8]]
        assert [t.x.tolist() for t in linear.data] == [[0, 1e8, 4e8], [0, 1e8, 2e8, 4e8]]
        assert [t.name for t in linear.data] == ["a", "b"]
        assert linear.layout.xaxis.type is None


class TestCoarseAgainstFine:
    def test_speed_ups_are_those_of_the_table_a_line_a_pair_smallest_size_first(self):
        fig = BUILDERS["speedup"](figures.LIGHT)
        assert len(fig.data) == len(PAIRS)
        first = SPEEDUPS.points[SPEEDUPS.points["pair"] == PAIRS["n_active"].argmin()]
        assert fig.data[0].y.tolist() == first["tokens"].tolist()
        assert [t.name for t in fig.data if t.showlegend] == ["N 1M", "N 3M", "N 10M"]
        assert fig.layout.xaxis.autorange == "reversed"

    def test_the_pair_s_bar_runs_between_the_two_at_the_lowest_common_loss(self):
        fig = BUILDERS["pair"](figures.LIGHT)
        bar = next(t for t in fig.data if "x at loss" in t.name)
        last = SPEEDUPS.points[SPEEDUPS.points["pair"] == 0].iloc[-1]
        assert bar.x == (last["tokens_b"], last["tokens_a"])
        assert bar.y == (last["loss"],) * 2

    def test_measured_gains_have_the_seed_noise_of_a_difference_and_predictions_their_interval(self):
        fig = BUILDERS["gain"](figures.LIGHT)
        law, measured = fig.data
        assert measured.y.tolist() == PAIRS["gain"].tolist()
        assert measured.error_y.array == pytest.approx(0.001 * np.hypot(PAIRS["loss_a"], PAIRS["loss_b"]).to_numpy())
        assert (law.y + law.error_y.array).tolist() == pytest.approx([0.2] * len(PAIRS))
        assert figures.gain_figure(PAIRS, figures.LIGHT, "a", "b").data[0].error_y.array is None

    def test_the_mean_of_benchmarks_has_the_bootstrap_s_interval(self):
        fig = BUILDERS["benchmarks"](figures.LIGHT)
        b = fig.data[-1]
        assert b.x[0] == COMPARED.mean_b
        assert b.error_x.array[0] == pytest.approx(COMPARED.high - COMPARED.difference)
        assert fig.layout.yaxis.ticktext[0] == "mean of 2"

    def test_a_law_whose_sizes_are_not_on_record_is_dashed_throughout(self):
        assert {t.line.dash for t in BUILDERS["reported"](figures.LIGHT).data if t.mode == "lines"} == {"dash"}


class TestManyRuns:
    MANY = pd.concat([RUNS.assign(run_id=[f"{k}-{i}" for i in range(len(RUNS))], loss=RUNS["loss"] + k / 100)
                                     for k in range(2 * figures.MAX_DRAWN // len(RUNS) + 1)], ignore_index=True)  # fmt: skip

    def test_of_too_many_runs_a_part_is_drawn_evenly_over_the_losses(self):
        traces = figures.runs_figure(self.MANY, "flops", "n_active", figures.LIGHT).data
        assert {t.type for t in traces} == {"scattergl"}
        drawn, all_losses = np.sort(np.concatenate([t.y for t in traces])), self.MANY["loss"]
        assert len(drawn) == figures.MAX_DRAWN
        assert (drawn[0], drawn[-1]) == (all_losses.min(), all_losses.max())
        assert np.abs(np.median(drawn) - all_losses.median()) < 0.01
        assert set(np.concatenate([t.ids for t in traces])) <= set(self.MANY["run_id"])

    def test_a_value_a_run_is_a_colour_bar_and_not_a_legend_of_thousands(self):
        runs = self.MANY.assign(n_active=np.geomspace(1e6, 1e9, len(self.MANY)))
        fig = figures.runs_figure(runs, "flops", "n_active", figures.LIGHT)
        assert len(fig.data) == 1
        assert fig.data[0].marker.colorbar.title.text == "active parameters N"


def test_a_figure_is_plotly_s_when_something_of_it_is_asked_for():
    def fresh():
        return figures.Figure(
            {
                "data": [{"type": "scatter", "x": [1, 2], "y": [3, 4]}],
                "layout": {"height": 300, "template": {}, "title": {"text": "t"}},
            }
        )

    fig = fresh()
    assert fig.parts["layout"]["height"] == 300
    assert "_data" not in vars(fig)  # not made yet
    assert fig.data[0].y == (3, 4)
    assert fig.layout.title.text == "t"
    fig.update_layout(height=200)
    assert fig.parts["layout"]["height"] == 200
    for made in (copy.deepcopy(fresh()), pickle.loads(pickle.dumps(fresh()))):
        assert made.to_json() == fresh().to_json()
    assert go.Figure(fresh()).data == go.Figure(fresh().parts).data
    with pytest.raises(AttributeError):
        _ = fig.nothing


def test_over_training_is_drawn_where_far_smaller_models_alone_fit():
    few = SERVED.sizes[SERVED.sizes["share"] < 0.05]
    fig = figures.over_training_figure(few, figures.LIGHT, 2.5, 8.0, (np.nan, np.nan))
    assert np.isfinite(fig.layout.yaxis.range).all()
    none = figures.over_training_figure(few.assign(gpu_hours=np.inf), figures.LIGHT, 2.5, 8.0, (1e6, 1e9))
    assert not none.layout.shapes, "nothing is better and cheaper where nothing fits"
