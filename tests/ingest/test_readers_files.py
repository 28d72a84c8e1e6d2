"""Samples of every other format, most of them written by the real library (tools/samples.py), with exact runs and curves."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lawlib import ReadError, read_runs
from lawlib.ingest import Import, Mapping, Table, build, detect, open_files, open_table
from lawlib.ingest.readers.hf_config import config_columns

DATA = Path(__file__).parents[1] / "data"
HF, TRACKERS, TABLES = DATA / "hf", DATA / "trackers", DATA / "tables"


def built(table: Table) -> Import:
    mapping = detect(table)
    assert Mapping.from_json(mapping.to_json()) == mapping
    return build(table, mapping)


def read(path: Path) -> Import:
    return built(open_table(path, path.name))


def together(*paths: Path) -> Import:
    return built(open_files([(p.name, p.read_bytes()) for p in paths]))


def packed(files: dict[str, bytes], **how) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def zipped(folder: Path) -> bytes:
    return packed({f"{folder.name}/{p.relative_to(folder)}": p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()})


def curves(found: Import) -> dict[tuple[str, str], list[tuple[float, float, float]]]:
    """(run, split): [(step, tokens, loss), ...]."""
    points = found.curves.merge(found.runs[["run_id", "name"]], on="run_id").fillna({"tokens": -1})
    groups = points.groupby(["name", "split"])
    return {key: list(g[["step", "tokens", "loss"]].itertuples(index=False, name=None)) for key, g in groups}


def values(found: Import, *columns: str) -> list[list[object]]:
    return found.runs[list(columns)].values.tolist()


# TensorBoard


TB = {
    ("moe-a", "lm loss"): [(10, 40960, 3.375), (20, 81920, 2.625), (30, 122880, 2.125)],
    ("moe-a", "lm loss validation"): [(30, 122880, 2.5)],
    ("moe-b", "lm loss"): [(10, 40960, 3.125), (20, 81920, 2.5), (30, 122880, 1.875)],
}


@pytest.mark.parametrize("packing", ["folder", "zip"])
def test_tensorboard_runs_are_its_folders_and_a_restart_goes_on_in_the_same_run(packing):
    folder = TRACKERS / "tb"
    found = read(folder) if packing == "folder" else built(open_table(zipped(folder), "tb.zip"))
    assert curves(found) == TB
    assert values(found, "name", "n_experts", "tokens", "loss", "loss_name")[0] == ["moe-a", 8, 122880, 2.125, "lm loss"]
    assert found.runs["name"].tolist() == ["moe-a", "moe-b"]
    assert json.loads(found.runs["extra"][0])["hparams.lr"] == 0.001


def test_the_loss_is_one_that_most_runs_have():
    mapping = detect(open_table(TRACKERS / "tb", "tb"))
    assert mapping.loss_columns == ("lm loss", "lm loss validation")  # only one run has the second
    assert "load_balancing_loss" not in mapping.loss_columns


def test_every_point_of_a_long_curve_is_read():
    """EventAccumulator keeps 10,000 points a tag unless told otherwise."""
    from tensorboard.compat.proto import event_pb2, summary_pb2

    def record(step: int) -> bytes:
        value = summary_pb2.Summary.Value(tag="loss", simple_value=4.0)
        data = event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value])).SerializeToString()
        return len(data).to_bytes(8, "little") + bytes(4) + data + bytes(4)

    start = event_pb2.Event(file_version="brain.Event:2").SerializeToString()
    head = len(start).to_bytes(8, "little") + bytes(4) + start + bytes(4)
    content = head + b"".join(map(record, range(12_001)))
    found = built(open_table(content[:-8], "events.out.tfevents.1.host.1.0"))
    assert len(found.curves) == 12_000
    assert any("ends within a record" in note for note in found.notes)


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.compat.proto", None)
    with pytest.raises(ReadError, match=r"needs the package tensorboard\. Install it with .*requirements-extra\.txt"):
        open_table(TRACKERS / "tb", "tb")


# Trackers


def test_mlflow_s_database_has_full_curves_and_no_run_is_dropped_for_its_status():
    found = read(TRACKERS / "mlflow.db")
    assert values(found, "name", "n_active", "n_layers", "tokens", "loss", "status") == [
        ["dense-0", 1e8, 8, 3e7, 2.5, "finished"],
        ["dense-1", 2e8, 8, 3e7, 2.25, "failed"],
    ]
    assert curves(found)[("dense-1", "metrics.train_loss")] == [(10, 1e7, 3.125), (20, 2e7, 2.5), (30, 3e7, 1.875)]
    assert "someone" not in found.runs.to_csv()
    assert all("tags.mlflow.source.type" in extra and "tags.mlflow.user" not in extra for extra in found.runs["extra"])
    assert any("Left out, as it tells of people and machines: 4 columns: tags.mlflow.user" in note for note in found.notes)


def test_mlflow_s_csv_has_last_values_only():
    found = read(TRACKERS / "mlflow_runs.csv")
    assert values(found, "name", "n_active", "tokens", "loss", "loss_name", "status") == [
        ["dense-1", 2e8, 3e7, 2.25, "metrics.val_loss", "FAILED"],
        ["dense-0", 1e8, 3e7, 2.5, "metrics.val_loss", "FINISHED"],
    ]
    assert found.curves.empty
    assert any("Left out, as it tells of people and machines: 5 columns: artifact_uri" in note for note in found.notes)


def test_trackio_s_database():
    found = read(TRACKERS / "trackio.db")
    assert values(found, "name", "n_active", "tokens", "loss") == [["run-0", 1e8, 3e7, 2.125], ["run-1", 2e8, 3e7, 1.875]]
    assert curves(found)[("run-0", "train/loss")] == [(10, 1e7, 3.375), (20, 2e7, 2.75), (30, 3e7, 2.125)]


def test_lightning_joins_rows_of_one_step_and_its_hparams():
    found = read(TRACKERS / "lightning")
    assert values(found, "name", "n_active", "tokens", "loss") == [["version_0", 1e6, 3e7, 2.5]]
    assert curves(found) == {
        ("version_0", "train_loss"): [(10, 1e7, 3.375), (20, 2e7, 2.75), (30, 3e7, 2.125)],
        ("version_0", "val_loss"): [(30, 3e7, 2.5)],
    }
    assert "someone" not in found.runs.to_csv()


def test_two_versions_of_lightning_are_two_runs():
    files = {p.name: p.read_bytes() for p in (TRACKERS / "lightning" / "version_0").iterdir()}
    both = {f"logs/version_{i}/{name}": content for i in (0, 1) for name, content in files.items()}
    both["logs/version_1/metrics.csv"] = both["logs/version_1/metrics.csv"].replace(b",2.5", b",2.25")
    found = built(open_table(packed(both), "logs.zip"))
    assert values(found, "name", "loss") == [["version_0", 2.5], ["version_1", 2.25]]


def test_litgpt_s_csv_takes_the_total_tokens():
    found = read(DATA / "logs" / "litgpt_metrics.csv")
    assert values(found, "tokens", "loss", "loss_name") == [[4194304, 10.125, "val_loss"]]
    assert curves(found)[("", "loss")] == [(1, 2097152, 10.9), (2, 4194304, 10.25), (3, 6291456, 9.5)]


# Hugging Face


def test_a_trainer_s_log_with_its_config():
    found = together(HF / "trainer_state_seen.json", HF / "qwen3_moe_config.json")
    (run,) = values(found, "arch", "n_active", "n_total", "n_experts", "top_k", "granularity", "tokens", "loss", "flops")
    assert run[:8] == ["moe", 1132462080, 14722007040, 128, 8, 8, 30 * 16 * 512, 2.5]
    assert np.isnan(run[8])
    assert '"state.total_flos" counts all experts of a mixture, not the active ones' in " ".join(found.notes)
    assert curves(found)[("trainer_state_seen", "loss")] == [(s, s * 16 * 512, 4 - s / 16) for s in (10, 20, 30)]
    assert set(found.curves["split"]) == {"loss", "eval_loss"}  # "train_loss" is a mean over the training


def test_total_flos_is_the_compute_of_dense_models():
    found = together(HF / "trainer_state.json", HF / "llama_config.json")
    assert values(found, "arch", "n_active", "flops") == [["dense", 6476005376, 1.5e15]]
    assert np.isnan(found.runs["tokens"][0])  # num_input_tokens_seen is 0: nothing was counted


@pytest.mark.parametrize(
    ("kind", "n_total"),
    [
        ("olmoe", 13153337344), ("mixtral", 46439333888), ("qwen3_moe", 14722007040), ("deepseek_v3", 669065609216),
        ("llama", 6476005376), ("gpt_oss", 115617300480),
    ],
)  # fmt: skip
def test_n_by_shape_is_what_the_real_modules_hold(kind, n_total):
    """Counted once from transformers' modules: matrices without embeddings, head, routers and biases."""
    columns = config_columns(json.loads((HF / f"{kind}_config.json").read_text()))
    assert columns["N total by shape"] == str(n_total)


@pytest.mark.parametrize("kind", ["olmoe", "mixtral", "gpt_oss"])
def test_an_expert_width_without_a_dense_one_is_compared_with_four_d_model(kind):
    config = HF / f"{kind}_config.json"
    table = open_files([(p.name, p.read_bytes()) for p in (HF / "trainer_state_seen.json", config)])
    found = built(table)
    given = json.loads(config.read_text())
    assert found.runs["granularity"][0] == pytest.approx(4 * given["hidden_size"] / given["intermediate_size"])
    rule = found.derivations[found.derivations["quantity"] == "granularity"]["rule"].iloc[0]
    assert rule.startswith("G = d_ff / d_expert with a declared d_ff: the log has none")
    assert any("no dense feed-forward width" in note for note in found.notes)


def test_checkpoints_of_one_run_are_one_run():
    state = (HF / "trainer_state_seen.json").read_bytes()
    files = {f"out/run-1/checkpoint-{n}/trainer_state.json": state for n in (20, 30)}
    files["out/run-1/config.json"] = (HF / "llama_config.json").read_bytes()
    files["out/run-2/config.json"] = (HF / "qwen3_moe_config.json").read_bytes()
    files["out/run-2/checkpoint-30/trainer_state.json"] = state.replace(b"2.5", b"2.25")
    found = built(open_table(packed(files), "out.zip"))
    assert values(found, "name", "n_active", "loss")[0] == ["run-1", 6476005376, 2.5]
    assert values(found, "name", "n_experts", "loss")[1] == ["run-2", 128, 2.25]
    assert len(found.curves) == 8


# W&B


def test_a_runs_table_keeps_runs_whatever_their_state_and_drops_hosts_and_remotes():
    found = read(TABLES / "wandb_runs.csv")
    assert values(found, "name", "n_active", "tokens", "flops", "loss", "status") == [
        ["isoflop-1e18-d512", 50331648, 2e9, 6e17, 3.5, "finished"],
        ["isoflop-1e18-d768", 100663296, 1e9, 6e17, 3.75, "crashed"],
        ["isoflop-1e18-d1024", 201326592, 5e8, 6e17, 4.0, "failed"],
    ]
    assert {p.line for p in found.problems} == {5}
    assert not {"node-17", "private"} & set(found.runs.to_csv().replace('"', " ").split())
    assert any("2 columns: host, git.remote" in note for note in found.notes)


def test_a_moe_table_offers_the_logarithm_of_perplexity_and_sizes_from_names():
    table = open_table(TABLES / "wandb_moe.csv", "wandb_moe.csv")
    mapping = detect(table)
    for code in ("perplexity", "params-in-names"):
        mapping = next(s for s in build(table, mapping).suggestions if s.code == code).fix
    found = build(table, mapping)
    assert values(found, "n_active", "n_experts", "top_k", "tokens", "status") == [
        [25e6, 8, 1, 5e8, "failed"],
        [85e6, 8, 1, 5e8, "crashed"],
    ]
    assert found.runs["loss"].tolist() == pytest.approx([4.0, 3.5])
    assert "someone" not in " ".join(table.frame.columns)


def test_a_chart_is_taken_apart_by_run_without_its_envelope():
    found = read(TABLES / "wandb_chart.csv")
    assert curves(found) == {
        ("moe - a", "train/loss"): [(10, -1, 4.5), (20, -1, 4.0), (30, -1, 3.5)],
        ("dense", "train/loss"): [(10, -1, 5.5), (30, -1, 4.5)],
    }
    assert "4 columns __MIN and __MAX (the chart's envelope) passed over." in found.notes


def test_curves_and_a_table_of_runs_are_joined_by_name():
    found = together(TABLES / "wandb_chart.csv", TABLES / "wandb_chart_runs.csv")
    assert values(found, "name", "n_active", "n_experts", "tokens", "loss") == [
        ["moe - a", 1e8, 8, 3e9, 3.5],
        ["dense", 1e8, 1, 3e9, 4.5],
    ]
    assert 'Joined by the run\'s name ("run" and "Name"): 2 of 2 runs found.' in found.notes
    assert any("1 run of wandb_chart_runs.csv have no curve" in note for note in found.notes)


def test_tables_that_share_no_run_are_not_joined():
    runs = (TABLES / "wandb_chart_runs.csv").read_bytes().replace(b"moe - a", b"x").replace(b"dense", b"y")
    with pytest.raises(ReadError, match=r'No run of wandb_chart.csv \(such as "moe - a"\) is among those of runs.csv'):
        open_files([("wandb_chart.csv", (TABLES / "wandb_chart.csv").read_bytes()), ("runs.csv", runs)])


def test_history_flattens_the_config_and_drops_the_metadata():
    found = read(TABLES / "wandb_history.jsonl")
    assert values(found, "name", "n_active", "tokens", "loss") == [["wandb_history", 1e8, 3e7, 3.25]]
    assert curves(found)[("wandb_history", "train/loss")] == [(10, 1e7, 4.5), (20, 2e7, 4.0), (30, 3e7, 3.5)]
    text = found.runs.to_csv() + open_table(TABLES / "wandb_history.jsonl", "h").frame.to_csv()
    assert not any(word in text for word in ("node-17", "someone", "example.org"))


def test_history_as_parquet():
    frame = pd.DataFrame({"_step": [1, 2, 3], "_runtime": [0.1, 0.2, 0.3], "train/loss": [4.0, np.nan, 3.5], "_timestamp": 0.0})
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    assert curves(built(open_table(buffer.getvalue(), "run-1.parquet"))) == {
        ("run-1", "train/loss"): [(1, -1, 4.0), (3, -1, 3.5)]
    }


def test_config_and_summary_records():
    found = read(TABLES / "wandb_config.jsonl")
    assert values(found, "name", "n_active", "tokens", "loss") == [["run-0", 1e8, 2e9, 3.25], ["run-1", 2e8, 2e9, 3.0]]
    assert "someone" not in found.runs.to_csv()


def test_olmo_s_export_has_its_size_in_the_file_s_name():
    found = read(TABLES / "OLMo-190M_wandb.csv")
    assert values(found, "n_active", "tokens", "loss") == [[190e6, 8388608, 10.5]]
    assert [point[0] for point in curves(found)[("OLMo-190M_wandb", "train/CrossEntropyLoss")]] == [1, 2, 3]


# Releases


def test_gemstones_have_a_row_a_checkpoint():
    found = read(TABLES / "gemstones.jsonl")
    assert values(found, "name", "n_active", "d_model", "n_layers", "tokens", "loss") == [
        ["gemstone-512x8", 12 * 512 * 512 * 8, 512, 8, 3e9, 3.125],
        ["gemstone-1024x16", 12 * 1024 * 1024 * 16, 1024, 16, 3e9, 3.0],
    ]
    assert len(found.curves) == 6


def test_misfitting_takes_the_last_portion_and_counts_without_embeddings():
    found = read(TABLES / "misfitting.csv")
    assert values(found, "n_active", "tokens", "flops", "loss") == [[12e6, 5e8, 3.6e16, 4.25], [35e6, 5e8, 1.05e17, 3.75]]


def test_an_overflowed_product_is_computed_anew_in_doubles():
    table = open_table(TABLES / "overflow.csv", "overflow.csv")
    offer = next(s for s in built(table).suggestions if s.code == "overflow")
    found = build(table, offer.fix)
    np.testing.assert_array_equal(found.runs["flops"], 6.0 * found.runs["n_active"] * found.runs["tokens"])
    assert len(found.runs) == 3


# Several files


def test_a_zip_of_logs_is_one_data_set_with_the_line_and_file_of_every_problem():
    log = (DATA / "logs" / "megatron_dense.log").read_bytes()
    files = {
        "sweep/a/train.log": log,
        "sweep/b/train.log": log.replace(b"6.250000E+00", b"6.000000E+00"),
        "sweep/c/train.log": log.replace(b"6.250000E+00", b"torn"),
        "sweep/readme.txt": b"notes, and more notes\n",
        "__MACOSX/sweep/._a": b"junk",
    }
    found = built(open_table(packed(files), "sweep.zip"))
    assert values(found, "name", "loss", "tokens")[:2] == [["a", 6.25, 2621440], ["b", 6.0, 2621440]]
    assert [(p.file, p.line, p.value) for p in found.problems] == [("sweep/c/train.log", 22, "torn")]
    assert any(note.startswith("1 file passed over: sweep/readme.txt") for note in found.notes)


def test_logs_of_different_trainers_are_not_mixed():
    files = {n: (DATA / "logs" / n).read_bytes() for n in ("nanogpt.log", "torchtitan.log")}
    with pytest.raises(ReadError, match=r"logs of different kinds \(nanogpt, torchtitan\)"):
        open_table(packed(files), "mixed.zip")


def test_read_runs_takes_a_folder():
    assert read_runs(TRACKERS / "tb")["name"].tolist() == ["moe-a", "moe-b"]
