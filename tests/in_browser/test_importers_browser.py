"""Every importer on the Upload page of a real browser, with its sample of tests/data: what the page says of it, and that it is stored.

The exact runs and curves of the samples are in test_readers_files.py, test_readers_logs.py and test_ingest.py; here the page's first
line, its notes and what is stored have to say the same.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lawlib import ReadError
from lawlib.ingest import build, detect, open_table
from tests.support.browser import PAGE_SECONDS, Guard, running, settle
from tests.support.browser_pages import answer, by_quantity, data_set_name, rows

pytestmark = pytest.mark.browser

DATA = Path(__file__).parents[1] / "data"
SLOW = 1000 * PAGE_SECONDS  # milliseconds
NO_N = "No column is mapped to the number of parameters: fits need it."
NO_D = "No column is mapped to the training tokens: fits need them."
ONE = "The file holds one run only: a fit needs more."
PRIVATE = "Left out, as it tells of people and machines"


@dataclass(frozen=True)
class Sample:
    """What the page has to say of the files (a folder goes as a zip): runs, curve points of the loss and in all, its column, notes."""

    files: str
    n_runs: int
    loss: str
    n_points: int = 0
    n_all: int = 0
    spans: str = ""
    notes: tuple[str, ...] = ()
    problems: int = 0  # lines
    offers: str = ""
    rule: tuple[str, str] = ("", "")  # quantity, how it was understood
    source: str = ""
    sets: tuple[tuple[str, int], ...] = ()  # ends of the names of the data sets and their runs, where there are several


SAMPLES = [
    Sample("moe_runs.csv", 3, "eval/loss", spans="N 100M to 100M, D 2B to 4B, C 1.2e18 to 2.4e18; 1 identical rows are read once", problems=5),
    Sample("german.csv", 2, "Loss", spans="N 100M to 200M, D 2B to 4B", problems=1, notes=("Numbers are read with decimal commas: 3,25 is 3.25.",)),
    Sample("besiroglu_like.csv", 2, "loss", spans="N 100M to 400M, D 2B to 4B, C 1.2e18 to 9.6e18", problems=3, source="Besiroglu et al. 2024, data release"),
    Sample("clark_like.csv", 2, "loss_validation", 6, 12, "N 25M to 25M, D 5.24B to 10.5B", source="Clark et al. 2022, data release"),
    Sample("isoflop_like.csv", 3, "loss", spans="N 50M to 100M, D 1B to 2B, C 6e17 to 6e17", source="isoFLOP pool", sets=(("-web-base", 2), ("-code-base", 1))),
    Sample("lightning.csv", 1, "val_loss", 4, 8, "D 2M to 2M", (ONE, NO_N)),
    # Trainers' console logs
    Sample("logs/megatron_moe.log", 1, "lm loss validation", 2, 7, "N 182M to 182M, D 16.8M to 16.8M", (ONE,), rule=("tokens", "D = consumed samples x seq_length")),
    Sample("logs/megatron_dense.log", 1, "lm loss", 2, 2, "N 182M to 182M, D 2.62M to 2.62M", (ONE,), rule=("tokens", "D = consumed samples x seq_length")),
    Sample("logs/torchtitan.log", 1, "validation loss", 1, 4, "N 6.14M to 6.14M, D 393K to 393K", ("3 lines of further ranks repeat steps and are passed over.",)),
    Sample("logs/nanogpt.log", 1, "val loss", 2, 8, "N 124M to 124M, D 9.83M to 9.83M", (ONE,)),
    Sample("logs/litgpt.log", 1, "val loss", 1, 4, "N 14.1M to 14.1M, D 2.1M to 2.1M", (ONE,)),
    Sample("logs/litgpt_metrics.csv", 1, "val_loss", 1, 5, "D 4.19M to 4.19M", (ONE, NO_N)),
    Sample("logs/maxtext.log", 1, "eval loss", 1, 4, "N 1.23B to 1.23B, D 1.97M to 1.97M", (ONE,)),
    Sample("logs/olmo_core.log", 1, "eval/lm/c4_en-validation/CE loss", 1, 4, "N 113M to 113M, D 629M to 629M", (ONE,)),
    # Hugging Face
    Sample("hf/trainer_state.json", 1, "eval_loss", 1, 4, "C 1.5e15 to 1.5e15", (NO_N, NO_D)),
    Sample("hf/trainer_state_seen.json", 1, "eval_loss", 1, 4, "D 246K to 246K, C 1.5e15 to 1.5e15", (NO_N,)),
    Sample("hf/trainer_state.json hf/llama_config.json", 1, "eval_loss", 1, 4, "N 6.48B to 6.48B, C 1.5e15 to 1.5e15", (NO_D,)),
    *(
        Sample(f"hf/trainer_state_seen.json hf/{kind}_config.json", 1, "eval_loss", 1, 4, f"N {n} to {n}, D 246K to 246K", (note,), offers=offers)
        for kind, n, note, offers in (
            ("llama", "6.48B", "1 configuration file joined to the logs of their folders.", ""),
            ("qwen3_moe", "1.13B", 'total_flos" counts all experts of a mixture, not the active ones', "training FLOPs"),
            ("deepseek_v3", "35.6B", 'total_flos" counts all experts of a mixture, not the active ones', "training FLOPs"),
            ("olmoe", "1.88B", 'total_flos" counts all experts of a mixture, not the active ones', "4"),
            ("mixtral", "12.6B", 'total_flos" counts all experts of a mixture, not the active ones', "4"),
            ("gpt_oss", "4.54B", 'total_flos" counts all experts of a mixture, not the active ones', "4"),
        )
    ),
    # Weights & Biases
    Sample("tables/wandb_runs.csv", 3, "eval/paloma/macro_loss", spans="N 50.3M to 201M, D 500M to 2B, C 6e17 to 6e17", notes=(PRIVATE,), problems=1),
    Sample("tables/wandb_moe.csv", 2, "eval/ppl", spans="D 500M to 500M", notes=(NO_N, PRIVATE), offers="looks like perplexity"),
    Sample("tables/wandb_chart.csv", 2, "train/loss", 5, 5, notes=(NO_N, NO_D, "A chart of 2 runs: its columns are taken apart by run. W&B samples the points of charts.")),
    Sample("tables/wandb_chart.csv tables/wandb_chart_runs.csv", 2, "train/loss", 5, 5, "N 100M to 100M, D 3B to 3B",
           ("Joined by the run's name (\"run\" and \"Name\"): 2 of 2 runs found.",)),
    Sample("tables/wandb_history.jsonl", 1, "eval/loss", 1, 4, "N 100M to 100M, D 30M to 30M", (PRIVATE,)),
    Sample("tables/wandb_config.jsonl", 2, "summary.eval/loss", spans="N 100M to 200M, D 2B to 2B", notes=(PRIVATE,)),
    Sample("tables/OLMo-190M_wandb.csv", 1, "eval/c4_en-validation/CrossEntropyLoss", 1, 4, "N 190M to 190M, D 8.39M to 8.39M", (ONE,)),
    # Releases
    Sample("tables/gemstones.jsonl", 2, "final_loss", 6, 6, "N 25.2M to 201M, D 3B to 3B"),
    Sample("tables/misfitting.csv", 2, "C4 Eval Loss", 4, 8, "N 12M to 35M, D 500M to 500M, C 3.6e16 to 1e17"),
    Sample("tables/overflow.csv", 2, "loss", spans="N 4B to 8B, D 80B to 160B, C 1.5e18 to 6.2e18", problems=1, offers="64"),
    # Trackers
    Sample("trackers/mlflow.db", 2, "metrics.val_loss", 2, 8, "N 100M to 200M, D 30M to 30M", (PRIVATE,)),
    Sample("trackers/mlflow_runs.csv", 2, "metrics.val_loss", spans="N 100M to 200M, D 30M to 30M", notes=(PRIVATE,)),
    Sample("trackers/trackio.db", 2, "train/loss", 6, 6, "N 100M to 200M, D 30M to 30M"),
    Sample("trackers/tb", 2, "lm loss", 6, 7, "D 123K to 123K", (NO_N,)),
    Sample("trackers/lightning", 1, "val_loss", 1, 4, "N 1M to 1M, D 30M to 30M", (PRIVATE,)),
]  # fmt: skip
NO_RUNS = {
    "tables/wandb_chart_runs.csv": "wandb_chart_runs.csv: no column holds the loss, as far as their names and contents tell. Map one of Name, "
    "parameter_count, tokens, model.num_experts to the loss.",
    "hf/llama_config.json": "llama_config.json is the configuration of a model and holds no run: give it together with the log of its run",
}
"""Samples that only stand beside a log."""
NO_UPLOADS = {"trackers/mlflow_answers.json", "hf_counts.json"}
"""What a tracking server answers, read by `lawlib.ingest.remote.mlflow_server`; counts of the real library."""
CASES = ("nanotron.log", "neox.log", "nemo2.log", "hf_stdout.log", "long_run_tag.csv", "lm_eval_results.json")
"""Of the once misread logs those of a format of their own; test_cases.py reads all."""
ALIKE = [*sorted(p.relative_to(DATA).as_posix() for p in (DATA / "dialects").iterdir()), *(f"cases/{name}" for name in CASES)]
"""Further dialects: the page has to say of them what the library reads, whose right values other tests hold."""


OFFERED = (
    """() => [...document.querySelectorAll('[data-testid="stMain"] :has(> * [class*="st-key-fix_"])')].map(e => e.innerText)"""
)
"""The words around the buttons of suggestions: Playwright's own `:has` takes a second."""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory) -> Iterator[Page]:
    """One page for all of them, on a server of their own; its `guard` is checked after each."""
    with running(tmp_path_factory.mktemp("importers")) as server:
        context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900}, locale="en-US")
        context.set_default_timeout(1000 * PAGE_SECONDS)
        page = context.new_page()
        page.guard = Guard(server, page)
        page.guard.watch(context)
        yield page
        context.close()


def given(files: str) -> list[dict]:
    """The files as a browser uploads them, a folder as a zip."""
    found = []
    for path in (DATA / name for name in files.split()):
        name, content = path.name, b""
        if path.is_dir():
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
                for inner in sorted(p for p in path.rglob("*") if p.is_file()):
                    archive.writestr(f"{path.name}/{inner.relative_to(path).as_posix()}", inner.read_bytes())
            name, content = f"{path.name}.zip", buffer.getvalue()
        found.append({"name": name, "mimeType": "application/octet-stream", "buffer": content or path.read_bytes()})
    return found


def upload(page: Page, files: str) -> None:
    """Opens the Upload page anew and drops the files on it."""
    page.goto("/upload")
    settle(page)
    page.locator(".st-key-file input[type=file]").set_input_files(given(files))
    page.get_by_text("What was understood").wait_for(timeout=SLOW)  # `expect` would describe the whole page at each look
    settle(page)


def test_every_sample_is_uploaded_here():
    files = {p.relative_to(DATA).as_posix() for p in DATA.rglob("*") if p.is_file() and p.parent.name != "cases"}
    names = {name for sample in SAMPLES for name in sample.files.split()} | NO_RUNS.keys() | NO_UPLOADS | set(ALIKE)
    assert [f for f in files if f not in names and not any(f.startswith(f"{name}/") for name in names)] == []


@pytest.mark.parametrize(
    "sample", SAMPLES, ids=lambda s: s.files.rpartition("/")[2] if " " not in s.files else s.files.replace(" ", "+")
)
def test_a_sample_is_read_told_and_stored(page, sample):
    upload(page, sample.files)
    said = answer(page)
    assert said.startswith(f"{sample.n_runs} runs"), said
    points = re.search(
        r"([\d,]+) curve points of (.+?)(?: \(\d+ without a value\))?(?:, (\d+) with \d+ other loss(?:es)?)?(?:: |\.$)", said
    )
    assert bool(points) == bool(sample.n_points), said
    if points:
        assert (int(points[1]), points[2], int(points[3] or points[1])) == (sample.n_points, sample.loss, sample.n_all), said
    assert sample.spans in said, said
    understood = by_quantity(page)
    assert understood["loss"][0].startswith(sample.loss)
    if sample.rule[0]:
        assert understood[sample.rule[0]][2] == sample.rule[1]
    words = page.get_by_test_id("stMain").inner_text()
    for note in sample.notes:
        assert note in words, note
    assert (NO_N in words) == (NO_N in sample.notes)
    assert (NO_D in words) == (NO_D in sample.notes)
    offered = " ".join(page.evaluate(OFFERED))
    assert sample.offers in offered, offered
    button = page.locator(".st-key-store_button button")
    if sample.problems:
        expect(page.get_by_text(re.compile(rf"^{sample.problems} rows? ha(s|ve) problems"))).to_be_visible()
        assert len({row[0] for row in rows(page, "line")}) == sample.problems
        expect(button).to_be_disabled()
        page.locator(".st-key-consent label").click()
        expect(button).to_be_enabled(timeout=SLOW)
        settle(page)
    name = "sample " + re.sub(r"\W+", " ", sample.files).strip()
    data_set_name(page).fill(name)
    button.click()
    stored = page.get_by_test_id("stAlertContentSuccess")
    more = f", {sample.n_all:,} curve points" if sample.n_all else ""
    dataset = name.replace(" ", "-").lower()
    sets = sample.sets or (("", sample.n_runs),)
    expect(stored).to_have_text([re.compile(rf"Stored {n} runs{more} as {dataset}{end}\.") for end, n in sets], timeout=SLOW)
    for end, n in sets:
        expect(page.get_by_label(f"{dataset}{end}: {n} runs, {sample.n_all} curve points")).to_have_value(
            name + end.replace("-", " ", 1)
        )
    dataset += sets[0][0]
    expect(page.get_by_test_id("stSidebar")).to_contain_text(f"{name}{sets[0][0].replace('-', ' ', 1)} · uploaded")
    settle(page)
    if sample.source:
        page.goto(f"/runs?dataset={dataset}")
        settle(page)
        expect(page.get_by_text(re.compile(f"source: {re.escape(sample.source)}"))).to_be_visible()
    page.guard.check()


@pytest.mark.parametrize("files", NO_RUNS)
def test_a_sample_without_runs_is_told_what_it_lacks(page, files):
    upload(page, files)
    assert answer(page) == "The file was read, but no runs were found in it."
    expect(page.get_by_test_id("stAlertContentError")).to_contain_text(NO_RUNS[files])
    expect(page.locator(".st-key-store_button")).to_have_count(0)
    page.guard.check()


@pytest.mark.parametrize("file", ALIKE, ids=lambda file: file.rpartition("/")[2])
def test_the_page_says_of_a_file_what_the_library_reads(page, file):
    path = DATA / file
    page.goto("/upload")
    settle(page)
    page.locator(".st-key-file input[type=file]").set_input_files(given(file))
    try:
        table = open_table(path.read_bytes(), path.name)
        found = build(table, detect(table))
    except ReadError as error:
        expect(page.get_by_test_id("stAlertContentError")).to_contain_text(str(error)[:60], timeout=SLOW)
        page.guard.check()
        return
    page.get_by_text("What was understood", exact=True).wait_for(timeout=SLOW)
    settle(page)
    assert answer(page).startswith(f"{len(found.runs)} run")
    assert by_quantity(page)["loss"][0]
    page.guard.check()


def test_no_table_offers_streamlit_s_own_csv(page):
    """It is written in the browser, as the cells are, also where one begins like a formula."""
    upload(page, "moe_runs.csv")
    page.get_by_test_id("stDataFrame").first.hover()
    buttons = page.get_by_test_id("stElementToolbarButton")
    expect(buttons.filter(has=page.get_by_label("Fullscreen")).first).to_be_visible()
    download = page.locator('[data-testid="stElementToolbarButton"] [aria-label^="Download as CSV"]')
    assert download.count()  # where it is gone for good the rule in ui/frame/look.py may go too
    assert not any(button.is_visible() for button in download.all())
    page.guard.check()
