"""Console logs of trainers: exact runs and curves of a sample each, and the traps of each format."""

from pathlib import Path

import numpy as np
import pytest

from lawlib import ReadError
from lawlib.architecture import attention_weights, weight_counts
from lawlib.ingest import Import, Table, build, detect, open_table

DATA = Path(__file__).parents[1] / "data" / "logs"


def read(name: str) -> tuple[Table, Import]:
    table = open_table(DATA / name, name)
    return table, build(table, detect(table))


def read_text(text: str) -> Import:
    table = open_table(text.encode(), "run-7.log")
    return build(table, detect(table))


def curve(found: Import, split: str) -> list[tuple[float, float, float]]:
    """(step, tokens, loss) of one split."""
    points = found.curves[found.curves["split"] == split]
    return list(points[["step", "tokens", "loss"]].itertuples(index=False, name=None))


def rule(found: Import, quantity: str) -> tuple[str, float, str]:
    row = found.derivations[found.derivations["quantity"] == quantity].iloc[0]
    return row["column"], row["factor"], row["rule"]


# Attention 2 d 64 (16 + 4), three matrices of d x 4096, dense or as eight experts of 512: the same active weights.
SHAPE = 12 * (2 * 1024 * 64 * (16 + 4) + 3 * 1024 * 4096)

EXPECTED = {
    "megatron_moe.log": (
        "megatron",
        {
            "name": "megatron_moe", "arch": "moe", "n_active": SHAPE, "n_total": SHAPE + 12 * 3 * 1024 * 512 * 56,
            "n_layers": 12, "d_model": 1024, "n_experts": 64, "top_k": 8, "granularity": 8, "expansion": 8,
            "tokens": 4 * 1024 * 4096, "loss": 10.0, "loss_name": "lm loss validation", "seed": 1234,
        },
        {
            "lm loss validation": [(2, 2, 11.25), (4, 4, 10.0)],
            "lm loss": [(1, 1, 11.92634), (2, 2, 11.5), (3, 3, 10.75), (4, 4, np.nan), (5, 5, 9.5)],
        },
        1024 * 4096,
    ),
    "megatron_dense.log": (
        "megatron",
        {
            "arch": "dense", "n_active": SHAPE, "n_total": SHAPE, "n_experts": 1, "top_k": 1, "granularity": 1,
            "tokens": 640 * 4096, "loss": 6.25, "loss_name": "lm loss",
        },
        {"lm loss": [(10, 320, 7.5), (20, 640, 6.25)]},
        4096,
    ),
    "torchtitan.log": (
        "torchtitan",
        {"name": "torchtitan", "n_active": 6139136, "tokens": 3 * 64 * 2048, "loss": 5.125, "loss_name": "validation loss"},
        {"loss": [(1, 1, 8.1309), (2, 2, 6.5), (3, 3, 4.9925)], "validation loss": [(3, 3, 5.125)]},
        64 * 2048,
    ),
    "nanogpt.log": (
        "nanogpt",
        {"arch": "dense", "n_active": 123.59e6, "n_total": 123.59e6, "tokens": 20 * 491520, "loss": 9.375},
        {
            "loss": [(0, 0, 10.9883), (10, 10, 9.875), (20, 20, 9.25), (30, 30, 8.75)],
            "val loss": [(0, 0, 10.9906), (20, 20, 9.375)],
        },
        491520,
    ),
    "litgpt.log": (
        "litgpt",
        {"n_active": 14067712, "tokens": 2 * 512 * 2048, "loss": 10.1234, "loss_name": "val loss"},
        {"train loss": [(1, 1, 10.9), (2, 2, 10.25), (3, 3, 9.5)], "val loss": [(2, 2, 10.1234)]},
        512 * 2048,
    ),
    "maxtext.log": (
        "maxtext",
        {"n_active": 1.234e9, "tokens": 196608 + 196600 + 8 * 196608, "loss": 9.5, "loss_name": "eval loss"},
        {"loss": [(0, 196608, 10.874), (1, 393208, 10.374), (9, 1966072, 9.25)], "eval loss": [(9, 1966072, 9.5)]},
        1,
    ),
    "olmo_core.log": (
        "olmo",
        {"n_active": 113283840, "tokens": 629.1e6, "loss": 4.25, "loss_name": "eval/lm/c4_en-validation/CE loss"},
        {"train/CE loss": [(100, 52428800, 6.2341), (1200, 629.1e6, 4.125)]},
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_log_gives_exactly_its_run_and_curves(name):
    format, run, curves, tokens = EXPECTED[name]
    table, found = read(name)
    assert table.format == format
    assert len(found.runs) == 1
    assert found.runs.iloc[0][list(run)].to_dict() == run
    for split, points in curves.items():
        np.testing.assert_array_equal(curve(found, split), [(step, n * tokens, loss) for step, n, loss in points])
    assert found.problems == []


@pytest.mark.parametrize("name", EXPECTED)
def test_auxiliary_losses_are_no_losses(name):
    _, found = read(name)
    assert not any(word in split for split in found.curves["split"].unique() for word in ("balanc", "router", "PPL", "scale"))


def test_the_shape_counts_are_those_of_released_models():
    """OLMoE 6.92B of 1.3B active, Mixtral 46.7B of 12.9B (model cards): embeddings added, and the router for the totals."""
    olmoe = weight_counts(2048, 16, 0, attention_weights(2048, 16), 3, 64, 8, 1024, n_moe_layers=16)
    embedding = 2 * 50304 * 2048
    assert olmoe[1] + embedding + 16 * 64 * 2048 == pytest.approx(6.92e9, rel=1e-3)
    assert olmoe[0] + embedding == pytest.approx(1.28e9, rel=1e-2)
    mixtral = weight_counts(4096, 32, 0, attention_weights(4096, 32, 8), 3, 8, 2, 14336, n_moe_layers=32)
    assert mixtral[1] + 2 * 32000 * 4096 == pytest.approx(46.7e9, rel=1e-3)
    assert mixtral[0] + 2 * 32000 * 4096 == pytest.approx(12.88e9, rel=1e-3)


def test_the_ledger_names_column_factor_and_rule():
    _, found = read("megatron_moe.log")
    assert rule(found, "tokens") == ("consumed samples", 4096, "D = consumed samples x seq_length")
    column, factor, text = rule(found, "granularity")
    assert (column, factor) == ("ffn_hidden_size", 1 / 512)
    assert text == "G = d_ff / d_expert (ffn_hidden_size / moe_ffn_hidden_size)"
    assert rule(found, "n_active")[2].startswith("counted from the shape")
    assert "embeddings among them" in rule(read("torchtitan.log")[1], "n_active")[2]


def test_paths_and_hosts_of_a_log_are_not_read():
    for name in EXPECTED:
        table, found = read(name)
        assert "someone" not in table.frame.to_csv() + found.runs.to_csv()
        assert "host-07" not in table.frame.to_csv() + found.runs.to_csv()


def test_a_repeated_iteration_is_that_of_the_restart():
    _, found = read("megatron_moe.log")
    assert (3, 3 * 1024 * 4096, 10.75) in curve(found, "lm loss")
    assert any("1 step of a run with two or more different losses" in note for note in found.notes)


def test_ranks_that_repeat_a_step_are_passed_over_with_their_count():
    table, found = read("torchtitan.log")
    assert len(table.frame) == 4
    assert "3 lines of further ranks repeat steps and are passed over." in found.notes


def test_validation_at_steps_of_its_own_gets_tokens_in_proportion():
    line = " iteration {0:8d}/ 100 | consumed samples: {1:8d} | lm loss: 4.0E+00 |\n"
    text = "  seq_length ........ 10\n" + line.format(10, 100) + " validation loss at iteration 15 | lm loss value: 5.0 |\n"
    found = read_text(text + line.format(20, 200) + " validation loss at iteration 25 | lm loss value: 4.5 |\n")
    assert curve(found, "lm loss validation") == [(15, 1500, 5.0), (25, 2500, 4.5)]
    assert found.runs["tokens"].tolist() == [2500]
    assert any("2 steps with a loss but no tokens: taken in proportion" in note for note in found.notes)


def test_without_a_sequence_length_the_tokens_are_asked_for():
    found = read_text(" iteration 5/ 10 | consumed samples: 50 | lm loss: 4.0E+00 |\n")
    assert np.isnan(found.runs["tokens"]).all()
    assert "No column is mapped to the training tokens: fits need them." in found.notes


def test_commas_colours_and_ranks_in_front_of_any_line():
    text = (
        "\x1b[32m0: [default0]: iteration 1/ 10 | consumed samples: 1,024 | lm loss: 4.5 | load_balancing_loss: 9.0 |\x1b[0m\r\n"
    )
    found = read_text("  seq_length ........ 2\n" + text)
    assert found.runs[["tokens", "loss"]].values.tolist() == [[2048, 4.5]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_logs_in_other_encodings(encoding):
    text = (DATA / "nanogpt.log").read_text() + "é\n"
    assert open_table(text.encode(encoding), "train.out").format == "nanogpt"


def test_a_log_that_only_looks_like_one_gets_a_sentence():
    with pytest.raises(ReadError, match="no step with a loss could be read"):
        open_table(b"iteration 1/ 2 |" + b" x" * 40000 + b"| loss: 3\niteration 1/ 2 | a loss: " + b" " * 70000, "x.log")


def test_the_column_of_another_loss_can_be_chosen():
    table, _ = read("megatron_moe.log")
    mapping = detect(table)
    found = build(table, mapping.with_source("loss", mapping.sources["loss"].__class__("lm loss")))
    assert found.runs[["tokens", "loss"]].values.tolist() == [[5 * 1024 * 4096, 9.5]]
