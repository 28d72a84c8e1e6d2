"""Compares what every page and the public library return today with what they returned when it was recorded.

`LAWLIB_RECORD=1 python -m pytest tests/pages/test_record.py -n 2 -rP` writes the record anew and prints what has changed in it.
"""

import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import lawlib
import ui
from lawlib import export
from tests.support import planted, record
from tests.support.pages import PAGES, add, answer, clean, open_page

# Names that may move stand above this line alone.

RECORD = bool(os.environ.get("LAWLIB_RECORD"))
N_RESAMPLES = 20
ERRORS = (lawlib.LawlibError, ValueError)
BUNDLED = ("byte-moe-sweep", "marin-moe-v16", "marin-moe-may")
UPLOADS = ("record-dense", "record-moe")
LAWS: dict[str, dict[str, str]] = {
    "hoffmann2022": {"law": "hoffmann2022", "budget": "5.76e23"},
    "krajewski2024-moe-e64": {"law": "krajewski2024-moe-e64", "law_g": "krajewski2024-moe-e64", "law_e": "krajewski2024-moe-e64"},
    "ludziejewski2025": {"law": "ludziejewski2025", "law_e": "ludziejewski2025", "budget": "3e21", "e": "16"},
    "abnar2025": {"law": "abnar2025", "law_e": "abnar2025", "budget": "1e21", "e": "8"},
    "clark2022-sbase": {"law": "clark2022-sbase", "law_e": "clark2022-sbase", "e": "32"},
}
"""Published laws, as links choose them."""
OF_LAWS = ("overview", "fit", "isoflop", "granularity", "dense_vs_moe", "compare", "serving", "planner", "fine_grained")
"""Pages that speak of a law."""
SCRIPTS_ONLY = {"as_runs", "at_point", "shared_rounding", "slice_labels"}
"""Public because exported scripts import them: what they give is in the pages' tables."""
JOINT = {"law": "ludziejewski2025", "budget": "3e21"}
VIEWS: list[tuple[str, dict[str, str]]] = [
    ("overview", {"dataset": "byte-moe-sweep", "arch": "dense", "optimum": "tokens", "unit": "sizes"}),
    ("overview", {"dataset": "byte-moe-sweep", "law": "joint", "budget": "3e13", "e": "4", "weights": "compute"}),
    ("runs", {"dataset": "byte-moe-sweep", "x": "tokens", "color": "flops", "cmin": "1e12"}),
    ("fit", {"dataset": "byte-moe-sweep", "law": "joint_granular", "objective": "squared_log", "weights": "seed_variance"}),
    ("fit", {"dataset": "byte-moe-sweep", "law": "sparsity", "cut": "1e12", "backtest": "sparsity,joint,chinchilla"}),
    ("fit", {"dataset": "marin-moe-v16", "delta": "0.01", "rule": "6ND", "unit": "slices", "cut": "1e20"}),
    ("isoflop", {"dataset": "marin-moe-v16", "law": "besiroglu2024", "budget": "2e21"}),
    ("isoflop", {"dataset": "byte-moe-sweep", "law": "fine_grained", "budget": "1e13", "g": "4", "experts": "8,16,32"}),
    ("granularity", {"dataset": "byte-moe-sweep", "budget": "5e13", "e": "16", "g": "2"}),
    ("dense_vs_moe", {"dataset": "byte-moe-sweep", "budget": "5e12", "e": "16", "g": "1"}),
    ("dense_vs_moe", {"dataset": "marin-moe-v16", "law_e": "krajewski2024-moe-e64", "budget": "1e20", "g": "8"}),
    ("compare", {"dataset": "marin-moe-v16", "b": "law=ludziejewski2025&budget=1e21&e=4"}),
    ("compare", {"dataset": "byte-moe-sweep", "a": "dataset=marin-moe-v16&budget=1e21", "b": "dataset=marin-moe-may&budget=1e21"}),
    ("fine_grained", {"dataset": "byte-moe-sweep", "by": "E", "along": "flops", "basis": "finished"}),
    ("fine_grained", {"dataset": "byte-moe-sweep", "by": "arch", "law_f": "joint_granular"}),
    ("serving", {"dataset": "marin-moe-v16", "budget": "1e22", "e": "16", "gpu": "H200 SXM", "precision": "fp8", "prompt": "512"}),
    ("serving", {"dataset": "marin-moe-v16", "budget": "1e23", "e": "8", "reference": "4", "served": "1e12", "pace": "30", "mfu": "0.3"}),
    ("planner", JOINT | {"part": "launch", "style": "olmoe"}),
    ("planner", JOINT | {"part": "released", "have": "1e12", "aim": "loss"}),
    ("planner", JOINT | {"given": "time", "trainers": "256", "days": "30", "copy": "8", "at_once": "8", "step_ms": "30"}),
    ("planner", {"dataset": "byte-moe-sweep", "part": "next", "spend": "1e14", "plan_e": "4,8", "plan_g": "2,4"}),
    ("planner", {"dataset": "marin-moe-v16", "part": "next", "spend": "3e20", "life": "1e13"}),
    ("overview", {"dataset": "nope", "law": "nope", "budget": "abc"}),
    ("granularity", {"dataset": "marin-moe-v16", "cmin": "1e30"}),
]  # fmt: skip
"""Pages as their other menus show them."""


# What is uploaded


def uploaded(name: str) -> tuple[str, bytes, str]:
    """Files of our own: a table of dense runs of a planted law, and training curves of dense and MoE runs in JSON lines."""
    if name == "record-dense":
        runs = planted.grid("chinchilla", sizes=np.geomspace(2e7, 2e9, 5), tokens=np.geomspace(1e9, 1e11, 5), noise=0.004, seed=3)
        table = runs.rename(columns={"n_active": "params"})[["name", "params", "tokens", "flops", "loss"]]
        return f"{name}.csv", table.to_csv(index=False, float_format="%.9g").encode(), "text/csv"
    runs, curves = planted.sweep(seed=5)
    known = runs.drop(columns=["loss", "tokens", "flops", "loss_name"])
    points = curves.drop(columns="split").merge(known, on="run_id").drop(columns="run_id")
    points = points.round({"loss": 6}).astype({"step": int})
    return f"{name}.jsonl", points.to_json(orient="records", lines=True).encode(), "application/json"


# Pages


@pytest.fixture
def analyses(monkeypatch) -> list[export.Analysis]:
    """What the pages put together for their exports, as it is made."""
    made: list[export.Analysis] = []
    original = export.Analysis.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(export.Analysis, "__init__", init)
    return made


@pytest.fixture
def few_refits(monkeypatch) -> None:
    """Bands of few refits, wherever the number is kept."""
    kept = [m for name, m in sys.modules.items() if name.partition(".")[0] == ui.__name__ and hasattr(m, "N_RESAMPLES")]
    assert kept
    for module in kept:
        monkeypatch.setattr(module, "N_RESAMPLES", N_RESAMPLES)


@pytest.fixture
def opened(analyses, few_refits, navigation) -> Callable[..., dict]:
    """A page as a link opens it: what it shows and what it exports."""

    def shown(page: str, **query: str) -> dict:
        analyses.clear()
        return page_says(open_page(page, **query)) | exported(analyses)

    return shown


def page_says(at: AppTest) -> dict:
    """What it shows; a page that has no answer to its question shows why."""
    named = any(str(getattr(block.proto, "id", "")).endswith("-answer") for block in at.get("flex_container"))
    return record.page(at, answer(at) if named else "")


def exported(analyses: list[export.Analysis]) -> dict:
    """What the page's last run gives away: tables, coefficients, and the script that makes it again."""
    if not analyses:
        return {}
    last = analyses[-1]
    kept = {chart.key: record.compact(chart.table) for chart in last.charts}
    if not last.parts:
        return {"exported tables": kept}
    texts = {"script": record.script(export.script(last)), "latex": export.latex_table(last).splitlines()}
    return {"exported tables": kept, "fit json": record.compact(json.loads(export.fit_json(last)))} | texts


def held(case: str, say: Callable[[], dict], fitted: bool = True) -> None:
    """Holds what it says against the record, or records it. fitted: it rests on fits, which end elsewhere on another processor."""
    made_on, known = record.read(case)
    if known and fitted and not RECORD and made_on != record.processor():
        pytest.skip("Recorded on another processor: record anew at the commit to compare with, on this one.")
    now = json.loads(json.dumps(say()))
    found = list(record.differences(known, now, case))
    if RECORD:
        print(*found, sep="\n")
        record.write(case, now)
        return
    more = f"\nand {len(found) - 60} more" if len(found) > 60 else ""
    assert not found, f"{len(found)} differences from the record:\n" + "\n".join(found[:60]) + more


@pytest.mark.parametrize("dataset", BUNDLED)
def test_every_page_of_a_bundled_data_set(dataset, opened):
    held(f"pages-{dataset}", lambda: {page: opened(page, dataset=dataset) for page in PAGES})


@pytest.mark.parametrize("name", UPLOADS)
def test_every_page_of_an_upload(name, opened):
    def say() -> dict:
        at = open_page("upload")
        at.file_uploader(key="file").set_value(uploaded(name))
        now = {"upload, read": page_says(clean(at.run()))}
        now["upload, stored"] = page_says(clean(at.button(key="store_button").click().run()))
        return now | {page: opened(page, dataset=name) for page in PAGES}

    held(f"pages-{name}", say)


@pytest.mark.parametrize("law", LAWS)
def test_every_page_of_a_published_law(law, opened):
    fitted = law == "clark2022-sbase"  # it takes no tokens: most pages show a fit in its place
    held(f"pages-{law}", lambda: {page: opened(page, **LAWS[law]) for page in OF_LAWS}, fitted)


@pytest.mark.parametrize("half", [0, 1])
def test_pages_as_their_menus_show_them(half, opened):
    views = VIEWS[half::2]
    held(f"views-{half}", lambda: {f"{page}?{urlencode(query)}": opened(page, **query) for page, query in views})


# The public library


def asked(ask: Callable[[], Any]) -> Any:
    return record.outcome(ask, ERRORS)


def law_says(law: lawlib.FittedLaw, budget: float, expansion: float | None) -> dict:
    """A law and what follows from it at a budget."""
    budgets = np.array([0.1, 1.0, 10.0]) * budget
    best = asked(lambda: lawlib.compute_optimal(law, budgets, expansion))
    size = best["n_active"][1] if isinstance(best, dict) else 1e9
    grid = np.geomspace(0.3 * size, 3 * size, 5)
    options = (1.0, 2.0, 4.0, 8.0, 16.0)
    return {
        "name": law.name,
        "formula": law.law.formula,
        "params": record.compact(law.params),
        "theta": record.compact(law.theta),
        "shapes": record.compact(law.shapes),
        "objective": record.compact(law.objective),
        "rmse": record.compact(law.rmse),
        "status": law.status,
        "held": record.compact(law.held),
        "ranges": record.compact(law.ranges),
        "granularities": record.compact(law.granularities),
        "count": law.count,
        "loss": record.compact(law.loss(grid, 20 * grid, 4.0, 8.0)),
        "health": record.compact(law.health()),
        "portable": asked(lambda: lawlib.portable(law)),
        "compute_optimal": best,
        "compute_optimal without E": asked(lambda: lawlib.compute_optimal(law, budget)),
        "compute_optimal at G = 4": asked(lambda: lawlib.compute_optimal(law, budget, expansion, 4.0)),
        "best_loss": asked(lambda: lawlib.best_loss(law, budgets, expansion)),
        "allocation_exponents": asked(lambda: lawlib.allocation_exponents(law, budget, expansion)),
        "isoflop": asked(lambda: lawlib.isoflop(law, budget, expansion)),
        "isoflop_losses": asked(lambda: lawlib.isoflop_losses(law, budget, grid, expansion, 4.0)),
        "granularity_frontier": asked(lambda: lawlib.granularity_frontier(law, budgets, expansion)),
        "granularity_gain": asked(lambda: lawlib.granularity_gain(law, budget, expansion)),
        "switching_budgets": asked(lambda: lawlib.switching_budgets(law, expansion)),
        "router_share": asked(lambda: lawlib.router_share(law, grid, expansion or 64.0, np.array(options))),
    }


def fit_says(fit: lawlib.FittedLaw, budget: float, expansion: float | None) -> dict:
    """What a fit says beyond its law: how it was found, its intervals, which runs pull at it."""
    samples = lawlib.bootstrap(fit, n_resamples=N_RESAMPLES, seed=1)
    details = fit.fit
    assert details is not None
    return {
        "starts": [details.n_starts, details.n_agreeing, details.n_dropped, len(details.runs)],
        "residuals": record.compact(details.residuals),
        "predict": record.compact(fit.predict(details.runs)),
        "bootstrap": record.compact(samples.params),
        "failed": samples.n_failed,
        "label": samples.label,
        "intervals": {name: record.compact(samples.interval(name)) for name in fit.params},
        "interval of the optimum": asked(
            lambda: samples.interval(lambda law: lawlib.compute_optimal(law, budget, expansion).n_active, level=0.9)
        ),
        "pulls": asked(lambda: lawlib.pulls(fit, budget, expansion)),
        "leave_one_size_out": asked(lambda: lawlib.leave_one_size_out(fit)),
    }


def runs_say(runs: pd.DataFrame, curves: pd.DataFrame) -> dict:
    """What follows from runs and their curves without a law."""
    dense, moe = (runs.loc[runs["arch"] == arch, "run_id"].tolist() for arch in ("dense", "moe"))
    coarse, fine = (runs.loc[runs["granularity"] == g, "run_id"].tolist() for g in (1.0, 4.0))
    low, high = runs["flops"].min(), runs["flops"].max()
    now = {"runs": record.compact(runs), "curves": record.compact(curves)}
    for name, (a, b) in {"dense and MoE": (dense, moe), "G = 1 and 4": (coarse, fine)}.items():
        pairs = lawlib.pair_runs(runs, a, b)
        found = lawlib.speedups(pairs, curves[curves["split"] == curves["split"].iloc[0]] if len(curves) else curves)
        groups = dict.fromkeys(a, "a") | dict.fromkeys(b, "b")
        finished = lawlib.finished_curves(runs, groups)
        now[name] = {
            "pair_runs": record.compact(pairs),
            "speedups": record.compact(found),
            "mean_ratio": asked(lambda found=found: lawlib.mean_ratio(found.pairs["tokens"].to_numpy(float), found.pairs["a"])),
            "finished_curves": record.compact(finished),
        }
    return now | {
        "why_not": {name: lawlib.why_not(runs, name) for name in lawlib.FAMILIES},
        "isoflop_optima": asked(lambda: lawlib.isoflop_optima(runs, n_resamples=N_RESAMPLES)),
        "envelope_optima": asked(lambda: lawlib.envelope_optima(runs, curves if len(curves) else None, n_resamples=N_RESAMPLES)),
        "measured_gap": asked(lambda: lawlib.measured_gap(runs)),
        "run_weights": {name: asked(lambda name=name: lawlib.run_weights(runs, name)) for name in lawlib.WEIGHTS},
        "seed_noise": asked(lambda: lawlib.seed_noise(runs)),
        "select by FLOPs": record.compact(lawlib.select(runs, flops=(3 * low, high / 3))["run_id"].tolist()),
        "select MoE": record.compact(lawlib.select(runs, arch="moe", granularity=[2.0, 4.0])["run_id"].tolist()),
        "select E": record.compact(lawlib.select(runs, n_experts=[8.0, 64.0])["run_id"].tolist()),
    }


def fits_say(runs: pd.DataFrame) -> dict:
    """Every family that the runs identify, fitted, and the same runs under other options."""
    budget, cut = 10 * float(runs["flops"].max()), float(runs["flops"].quantile(0.7))
    now: dict[str, Any] = {}
    fits: dict[str, lawlib.FittedLaw] = {}
    for name in lawlib.FAMILIES:
        try:
            fits[name] = fit = lawlib.fit(runs, name)
        except ERRORS as error:
            now[name] = f"{type(error).__name__}: {error}"
            continue
        expansion = 8.0 if fit.law.has_expansion else None
        now[name] = law_says(fit, budget, expansion) | fit_says(fit, budget, expansion)
    options = {
        "squared": {"objective": "squared"},
        "squared_log, by compute": {"objective": "squared_log", "weights": "compute"},
        "delta, 6ND": {"delta": 0.02, "flops_rule": "6ND"},
    }
    for name, chosen in options.items():
        fit = lawlib.fit(runs, "chinchilla", **chosen)
        now[name] = record.compact([fit.params, fit.objective, fit.rmse, fit.status, fit.flops_rule])
    backtest = asked(lambda: lawlib.backtest(runs, list(fits)[:2], cut=cut, n_resamples=N_RESAMPLES).summary)
    points = asked(lambda: lawlib.backtest(runs, ["chinchilla"], cut=cut, n_resamples=N_RESAMPLES).points)
    gaps = {
        f"{a} over {b}": asked(lambda a=a, b=b: lawlib.efficiency_gap(fits[a], fits[b], [budget / 10, budget], 8.0, 4.0))
        for a in fits
        for b in ("chinchilla", "joint_granular")
        if b in fits
    }
    return now | {"backtest": backtest, "backtest points": points, "efficiency_gap": gaps}


def stored(name: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and curves of a data set; of an upload's, as its file is read and stored."""
    if name in UPLOADS:
        file, content, _ = uploaded(name)
        (folder / file).write_bytes(content)
        runs = lawlib.read_runs(folder / file)
        add(runs, name)
    with lawlib.open_store() as store:
        return store.runs(name), store.curves(name)


@pytest.mark.parametrize("name", [*BUNDLED, *UPLOADS])
def test_runs_of_the_public_library(name, tmp_path):
    held(f"library-{name}", lambda: runs_say(*stored(name, tmp_path)), fitted=False)


@pytest.mark.parametrize("name", [*BUNDLED, *UPLOADS])
def test_fits_of_the_public_library(name, tmp_path):
    held(f"fits-{name}", lambda: fits_say(stored(name, tmp_path)[0]))


def source_says(source: Any) -> dict:
    """Where a published law is from. Without `loss_data`, which nothing reads."""
    return {key: value for key, value in record.compact(source).items() if key != "loss_data"}


def published_says() -> dict:
    """Every published law, and what the library comes with."""
    now: dict[str, Any] = {"names": lawlib.published_names(), "families": list(lawlib.FAMILIES)}
    with lawlib.open_store() as store:
        now["datasets"] = record.compact(store.datasets())
    dense = lawlib.published("besiroglu2024")
    assert isinstance(dense, lawlib.FittedLaw)
    for name in lawlib.published_names():
        law = lawlib.published(name)
        if isinstance(law, lawlib.FormulaLaw):
            columns = {c: np.linspace(0.1, 0.9, 5) * 10**i for i, c in enumerate(law.formula.columns)}
            now[name] = record.compact([law.name, source_says(law.source), law.params, law.predict(pd.DataFrame(columns))])
            continue
        expansion = 8.0 if law.law.has_expansion else None
        now[name] = law_says(law, 1e22, expansion) | {
            "source": source_says(law.source),
            "rounding": asked(lambda law=law: law.rounding(N_RESAMPLES, seed=2).params),
            "efficiency_gap": asked(lambda law=law, e=expansion: lawlib.efficiency_gap(law, dense, [1e21, 1e22], e)),
        }
    return now


def test_published_laws_of_the_public_library():
    held("library-published", published_says, fitted=False)


def test_every_public_function_is_recorded():
    source = Path(__file__).read_text("utf-8")
    functions = {name for name in lawlib.__all__ if inspect.isfunction(getattr(lawlib, name))} - SCRIPTS_ONLY
    assert sorted(name for name in functions if f"lawlib.{name}(" not in source) == []


def test_a_changed_number_and_a_changed_word_are_seen():
    rng = np.random.default_rng(0)
    x = rng.lognormal(0, 8, 300)
    old = record.compact({"x": x, "short": [1.0, 2.0], "said": ["one", "two"], "table": pd.DataFrame({"a": x, "b": "c"})})
    assert list(record.differences(old, record.compact(old))) == []
    for i in (0, 150, 299):
        y = x.copy()
        y[i] *= 1 + 1e-6
        assert list(record.differences(old["x"], record.compact(y)))
    assert not list(record.differences(old["x"], record.compact(x * (1 + 1e-13))))
    assert list(record.differences(old["short"], [1.0, 2.0 + 1e-8])) == ["[1]: recorded 2.0, now 2.00000001"]
    (line,) = record.differences(old["said"], ["one", "too"], "page")
    assert "page[1:2]" in line
    assert "two" in line
    assert "too" in line
