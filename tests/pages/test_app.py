"""Every page run from app.py without a browser: what it answers, from which law, and what it says where it cannot."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import lawlib
from lawlib import numbers, serving
from lawlib.runs.canonical import as_runs
from tests.support import planted
from tests.support.pages import PAGES, ROOT, add, answer, captions, clean, dense_and_moe, figure, number_after, open_page
from ui.explorer.sliders import TYPE
from ui.frame import sharing

WITH_SLIDERS = ("overview", "isoflop", "granularity", "dense_vs_moe")


def test_a_page_that_breaks_off_can_still_be_shared(monkeypatch):
    def broken(*_, **__):
        raise ValueError("broken")

    monkeypatch.setattr("lawlib.optimum.tables.granularity_curves", broken)
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    at.query_params["dataset"], at._page_hash, at.session_state[sharing.SHARE] = "marin-moe-v16", calc_hash("granularity"), True
    at.run()
    assert [e.value for e in at.exception] == ["broken"]
    assert any("dataset=marin-moe-v16" in c.value for c in at.code)


@pytest.mark.parametrize(
    ("page", "title", "pattern", "low", "high"),
    [
        ("overview", "Overview", "# active parameters", 1e9, 1e11),
        ("runs", "Runs", "# of 47 selected runs", 47, 47),
        ("upload", "Upload", None, None, None),
        ("fit", "Fit", "holds # runs", 47, 47),
        ("isoflop", "IsoFLOP", r"C\^# ", 0.4, 0.8),
        ("granularity", "Granularity", r"lose # nats", 0.01, 0.3),
        ("dense_vs_moe", "Dense vs MoE", "needs #x", 1.2, 5),
        ("compare", "Compare", "Left, at 1e22 FLOPs: # ", 1e9, 1e11),
        ("fine_grained", "Fine-grained at scale", "final loss by # nats", 0.05, 0.05),
        ("serving", "Serving", "over-trained at #%", 5, 40),
        ("byte_models", "Byte models", "# models", 20, 1e4),
        ("planner", "Planner", "on # tokens", 1e10, 1e13),
        ("reproductions", "Reproductions", r"# checks come out", 69, 69),
    ],
)
def test_every_page_opens_from_app_py_and_answers_with_a_number(page, title, pattern, low, high):
    at = open_page(page)
    assert at.title[0].value == title
    line = (
        re.sub(r"\*\*\d+ of (\d+)\*\* checks", r"\1 checks", answer(at))
        .replace("**47 of 47 ", "47 of 47 ")
        .replace("47 runs**", "47** runs")
    )
    if pattern is None:
        assert "stored only when you say so" in line
        return
    assert low <= number_after(pattern, line) <= high


@pytest.mark.usefixtures("all_resamples")
def test_the_overview_of_the_marin_runs_is_that_of_a_fit_to_them():
    at = open_page()
    with lawlib.open_store() as store:
        law = lawlib.fit(store.runs("marin-moe-v16"), "chinchilla")
    best = lawlib.compute_optimal(law, 1e22)
    line = answer(at)
    assert f"**{numbers.count(best.n_active)} active parameters**" in line
    assert f"expected loss **{best.loss:.3f}**" in line
    assert re.search(r"\*\*14\.4B active parameters\*\* \[[\d.]+B, [\d.]+B\]", line)
    assert "47 runs, converged" in captions(at)
    assert "bootstrap of runs (300 refits)" in captions(at)
    assert "Extrapolated: 1e22 training FLOPs is 10x above the data (1e18 to 1e21)" in captions(at)
    assert at.selectbox(key="w_law").value == "chinchilla"


def test_granularity_of_the_marin_runs_opens_on_krajewski_and_says_why():
    at = open_page("granularity")
    assert at.selectbox(key="w_law_g").value == "krajewski2024-moe-e64"
    assert "needs runs at two or more granularities. Shown is a published law." in captions(at)
    assert "arXiv:2402.07871" in captions(at)
    assert "splits each expert in **16**" in answer(at)
    router = figure(at, "router")["data"][0]
    assert len(router["x"]) == 9


def test_dense_vs_moe_of_the_marin_runs_opens_on_ludziejewski_and_says_why():
    at = open_page("dense_vs_moe")
    assert at.selectbox(key="w_law_e").value == "ludziejewski2025"
    assert "two or more expansion rates, or dense ones beside MoE. Shown is a published law." in captions(at)
    assert "arXiv:2502.05172" in captions(at)
    assert "Measured gaps need dense runs beside MoE runs" in captions(at)
    assert any("Ling" in c.value or "leverage" in c.value for c in at.caption) is False  # the law has no G to compare at


@pytest.mark.parametrize(
    ("page", "off", "reason"),
    [
        ("overview", "e_off", "has no expert count: the runs it was fitted to do not vary it"),
        ("overview", "g_off", "This law has no granularity"),
        ("isoflop", "e_off", "has no expert count"),
        ("granularity", "e_off", "This law holds at E = 64 only"),
        ("dense_vs_moe", "g_off", "This law has no granularity"),
    ],
)
def test_a_slider_that_the_law_lacks_is_disabled_and_says_why(page, off, reason):
    slider = open_page(page).select_slider(key=off)
    assert slider.disabled
    assert reason in slider.help


@pytest.mark.parametrize("page", WITH_SLIDERS)
def test_another_budget_is_another_answer(page):
    at = open_page(page)
    before = answer(at)
    clean(at.select_slider(key="w_budget").set_value(1e20).run())
    after = answer(at)
    assert after != before
    assert after.startswith("At **1e20 FLOPs**")
    line = figure(at, {"granularity": "best_g", "dense_vs_moe": "gap"}.get(page, "isoflop" if page == "overview" else "n_opt"))
    assert "1e20" in json.dumps(line)


def test_the_budget_follows_to_other_pages():
    at = open_page(budget="3e20")
    for page in WITH_SLIDERS:
        clean(at.switch_page(f"pages/{page}.py").run())
        assert "At **3e20 FLOPs**" in answer(at)
        assert at.select_slider(key="w_budget").value == 3e20


def test_the_budget_scales_as_the_exponent_says():
    """N_opt of two budgets a decade apart against the exponent the IsoFLOP page prints."""
    exponent = number_after(r"C\^#", answer(open_page("isoflop", budget="1e21")))
    n = [number_after("# active", answer(open_page(budget=c))) for c in ("3.16e20", "3.16e21")]
    assert np.log10(n[1] / n[0]) == pytest.approx(exponent, abs=0.01)


@pytest.mark.parametrize(("page", "key", "value"), [("granularity", "w_g", 4.0), ("dense_vs_moe", "w_e", 32.0)])
def test_another_e_or_g_is_another_answer(page, key, value):
    at = open_page(page)
    before = answer(at)
    clean(at.select_slider(key=key).set_value(value).run())
    assert answer(at) != before
    assert f"= {value:g}" in answer(at).replace("**", "")


def test_more_experts_save_more_compute_up_to_the_laws_data():
    gaps = [number_after("needs #x", answer(open_page("dense_vs_moe", e=e))) for e in (2, 8, 32)]
    assert gaps == sorted(gaps)
    assert gaps[0] > 1


@pytest.mark.parametrize(("page", "budget"), [("isoflop", 1e6), ("overview", 1e6), ("granularity", 1e6), ("isoflop", 2e6)])
def test_where_there_is_no_optimum_the_sliders_stay(page, budget):
    at = open_page(page, dataset="marin-moe-v16", budget=budget, law="besiroglu2024" if page != "granularity" else "")
    assert [s.key for s in at.select_slider if s.key == "w_budget"] == ["w_budget"]


@pytest.mark.parametrize("typed", ["3e21", "3000000000000000000000", " 3e21 "])
def test_a_typed_budget_is_taken(typed):
    at = open_page()
    at.session_state[TYPE] = True
    clean(at.run())
    clean(at.text_input(key="typed_budget").set_value(typed).run())
    assert "At **3e21 FLOPs**" in answer(at)


@pytest.mark.parametrize("typed", ["abc", "-3", "0", "1e99", "nan"])
def test_a_typed_budget_that_is_none_changes_nothing(typed):
    at = open_page()
    before = answer(at)
    at.session_state[TYPE] = True
    clean(at.run())
    clean(at.text_input(key="typed_budget").set_value(typed).run())
    assert answer(at) == before
    assert ["nothing was changed" in t.value for t in at.toast] == [True]


@pytest.mark.parametrize("law", ["besiroglu2024", "hoffmann2022-approach3", "ludziejewski2025"])
def test_the_law_menu_changes_the_law(law):
    at = open_page()
    if law not in at.selectbox(key="w_law").options:
        law = next(o for o in at.selectbox(key="w_law").options if o.startswith(law[:8]))
    clean(at.selectbox(key="w_law").set_value(law).run())
    published = lawlib.published(law)
    assert f"arXiv:{published.source.arxiv}" in captions(at)
    best = lawlib.compute_optimal(
        published, at.select_slider(key="w_budget").value, *((8.0,) if "Ehat" in published.law.variables else ())
    )
    assert numbers.count(best.n_active) in answer(at)


def test_every_published_law_opens_on_every_page_that_offers_it():
    at = open_page()
    for page, key in (
        ("overview", "w_law"),
        ("fit", "w_law"),
        ("isoflop", "w_law"),
        ("granularity", "w_law_g"),
        ("dense_vs_moe", "w_law_e"),
    ):
        clean(at.switch_page(f"pages/{page}.py").run())
        for option in range(len(at.selectbox(key=key).options)):
            clean(at.selectbox(key=key).select_index(option).run())
            assert answer(at)
        clean(at.selectbox(key=key).select_index(0).run())


BAD_LINKS = [
    {"budget": "abc", "dataset": "nope", "law": "nope", "e": "-3"},
    {"budget": "-1", "e": "abc", "g": "0", "delta": "x", "cut": "no", "cmin": "zz", "experts": "1,a"},
    {"budget": "1e299", "e": "1e299", "g": "1e299"},
    {"budget": "1e-299", "e": "1e-299", "g": "1e-299"},
    {"objective": "nope", "rule": "nope", "arch": "nope", "split": "nope", "law_g": "nope", "law_e": "nope"},
    {"law": "ling2025", "law_g": "besiroglu2024", "law_e": "chinchilla", "delta": "1e-200"},
    {"law": "joint", "experts": "7", "grans": "3", "cut": "1e200"},
    {"cmin": "1e30", "cmax": "1e10"},
    {"unknown": "1", "budget": "", "dataset": "", "law": ""},
    {"dataset": "<script>alert(1)</script>", "law": "**bold**"},
]


@pytest.mark.parametrize("query", BAD_LINKS, ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()))
def test_a_link_with_bad_values_opens_every_page(query):
    at = open_page(**query)
    for page in PAGES:
        clean(at.switch_page(f"pages/{page}.py").run())
        assert at.title


def test_a_link_that_asks_for_what_cannot_be_says_so():
    at = open_page("serving", budget="1e40", gpu="H9000", law_e="krajewski2024-moe-e64", prompt="512")
    (told,) = (w.value for w in at.warning if "cannot be" in w.value)
    assert "budget=1e40, gpu=H9000" in told.replace("\\", "")
    assert "prompt" not in told
    assert "krajewski2024-moe-e64 cannot answer this page's question" in captions(at).replace("\\", "")
    clean(at.button(key="link_ignored").click().run())
    assert not [w for w in at.warning if "cannot be" in w.value]
    assert "answer this page's question" not in captions(open_page("serving", law_e="ludziejewski2025"))


def test_the_program_opens_on_the_runs_that_it_trained():
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    clean(at.run())
    assert at.selectbox(key="w_dataset").value == "byte-moe-sweep"
    assert "Extrapolated: 1e14 training FLOPs is 10x above the data (1e11 to 1e13)" in captions(at)
    assert "223 runs, converged" in captions(at)


def test_an_unknown_data_set_in_a_link_is_told_and_replaced():
    at = open_page(dataset="nope")
    assert at.selectbox(key="w_dataset").value == "byte-moe-sweep"
    assert any("There is no data set nope here" in t.value for t in at.toast)


# Data of one's own


def test_granularity_of_runs_that_vary_g_is_fitted_to_them():
    runs = dense_and_moe()
    add(runs, "planted")
    at = open_page("granularity", dataset="planted", budget="1e21", e="16")
    assert at.selectbox(key="w_law_g").value == "joint_granular"
    assert "Shown is a published law" not in captions(at)
    assert "112 runs, converged" in captions(at)
    truth = lawlib.fit(dense_and_moe(noise=0), "joint_granular")
    own = [g for g in (1, 2, 4, 8, 16, 32, 64, 128, 256) if g <= runs["granularity"].max()]
    frontier = lawlib.granularity_frontier(truth, 1e21, 16.0, own)
    coarse = frontier.loc[frontier["granularity"] == 1, "loss"].iloc[0] - frontier["loss"].min()
    assert number_after(r"\(G = 1\) lose # ?nats", answer(at)) == pytest.approx(coarse, rel=0.05)
    assert f"G = {own[-1]} is the finest of the runs" in captions(at)  # the law has no router cost and would go on
    drawn = figure(at, "measured_g")["data"]
    assert len(drawn) == 4 * 4 * 2  # a ladder of G for each size, token count and E


def test_dense_vs_moe_of_runs_that_have_both_is_fitted_and_shows_measured_gaps():
    add(dense_and_moe(), "planted")
    at = open_page("dense_vs_moe", dataset="planted", budget="1e20", e="16", g="8")
    assert at.selectbox(key="w_law_e").value == "joint_granular"
    assert "Shown is a published law" not in captions(at)
    truth = lawlib.fit(dense_and_moe(noise=0), "joint_granular")
    gap = lawlib.efficiency_gap(truth, truth, 1e20, 16.0, 8.0)
    assert number_after("needs #x", answer(at)) == pytest.approx(gap, rel=0.05)
    assert re.search(r"needs \*\*[\d.]+x\*\* \[[\d.]+x, [\d.]+x\]", answer(at))
    measured = [t for t in figure(at, "gap")["data"] if t.get("name") == "measured (between runs)"]
    assert len(measured) == 1
    assert "Measured gaps need dense runs" not in captions(at)


def test_filters_narrow_the_fit_and_are_named():
    add(dense_and_moe(), "planted")
    at = open_page("overview", dataset="planted", arch="dense")
    assert at.selectbox(key="w_law").value == "chinchilla"
    assert "16 runs" in captions(at)
    assert any(e.label == "Filters: 16 of 112 runs" for e in at.expander)
    clean(at.button(key="clear").click().run())
    assert any(e.label == "Filters: 112 of 112 runs" for e in at.expander)
    assert at.selectbox(key="w_law").value == "joint_granular"


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (planted.grid("chinchilla", sizes=[1e8], tokens=np.geomspace(1e9, 1e11, 6)), "have one size"),
        (planted.grid("chinchilla", sizes=np.geomspace(1e8, 1e9, 2), tokens=[1e9]), "runs"),
    ],
    ids=["one size", "two runs"],
)
def test_runs_that_fix_no_law_say_why(runs, reason):
    add(runs, "poor")
    at = open_page("overview", dataset="poor", law="chinchilla")
    assert "it needs runs at two or more sizes and token counts. Shown is a published law." in captions(at)
    why = [m.value for m in at.markdown if m.value.startswith("**Chinchilla** — ")]
    assert len(why) == 1
    assert re.search(reason, why[0])
    assert at.selectbox(key="w_law").value == "besiroglu2024"
    for page in PAGES:
        clean(at.switch_page(f"pages/{page}.py").run())


def test_runs_without_size_tokens_or_flops_break_no_page():
    add(pd.DataFrame({"name": ["a", "b", "c"], "loss": [3.0, 2.9, 2.8]}), "bare")
    at = open_page("overview", dataset="bare")
    for page in PAGES:
        clean(at.switch_page(f"pages/{page}.py").run())
        assert answer(at)


def test_excluded_runs_change_the_fit_and_are_counted():
    before = open_page()
    with lawlib.open_store() as store:
        runs = store.runs("marin-moe-v16")
        worst = runs.nlargest(5, "flops")["run_id"]
        store.exclude("marin-moe-v16", worst, "still running")
    clean(before.run())
    assert "42 runs, converged" in captions(before)
    fresh = open_page()
    assert answer(before) == answer(fresh)
    with lawlib.open_store() as store:
        law = lawlib.fit(store.runs("marin-moe-v16"), "chinchilla")
        budget = before.select_slider(key="w_budget").value
        assert numbers.count(lawlib.compute_optimal(law, budget).n_active) in answer(fresh)
        store.include("marin-moe-v16", worst)
    at = clean(fresh.run())
    assert "47 runs, converged" in captions(at)


def test_the_runs_page_counts_excluded_runs_apart():
    with lawlib.open_store() as store:
        runs = store.runs("marin-moe-v16")
        store.exclude("marin-moe-v16", runs["run_id"].head(3), "diverged")
    at = open_page("runs")
    assert "**44 of 47 selected runs** count" in answer(at)
    assert any(e.label == "Filters: 47 of 47 runs, 3 excluded" for e in at.expander)


def test_all_runs_excluded_break_no_page():
    with lawlib.open_store() as store:
        store.exclude("marin-moe-v16", store.runs("marin-moe-v16")["run_id"], "all of them")
    at = open_page()
    for page in PAGES:
        clean(at.switch_page(f"pages/{page}.py").run())
        assert answer(at)


def test_the_objective_and_its_delta_change_the_fit():
    at = open_page("fit")
    tables = [at.dataframe[0].value["value"].tolist()]
    clean(at.selectbox(key="w_delta").set_value(0.1).run())
    tables.append(at.dataframe[0].value["value"].tolist())
    clean(at.selectbox(key="w_objective").set_value("squared").run())
    tables.append(at.dataframe[0].value["value"].tolist())
    assert "w_delta" not in [s.key for s in at.selectbox]
    assert len({tuple(t) for t in tables}) == 3


def test_the_backtest_follows_its_cut():
    at = open_page("fit")
    options = at.select_slider(key="w_cut").options
    clean(at.select_slider(key="w_cut").set_value(3e18).run())
    assert len(options) > 3
    assert any("Fitted up to **3e18 FLOPs**" in m.value for m in at.markdown)


def test_the_reproductions_page_shows_every_section_with_its_verdict():
    at = open_page("reproductions")
    titles = [s.value for s in at.subheader]
    assert titles[-1] == "Besiroglu 2024, refit of Hoffmann's runs"
    assert len(at.dataframe) == len(titles) - 1
    judged = [t.value["holds"] for t in at.dataframe if "holds" in t.value]
    marks = pd.concat(judged).value_counts()
    assert set(marks.index) <= {"✓", "✗", "–"}
    held, of = map(int, re.match(r"\*\*(\d+) of (\d+)\*\* checks come out", answer(at)).groups())
    assert (held, of - held) == (marks["✓"], marks["✗"])
    assert any("carry no licence" in m.value for m in at.markdown)


# Uploads, as far as AppTest goes


CSV = b"name,params,tokens,loss\na,100M,2B,3.4\nb,200M,4B,3.1\nc,400M,8B,2.9\n"


def upload(content: bytes, name="runs.csv") -> AppTest:
    at = open_page("upload")
    at.file_uploader(key="file").set_value((name, content, "text/csv"))
    return clean(at.run())


def named(at: AppTest, label: str):
    """The text field of this label."""
    (found,) = [field for field in at.text_input if field.label == label]
    return found


def test_an_upload_is_stored_on_the_button_only():
    at = upload(CSV)
    assert "**3 runs**" in answer(at)
    with lawlib.open_store() as store:
        assert "runs" not in store.datasets()["dataset"].tolist()
        clean(at.button(key="store_button").click().run())
        assert len(store.runs("runs")) == 3
    assert "Stored 3 runs" in at.success[0].value


@pytest.mark.parametrize("name", ["", "   ", "!!!", "x" * 100])
def test_a_data_set_without_a_usable_name_is_refused_with_a_sentence(name):
    at = upload(CSV)
    named(at, "Data set").set_value(name)
    clean(at.button(key="store_button").click().run())
    assert "1 to 80 letters or digits" in at.error[0].value.replace("\\", "")


def test_a_bundled_data_set_is_not_added_to():
    at = upload(CSV)
    named(at, "Data set").set_value("marin-moe-v16")
    clean(at.button(key="store_button").click().run())
    assert "comes with the program and cannot be changed" in at.error[0].value.replace("\\", "")


def test_a_data_set_cannot_lose_its_title():
    add(planted.grid("chinchilla", sizes=[1e7, 1e8], tokens=[1e9, 1e10]), "mine")
    at = open_page("upload")
    clean(at.text_input(key="title_mine").set_value("").run())
    assert any("needs a title" in t.value for t in at.toast)
    clean(at.text_input(key="title_mine").set_value("My runs").run())
    with lawlib.open_store() as store:
        assert store.datasets().set_index("dataset")["title"]["mine"] == "My runs"


def test_the_chosen_data_set_can_be_deleted_and_brought_back():
    add(planted.grid("chinchilla", sizes=[1e7, 1e8], tokens=[1e9, 1e10]), "mine")
    at = open_page("upload", dataset="mine")
    clean(at.button(key="delete_mine").click().run())
    assert "mine (4 runs)" not in at.selectbox(key="w_dataset").options
    clean(at.button(key="undo_mine").click().run())
    assert any(o.startswith("mine") for o in at.selectbox(key="w_dataset").options)


def test_serving_s_table_reads_slow_steps_in_milliseconds_and_says_what_does_not_fit():
    at = open_page("serving", budget="1e25", e="16")
    (counts,) = [m.value for m in at.markdown if m.value.startswith("**Every expert count")]
    head, _, *rows = [line.strip("| ").split(" | ") for line in counts.splitlines()[2:]]
    paces = [row[head.index("ms a token")] for row in rows]
    assert any(float(pace) > 100 for pace in paces if pace != "–")
    assert not any("e+" in cell for row in rows for cell in row)
    priced = [row[head.index("USD a million")] for row in rows]
    assert [price == "does not fit" for price in priced] == [pace == "–" for pace in paces]


def test_serving_is_that_of_the_library_at_the_same_settings():
    at = open_page(
        "serving", budget="1e22", e="16", gpu="H200 SXM", prompt="512", output="512", peak="0.6", reach="0.8", price="3"
    )
    law = lawlib.published("ludziejewski2025")
    machine = serving.Machine(serving.gpu("H200 SXM"), compute=0.6, bandwidth=0.8)
    server = serving.Server(machine, serving.Workload(512, 512, max_batch=256))
    same = serving.bounded_loss(law, 1e22, [16.0], 1.0)
    hours = server.service(law, same.n_active, 16.0).gpu_hours[0]
    cost = serving.bounded_cost(law, 1e22, [16.0], 1.0, server.price(law))
    line = answer(at)
    assert f"over-trained at **{same.shrink[0]:.1%}**" in line
    assert f"**USD {numbers.count(hours * 3)}** a million tokens" in line
    assert f"gains **{lawlib.compute_optimal(law, 1e22, 1.0).loss - cost.loss[0]:.3f} nats**" in line
    assert "60% of its rate and 80% of its bandwidth" in captions(at)
    assert "Shares, price and batch are examples until you put in your own" in captions(at)
    assert "above the data (2B to 130B). Over-training is where laws are least tested." in captions(at)
    (counts,) = [m.value for m in at.markdown if m.value.startswith("**Every expert count")]
    rows = [line.strip("| ").split(" | ") for line in counts.splitlines()[2:]]
    assert rows[0][:4] == ["E", "N active", "N total", "loss"]
    assert [row[0] for row in rows[2:]] == ["1", "2", "4", "8", "16", "32", "64"]
    assert rows[6][rows[0].index("same loss: size")] == f"{same.shrink[0]:.1%}"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("w_served", 1e9, "With **1B tokens** to serve"),
        ("w_price", 5.0, "USD"),
        ("w_gpu", "L40S", "Roofline of L40S"),
        ("w_prompt", 8192.0, "8,192 tokens of prompt"),
        ("w_output", 64.0, "64 of answer"),
    ],
)
def test_every_input_of_serving_changes_the_answer(key, value, said):
    at = open_page("serving", budget="1e22", e="16")
    before = answer(at)
    widgets = {"w_gpu": at.selectbox, "w_price": at.number_input}.get(key, at.select_slider)
    clean(widgets(key=key).set_value(value).run())
    assert answer(at) != before
    assert said in answer(at) + captions(at)


def test_serving_says_what_it_cannot_answer():
    assert "is the reference itself: choose another E" in answer(open_page("serving", e="1"))
    assert "no model with **E = 2** reaches the loss" in answer(open_page("serving", e="2", reference="8"))
    assert "No model that reaches this loss fits" in answer(open_page("serving", e="8", budget="1e25", pace="9000"))


# Empty states say what to do


@pytest.mark.parametrize("page", ["overview", "runs", "fit", "isoflop", "granularity", "dense_vs_moe", "compare", "serving"])
def test_filters_that_leave_no_run_are_said_and_cleared(page):
    at = open_page(page, cmin="1e30")
    assert [w.value for w in at.warning] == ["No run of this data set passes the filters."]
    if page == "runs":
        assert answer(at) == "**0 of 0 selected runs** count."
    elif page != "compare":
        assert "No run passes the filters. Shown is a published law." in captions(at)
    at = clean(at.button(key="clear_all").click().run())
    assert "passes the filters" not in " ".join(w.value for w in at.warning)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("overview", "active parameters or training tokens; it needs runs at two or more sizes and token counts. Shown is a"),
        ("fit", "active parameters or training tokens; it needs runs at two or more sizes and token counts. Shown is a"),
        ("granularity", "active parameters or training tokens; it needs runs at two or more granularities."),
    ],
)
def test_runs_without_their_size_are_told_apart_from_too_few_runs(page, words):
    add(as_runs(pd.DataFrame({"name": ["a", "b"], "loss": [3.0, 2.9], "arch": "dense"}), "bare"), "bare")
    assert f"The selected runs cannot answer this: they do not say their {words}" in captions(open_page(page, dataset="bare"))
    assert (
        answer(open_page("runs", dataset="bare"))
        == "**2 of 2 selected runs** count; losses **2.900** to **3.000** nats per token (loss)."
    )


def test_runs_that_are_all_left_out_are_said():
    with lawlib.open_store() as store:
        store.exclude("marin-moe-may", store.runs("marin-moe-may")["run_id"], "test")
    assert "All 15 selected runs are left out: take some back on the Runs page." in captions(open_page(dataset="marin-moe-may"))


def test_the_axes_of_the_runs_chart_are_in_the_address():
    at = open_page("runs", x="tokens", color="flops")
    spec = figure(at, "runs")
    assert spec["layout"]["xaxis"]["title"]["text"] == "training tokens D"
    assert at.selectbox(key="w_color").value == "flops"
    clean(at.selectbox(key="w_x").set_value("n_active").run())
    assert at.query_params["x"] in ("n_active", ["n_active"])
    assert at.query_params["color"] in ("flops", ["flops"])


def test_a_process_of_a_cluster_may_load_the_app_as_its_main_module(tmp_path):
    environment = {**os.environ, "LAWLIB_WORKSPACE": str(tmp_path / "workspace.duckdb")}
    subprocess.run([sys.executable, str(ROOT / "app.py")], cwd=ROOT, env=environment, check=True, capture_output=True)
