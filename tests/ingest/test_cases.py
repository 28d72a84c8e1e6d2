"""Logs that were once misread, one small file each (tests/data/cases/README.md): every one is read right, or refused by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lawlib import ReadError, read_runs
from lawlib.ingest import Import, Mapping, Table, build, detect, open_table, read_evaluations
from lawlib.runs import as_runs

CASES = Path(__file__).parents[1] / "data" / "cases"


@dataclass(frozen=True)
class Right:
    """The right values of a file: a number is that of every run, a sequence one a run, in the order of `names` (or of the file)."""

    n_runs: int
    loss_name: str = ""
    points: int | None = None  # of the loss, all runs together
    said: str = ""  # words that a note or suggestion has
    offered: str = ""  # code of a suggestion
    not_offered: Sequence[str] = ()
    names: Sequence[str] = ()
    last_step: float | None = None
    status: Sequence[str] = ()
    values: dict[str, float | Sequence[float]] = field(default_factory=dict)


def right(
    n_runs: int,
    loss_name: str = "",
    *,
    points: int | None = None,
    said: str = "",
    offered: str = "",
    not_offered: Sequence[str] = (),
    names: Sequence[str] = (),
    last_step: float | None = None,
    status: Sequence[str] = (),
    **values: float | Sequence[float],
) -> Right:
    return Right(n_runs, loss_name, points, said, offered, not_offered, names, last_step, status, values)


RIGHT = {
    "resumed_metrics.csv": right(1, "loss", points=120, last_step=6000, tokens=147_456_000, loss=3.1505),
    "trainer_log.jsonl": right(1, "loss", points=30, last_step=300, tokens=2_457_600, loss=5.9430),
    "wandb_tokens_axis.csv": right(2, "train/loss", points=60, names=["moe-130M", "moe-300M"], tokens=30e9, loss=[5.9430, 5.4430]),
    "wandb_dupnames.csv": right(2, "train/loss", points=60, names=["moe-64e", "moe-64e (2)"], loss=[5.9430, 5.4430]),
    "wandb_lb_loss.csv": right(1, "train/loss", points=30, tokens=157_286_400, loss=5.9430),
    "composer_moe.csv": right(1, "loss/train/total", points=30, tokens=157_286_400, loss=5.9430, said="lbl"),
    "openlm_l_d.csv": right(4, "ppl", names=["m256_6", "m384_8", "m512_8", "m768_12"], loss=[24.88, 22.32, 19.76, 14.64], n_active=[4718592, 14155776, 25165824, 84934656], tokens=[94371840, 283115520, 503316480, 1698693120], d_model=[256, 384, 512, 768], n_layers=[6, 8, 8, 12], offered="perplexity"),
    "steplaw_moe.csv": right(6, "loss", n_active=[15663104, 15663104, 49987584, 49987584, 106168320, 106168320], n_total=[56950784, 56950784, 351682560, 351682560, 625213440, 625213440], n_experts=[32, 32, 64, 64, 64, 64], top_k=[2, 2, 2, 2, 4, 4], granularity=16, tokens=[1e9, 2e9, 1e9, 4e9, 2e9, 8e9], loss=[3.41, 3.22, 3.2, 2.88, 2.9, 2.61]),
    "wandb_moe_widths.csv": right(6, "val/loss", names=["moe-256-32e", "moe-256-64e", "moe-512-32e", "moe-512-64e", "moe-768-32e", "moe-768-64e"], n_active=[4718592, 4718592, 25165824, 25165824, 84934656, 84934656], n_total=[18874368, 37748736, 100663296, 201326592, 339738624, 679477248], granularity=[4, 8] * 3, n_experts=[32, 64] * 3, top_k=[4, 8] * 3, expansion=8, loss=[3.444, 3.244, 3.188, 2.988, 2.932, 2.732]),
    "litgpt_noval.csv": right(1, "loss", points=30, tokens=15_728_640, loss=5.94304),
    "trl_trainer_state.json": right(1, "loss", points=30, tokens=3_932_160),
    "units_header.csv": right(5, "val loss", names=["r1", "r2", "r3", "r4", "r5"], flops=[6e19, 2.4e20, 5.4e20, 9.6e20, 1.5e21], n_active=[0.5e9, 1e9, 1.5e9, 2e9, 2.5e9], tokens=[2e10, 4e10, 6e10, 8e10, 1e11], loss=[2.9, 2.8, 2.7, 2.6, 2.5]),
    "olmo_ladder.zip": right(6, "eval/c4_en-validation/CrossEntropyLoss", names=["190M-1xC", "190M-2xC", "370M-1xC", "370M-2xC", "760M-1xC", "760M-2xC"], n_active=[190e6, 190e6, 370e6, 370e6, 760e6, 760e6], tokens=[943718400, 1992294400] * 3, loss=[6.55256, 4.49655, 6.25256, 4.19655, 5.95256, 3.89655], flops=[1.075838976e18, 2.271215616e18, 2.095054848e18, 4.422893568e18, 4.303355904e18, 9.084862464e18]),
    "sweep_last_crashed.log": right(3, "val loss", n_active=[10.65e6, 30.2e6, 85.1e6], loss=[5.0110, 4.7110, 7.8522], tokens=[65_536_000, 65_536_000, 19_660_800], status=["finished", "finished", "running"]),
    "hf_ernie.zip": right(1, "loss", n_active=147_849_216, n_total=632_291_328, n_experts=32, top_k=4, granularity=8, expansion=4),
    "hf_llama4_text.zip": right(1, "loss", n_active=182_452_224, n_total=748_683_264, granularity=2, n_experts=16, top_k=1, flops=np.nan),
    "hf_llama4.zip": right(1, "loss", n_active=182_452_224, n_total=748_683_264, granularity=2, n_experts=16, top_k=1, flops=np.nan),
    "hf_gpt2.zip": right(1, "loss", n_active=84_934_656, d_model=768, n_layers=12),
    "mlflow_nan.db": right(2, "metrics.val_loss", names=["run-a", "run-b"], points=32, n_active=1e8, n_experts=8, tokens=[104857600, 62914560], loss=[3.285392, 4.082682], said="NaN"),
    "ga_trainer_state.json": right(1, "loss", said="multiple", not_offered=["perplexity"]),
    "titan_pp.log": right(1, "loss", points=40, loss=5.1088, tokens=40 * 64 * 4096),
    "neox.log": right(1, "lm_loss validation", points=1, loss=3.412),
    "nemo2.log": right(1, "val_loss", points=60, loss=4.219),
    "hf_stdout.log": right(1, "loss", points=30, loss=5.9430),
    "nanotron.log": right(1, "lm_loss", points=40, tokens=524e6, loss=5.11),
    "run-moe_64e-tag-lm_loss.csv": right(1, "lm_loss", points=30, names=["moe_64e"], loss=5.94304),
    "long_run_tag.csv": right(2, "loss", points=40, names=["dense-60m", "moe-60m"], loss=[7.1073, 6.8073], tokens=1.0486e9),
    "ps_runs.jsonl": right(5, "val_loss", names=["r1", "r2", "r3", "r4", "r5"], n_active=[1e7, 2e7, 3e7, 4e7, 5e7], tokens=[2e9, 4e9, 6e9, 8e9, 10e9], loss=[3.4, 3.3, 3.2, 3.1, 3.0]),
    "nbsp.csv": right(6, "val_loss", names=["m1", "m2", "m3", "m4", "m5", "m6"], n_active=[1e7, 2e7, 3e7, 4e7, 5e7, 6e7], tokens=[1e9, 2e9, 3e9, 4e9, 5e9, 6e9], loss=[3.8, 3.6, 3.4, 3.2, 3.0, 2.8]),
    "title_line.csv": right(6, "val_loss", names=["m1", "m2", "m3", "m4", "m5", "m6"], n_active=[1e7, 2e7, 3e7, 4e7, 5e7, 6e7], tokens=[1e9, 2e9, 3e9, 4e9, 5e9, 6e9], loss=[3.8, 3.6, 3.4, 3.2, 3.0, 2.8]),
    "results_by_run.json": right(4, "loss", names=["dense_10M", "dense_20M", "dense_40M", "dense_80M"], n_active=[1e7, 2e7, 4e7, 8e7], tokens=[2e8, 4e8, 8e8, 16e8], loss=[4.0, 3.9, 3.8, 3.7]),
    "open_lm_model.json": right(1, n_active=124_628_544, tokens=24_588_380_160, loss=2.91),
    "bpc.csv": right(5, "val_bpc", names=["m1", "m2", "m3", "m4", "m5"], n_active=[1e6, 2e6, 3e6, 4e6, 5e6], tokens=[2e7, 4e7, 6e7, 8e7, 1e8], loss=[1.9, 1.8, 1.7, 1.6, 1.5], offered="bits-per-character"),
}  # fmt: skip


def read(name: str) -> tuple[Table, Mapping, Import]:
    table = open_table(CASES / name, name)
    mapping = detect(table)
    return table, mapping, build(table, mapping)


@pytest.mark.parametrize("name", RIGHT)
def test_a_log_that_was_misread_is_read_right(name):
    want = RIGHT[name]
    _, mapping, found = read(name)
    assert not found.problems
    assert len(found.runs) == want.n_runs
    assert not want.loss_name or mapping.loss == want.loss_name
    assert not want.names or found.runs["name"].tolist() == list(want.names)
    assert not want.status or found.runs["status"].tolist() == list(want.status)
    for quantity, values in want.values.items():
        given = found.runs[quantity].to_numpy(dtype=float)
        np.testing.assert_allclose(given, np.broadcast_to(values, given.shape), rtol=1e-5, err_msg=quantity)
    assert want.last_step is None or found.curves["step"].max() == want.last_step
    pd.testing.assert_frame_equal(read_runs(CASES / name), found.runs)
    if want.points is not None:
        of_loss = found.curves[(found.curves["split"] == mapping.loss)]
        assert of_loss["loss"].notna().sum() == want.points
    words = " ".join([*found.notes, *(s.sentence for s in found.suggestions)])
    assert want.said in words
    codes = [s.code for s in found.suggestions]
    assert not want.offered or want.offered in codes
    assert not set(codes) & set(want.not_offered)


def test_a_run_that_diverged_keeps_its_points_and_says_so():
    _, mapping, found = read("mlflow_nan.db")
    run = found.runs[found.runs["name"].str.endswith("run-b")].iloc[0]
    points = found.curves[(found.curves["run_id"] == run["run_id"]) & (found.curves["split"] == mapping.loss)]
    without = points.loc[points["loss"].isna(), "step"]
    assert (without.min(), without.max()) == (130, 200)
    assert "diverged" in run["status"]


def test_the_training_losses_beside_a_validation_stay_a_curve():
    _, _, found = read("neox.log")
    points = found.curves[found.curves["split"] == "lm_loss"]
    assert len(points) == 40
    assert points["loss"].iloc[-1] == pytest.approx(5.1088, rel=1e-4)


def test_every_case_has_its_right_values():
    apart = {"README.md", "lm_eval_results.json", "lm_eval_for_fine_grained.json"}
    assert {path.name for path in CASES.iterdir()} == set(RIGHT) | apart


def test_the_last_training_of_a_log_that_ends_early_is_not_finished():
    _, _, found = read("sweep_last_crashed.log")
    assert found.runs["status"].tolist()[-1] not in ("", "finished")


def test_benchmark_results_are_refused_with_the_place_where_they_go():
    table = open_table(CASES / "lm_eval_results.json", "lm_eval_results.json")
    with pytest.raises(ReadError, match=r"benchmark results.*lm-evaluation-harness.*Fine-grained"):
        build(table, detect(table))


def test_benchmark_results_are_read_without_standard_errors_and_configuration():
    table = open_table(CASES / "lm_eval_for_fine_grained.json", "lm_eval_for_fine_grained.json")
    runs = as_runs(pd.DataFrame({"name": ["moe-64e"], "loss": [3.0]}))
    found = read_evaluations(table, runs)
    assert not found.problems
    assert set(found.frame["benchmark"]) == {"wikitext", "arc_easy", "hellaswag"}
    assert {"acc", "acc_norm", "word_perplexity"} <= set(found.frame["metric"])
    assert not found.frame["metric"].str.contains("stderr").any()


def test_a_log_that_no_reader_knows_is_named_and_never_read_as_a_table():
    lines = [f"2025-01-02 10:00:{i:02d}, INFO, train.py, batch {i}, loss: {9 - i / 10:.3f}, lr 1e-4" for i in range(20)]
    with pytest.raises(ReadError, match=r"looks like a training log.*line 1 is .*batch 0"):
        open_table("\n".join(lines).encode(), "train.log")
    with pytest.raises(ReadError, match="a log of Axolotl"):
        open_table(("[axolotl] start\n" + "\n".join(lines)).encode(), "train.log")
