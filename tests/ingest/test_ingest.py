"""From a file to canonical runs: what is mapped to what, what is computed, what is left out and in which sentence."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import ReadError
from lawlib.ingest import (
    QUANTITIES,
    UNITS,
    Import,
    Mapping,
    ReadWarning,
    RowProblem,
    Source,
    build,
    detect,
    open_table,
    read_runs,
)
from lawlib.runs.canonical import COLUMNS, CURVE_COLUMNS

DATA = Path(__file__).parents[1] / "data"


def read(text: str | Path) -> Import:
    table = open_table(text, text.name) if isinstance(text, Path) else open_table(text.encode(), "f.csv")
    mapping = detect(table)
    assert Mapping.from_json(mapping.to_json()) == mapping
    return build(table, mapping)


def sources(header: str, *rows: str) -> dict[str, str]:
    """Quantity: column, with its unit, as detected."""
    mapping = detect(open_table("\n".join([header, *rows]).encode(), "f.csv"))
    return {q: f"{s.column} [{s.unit}]" if s.unit else s.column for q, s in mapping.sources.items()}


def test_a_table_of_moe_runs_comes_in_exactly():
    found = read(DATA / "moe_runs.csv")
    runs = found.runs
    assert list(runs.columns) == list(COLUMNS)
    assert runs["name"].tolist() == ["moe-a", "moe-b", "dense-a"]
    assert runs["arch"].tolist() == ["moe", "moe", "dense"]
    assert runs["status"].tolist() == ["crashed", "finished", "finished"]
    expected = {
        "n_active": [1e8, 1e8, 1e8],
        "n_total": [4e8, 4e8, 1e8],
        "n_experts": [32, 32, 1],
        "granularity": [4, 4, 1],
        "expansion": [8, 8, 1],
        "top_k": [4, 4, 1],
        "tokens": [2e9, 4e9, 2e9],
        "flops": [1.2e18, 2.4e18, 1.2e18],
        "loss": [3.25, 3.125, 3.5],
        "d_model": [512, 512, 512],
        "seed": [1, 1, 2],
    }
    for column, values in expected.items():
        assert runs[column].tolist() == values, column
    assert runs["loss_name"].eq("eval/loss").all()
    assert [json.loads(e) for e in runs["extra"]] == [
        {"train/loss": 3.1, "lr": 3e-4, "note": "first"},
        {"train/loss": 3.0, "lr": 3e-4},
        {"train/loss": 3.4, "lr": 3e-4, "note": "007"},
    ]
    assert found.problems == [
        RowProblem(6, "eval/loss", "NaN", "The loss is missing."),
        RowProblem(7, "throughput/total_tokens", "", "The token count is missing."),
        RowProblem(8, "N_active", "about 100M", "N (active) must be a number, this is text."),
        RowProblem(9, "throughput/total_tokens", "-4B", "The token count must be a positive finite number."),
        RowProblem(10, "", '"ragged","failed","512"', "The line has 3 cells, the header 15."),
    ]
    assert found.n_duplicates == 1
    assert any("1 run equal to an earlier one, read once (first lines: 5)" in note for note in found.notes)
    assert found.curves.empty
    assert list(found.curves.columns) == list(CURVE_COLUMNS)
    assert found.groups == {}
    assert found.suggestions == []


def test_every_number_of_a_run_has_its_derivation():
    found = read(DATA / "moe_runs.csv")
    runs = found.runs.set_index("run_id")
    for run_id, story in found.derivations.groupby("run_id"):
        numbers = {q for q in lawlib.runs.NUMBERS if not np.isnan(runs.at[run_id, q])}
        assert sorted(story["quantity"]) == sorted(numbers | {"arch"})
    story = found.derivations.set_index(["run_id", "quantity"]).loc[found.runs["run_id"][2]]
    assert tuple(story.loc["flops"]) == ("throughput/total_gflops", 1e9, "logged in GFLOP")
    assert tuple(story.loc["n_total"]) == ("N_active", 1.0, "dense: n_total = n_active")
    assert tuple(story.loc["granularity"]) == ("", 1.0, "1 for dense runs")
    assert tuple(story.loc["arch"]) == ("Experts", 1.0, "moe where n_experts > 1, dense where it is 1")


def test_clarks_columns_are_read_as_the_paper_says():
    found = read(DATA / "clark_like.csv")
    runs = found.runs
    assert runs["arch"].tolist() == ["dense", "moe"]
    assert runs["n_active"].tolist() == [25e6, 25e6]
    assert runs["n_total"].tolist() == [25e6, 100e6]
    assert runs["n_layers"].tolist() == [8, 8]
    assert runs["granularity"].tolist() == [1, 1]
    assert runs["expansion"].tolist() == runs["n_experts"].tolist() == [1, 8]
    assert runs["top_k"].tolist() == [1, 2]
    assert runs["loss"].tolist() == [3.0, 3.125]  # the second run's last loss is missing
    assert runs["tokens"].tolist() == [20000 * 256 * 2048, 10000 * 256 * 2048]
    assert runs["flops"].tolist() == [3 * 2e13 * 20000, 3 * 3e13 * 10000]
    assert json.loads(runs["extra"][1])["router_type"] == "S-BASE"
    assert json.loads(runs["extra"][1])["step"] == 10000
    curve = found.curves[(found.curves["run_id"] == runs["run_id"][1]) & (found.curves["split"] == "loss_validation")]
    assert curve["step"].tolist() == [0, 10000, 20000]
    assert curve["tokens"].tolist() == [0, 10000 * 256 * 2048, 20000 * 256 * 2048]
    np.testing.assert_array_equal(curve["loss"], [10.75, 3.125, np.nan])
    assert set(found.curves["split"]) == {"loss_validation", "loss_c4"}
    assert '1 of 6 points of "loss_validation" have no value; they stay empty.' in found.notes
    assert any("1 run with k > 1 or flop_increase > 1 use more parameters per token" in n for n in found.notes)
    assert found.problems == []
    assert found.suggestions == []


def test_besiroglus_columns_give_tokens_from_flops_and_blanks_are_told():
    found = read(DATA / "besiroglu_like.csv")
    assert found.runs["tokens"].tolist() == [1.2e18 / 6e8, 9.6e18 / (6 * 4e8)]
    assert found.runs["arch"].eq("dense").all()
    assert found.runs["n_total"].tolist() == found.runs["n_active"].tolist() == [1e8, 4e8]
    assert [(p.line, p.column) for p in found.problems] == [
        (3, "Training FLOP"),
        (4, "Training FLOP"),
        (4, "Model Size"),
        (5, "loss"),
    ]
    assert found.problems[0].reason == "The token count cannot be computed by D = C/(6N)."
    rule = found.derivations.query("quantity == 'tokens'").iloc[0]
    assert (rule["column"], rule["rule"]) == ("Training FLOP, Model Size", "D = C/(6N)")


def test_isoflop_pools_keep_their_experiments_apart_and_their_outliers_out():
    found = read(DATA / "isoflop_like.csv")
    ids = found.runs["run_id"].tolist()
    assert found.groups == {"web-base": ids[:2], "code-base": ids[2:]}
    assert found.runs["excluded"].tolist() == [False, True, False]
    assert found.runs["exclude_reason"].tolist() == ["", "diverged", ""]
    assert found.runs["flops"].tolist() == [6e17] * 3
    assert json.loads(found.runs["extra"][0])["model"] == "llama"


def test_decimal_commas_and_dots_between_thousands():
    found = read(DATA / "german.csv")
    assert found.runs["loss"].tolist() == [3.245, 3.1]
    assert found.runs["n_active"].tolist() == [1e8, 2e8]
    assert found.problems == [RowProblem(4, "N", "1.234", "N must be a number, this is text.")]  # 1,234 or 1.234?


def test_the_same_runs_from_any_format(tmp_path):
    frame = pd.DataFrame({"name": ["a", "b"], "N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.5, 3.25], "lr": [0.001, 0.002]})
    paths = [tmp_path / f"runs.{end}" for end in ("csv", "csv.gz", "tsv", "json", "jsonl", "parquet")]
    frame.to_csv(paths[0], index=False)
    frame.to_csv(paths[1], index=False)
    frame.to_csv(paths[2], index=False, sep="\t")
    frame.to_json(paths[3])
    frame.to_json(paths[4], orient="records", lines=True)
    frame.to_parquet(paths[5])
    runs = [read_runs(path) for path in paths]
    for other in runs[1:]:
        pd.testing.assert_frame_equal(other, runs[0])
    assert runs[0]["run_id"].is_unique


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("N,D,L", "1,2,3", {"n_params": "N", "tokens": "D", "loss": "L"}),
        ("Non-Embedding Params,train tokens,LOSS", "1,2,3", {"n_params": "Non-Embedding Params", "tokens": "train tokens", "loss": "LOSS"}),
        ("n_PARAMS,num-train-tokens,val loss", "1,2,3", {"n_params": "n_PARAMS", "tokens": "num-train-tokens", "loss": "val loss"}),
        ("N (M),tokens_b,pf_days,loss", "1,2,3,4", {"n_params": "N (M) [million]", "tokens": "tokens_b [billion]", "flops": "pf_days [PF-days]", "loss": "loss"}),
        ("params in billions,D [T],Training compute (EFLOP),loss", "1,2,3,4", {"n_params": "params in billions [billion]", "tokens": "D [T] [trillion]", "flops": "Training compute (EFLOP) [EFLOP]", "loss": "loss"}),
        ("config.n_params.value,summary.loss", "1,2", {"n_params": "config.n_params.value", "loss": "summary.loss"}),
        ("model.hidden_dim,throughput/total_tokens,loss", "1,2,3", {"d_model": "model.hidden_dim", "tokens": "throughput/total_tokens", "loss": "loss"}),
        ("N,N_no_emb,loss", "1,2,3", {"n_params": "N_no_emb", "loss": "loss"}),
        ("params,active_params,total_params,loss", "1,2,3,4", {"n_active": "active_params", "n_total": "total_params", "loss": "loss"}),
        ("E,loss", "8,3", {"n_experts": "E", "loss": "loss"}),
        ("E,G,loss", "8,4,3", {"expansion": "E", "granularity": "G", "n_experts": "", "loss": "loss"}),
        ("num_experts,E,G,loss", "32,8,4,3", {"n_experts": "num_experts", "expansion": "E", "granularity": "G", "loss": "loss"}),
        ("train/loss,eval/loss", "3,4", {"loss": "eval/loss"}),
        ("loss,lm loss,load_balancing_loss,loss scale,z_loss", "1,2,3,4,5", {"loss": "lm loss"}),
        ("total_loss,loss", "1,2", {"loss": "loss"}),
        ("tflops,flops_per_step,throughput/gflops,loss", "1,2,3,4", {"loss": "loss"}),
        ("model,size,loss", "350M,x,3", {"name": "model", "loss": "loss"}),
        ("N,loss", "small,3", {"loss": "loss"}),
        ("val_loss,loss", "n/a,3", {"loss": "loss"}),
        ("run_id,steps,loss", "a,100,3", {"name": "run_id", "loss": "loss"}),
    ],
)  # fmt: skip
def test_columns_are_found_by_their_names(header, row, expected):
    assert sources(header, row) == expected


def test_e_beside_granularity_is_the_expansion_and_that_is_said():
    found = read("E,G,N,D,loss\n8,4,1e8,2e9,3\n")
    run = found.runs.iloc[0]
    assert (run["n_experts"], run["expansion"], run["granularity"]) == (32, 8, 4)
    rules = found.derivations.set_index("quantity")["rule"]
    assert rules["expansion"] == "E beside a granularity column is read as the expansion n_experts / G"
    assert rules["n_experts"] == "n_experts = E x G"


def test_a_count_that_is_not_said_to_be_active_is_taken_as_active_and_that_is_said():
    found = read("N,n_experts,D,loss\n1e8,8,2e9,3\n2e8,1,2e9,3\n")
    assert found.runs["n_active"].tolist() == [1e8, 2e8]
    np.testing.assert_array_equal(found.runs["n_total"], [np.nan, 2e8])
    rules = found.derivations.query("quantity == 'n_active'")["rule"].tolist()
    assert rules == ["not said to count active or all parameters: taken as active", "dense: all are active"]
    assert '"N" does not say whether it counts active or all parameters; for 1 MoE run it is taken as active.' in found.notes


def test_a_count_that_is_not_needed_stays_with_the_run():
    found = read("params,active_params,D,loss\n4e8,1e8,2e9,3\n")
    assert found.runs["n_active"].tolist() == [1e8]
    assert json.loads(found.runs["extra"][0]) == {"params": 4e8}


def test_architecture_comes_from_its_column_first():
    found = read("arch,n_experts,N,D,loss\nMoE,8,1,2,3\nDense,,1,3,3\nllama,1,1,4,3\nllama,,1,5,3\n")
    assert found.runs["arch"].tolist() == ["moe", "dense", "dense", ""]
    assert [json.loads(e)["arch"] for e in found.runs["extra"][2:]] == ["llama", "llama"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "The loss is missing."),
        ("nan", "The loss is missing."),
        ("inf", "The loss must be a positive finite number."),
        ("0", "The loss must be a positive finite number."),
        ("-1", "The loss must be a positive finite number."),
        ("1e301", "The loss must be a positive finite number."),
        ("=HYPERLINK(1)", "The loss must be a number, this is text."),
        ('"3,25"', "The loss must be a number, this is text."),
        ("1 2", "The loss must be a number, this is text."),
        ("0x10", "The loss must be a number, this is text."),
    ],
)
def test_impossible_losses_are_problems_of_their_line(cell, reason):
    found = read(f"N,D,loss,x\n1e8,2e9,3,1.5\n1e8,2e9,{cell},1.5\n")
    assert len(found.runs) == 1
    assert found.problems == [RowProblem(3, "loss", cell.strip('"'), reason)]


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ("1e8,2e9,,3,", []),  # only the loss, N and tokens must be there
        ("1e8,2e9,NaN,3,", [("C", "The FLOP count is logged as NaN.")]),
        ("1e8,2e9,0,3,", [("C", "The FLOP count must be a positive finite number.")]),
        ("1e8,,1,3,", [("D", "The token count is missing.")]),
        (",2e9,1,3,", [("N", "N is missing.")]),
        ("-1,inf,x,,", [("C", "The FLOP count must be a number, this is text."), ("D", "The token count must be a positive finite number."), ("N", "N must be a positive finite number."), ("loss", "The loss is missing.")]),
        ("1e8,2e9,1,3,abc", [("seed", "The seed must be a number, this is text.")]),
    ],
)  # fmt: skip
def test_each_fault_of_a_row_is_told(row, problems):
    found = read(f"N,D,C,loss,seed\n1e8,2e9,1e18,3,1\n1e8,2e9,1e18,3,2\n{row}\n")
    assert sorted((p.column, p.reason) for p in found.problems) == problems
    assert len(found.runs) == 2 + (not problems)


def test_an_n_total_is_not_needed_where_n_active_is_known():
    found = read("active_params,total_params,n_experts,D,loss\n1e8,,8,2e9,3\n,2e8,1,2e9,3\n,4e8,8,2e9,3\n")
    assert found.runs["n_active"].tolist() == [1e8, 2e8]
    assert [(p.line, p.reason) for p in found.problems] == [(4, "N (active) is missing.")]


def test_runs_that_differ_only_outside_the_content_hash_stay_two():
    found = read("N,D,loss,d_model\n1e8,2e9,3,512\n1e8,2e9,3,768\n")
    assert found.runs["run_id"].is_unique
    assert len(found.runs) == 2
    assert found.n_duplicates == 0


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("name,N,D,loss\na,1e8,2e9,3\na,2e8,2e9,3\n", '1 name used by more than one run (first: "a").'),
        ("N,D,loss\n1e8,2e9,3\n", "The file holds one run only: a fit needs more."),
        ("N,D,loss\n1e8,2e9,3\n1e8,3e9,3\n", "All runs have N = 1e+08: the exponent of N cannot be fitted from them."),
        ("D,loss\n2e9,3\n", "No column is mapped to the number of parameters: fits need it."),
        ("N,loss\n2e9,3\n", "No column is mapped to the training tokens: fits need them."),
        ("N,D,loss,lr\n1e8,2e9,3,1\n", "Kept with each run as extra: lr."),
        ("N,D,loss,aux_loss\n1e8,2e9,3,1\n", '"loss" may include the auxiliary loss of "aux_loss": check what was logged.'),
    ],
)
def test_what_a_fit_should_know_is_noted(text, note):
    assert note in read(text).notes


def test_a_corrected_mapping_is_followed():
    table = open_table(b"a,b,c,d\n1,2,3,1.1\n", "f.csv")
    mapping = detect(table)
    for quantity, source in {
        "n_active": Source("a", "billion"),
        "tokens": Source("b", "trillion"),
        "flops": Source("c", "PF-days"),
        "loss": Source("d", "bits per byte", bytes_per_token=4.0),
        "arch": Source(value="dense"),
    }.items():
        mapping = mapping.with_source(quantity, source)
    assert Mapping.from_json(mapping.to_json()) == mapping
    run = build(table, mapping).runs.iloc[0]
    assert (run["n_active"], run["n_total"], run["tokens"], run["flops"]) == (1e9, 1e9, 2e12, 3 * 8.64e19)
    assert run["loss"] == pytest.approx(1.1 * np.log(2) * 4)
    perplexity = mapping.with_source("loss", Source("d", "perplexity"))
    assert build(table, perplexity).runs["loss"].tolist() == [pytest.approx(np.log(1.1))]
    bits = mapping.with_source("loss", Source("d", "bits per token"))
    assert build(table, bits).runs["loss"].tolist() == [pytest.approx(1.1 * np.log(2))]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"loss": None}, "no column holds the loss.* Map one of N, D, C, loss to the loss"),
        ({"loss": Source("los")}, 'has no column "los", which the mapping takes loss from. Its columns are: N, D, C, loss'),
        ({"loss": Source("loss", "joules")}, '"joules" is no unit of loss: choose one of nats per token, bits per token'),
        ({"tokens": Source("D", "dozen")}, '"dozen" is no unit of tokens: choose one of 1, thousand'),
        ({"seed": Source("D", "million")}, '"million" is no unit of seed'),
        ({"loss": Source("loss", "bits per byte")}, "need the tokenizer's bytes per token"),
        ({"loss": Source("loss", "bits per byte", bytes_per_token=0.0)}, "need the tokenizer's bytes per token"),
        ({"tokens": Source(rule="D = C/(6N)"), "flops": Source(rule="C = 6ND")}, "flops and n_active must come|cannot be computed"),
        ({"flops": Source("C", rule="C = 3 x flops_per_step x step (flops_per_step is forward only)")}, "no column is mapped to the step"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_is_refused(change, sentence):
    table = open_table(b"N,D,C,loss\n1e8,2e9,1e18,3\n", "f.csv")
    mapping = detect(table)
    for quantity, source in change.items():
        mapping = mapping.with_source(quantity, source)
    with pytest.raises(ReadError, match=sentence):
        build(table, mapping)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "3", "{" * 5000, '{"reader": 1, "sources": {}, "run_columns": [], "loss_columns": []}',
     '{"reader": "plain", "sources": {"mass": {}}, "run_columns": [], "loss_columns": []}',
     '{"reader": "plain", "sources": {"loss": {"column": 3}}, "run_columns": [], "loss_columns": []}',
     '{"reader": "plain", "sources": {"loss": {"bytes_per_token": "4"}}, "run_columns": [], "loss_columns": []}',
     '{"reader": "plain", "sources": {}, "run_columns": "name", "loss_columns": []}'],
)  # fmt: skip
def test_other_text_is_no_mapping(text):
    with pytest.raises(ReadError, match="This is not a mapping of columns"):
        Mapping.from_json(text)


def test_units_and_quantities_fit_together():
    assert set(UNITS) <= set(QUANTITIES)
    assert UNITS["flops"]["forward-only GFLOP"] == 3e9
    with pytest.raises(ReadError, match='"mass" is no quantity of a run'):
        Mapping("plain").with_source("mass", Source("m"))


def test_read_runs_warns_once_with_count_and_first_reasons():
    with pytest.warns(ReadWarning) as caught:
        runs = lawlib.read_runs(DATA / "moe_runs.csv")
    assert len(runs) == 3
    assert [str(w.message) for w in caught] == [
        "moe_runs.csv: 5 lines left out. Line 6: The loss is missing. Line 7: The token count is missing. "
        "Line 8: N (active) must be a number, this is text. And 2 more."
    ]
    assert caught[0].filename == __file__


def test_read_runs_is_silent_where_all_is_well_and_applies_no_suggestion(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,eval ppl\n1e8,2e9,25\n2e8,2e9,20\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_runs(str(path))["loss"].tolist() == [25, 20]


def test_read_runs_of_a_file_without_runs_is_an_error(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("N,D,loss\n1e8,2e9,0\n")
    with pytest.raises(ReadError, match=r"none of its rows is a run, 1 line with problems\. Line 2: The loss must be"):
        read_runs(path)


def test_texts_of_users_are_data_and_stay_as_they_are():
    found = read('name,N,D,loss,note\n"<script>alert(1)</script>",1e8,2e9,3,"=cmd|\' /C calc\'!A0"\n')
    assert found.runs["name"].tolist() == ["<script>alert(1)</script>"]
    assert json.loads(found.runs["extra"][0]) == {"note": "=cmd|' /C calc'!A0"}


def test_clarks_release(test_data):
    table = open_table(test_data / "clark2022_curves.csv.gz", "clark2022_curves.csv.gz")
    found = build(table, detect(table))
    assert len(found.runs) == found.runs["run_id"].nunique() == 223
    validation = found.curves[found.curves["split"] == "loss_validation"]
    assert len(validation) == 5799
    assert validation["loss"].isna().sum() == 8
    assert '8 of 5,799 points of "loss_validation" have no value; they stay empty.' in found.notes
    assert any("17 runs with k > 1 or flop_increase > 1" in note for note in found.notes)
    assert found.problems == []
    assert found.suggestions == []
    raw = pd.read_csv(test_data / "clark2022_curves.csv.gz")
    last = raw[raw["loss_validation"].notna()].groupby("hyper_id").tail(1).set_index("hyper_id")
    ours = found.runs.assign(hyper_id=[json.loads(e)["hyper_id"] for e in found.runs["extra"]]).set_index("hyper_id")
    ours = ours.loc[last.index]
    np.testing.assert_allclose(ours["loss"], last["loss_validation"], rtol=1e-15)
    np.testing.assert_allclose(ours["flops"], 3 * last["flops_per_step"] * last["step"], rtol=1e-15)
    np.testing.assert_array_equal(ours["tokens"], 524288 * last["step"])


def test_besiroglus_release(test_data):
    runs = read_runs(test_data / "chinchilla_extracted.csv")
    assert len(runs) == 245
    np.testing.assert_allclose(6 * runs["n_active"] * runs["tokens"], runs["flops"], rtol=1e-12)


def test_marins_table(test_data):
    runs = read_runs(test_data / "marin_moe_isoflop.csv")
    assert runs["n_experts"].value_counts().to_dict() == {64: 47, 256: 15}
    assert runs["loss_name"].eq("paloma_macro_loss").all()
