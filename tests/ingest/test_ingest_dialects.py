"""Tables, JSON and logs in the spellings of many trainers, made up here: each gives the planted curve, or a sentence that names what it is."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lawlib import ReadError
from lawlib.ingest import build, detect, open_table

STEPS = range(1, 31)
LAST = 3 + 8 * math.exp(-1)


def loss(i: float) -> float:
    return 3 + 8 * math.exp(-i / 30)


def csv(header: str, rows) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def jsonl(rows) -> str:
    return "\n".join(map(json.dumps, rows))


def lines(line) -> str:
    return "\n".join(map(line, STEPS)) + "\n"


RESUMED = [*range(1, 21), *range(15, 31)]
MEGATRON = (
    "  hidden_size ..................................... {0}\n  num_layers ...................................... 8\n"
    "  ffn_hidden_size ................................. 1024\n  num_attention_heads ............................. 8\n  seq_length ...................................... 2048\n"
)


def megatron(i: int, more: str = "", less: float = 0.0, value: str = "") -> str:
    return (
        f" iteration {i * 10:8d}/     300 | consumed samples: {i * 640:12d} | learning rate: 1.5E-06 | global batch size:    64 |{more} "
        f"lm loss: {value or f'{loss(i) - less:.6E}'} | loss scale: 1.0 | grad norm: 5.9 | number of nan iterations:   0 |"
    )


CURVES = {
    "levanter.csv": (
        csv(
            "_step,_runtime,train/loss,train/router_z_loss,train/load_balancing_loss,throughput/total_tokens,throughput/mfu",
            [(i * 10, i * 3.1, loss(i), 0.01 * i, 1.1, i * 10 * 524288, 33.1) for i in STEPS],
        ),
        "train/loss", [LAST], {"tokens": 300 * 524288},
    ),
    "resumed.jsonl": (
        jsonl({"iter": i * 100, "dt_ms": 90 + (i * 7919) % 13, "tokens": i * 6553600, "train_loss": loss(i), "peak_gb": 40 + i % 3} for i in RESUMED),
        "train_loss", [LAST], {"tokens": 30 * 6553600},
    ),
    "updates.csv": (
        csv(
            "timestamp,update,loss,loss_scale,grad_norm,tokens/s,total_tokens_M,gpu_mem",
            [(f"2026-01-01 00:{i:02d}:00", i * 50, loss(i), 65536, 1.1 + i % 7, 1000.5 + i % 5, i, 40 + i % 3) for i in STEPS],
        ),
        "loss", [LAST], {"tokens": 30e6},
    ),
    "ranks.csv": (csv("rank,step,loss,tokens_per_sec", [(r, i, loss(i), 1000 + r + i * 1.3) for i in STEPS for r in range(4)]), "loss", [LAST], {}),
    "router.csv": (
        csv(
            "step,router/loss,router/z_loss,moe/balance_loss,kd_loss,loss/all,loss/lm,val/lm_loss_std",
            [(i * 10, 1.0, 0.1, 0.2, 0.5, loss(i) + 0.3, loss(i), 0.02) for i in STEPS],
        ),
        "loss/lm", [LAST], {},
    ),
    "sums.csv": (csv("step,loss_sum,loss_mean,n_tokens", [(i, loss(i) * 65536, loss(i), 65536 * i) for i in STEPS]), "loss_mean", [LAST], {}),
    "seeds.csv": (
        csv("seed,iteration,lm_loss", [(s, i * 10, loss(i) + s) for i in STEPS for s in (1, 2, 3)]), "lm_loss", [LAST + 1, LAST + 2, LAST + 3], {},
    ),
    "checkpoints.csv": (
        csv("model,params,tokens,val_loss", [(m, n, i * 1e9, loss(i) + o) for m, n, o in (("a", 6e7, 0), ("b", 1.2e8, -0.3)) for i in STEPS]),
        "val_loss", [LAST, LAST - 0.3], {"n_active": [6e7, 1.2e8], "tokens": 30e9},
    ),
    "samples.csv": (csv("samples_seen,lr,train/ce_loss", [(i * 512, 1e-4, loss(i)) for i in STEPS]), "train/ce_loss", [LAST], {}),
    "time_chart.csv": (csv("Relative Time (Process),a - eval/loss,b - eval/loss", [(i * 60, loss(i), loss(i) - 1) for i in STEPS]), "eval/loss", [LAST, LAST - 1], {}),
    "attributes.csv": (
        csv(
            "run_id,attribute_path,step,timestamp,float_value",
            [(r, t, i, i, v) for r, o in (("R-1", 0), ("R-2", 1)) for i in STEPS for t, v in (("train/loss", loss(i) - o), ("train/aux_loss", 0.01))],
        ),
        "train/loss", [LAST, LAST - 1], {},
    ),
    "metrics_of_names.jsonl": (jsonl({"name": "loss", "data": {"step": i, "value": loss(i), "timestamp": f"t{i}"}} for i in STEPS), "loss", [LAST], {}),
    "val_loss_chart.csv": (
        csv("Run,Run ID,metric,step,timestamp,value", [(n, h, "val_loss", i, i, loss(i) - o) for n, h, o in (("moe", "a1", 0), ("moe", "b2", 1)) for i in STEPS]),
        "val_loss", [LAST, LAST - 1], {},
    ),
    "run-dense_60m-tag-train_loss.json": (json.dumps([[1.7e9 + i, i * 10, loss(i)] for i in STEPS]), "train_loss", [LAST], {}),
    "history.json": (json.dumps({"loss": [loss(i) for i in STEPS], "val_loss": [loss(i) + 1 for i in STEPS], "accuracy": [0.1] * 30}), "val_loss", [LAST + 1], {}),
    "curves_by_run.json": (
        json.dumps({f"run{k}": {"params": k * 1e7, "steps": [s * 100 for s in STEPS], "losses": [loss(s) - k for s in STEPS]} for k in (1, 2)}),
        "losses", [LAST - 1, LAST - 2], {"n_active": [1e7, 2e7]},
    ),
    "experiments.json": (
        json.dumps({"experiments": [{"name": f"r{k}", "config": {"num_params": k * 1e7}, "train": {"step": list(STEPS), "loss": [loss(i) - k for i in STEPS]}} for k in (1, 2)]}),
        "train.loss", [LAST - 1, LAST - 2], {"n_active": [1e7, 2e7]},
    ),
    "events.jsonl": (
        jsonl({"run": {"name": "moe"}, "step": i, "metrics": {"train": {"loss": loss(i), "aux_loss": 0.1}, "tokens": i * 1e6}} for i in STEPS),
        "metrics.train.loss", [LAST], {"tokens": 30e6},
    ),
    "trainer_log.jsonl": (
        jsonl({"current_steps": i, "total_steps": 30, "loss": loss(i), "lr": 1e-4, "elapsed_time": f"0:00:{i:02d}", "total_tokens": i * 1e6, "throughput": 9.5 + i} for i in STEPS),
        "loss", [LAST], {"tokens": 30e6},
    ),
    "trainer_state.json": (
        json.dumps({"global_step": 30, "max_steps": 30, "num_input_tokens_seen": 0, "total_flos": 0.0, "log_history": [
            {"step": i, "loss": loss(i) + 1, "nll_loss": loss(i), "rewards/chosen": 0.1, "kl": 0.01, "num_tokens": i * 1e5} for i in STEPS]}),
        "nll_loss", [LAST], {"tokens": 3e6},
    ),
    "megatron_mtp.log": (
        MEGATRON.format(256) + lines(lambda i: megatron(i, " mtp_1 loss: 9.9E+00 | seq_load_balancing_loss: 1.0E+00 | indexer loss: 2.0E-01 |")),
        "lm loss", [LAST], {"n_active": 6291456, "tokens": 30 * 640 * 2048},
    ),
    "megatron_twice.log": (
        MEGATRON.format(256) + lines(megatron) + MEGATRON.format(512) + lines(lambda i: megatron(i, less=1)),
        "lm loss", [LAST, LAST - 1], {"n_active": [6291456, 16777216]},
    ),
    "maxtext.log": (
        lines(lambda i: f"completed step: {i - 1}, seconds: 5.6, total_weights: 1000, loss: {loss(i) + 1:.5f}, lm_loss: {loss(i):.5f}, perplexity: 9.0, moe_lb_loss: 0.02"),
        "lm_loss", [LAST], {"tokens": 30_000},
    ),
    "foundry.log": (
        lines(lambda i: f"[batch={i}/30]:\n\t Train time/token: {i * 1000}\n\t Train loss/train/total: {loss(i) + 1}\n\t Train loss/train/ce_loss: {loss(i)}\n\t Train loss/train/lbl: 0.01"),
        "loss/train/ce_loss", [LAST], {"tokens": 30_000},
    ),
    "sft.log": (
        lines(lambda i: f"  9%|## | {i}/30 [00:01<01:00, 2.0it/s]{{'loss': {loss(i):.5f}, 'grad_norm': 1.2, 'num_tokens': {i * 1000}.0, 'entropy': 2.1, 'epoch': 0.5}}")
        + "{'train_runtime': 100.0, 'train_loss': 6.5, 'epoch': 1.0}\n",
        "loss", [LAST], {"tokens": 30_000},
    ),
    "tune.txt": (lines(lambda i: f"Step {i} | loss:{loss(i)} lr:2e-05 tokens_per_second_per_gpu:{400 + i * 1.7} "), "loss", [LAST], {}),
    "home_made.log": (
        "Total params: 124.4M\n" + lines(lambda i: f"[INFO] step {i}/30 | train loss {loss(i):.5f} | aux loss 0.1 | lr 1e-4\nvalidation: step {i}: loss = {loss(i) + 1:.5f}"),
        "validation loss", [LAST + 1], {"n_active": 124.4e6},
    ),
    "iterations.log": (lines(lambda i: f"01/01 00:00:01 - mmengine - INFO - Iter(train) [{i:4d}/30]  lr: 2.0e-04  eta: 0:10:00  time: 1.0  loss: {loss(i):.5f}"), "loss", [LAST], {}),
}  # fmt: skip
MIXTURE = {"n_active": [1e7, 2e7, 3e7], "n_total": [9e7, 18e7, 27e7], "n_experts": 16, "top_k": 2, "tokens": [1e9, 2e9, 3e9]}
TABLES = {
    "widths.csv": (
        csv(
            "run_name,params_activated(M),params_total(M),nb_experts,experts_per_token,moe_inter_size,ffn_size,train_tokens(B),eval/c4/nll",
            [(f"r{i}", 10 * i, 90 * i, 16, 2, 512, 2048, i, 4 - i / 10) for i in (1, 2, 3)],
        ),
        "eval/c4/nll", MIXTURE | {"granularity": 4},
    ),
    "overall.csv": (
        csv(
            "id,activated_parameter_count,overall_parameter_count,n_routed_exp,moe_top_k,seen_tokens,valid_loss",
            [(f"m{i}", i * 1e7, i * 9e7, 16, 2, i * 1e9, 4 - i / 10) for i in (1, 2, 3)],
        ),
        "valid_loss", MIXTURE,
    ),
    "results.json": (
        json.dumps({f"moe_{i}": {"config": {"n_active": i * 1e7, "n_total": i * 9e7, "n_experts": 16, "top_k": 2, "tokens": i * 1e9},
                                 "metrics": {"val_loss": 4 - i / 10, "lb_loss": 0.01}} for i in (1, 2, 3)}),
        "metrics.val_loss", MIXTURE,
    ),
    "flos.csv": (
        csv(
            "model,num_local_experts,num_experts_per_tok,num_active_params,num_params,total_tokens,total_flos,eval_loss",
            [(f"m{i}", 16, 2, i * 1e7, i * 9e7, i * 1e9, 54e16 * i * i, 4 - i / 10) for i in (1, 2, 3)],
        ),
        "eval_loss", MIXTURE | {"flops": math.nan},
    ),
    "paper.csv": (
        csv("Model,Params,Training tokens,FLOPs,Test loss (nats/token)", [(f"M{i}", f"{10 * i}M params", f"{i}.0 billion", f"{6 * i * i}×10^16", 4 - i / 10) for i in (1, 2, 3)]),
        "Test loss (nats/token)", {"n_active": MIXTURE["n_active"], "tokens": MIXTURE["tokens"], "flops": [6e16, 24e16, 54e16]},
    ),
    "table.tsv": (
        "# 2026\nAll losses in nats\n\nmodel\tN (M)\tD (B)\tC (EFLOPs)\tval loss\n" + "".join(f"m{i}\t{10 * i}\t{i}\t{0.06 * i * i}\t{4 - i / 10}\n" for i in (1, 2, 3)),
        "val loss", {"n_active": MIXTURE["n_active"], "flops": [6e16, 24e16, 54e16]},
    ),
    "comma.csv": (
        "Ergebnisse\n\nName;Params;Tokens;val loss\n" + "".join(f"m{i};{i}0\u202f000\u202f000;{i}\u202f000\u202f000\u202f000;{4 - i / 10:.1f}\n".replace(".", ",") for i in (1, 2, 3)),
        "val loss", {"n_active": MIXTURE["n_active"], "tokens": MIXTURE["tokens"]},
    ),
}  # fmt: skip
REFUSED = {
    "keras.log": (lines(lambda i: f"Epoch {i}/30\n100/100 [======] - 3s 30ms/step - loss: {loss(i):.4f} - val_loss: 9.9"), "a log of Keras"),
    "bar.log": (lines(lambda i: f"Epoch 0:  {i}%|# | {i}/3000 [00:10<10:00,  9.9it/s, v_num=0, train_loss={loss(i):.3f}]"), "PyTorch Lightning's progress bar"),
    "open_lm.log": (lines(lambda i: f"INFO | Train Epoch: 0 [{i * 512}/15360 (9%)] Loss: {loss(i):.4f} (9.0000) Data (t): 0.001 LR: 0.000300"), "a log of open_lm"),
    "old.log": (lines(lambda i: f"| epoch 010  {i * 100} / 8223 loss={loss(i):.2f} (1.50), wps=962, wpb=908, bsz=32, lr=0.001"), "fairseq or metaseq"),
    "dll.log": (lines(lambda i: "DLLL " + json.dumps({"type": "LOG", "step": [0, i], "data": {"train_loss": loss(i)}})), "DLLogger"),
}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_the_curve_of_a_log_is_the_planted_one(name):
    text, column, losses, values = CURVES[name]
    table = open_table(text.encode(), name)
    mapping = detect(table)
    found = build(table, mapping)
    assert not found.problems
    assert mapping.loss == column
    np.testing.assert_allclose(found.runs["loss"], losses, rtol=1e-5)
    assert (found.curves["split"] == column).sum() == 30 * len(losses)
    for quantity, want in values.items():
        np.testing.assert_allclose(found.runs[quantity], np.broadcast_to(want, len(losses)), err_msg=quantity)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_runs_has_the_planted_numbers(name):
    text, column, values = TABLES[name]
    table = open_table(text.encode(), name)
    mapping = detect(table)
    found = build(table, mapping)
    assert not found.problems
    assert mapping.loss == column
    np.testing.assert_allclose(found.runs["loss"], [3.9, 3.8, 3.7])
    for quantity, want in values.items():
        np.testing.assert_allclose(found.runs[quantity], np.broadcast_to(want, 3), err_msg=quantity)


OTHERS = {
    "table.md": ("| model | N | loss |\n|---|---|---|\n| a | 1e7 | 3.5 |\n", "a table in Markdown"),
    "table.tex": ("\\begin{tabular}{lr}\nModel & Loss \\\\\na & 3.5 \\\\\n\\end{tabular}\n", "a table or document in LaTeX"),
    "train.py": ("import torch, math\n\nfor x, y in data:\n    loss = model(x, y)\n", "a program"),
    "config.yaml": ("model:\n  hidden_size: 1024\n", "settings in YAML"),
    "trace.log": ("Traceback (most recent call last):\n  File 'a', line 3\n", "the message of a program that failed"),
    "slurm.out": ("srun: job 123 queued, waiting for resources\n", "the output of a launcher"),
    "worker.log": (lines(lambda i: f"2026-01-01 00:00:{i:02d},123 INFO worker {i}, batch done, 3 items"), "a log"),
    "arguments.log": (
        "------------------------ arguments ------------------------\n  hidden_size .... 512\n",
        "the arguments of Megatron-LM",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_text_that_is_no_table_is_named_with_its_line(name):
    text, what = OTHERS[name]
    with pytest.raises(ReadError, match=rf"{name} looks like {what}: line 1 is "):
        open_table(text.encode(), name)


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("aligned.txt", "model  params  loss\nm1  1e7  3.5\nm2  2e7  3.3\n", "looks like a table of 3 columns parted by blanks"),
        (
            "mail.txt",
            "Dear all, here it is.\nThe model, as planned, was good.\nLoss fell, as expected.\n",
            "holds no column of numbers",
        ),
        ("config.json", '{"model_type": "llama", "hidden_size": 1024}', "is the configuration of a model and holds no run"),
    ],
)
def test_what_holds_no_runs_is_told(name, text, what):
    def whole():
        table = open_table(text.encode(), name)
        return build(table, detect(table))

    with pytest.raises(ReadError, match=what):
        whole()


@pytest.mark.parametrize("name", REFUSED)
def test_a_log_that_is_not_read_is_named(name):
    text, what = REFUSED[name]
    with pytest.raises(ReadError, match=rf"{name} looks like .*{what}.*line \d+ is .*Save its steps"):
        open_table(text.encode(), name)


def test_a_log_of_no_known_trainer_says_so():
    table = open_table(CURVES["home_made.log"][0].encode(), "run.log")
    assert "of no trainer known here" in table.notes[0]
    assert set(build(table, detect(table)).curves["split"]) == {"validation loss", "train loss"}
