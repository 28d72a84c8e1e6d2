"""Marks of runs, restarts stitched, curves smoothed and compared, forecasts of unfinished curves."""

import json

import numpy as np
import pandas as pd
import pytest

from lawlib import ingest
from lawlib.runs.curves import common_value, losses_at, smooth
from lawlib.runs.forecasts import MIN_POINTS, coverage, forecast
from lawlib.runs.restarts import base_name, find_restarts, stitch
from lawlib.runs.run_marks import MARKS, counts, ledger, steepening
from lawlib.store import open_store
from tests.support.logs import attempts, log, runs_of


def curve_ends(curves):
    groups = curves.groupby(["run_id", "split"], sort=False)["step"]
    return groups.agg(n_points="size", first_step="min", last_step="max").reset_index()


def test_attempts_are_found_by_name_configuration_and_steps_that_go_on():
    runs, curves = attempts()
    found = find_restarts(runs, curve_ends(curves))
    assert found["run_id"].tolist() == ["r0", "r1", "r2"]
    assert found["attempt"].tolist() == [1, 2, 3]
    assert set(found["base"]) == {"m"}
    assert find_restarts(runs.assign(n_active=[1e8, 2e8, 3e8, 1e8]), curve_ends(curves)).empty
    assert find_restarts(runs.assign(excluded=[True, False, True, False]), curve_ends(curves)).empty


def test_logs_that_begin_at_the_start_or_long_after_the_end_are_no_restarts():
    runs = runs_of(name=["m", "m"], loss=[2.0, 2.1])
    for later in (range(10, 1001, 10), range(500, 1001, 10)):
        curves = pd.concat([log("r0", range(10, 401, 10), 3.0), log("r1", later, 2.5)])
        assert find_restarts(runs, curve_ends(curves)).empty


def test_of_overlapping_steps_the_later_attempt_counts_and_counters_go_on():
    runs, curves = attempts()
    found, points = stitch(runs, curves, find_restarts(runs, curve_ends(curves)))
    assert points["step"].tolist() == list(range(10, 1001, 10))
    assert points["loss"].tolist() == [3.0] * 30 + [2.5] * 30 + [2.0] * 40
    np.testing.assert_allclose(points["tokens"], points["step"] * 1000)
    (row,) = found.to_dict("records")
    assert (row["name"], row["loss"], row["tokens"]) == ("m", 2.0, 1e6)
    assert row["flops"] == pytest.approx(6e17 + 600 * 1000 * 6e8)
    assert json.loads(row["extra"]) == {"stitched_from": ["r0", "r1", "r2"]}
    assert set(points["run_id"]) == {row["run_id"]}


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("a-restart2", "a"),
        ("a_resumed", "a"),
        ("a (3)", "a"),
        ("moe-1b", "moe-1b"),
        ("restart", "restart"),
        ("contrast", "contrast"),
    ],
)
def test_endings_that_tell_attempts_apart_are_no_part_of_the_name(name, base):
    assert base_name(name) == base


def test_every_mark_has_its_reason_and_nothing_else_is_marked():
    runs = runs_of(
        name=["fine", "going", "planned", "gone", "up", "fine again", "x cooldown"],
        loss=[2.0, 2.2, 2.3, np.nan, 2.9, 2.0, 2.4],
        status=["crashed", "running", "", "", "finished", "", ""],
        extra=["", "", '{"args/train_iters": 1000}', "", "", "", ""],
    )
    steps = np.arange(1, 41) * 10
    shape = 2 + 8 / np.sqrt(steps)
    rising = np.where(steps < 300, shape, shape + 0.5)
    curves = pd.concat([log(r, steps, rising if r == "r4" else shape) for r in ("r0", "r1", "r2", "r4")])
    marks = ledger(runs, curve_ends(curves), curves).set_index("run_id")
    assert marks["mark"].tolist() == ["", "in flight", "in flight", "diverged", "diverged", "duplicate", "cooled down"]
    assert marks["why"]["r1"] == 'in flight: logged as "running"'
    assert marks["why"]["r2"] == "in flight: step 400 of 1,000 planned"
    assert marks["why"]["r4"].startswith("diverged: ends 0.42 nats")
    assert marks["why"]["r5"] == 'duplicate: as "fine"'
    assert counts(runs, marks.reset_index()) == {
        "in flight": 2, "diverged": 2, "duplicate": 1, "cooled down": 1,
        'logged as "crashed"': 1, 'logged as "running"': 1, 'logged as "finished"': 1,
    }  # fmt: skip
    assert set(MARKS) == {"in flight", "diverged", "duplicate", "restart", "cooled down"}


def test_a_decay_steepens_a_curve_and_a_power_law_does_not():
    tokens = np.linspace(1e7, 1e9, 100)
    plain = 1.8 + 30 * tokens**-0.2
    decayed = plain - 0.1 * np.clip((tokens / 1e9 - 0.85) / 0.15, 0, 1)
    curves = [(tokens, plain), (tokens, decayed), (tokens[:8], plain[:8])]
    x, y = (np.concatenate([c[i] for c in curves]) for i in (0, 1))
    constant, decay, short = steepening(x, y, np.repeat([0, 1, 2], [len(c[0]) for c in curves]))
    assert constant < 1
    assert decay > 1.5
    assert np.isnan(short)


def test_smoothing_keeps_a_line_and_takes_noise_away():
    steps = np.arange(1.0, 201)
    line = pd.DataFrame({"run_id": "a", "step": steps, "loss": 5 - 0.3 * np.log(steps)})
    np.testing.assert_allclose(smooth(line, "step", 0.05)["loss"], line["loss"], atol=1e-10)
    noise = np.random.default_rng(0).normal(0, 0.1, 200)
    noisy = smooth(line.assign(loss=line["loss"] + noise), "step", 0.05)
    assert np.abs(noisy["loss"] - line["loss"])[50:].mean() < 0.03
    assert smooth(line, "step", 0).equals(line)
    # The weighted least squares that it stands for, at one point.
    x, y = np.log(steps), (line["loss"] + noise).to_numpy()
    weight = np.exp(-0.5 * ((x - x[120]) / (np.ptp(x) * 0.05)) ** 2)
    assert noisy["loss"][120] == pytest.approx(np.polyval(np.polyfit(x, y, 1, w=np.sqrt(weight)), x[120]))
    with pytest.raises(ValueError, match="thin it first"):
        smooth(pd.concat([line] * 4), "step", 0.05)


def test_losses_at_equal_compute_are_interpolated_and_never_beyond_a_curve():
    curves = pd.DataFrame({"run_id": ["a", "a", "b", "b"], "flops": [1.0, 100, 10, 1000], "loss": [4.0, 2, 5, 1]})
    found = losses_at(curves, "flops", np.array([10.0, 500.0])).set_index(["run_id", "flops"])["loss"]
    assert found["a", 10.0] == pytest.approx(3)
    assert found["b", 10.0] == pytest.approx(5)
    assert np.isnan(found["a", 500.0])
    assert common_value(curves, "flops") == 100


def test_a_forecast_of_a_planted_power_law_holds_it_and_widens_with_distance():
    rng, hits = np.random.default_rng(1), 0
    tokens = np.linspace(1e8, 1e9, 120)
    for _ in range(100):
        loss = 1.9 + 0.9 * (tokens / 1e9) ** -0.3 + rng.normal(0, 0.01, 120)
        found = forecast(tokens, loss, [2e9, 4e9])
        truth = 1.9 + 0.9 * np.array([2.0, 4.0]) ** -0.3
        hits += ((found.low < truth) & (truth < found.high)).all()
        assert found.high[1] - found.low[1] > found.high[0] - found.low[0]
    assert hits >= 95
    assert (found.start, found.end) == (tokens[tokens >= 0.2e9][0], 1e9)
    assert forecast(tokens[: MIN_POINTS - 1], loss[: MIN_POINTS - 1], [2e9]) is None


def test_forecasts_hold_the_ends_of_clarks_curves(test_data):
    file = test_data / "clark2022_curves.csv.gz"
    table = ingest.open_table(file.read_bytes(), file.name)
    curves = ingest.build(table, ingest.detect(table)).curves
    curves = curves[curves["split"] == "loss_validation"]
    ids = curves["run_id"].unique()[::6]
    for cut in (0.3, 0.5, 0.7):
        found = coverage(curves[curves["run_id"].isin(ids)], cut)
        assert len(found) >= 36
        assert found["inside"].mean() >= 0.95


def test_the_store_knows_where_curves_begin_and_end():
    steps = np.arange(1.0, 5001)
    with open_store(workspace=":memory:") as store:
        store.add(
            runs_of(name=["a", "b"], loss=[2.0, 2.0]),
            "mine",
            curves=pd.concat([log("r0", steps, 2 + 8 / np.sqrt(steps)), log("r1", [5, 10], [3.0, 2.5])]),
        )
        ends = store.curve_ends("mine").set_index("run_id")
    assert ends["n_points"].tolist() == [5000, 2]
    assert ends[["first_step", "last_step"]].to_numpy().tolist() == [[1, 5000], [5, 10]]
    assert ends["first_loss"].tolist() == [10.0, 3.0]
    assert ends["lowest_loss"]["r0"] == ends["last_loss"]["r0"] == pytest.approx(2 + 8 / np.sqrt(5000))
