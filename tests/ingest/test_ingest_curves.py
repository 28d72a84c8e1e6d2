"""Files with several rows a run: curves, last states, and what tells runs apart."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lawlib import ReadError
from lawlib.ingest import Import, RowProblem, Source, build, detect, open_table

DATA = Path(__file__).parents[1] / "data"


def read(text: str) -> Import:
    table = open_table(text.encode(), "f.csv")
    return build(table, detect(table))


def curve(found: Import, run: int, split: str, column: str = "loss") -> list[float]:
    points = found.curves
    return points.loc[(points["run_id"] == found.runs["run_id"][run]) & (points["split"] == split), column].tolist()


def test_rows_of_one_step_are_joined_and_sparse_losses_keep_their_points_only():
    table = open_table(DATA / "lightning.csv", "lightning.csv")
    found = build(table, detect(table))
    assert found.runs[["tokens", "loss"]].values.tolist() == [[2e6, 3.25]]
    assert found.runs["loss_name"].tolist() == ["val_loss"]
    assert curve(found, 0, "train_loss") == [10.5, 4.5, 3.5, 3.0]
    assert curve(found, 0, "train_loss", "tokens") == [0, 1e6, 2e6, 3e6]
    np.testing.assert_array_equal(curve(found, 0, "val_loss"), [np.nan, 4.25, 3.25, np.nan])
    assert any('1 run without a value of "val_loss" at the last step' in note for note in found.notes)
    assert any("all rows are one run" in note for note in found.notes)
    assert "Not kept, as they change along the curves: epoch, lr." in found.notes
    assert found.problems == []


def test_the_last_state_with_a_loss_is_the_run_with_its_tokens_and_flops():
    found = read(
        "run,N,step,tokens,flops,loss\n"
        "a,1e8,0,0,0,11\na,,1,1e9,6e17,4\na,,2,2e9,1.2e18,3.5\na,,3,3e9,1.8e18,\n"
        "b,2e8,2,2e9,2.4e18,3.25\nb,2e8,1,1e9,1.2e18,4\nb,2e8,0,0,0,11\n"
    )
    assert found.runs["name"].tolist() == ["a", "b"]
    assert found.runs[["n_active", "tokens", "flops", "loss"]].values.tolist() == [
        [1e8, 2e9, 1.2e18, 3.5],
        [2e8, 2e9, 2.4e18, 3.25],
    ]
    assert curve(found, 1, "loss", "step") == [0, 1, 2]  # the file has them backwards
    assert curve(found, 1, "loss") == [11, 4, 3.25]
    assert len(found.curves) == 7


def test_sparse_losses_in_most_rows_blank_keep_their_points_only():
    rows = "".join(f"a,{i},{i * 10},{4 - i / 10},{3 if i == 5 else ''}\n" for i in range(10))
    found = read("run,step,tokens,train_loss,val_loss\n" + rows)
    assert curve(found, 0, "val_loss") == [3]
    assert len(curve(found, 0, "train_loss")) == 10
    assert found.runs["tokens"].tolist() == [50]


def test_step_0_is_a_point_and_no_run():
    found = read("run,step,tokens,loss\na,0,0,11\na,1,10,4\nb,0,0,11\n")
    assert found.runs["name"].tolist() == ["a"]
    assert found.problems == [RowProblem(4, "loss", "11", "The run has no loss at a step after 0.")]


def test_bad_rows_are_left_out_of_the_curve_and_told():
    found = read(
        "run,step,tokens,loss,val_loss\na,1,10,4,4\na,2,x,3.9,4\na,3,-30,3.8,4\na,4,0,3.7,4\na,,50,3.6,4\n"
        "a,-1,60,3.5,4\na,7,70,3.4,oops\na,8,80,inf,3.5\na,9,90,3.3,3.25\na,inf,90,3.3,3\n"
    )
    assert curve(found, 0, "val_loss") == [4, 3.5, 3.25]  # an infinite training loss costs no other value
    assert found.runs["loss"].tolist() == [3.25]
    assert [(p.line, p.column, p.reason) for p in found.problems] == [
        (3, "tokens", "The token count must be a number, this is text."),
        (4, "tokens", "The token count must be a positive finite number."),
        (5, "tokens", "The token count must be a positive finite number."),
        (6, "step", "The step is missing."),
        (7, "step", "The step must be 0 or a positive finite number."),
        (8, "val_loss", "The loss must be a number, this is text."),
        (11, "step", "The step must be 0 or a positive finite number."),
    ]


def test_a_run_whose_last_state_lacks_tokens_is_a_problem():
    found = read("run,step,tokens,loss\na,1,10,4\na,2,,3\nb,1,10,4\nb,2,20,3\n")
    assert found.runs["name"].tolist() == ["b"]
    assert set(found.curves["run_id"]) == set(found.runs["run_id"])
    assert found.problems == [RowProblem(3, "tokens", "", "The token count is missing.")]


def test_settings_that_change_under_one_name_part_its_runs():
    found = read("name,N,step,tokens,loss\nx,1e8,1,1,4\nx,1e8,2,2,3\nx,2e8,1,1,3.9\nx,2e8,2,2,2.9\n")
    assert found.runs["n_active"].tolist() == [1e8, 2e8]
    assert found.runs["loss"].tolist() == [3, 2.9]
    assert any("told apart by name, N." in note for note in found.notes)


def test_without_names_the_settings_tell_runs_apart():
    found = read("N,seed,step,tokens,loss\n1e8,0,1,1,4\n1e8,1,1,1,4.1\n1e8,0,2,2,3\n1e8,1,2,2,3.1\n2e8,0,1,1,4\n2e8,0,2,2,3\n")
    assert found.runs[["n_active", "seed", "loss"]].values.tolist() == [[1e8, 0, 3], [1e8, 1, 3.1], [2e8, 0, 3]]


def test_a_column_that_no_quantity_has_may_tell_runs_apart():
    found = read("N,step,lr,tokens,loss\n1e8,1,0.1,1,4\n1e8,2,0.1,2,3\n1e8,1,0.2,1,4.1\n1e8,2,0.2,2,3.1\n")
    assert [json.loads(e) for e in found.runs["extra"]] == [{"lr": 0.1, "step": 2}, {"lr": 0.2, "step": 2}]


def test_one_row_a_run_is_no_curve_even_with_a_step_column():
    found = read("name,N,tokens,step,loss\na,1e8,1,10,4\nb,1e8,2,20,3\n")
    assert found.curves.empty
    assert len(found.runs) == 2
    assert json.loads(found.runs["extra"][0]) == {"step": 10}


def test_tokens_that_stand_still_are_the_whole_runs():
    found = read("name,step,train_tokens,loss\na,1,100,4\na,2,100,3\nb,1,200,4\nb,2,200,3\n")
    assert found.runs["tokens"].tolist() == [100, 200]
    assert found.curves["tokens"].isna().all()
    assert any(
        '"train_tokens" is the same at every step of a run: taken as the tokens of the whole run.' in n for n in found.notes
    )


def test_identical_rows_are_read_once_and_different_ones_of_a_step_are_told():
    found = read("name,step,tokens,loss\na,1,10,4\na,1,10,4\na,2,20,3\na,2,20,3.5\n")
    assert found.n_duplicates == 1
    assert found.runs["loss"].tolist() == [3.5]
    assert any("1 row identical to an earlier one, read once (first lines: 3)" in n for n in found.notes)
    assert any("1 step of a run with two or more different losses in the file: the last one is taken" in n for n in found.notes)


def test_perplexity_curves_are_converted_by_their_name_and_bits_per_byte_need_a_number():
    text = "name,step,tokens,val_loss,eval/ppl,val_bpb\na,1,10,4,54.598150033144236,1\na,2,20,3,20.085536923187668,0.75\n"
    found = read(text)
    assert curve(found, 0, "eval/ppl") == pytest.approx([4, 3])
    assert set(found.curves["split"]) == {"val_loss", "eval/ppl"}
    assert 'The curve of "val_bpb" is left out: bits per byte need the bytes per token.' in found.notes
    table = open_table(text.encode(), "f.csv")
    mapping = detect(table).with_source("loss", Source("val_bpb", "bits per byte", bytes_per_token=4))
    found = build(table, mapping)
    assert found.runs["loss"].tolist() == pytest.approx([0.75 * np.log(2) * 4])
    assert curve(found, 0, "val_loss") == [4, 3]


def test_another_loss_can_be_chosen():
    table = open_table(DATA / "clark_like.csv", "clark_like.csv")
    found = build(table, detect(table).with_source("loss", Source("loss_c4")))
    assert found.runs["loss"].tolist() == [3.25, 3.0]
    assert found.runs["loss_name"].eq("loss_c4").all()


def test_without_its_step_a_curve_file_is_a_table_of_runs():
    table = open_table(b"name,step,tokens,loss\na,1,10,4\na,2,20,3\n", "f.csv")
    assert len(build(table, detect(table)).runs) == 1
    assert len(build(table, detect(table).with_source("step", None)).runs) == 2


def test_run_columns_must_be_in_the_file():
    a = open_table(b"name,step,tokens,loss\na,1,10,4\na,2,20,3\n", "a.csv")
    b = open_table(b"nom,step,tokens,loss\na,1,10,4\na,2,20,3\n", "b.csv")
    with pytest.raises(ReadError, match=r'b\.csv has no column "name"'):
        build(b, detect(a))
    with pytest.raises(ReadError, match='no column "name" to tell its runs apart'):
        build(b, detect(a).with_source("name", None))


def test_many_runs_keep_their_own_points():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"run": np.repeat(np.arange(50), 20), "step": np.tile(np.arange(20), 50)})
    frame["tokens"] = frame["step"] * 100
    frame["loss"] = 2 + rng.random(len(frame))
    found = read(frame.sample(frac=1, random_state=0).to_csv(index=False))
    assert len(found.runs) == 50
    joined = found.curves.merge(found.runs[["run_id", "name"]], on="run_id")
    expected = frame.assign(name=frame["run"].astype("str")).merge(joined, on=["name", "step"])
    assert len(expected) == 1000
    np.testing.assert_allclose(expected["loss_x"], expected["loss_y"], rtol=1e-15)
