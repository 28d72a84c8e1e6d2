"""Writes the samples in tests/data that real libraries wrote: `python -m tools.samples FOLDER [SERVER]`.

SERVER is the address of an `mlflow server` on the folder's mlflow.db, whose answers are recorded.

The script needs an environment of its own with tensorboard, torch, mlflow, transformers, lightning and trackio (tests do not): what
came out of tensorboard 2.21.0, torch 2.13.0, mlflow 3.17.2, transformers 5.24.0, lightning 2.6.6 and trackio 0.43.0 is in the
repository. Losses are sums of halves, so that they survive float32; each run has three logged steps.
"""

import json
import os
import shutil
import sqlite3
import sys
import urllib.request
from pathlib import Path

STEPS = (10, 20, 30)


def loss(run: int, step: int) -> float:
    return 4.0 - run / 4 - step / 16


def tensorboard(folder: Path) -> None:
    """Two runs: torch's writer (simple values; two files after a restart), and tensorboard's own (tensors)."""
    from tensorboard.summary import Writer
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "tb" / "moe-a")) as writer:
        writer.add_hparams({"lr": 0.001, "num_experts": 8}, {"hparam/none": 0.0}, run_name=".")
        writer.add_text("args", "seq_length 4096")
        for step in STEPS[:2]:
            writer.add_scalar("lm loss", loss(0, step), step)
            writer.add_scalar("load_balancing_loss", 1.0, step)
            writer.add_scalar("ntokens_seen", step * 4096.0, step)
    with SummaryWriter(str(folder / "tb" / "moe-a"), filename_suffix=".restart") as writer:
        for step in STEPS[1:]:
            writer.add_scalar("lm loss", loss(0, step) - (step == 20) / 8, step)
            writer.add_scalar("ntokens_seen", step * 4096.0, step)
        writer.add_scalar("lm loss validation", 2.5, 30)
    writer = Writer(str(folder / "tb" / "moe-b"))
    for step in STEPS:
        writer.add_scalar("lm loss", loss(1, step), step)
        writer.add_scalar("ntokens_seen", step * 4096.0, step)
    writer.flush()
    writer.close()
    for number, file in enumerate(sorted((folder / "tb").rglob("events.out.*"))):  # the names hold this machine's
        file.rename(file.parent / f"events.out.tfevents.170000000{number}.host.1.{number}")


def mlflow(folder: Path) -> None:
    """The database, the CSV of search_runs, and what a live server answers to the three questions that are asked."""
    import mlflow

    database = folder / "mlflow.db"
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    mlflow.set_experiment("sweep")
    for run, status in ((0, "FINISHED"), (1, "FAILED")):
        with mlflow.start_run(run_name=f"dense-{run}"):
            mlflow.log_params({"n_params": 100_000_000 * (run + 1), "lr": 0.001, "n_layers": 8})
            for step in STEPS:
                mlflow.log_metrics({"train_loss": loss(run, step), "tokens": step * 1e6}, step=step)
            mlflow.log_metric("val_loss", 2.5 - run / 4, step=30)
        mlflow.MlflowClient().set_terminated(mlflow.last_active_run().info.run_id, status)
    with sqlite3.connect(database) as connection:  # nothing of this machine, and the tables of tracking alone
        connection.execute("pragma foreign_keys = off")
        for key, value in (("user", "someone"), ("source.name", "/home/someone/train.py"), ("source.git.commit", "0" * 40)):
            connection.execute("update tags set value = ? where key = ?", [value, f"mlflow.{key}"])
        connection.execute(
            "update runs set user_id = 'someone', source_name = 'train.py', artifact_uri = '/home/someone/' || run_uuid"
        )
        connection.execute("update experiments set artifact_location = '/home/someone/' || experiment_id")
    mlflow.search_runs(experiment_names=["sweep"]).to_csv(folder / "mlflow_runs.csv", index=False)
    small = folder / "mlflow_small.db"
    with sqlite3.connect(database) as connection:
        kept = ("experiments", "runs", "metrics", "latest_metrics", "params", "tags")
        schema = [connection.execute("select sql from sqlite_master where name = ?", [t]).fetchone()[0] for t in kept]
        rows = {t: connection.execute(f"select * from {t}").fetchall() for t in kept}
    with sqlite3.connect(small) as connection:
        connection.execute("pragma page_size = 512")
        for statement, (table, values) in zip(schema, rows.items(), strict=True):
            connection.execute(statement)
            connection.executemany(f"insert into {table} values ({','.join('?' * len(values[0]))})", values)


def mlflow_answers(folder: Path, address: str) -> None:
    """Recorded from `mlflow server --backend-store-uri sqlite:///...` on the database above."""

    def ask(path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
        return json.loads(urllib.request.urlopen(request).read())

    api = "/api/2.0/mlflow/"
    experiments = ask(api + "experiments/search", {"max_results": 1000})
    ids = [e["experiment_id"] for e in experiments["experiments"]]
    runs = ask(api + "runs/search", {"experiment_ids": ids, "max_results": 1000})
    keys = [(r["info"]["run_id"], m["key"]) for r in runs["runs"] for m in r["data"]["metrics"]]
    history = {f"{i} {k}": ask(f"{api}metrics/get-history?run_id={i}&metric_key={k}&max_results=25000") for i, k in keys}
    (folder / "mlflow_answers.json").write_text(json.dumps({"experiments": experiments, "runs": runs, "history": history}))


def transformers(folder: Path) -> None:
    """trainer_state.json beside config.json of an MoE model, and configs of several families."""
    from transformers import AutoConfig, TrainerState

    state = TrainerState(epoch=0.5, global_step=30, max_steps=60, num_input_tokens_seen=0, total_flos=1.5e15, train_batch_size=16)
    for step in STEPS:
        state.log_history.append(
            {"epoch": step / 60, "grad_norm": 1.0, "learning_rate": 1e-4, "loss": loss(0, step), "step": step}
        )
    state.log_history.append({"epoch": 0.5, "eval_loss": 2.5, "eval_runtime": 1.0, "eval_samples_per_second": 9.0, "step": 30})
    state.log_history.append({"epoch": 0.5, "step": 30, "total_flos": 1.5e15, "train_loss": 3.0, "train_runtime": 60.0})
    (folder / "hf").mkdir(exist_ok=True)
    state.save_to_json(str(folder / "hf" / "trainer_state.json"))
    seen = TrainerState(epoch=0.5, global_step=30, max_steps=60, num_input_tokens_seen=30 * 16 * 512, total_flos=1.5e15)
    seen.log_history = state.log_history
    seen.save_to_json(str(folder / "hf" / "trainer_state_seen.json"))
    for kind in ("olmoe", "mixtral", "qwen3_moe", "deepseek_v3", "llama", "gpt_oss"):
        AutoConfig.for_model(kind).to_json_file(str(folder / "hf" / f"{kind}_config.json"), use_diff=False)


def lightning(folder: Path) -> None:
    """CSVLogger: training and validation losses on rows of their own, hyperparameters beside."""
    from lightning.pytorch.loggers import CSVLogger

    logger = CSVLogger(str(folder), name="lightning", version="version_0")
    logger.log_hyperparams({"n_params": 1_000_000, "lr": 0.001, "data_dir": "/home/someone/data"})
    for step in STEPS:
        logger.log_metrics({"train_loss": loss(0, step), "tokens": step * 1e6, "epoch": 0}, step=step)
    logger.log_metrics({"val_loss": 2.5, "epoch": 0}, step=30)
    logger.save()


def trackio(folder: Path) -> None:
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")
    import trackio

    for run in (0, 1):
        trackio.init(project="sweep", name=f"run-{run}", config={"n_params": 100_000_000 * (run + 1)}, embed=False)
        for step in STEPS:
            trackio.log({"train/loss": loss(run, step), "tokens": step * 1e6}, step=step)
        trackio.finish()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if len(sys.argv) > 2:
        sys.exit(mlflow_answers(target, sys.argv[2]))
    target.mkdir(parents=True, exist_ok=True)
    for write in (tensorboard, mlflow, transformers, lightning, trackio):
        write(target)
    shutil.rmtree("lightning_logs", ignore_errors=True)
