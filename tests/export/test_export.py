"""What leaves the program: scripts that make the same numbers in another process, tables that no spreadsheet runs, LaTeX, JSON, HTML.

LAWLIB_SCRIPT_PYTHON names another interpreter to run the scripts, as of an environment with requirements.txt alone.
"""

import base64
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import export
from lawlib.export import Analysis, Chart, Origin, Part
from lawlib.export.latex import escape, letter, number
from lawlib.runs.canonical import as_runs
from tests.support.pages import ROOT, add, dense_and_moe, open_page
from tests.support.planted import grid

NAUGHTY = '=HYPERLINK("http://x") </script><b>&amp;% _$#{}~^\\ """'
RUNNER = """
import pickle, runpy
found = runpy.run_path("reproduce.py")
laws = {name: found[name].params for name in ("law", "dense", "left", "right") if name in found}
with open("found.pickle", "wb") as file:
    pickle.dump({"laws": laws, "charts": {k: f.to_dict() for k, f in found.get("charts", {}).items()}}, file)
"""


def run_script(analysis: Analysis, folder) -> dict:
    """Unpacks the whole export into a folder and runs its script there, in a process of its own."""
    with zipfile.ZipFile(io.BytesIO(export.everything(analysis, "#000", "#fff"))) as archive:
        archive.extractall(folder)
    printed = run_python(RUNNER, folder)
    with open(folder / "found.pickle", "rb") as file:
        return {**pickle.load(file), "printed": printed}


def run_python(source: str, folder) -> str:
    """Runs it in a fresh interpreter with lawlib at hand and an empty workspace; what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LAWLIB_WORKSPACE": str(folder / "none.duckdb"),
        "PYTHONWARNINGS": "error",
    }
    python = os.environ.get("LAWLIB_SCRIPT_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", source], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def drawn(trace: dict, axis: str) -> np.ndarray:
    values = trace.get(axis, [])
    if isinstance(values, dict):
        values = np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def shown(at) -> Analysis:
    """What the page's Export would take away."""
    return at.session_state["shown"].exported


STATES = [
    ("overview", {}),
    ("overview", {"law": "besiroglu2024", "budget": "3.3e22"}),
    ("fit", {"objective": "squared_log", "weights": "compute", "cmax": "3e20", "cut": "3e18", "backtest": "chinchilla"}),
    ("isoflop", {"unit": "slices", "budget": "3.14159e20", "rule": "6ND", "delta": "0.01"}),
    ("granularity", {"budget": "7e20"}),
    ("dense_vs_moe", {"law_e": "krajewski2024-moe-e64"}),
    ("serving", {"budget": "3e22", "served": "2e12", "e": "16"}),
    ("compare", {"budget": "3e20"}),
    ("compare", {"a": "law=krajewski2024-moe-e64&budget=7e21&g=4", "b": "dataset=marin-moe-may&law=chinchilla"}),
]
OWN = [
    ("overview", {"arch": "moe", "unit": "sizes", "e": "16", "g": "8"}),
    ("isoflop", {"law": "chinchilla", "grans": "1", "extra": "recipe=a"}),
    ("granularity", {"e": "16"}),
    ("dense_vs_moe", {"e": "4", "g": "2"}),
    (
        "serving",
        {"e": "4", "precision": "fp8", "gpu": "H200 SXM", "pace": "30", "vocabulary": "32000", "price": "3.1", "reference": "2"},
    ),
    ("fine_grained", {"by": "G"}),
    ("compare", {"b": "dataset=mine&law=joint&arch=moe&budget=1e20&e=4"}),
]


@pytest.mark.parametrize(
    ("page", "query"),
    STATES + [(p, q | {"dataset": "mine"}) for p, q in OWN],
    ids=lambda v: v if isinstance(v, str) else "&".join(v),
)
def test_an_exported_script_gives_the_page_s_numbers_in_a_fresh_process(page, query, tmp_path):
    if "dataset" in query:
        runs = dense_and_moe().assign(extra=lambda r: [json.dumps({"recipe": "ab"[i % 7 == 0]}) for i in range(len(r))])
        runs.loc[0, "name"] = NAUGHTY
        add(runs, "mine")
        with lawlib.open_store() as store:
            store.exclude("mine", store.runs("mine")["run_id"].iloc[[5, 60]], "diverged")
    elif page == "isoflop":
        with lawlib.open_store() as store:
            store.exclude("marin-moe-v16", store.runs("marin-moe-v16")["run_id"].iloc[[3, 40]], "diverged")
    analysis = shown(open_page(page, **query))
    found = run_script(analysis, tmp_path)
    assert analysis.parts
    for part, default in zip(analysis.parts, ("law", "dense"), strict=False):
        name = part.name or default
        assert found["laws"][name] == pytest.approx(part.law.params, rel=1e-9, abs=0)
        assert f"{name}: {part.law.name}" in found["printed"]
    skipped = {c.key for c in analysis.charts if not export.drawable(c)}
    assert not skipped or page == "fine_grained"
    skipped |= {"measured_g"} if page == "granularity" and analysis.parts[0].law.fit is None else set()
    assert set(found["charts"]) == {c.key for c in analysis.charts} - skipped
    for chart in analysis.charts:
        if chart.key in skipped:
            continue
        here, there = chart.figure.to_dict()["data"], found["charts"][chart.key]["data"]
        assert [t.get("name") for t in here] == [t.get("name") for t in there], chart.key
        for a, b in zip(here, there, strict=True):
            if chart.key == "router":
                assert a["x"] == b["x"]
            for axis in ("x", "y") if chart.key != "router" else ("y",):
                np.testing.assert_allclose(
                    drawn(a, axis), drawn(b, axis), rtol=1e-9, err_msg=f"{chart.key} {a.get('name')} {axis}"
                )


ALL_RUNNER = """
import json, pathlib, runpy
found = {f.parent.name: runpy.run_path(str(f))["law"].params for f in sorted(pathlib.Path().glob("*/reproduce.py"))}
pathlib.Path("found.json").write_text(json.dumps(found))
"""


def test_scripts_of_every_law_and_of_released_data_give_the_same_parameters(tmp_path):
    """One fresh process for all of them; the releases where LAWLIB_TEST_DATA has them."""
    many = as_runs(dense_and_moe(), "mine")
    cases = {name: (many, name) for name in lawlib.FAMILIES if lawlib.why_not(many, name) is None}
    assert len(cases) >= 6
    folder = Path(os.environ.get("LAWLIB_TEST_DATA", "none"))
    for file, family in (("chinchilla_extracted.csv", "chinchilla"), ("clark2022_curves.csv.gz", "routed")):
        if (folder / file).is_file():
            cases[file] = (lawlib.read_runs(folder / file), family)
    expected = {}
    for name, (runs, family) in cases.items():
        law = lawlib.fit(runs, family, objective="squared_log")
        origin = Origin(family, "mine", "mine", False, runs, {}, "", {"objective": "squared_log"})
        zipped = export.everything(Analysis("Fit", (Part(law, origin, family),)), "#000", "#fff")
        with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
            archive.extractall(tmp_path / name)
        expected[name] = law.params
    run_python(ALL_RUNNER, tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found.keys() == expected.keys()
    for name, params in expected.items():
        assert found[name] == pytest.approx(params, rel=1e-9, abs=0), name


class TestCsv:
    @pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "－1"])
    def test_no_text_starts_like_a_formula(self, start):
        written = export.safe_csv(pd.DataFrame({start: [start, "fine"], "x": [-1.5, 2.0]})).decode()
        table = pd.read_csv(io.StringIO(written))
        assert table.iloc[0, 0].startswith("'")
        assert table.columns[0].startswith("'")
        assert table.iloc[1, 0] == "fine"
        assert table["x"].tolist() == [-1.5, 2.0]

    def test_numbers_read_back_exactly(self):
        values = np.random.default_rng(0).lognormal(0, 30, 500) * np.where(np.arange(500) % 2, 1, -1)
        table = pd.read_csv(io.BytesIO(export.safe_csv(pd.DataFrame({"v": values}))))
        assert (table["v"].to_numpy() == values).all()

    def test_mixed_columns_and_categories_are_looked_at_too(self):
        table = pd.DataFrame({"a": pd.Series(["=1", 2, None], dtype=object), "b": pd.Categorical(["@x", "y", "@x"])})
        assert b"'=1" in export.safe_csv(table)
        assert export.safe_csv(table).count(b"'@x") == 2


RUNS = as_runs(grid("chinchilla", noise=0.01, seed=3).assign(arch="dense"), "planted")
RUNS.loc[0, "name"] = NAUGHTY
FIT = lawlib.fit(RUNS, "chinchilla")
BOOT = lawlib.bootstrap(FIT, 30)
ORIGIN = Origin("chinchilla", "planted", NAUGHTY, False, RUNS, {}, "", {"objective": "huber", "delta": 1e-3})


def analysis(part=None, **options) -> Analysis:
    from lawlib import figures
    from lawlib.optimum import tables

    path = tables.optimal_path(FIT, np.geomspace(1e19, 1e22, 5), samples=BOOT)
    chart = Chart("loss", NAUGHTY, figures.loss_frontier(path, RUNS, figures.DARK, 1e20, "95 %"), path.assign(note=NAUGHTY))
    given = {"answer": NAUGHTY, "link": 'http://127.0.0.1/?x=""""\n', "budget": 1e20, "charts": (chart,)} | options
    return Analysis("Overview " + NAUGHTY, (part or Part(FIT, ORIGIN, NAUGHTY + "\nimport os", BOOT),), **given)


def test_a_script_of_naughty_words_is_a_script(tmp_path):
    found = run_script(analysis(), tmp_path)
    assert found["laws"]["law"] == pytest.approx(FIT.params, rel=1e-9)


class TestLatex:
    @pytest.mark.parametrize(
        ("name", "written"),
        [
            ("alpha", r"\alpha"),
            ("A", "A"),
            ("L_inf", r"L_\infty"),
            ("gamma_g", r"\gamma_{\mathrm{g}}"),
            ("E_start", r"E_{\mathrm{start}}"),
        ],
    )
    def test_letters(self, name, written):
        assert letter(name) == written

    @pytest.mark.parametrize(
        ("value", "written"),
        [(477.8, "477.8"), (1.23456e-7, r"1.235 \times 10^{-7}"), (-0.0259, "-0.0259"), (np.inf, r"\infty"), (np.nan, "-")],
    )
    def test_numbers(self, value, written):
        assert number(value) == written

    def test_every_coefficient_has_its_row_and_interval(self):
        text = export.latex_table(analysis())
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 1 + len(FIT.params)
        low, high = BOOT.interval("alpha")
        assert f"$\\alpha$ & ${number(FIT.params['alpha'])}$ & $[{number(low)},\\ {number(high)}]$ \\\\" in text
        assert text.count("\\begin{") == text.count("\\end{") == 2

    def test_no_character_of_a_user_is_markup(self):
        text = escape(NAUGHTY)
        bare = text
        for safe in (
            r"\textbackslash{}",
            r"\textasciitilde{}",
            r"\textasciicircum{}",
            *(rf"\{c}" for c in "&%$#_{}"),
            "$<$",
            "$>$",
        ):
            bare = bare.replace(safe, "")
        assert not set(bare) & set("\\&%$#_{}~^<>")
        table = export.latex_table(analysis())
        assert escape(NAUGHTY) in table

    @pytest.mark.parametrize("name", [n for n in lawlib.published_names() if n not in ("ling2025", "zhao2025")])
    def test_every_published_law_has_a_table_with_balanced_braces(self, name):
        law = lawlib.published(name)
        text = export.latex_table(Analysis("x", (Part(law, Origin(name), name),)))
        bare = text.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}")
        assert bare.count("$") % 2 == 0
        assert law.source.arxiv in text


class TestDocuments:
    def test_the_json_holds_the_letters_exactly_and_evaluates(self):
        content = json.loads(export.fit_json(analysis()), parse_constant=pytest.fail)
        (law,) = content["laws"]
        assert law["parameters"] == FIT.params
        assert law["intervals"]["alpha"] == list(BOOT.interval("alpha"))
        assert law["runs"]["n_fitted"] == len(RUNS)
        assert law["portable"]["theta"] == FIT.theta.tolist()
        assert content["point"] == {"budget": 1e20, "expansion": None, "granularity": None}

    def test_infinite_numbers_are_null(self):
        endless = Part(FIT, ORIGIN, "x")
        content = json.loads(export.fit_json(analysis(endless, budget=np.inf)), parse_constant=pytest.fail)
        assert content["point"]["budget"] is None
        assert content["laws"][0]["intervals"] == {}

    def test_the_page_is_whole_and_no_word_of_a_user_is_markup(self):
        text = export.html_page(analysis(), "#e3e7ea", "#0c1115")
        assert text.count("plotly.js v") == 1
        words = text[: text.index("<script")] + text[text.rindex("</script>") :]
        assert "&lt;/script&gt;&lt;b&gt;" in words
        assert "<b>" not in words
        scripts = text.count("<script")
        assert scripts == text.count("</script>")
        head = text[: text.index("<script")]
        assert "http" not in head.replace("http://x", "").replace("http-equiv", "")

    def test_equal_analyses_are_equal_files(self):
        assert export.tables_zip(analysis()) == export.tables_zip(analysis())
        with zipfile.ZipFile(io.BytesIO(export.everything(analysis(), "#000", "#fff"))) as archive:
            names = archive.namelist()
        assert names == ["reproduce.py", "coefficients.tex", "runs.csv", "fit.json", "figures.html", "tables/loss.csv"]
