"""The design, the text, the training of a run and its record."""

import json
import math

import numpy as np
import pytest
import torch

from sweep import design, train, worker
from sweep.model import CONTEXT
from sweep.text import PIECE, python_topics, sequences, split
from sweep.train import Run, curve, schedule


@pytest.fixture(scope="module")
def text():
    return python_topics()


def small(**changes) -> Run:
    options = {"shape": design.shape("12k", 2, 2), "flops": 3e9, "batch": 4, "learning_rate": 6e-3}
    return Run(**options | changes)


def test_the_design_is_what_the_readme_says():
    runs = design.runs()
    kinds = {(r.shape.expansion, r.shape.granularity) for r in runs}
    assert len(runs) == len({r.name for r in runs}) >= 200
    assert {e for e, _ in kinds} == {1, 2, 4, 8, 16, 32}
    assert {g for _, g in kinds} == {1, 2, 4, 8}
    assert len({r.shape.n_active for r in runs if r.shape.n_experts == 1}) >= 5
    assert max(r.flops for r in runs) / min(r.flops for r in runs) == pytest.approx(100)
    for budget in design.BUDGETS:
        for kind in design.FULL:
            slice_ = [r for r in runs if r.flops == budget and (r.shape.expansion, r.shape.granularity) == kind and r.seed == 0]
            assert len({r.shape.n_active for r in slice_}) >= 5
    for run in runs:
        assert run.tokens * run.shape.flops_per_token() == pytest.approx(run.flops, rel=0.005)
        assert run.steps >= 100


def test_seeds_are_repeats_of_a_run_of_the_design():
    runs = {r.name for r in design.runs()}
    repeats = [r for r in design.runs() if r.seed > 0]
    assert all(r.name.rsplit("-s", 1)[0] + "-s0" in runs for r in repeats)
    assert len({r.name.rsplit("-s", 1)[0] for r in repeats}) >= 3


def test_no_byte_is_a_target_twice_nor_held_out_and_trained():
    data = np.arange(PIECE * 150, dtype=np.uint32)
    pieces = data.reshape(-1, PIECE)
    cut = sequences(pieces[:3])
    targets = cut[:, 1:].ravel()
    assert len(np.unique(targets)) == len(targets)
    assert (np.diff(cut, axis=1) == 1).all()
    parts = split(bytes(range(256)) * (PIECE * 150 // 256))
    assert len(parts.held_out) == 2 * ((PIECE - 1) // CONTEXT)
    assert len(parts.training) == 148 * ((PIECE - 1) // CONTEXT)


def test_a_run_is_recorded_with_its_counts_and_a_curve(text):
    run = small()
    record = train.train(run, text)
    s = run.shape
    assert record["n_active"] == s.n_active
    assert record["flops"] == pytest.approx(s.flops_per_token() * record["tokens"])
    assert record["status"] == "finished"
    steps = [p[0] for p in record["curve"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == run.steps
    assert record["loss"] < record["curve"][0][1] < 1.01 * math.log(256)
    json.dumps(record)


def test_the_same_run_gives_the_same_losses(text):
    a, b = train.train(small(), text), train.train(small(), text)
    assert a["loss"] == b["loss"]
    assert a["curve"] == b["curve"]
    assert train.train(small(seed=1), text)["loss"] != a["loss"]


def test_a_run_longer_than_the_text_is_refused(text):
    with pytest.raises(ValueError, match="the text has"):
        train.train(small(flops=1e14), text)


def test_a_diverged_run_is_recorded_as_such(text):
    record = train.train(small(learning_rate=1e30), text)
    assert record["status"] == "diverged"
    assert json.loads(json.dumps(record))["loss"] is None or record["loss"] > math.log(256)


def test_the_rate_rises_then_falls_to_a_tenth():
    rates = [schedule(t, 1000) for t in range(1000)]
    assert rates[0] == pytest.approx(1 / 50)
    assert max(rates) == pytest.approx(1.0)
    assert np.argmax(rates) in (49, 50)
    assert rates[-1] == pytest.approx(0.1, abs=1e-4)
    assert (np.diff(rates[50:]) < 0).all()


def test_a_curve_averages_every_step_once():
    run = small(flops=1e11)
    losses = np.random.default_rng(0).random(run.steps)
    points = curve(losses, run)
    widths = np.diff([0] + [p[0] for p in points])
    assert len(points) >= 20
    assert (widths * [p[1] for p in points]).sum() == pytest.approx(losses.sum(), rel=1e-4)


def test_work_that_was_killed_goes_on_and_repeats_nothing(tmp_path, text, monkeypatch):
    results, planned = tmp_path / "runs.jsonl", [small(seed=s) for s in range(3)]
    trained = []

    def fake(run, text):
        trained.append(run.name)
        return {"name": run.name, "loss": 2.0, "status": "finished", "seconds": 0.0}

    monkeypatch.setattr(worker, "train", fake)
    worker.append({"name": planned[0].name}, results)
    with results.open("a") as file:
        file.write('{"name": "cut sho')  # killed while it wrote
    worker.work(planned, text, results, tmp_path / "locks")
    assert trained == [planned[1].name, planned[2].name]
    assert worker.finished(results) == {r.name for r in planned}


def test_a_run_that_another_process_holds_is_left_to_it(tmp_path, text, monkeypatch):
    monkeypatch.setattr(worker, "train", lambda run, text: pytest.fail("trained twice"))
    import fcntl

    (tmp_path / "locks").mkdir()
    with (tmp_path / "locks" / f"{small().name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        worker.work([small()], text, tmp_path / "runs.jsonl", tmp_path / "locks")


def test_batches_are_bytes_of_the_text(text):
    assert text.training.dtype == np.uint8
    assert torch.from_numpy(text.training[:2].astype(np.int64)).max() < 256
