"""Marks, selections and exclusions of many runs at once: the same as run by run, and what the pages say of too many."""

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import figures
from lawlib.runs import run_marks
from lawlib.runs.canonical import as_runs
from lawlib.runs.restarts import base_name, find_restarts
from lawlib.runs.selection import content_hashes, marked
from tests.support.pages import answer, captions, clean, figure, open_page

POINTS = 120


def marks_one_by_one(runs, ends, curves):
    """The marks by `ledger.MARKS`, a run at a time: run_id -> (marks, their reasons)."""
    found = {}
    by_run = dict(list(curves.groupby("run_id"))) if len(curves) else {}
    last = ends.groupby("run_id")["last_step"].max() if len(ends) else {}
    seen = {}
    for row in runs.to_dict("records"):
        why, status = {}, row["status"].strip().lower()
        extra = json.loads(row["extra"]) if row["extra"] else {}
        plans = [v for k, v in extra.items() if re.split(r"[./]", str(k).replace("-", "_").lower())[-1] in run_marks.PLANNED]
        plans = [float(v) for v in plans if v != "none"]
        if status in run_marks.RUNNING:
            why["in flight"] = f'logged as "{status}"'
        elif plans and row["run_id"] in last and last[row["run_id"]] < 0.98 * plans[0]:
            why["in flight"] = f"step {last[row['run_id']]:,.0f} of {plans[0]:,.0f} planned"
        curve = by_run.get(row["run_id"])
        rise, ratio = (0.0, np.nan) if curve is None else (rise_of(curve), steepening_of(curve))
        if "diverg" in status or "nan" in status:
            why["diverged"] = f'logged as "{status}"'
        elif not np.isfinite(row["loss"]):
            why["diverged"] = "no finite loss"
        elif rise > 0.2:
            why["diverged"] = f"ends {rise:.2f} nats above its lowest point"
        same = ("arch", "n_active", "n_total", "n_experts", "top_k", "granularity", "tokens", "flops", "loss_name", "seed")
        key = (*(None if row[c] != row[c] else row[c] for c in same), f"{row['loss']:.9g}")
        if row["loss"] == row["loss"] and key in seen:
            why["duplicate"] = f'as "{seen[key]}"'
        seen.setdefault(key, row["name"])
        if re.search(run_marks._COOLED, row["name"]) or re.search(run_marks._COOLED, row["extra"]):
            why["cooled down"] = "its name or another column of the log says so"
        elif ratio >= 1.5:
            why["cooled down"] = f"its last tenth falls {ratio:.1f} times as fast as before"
        found[row["run_id"]] = why
    for run, words in restarts_one_by_one(runs, ends):
        found[run]["restart"] = words
    order = list(run_marks.MARKS)
    return {
        run: (", ".join(m for m in order if m in why), "; ".join(f"{m}: {why[m]}" for m in order if m in why))
        for run, why in found.items()
    }


def rise_of(curve):
    loss = curve["loss"].to_numpy()[np.isfinite(curve["loss"])]
    if len(loss) < 10:
        return 0.0
    medians = [np.median(loss[i : i + 5]) for i in range(len(loss) - 4)]
    return medians[-1] - min(medians)


def steepening_of(curve):
    curve = curve[np.isfinite(curve["loss"]) & (curve["loss"] > 0) & (curve["tokens"] > 0)]
    if len(curve) < 12:
        return np.nan
    slopes = []
    for low, high in ((0.4, 0.8), (0.9, 1.0)):
        part = curve[(curve["tokens"] / curve["tokens"].max()).between(low, high)]
        if len(part) < 4:
            return np.nan
        x, y = np.log(part["tokens"]), np.log(part["loss"])
        slope, intercept = np.polyfit(x, y, 1)
        error = np.sqrt(((y - slope * x - intercept) ** 2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum())
        if not -slope > 3 * error:
            return np.nan
        slopes.append(slope)
    return slopes[1] / slopes[0]


def restarts_one_by_one(runs, ends):
    """(run, words) of the attempts at one training: every configuration's logs by their first step, chained while they go on."""
    if not len(ends):
        return
    spans = {r.run_id: r for r in ends.sort_values("n_points", kind="stable").itertuples() if r.first_step == r.first_step}
    groups = {}
    for row in runs[~runs["excluded"]].to_dict("records"):
        same = ("arch", "n_active", "n_total", "n_experts", "top_k", "granularity", "seed")
        if row["name"] and row["run_id"] in spans:
            key = (base_name(row["name"]), *(None if row[c] != row[c] else row[c] for c in same))
            groups.setdefault(key, []).append(spans[row["run_id"]])
    for (base, *_), logs in groups.items():
        logs.sort(key=lambda s: (s.first_step, s.last_step))
        chains = [[logs[0]]]
        for earlier, later in itertools.pairwise(logs):
            gap = 3 * (earlier.last_step - earlier.first_step) / max(earlier.n_points - 1, 1)
            goes_on = earlier.first_step < later.first_step <= earlier.last_step + gap and later.last_step > earlier.last_step
            chains[-1].append(later) if goes_on else chains.append([later])
        for chain in chains:
            for i, s in enumerate(chain if len(chain) > 1 else (), start=1):
                steps = f"steps {s.first_step:,.0f} to {s.last_step:,.0f}"
                yield s.run_id, f'attempt {i} of {len(chain)} at "{base}", {steps}'


def planted(seed=0, n=240):
    """Runs with every mark and several, curves that rise, bend, end early, have gaps or are too short, in two splits."""
    rng = np.random.default_rng(seed)
    size, seeds = rng.choice([1e7, 1e8, np.nan], n), rng.choice([0.0, 1.0, np.nan], n)
    runs = as_runs(
        pd.DataFrame(
            {
                "run_id": [f"r{i}" for i in range(n)],
                "name": rng.choice(["m", "m-restart1", "m_resumed 2", "k", "k cooldown", "", "k (2)"], n),
                "arch": rng.choice(["dense", "moe", ""], n),
                "n_active": size,
                "tokens": rng.choice([1e9, 2e9], n),
                "flops": 6 * size * 1e9,
                "loss": rng.choice([2.0, 2.5, 2.5 + 1e-11, np.nan, np.inf], n, p=[0.3, 0.3, 0.3, 0.05, 0.05]),
                "loss_name": "loss",
                "seed": seeds,
                "status": rng.choice(["finished", " Running ", "crashed", "diverged", ""], n, p=[0.6, 0.05, 0.1, 0.05, 0.2]),
                "excluded": rng.random(n) < 0.1,
                "extra": rng.choice(["", '{"args/max-steps": 2000}', '{"x.max_iters": "none"}', '{"lr": "anneal phase"}'], n),
            }
        )
    )
    parts = []
    for i, run in enumerate(runs["run_id"]):
        first = int(rng.choice([1, 1, 500, 900]))
        steps = np.linspace(first, first + rng.choice([400, 1000, 2000]), int(rng.choice([3, 11, 40, 100, 400])))
        loss = 2 + 8 / np.sqrt(steps) + rng.normal(0, rng.choice([1e-4, 0.02]), len(steps))
        loss += [0, 0.6, 0][i % 3] * (steps > steps[-1] * 0.7) - [0, 0, 0.1][i % 3] * np.clip(
            steps / steps[-1] - 0.85, 0, 1
        ) / 0.15
        loss[rng.random(len(steps)) < 0.03] = np.nan
        tokens = steps * 1e5
        for split in ("loss", "val")[: 1 + i % 2]:
            parts.append(pd.DataFrame({"run_id": run, "step": steps, "tokens": tokens, "split": split, "loss": loss}))
    keep = rng.permutation(len(parts))[: int(0.9 * len(parts))]
    return runs, pd.concat([parts[i] for i in keep], ignore_index=True)


def check_marks(store, dataset):
    runs, ends, splits = store.runs(dataset), store.curve_ends(dataset), store.splits(dataset)
    curves = store.curves(dataset, split=splits[0], max_points=POINTS) if splits else pd.DataFrame()
    expected = marks_one_by_one(runs, ends, curves)
    found = run_marks.ledger(runs, ends, curves)
    assert found["run_id"].tolist() == runs["run_id"].tolist()
    assert dict(zip(found["run_id"], zip(found["mark"], found["why"], strict=True), strict=True)) == expected
    if splits:
        parts = (part for _, part in store.curve_parts(dataset, splits[0], POINTS))
        in_parts = run_marks.with_restarts(run_marks.reasons(runs, ends, parts), find_restarts(runs, ends), runs)
        pd.testing.assert_frame_equal(run_marks.texts(in_parts, runs), found[found["mark"] != ""].reset_index(drop=True))
    return found


def test_marks_of_the_bundled_runs_are_those_found_run_by_run():
    with lawlib.open_store() as store:
        for dataset in store.datasets()["dataset"]:
            check_marks(store, dataset)


@pytest.mark.parametrize("seed", range(3))
def test_marks_of_planted_runs_are_those_found_run_by_run(seed, monkeypatch):
    monkeypatch.setattr("lawlib.store.reading.PART", 1000)
    runs, curves = planted(seed)
    with lawlib.open_store(workspace=":memory:") as store:
        store.add(runs, "mine", curves=curves)
        store.exclude("mine", runs.loc[runs["excluded"], "run_id"], "planted")
        found = check_marks(store, "mine")
    words = " ".join(found["why"])
    for expected in ("step ", "no finite loss", "nats above", "as fast as before", "attempt 2 of", 'as "', "column of the log"):
        assert expected in words


def test_curves_in_parts_are_whole_in_order_and_those_of_the_store(monkeypatch):
    monkeypatch.setattr("lawlib.store.reading.PART", 700)
    runs, curves = planted()
    long = pd.DataFrame({"run_id": "r7", "step": np.arange(5000.0), "tokens": np.arange(5000.0), "split": "long", "loss": 2.0})
    with lawlib.open_store(workspace=":memory:") as store:
        early = runs["run_id"].isin(runs["run_id"][120:])
        store.add(runs, "mine", curves=curves[curves["run_id"].isin(runs["run_id"][early])])  # the later runs' curves first
        store.add(runs, "mine", curves=pd.concat([curves[~curves["run_id"].isin(runs["run_id"][early])], long]))
        for split, most in (("loss", POINTS), ("val", 34), ("long", POINTS)):
            parts = list(store.curve_parts("mine", split, most))
            points = pd.concat([p for _, p in parts])
            expected = store.curves("mine", split=split, max_points=most)
            assert len(parts) > 1 or split == "long"
            assert parts[-1][0] == 1.0
            assert runs["run_id"].iloc[points["place"]].tolist() == expected["run_id"].tolist()
            for column in ("tokens", "loss"):
                np.testing.assert_array_equal(points[column], expected[column])
            ends = [set(p["place"]) for _, p in parts]
            assert sum(map(len, ends)) == len(set().union(*ends))  # no curve is cut in two


def test_the_ends_of_some_curves_are_those_of_all():
    runs, curves = planted()
    with lawlib.open_store(workspace=":memory:") as store:
        store.add(runs, "mine", curves=curves)
        ends, some = store.curve_ends("mine"), ["r3", "r100", "r5"]
        of_some = ends[ends["run_id"].isin(some)].reset_index(drop=True)
        pd.testing.assert_frame_equal(store.curve_ends("mine", some), of_some)
        assert store.curve_ends("mine", []).empty


def test_only_writes_to_runs_change_their_version():
    runs, curves = planted()
    with lawlib.open_store(workspace=":memory:") as store:
        store.add(runs.head(10), "mine", curves=curves[curves["run_id"].isin(runs["run_id"].head(10))])
        before, version = store.runs_version, store.version
        assert before == version
        store.exclude("mine", ["r1", "r2"], ["diverged", "odd"])
        store.save_analysis("one", "fit", "law=joint")
        assert store.runs_version == before < store.version
        own = store.runs("mine")
        pd.testing.assert_frame_equal(store.exclusions("mine"), own[["excluded", "exclude_reason"]])
        assert own["exclude_reason"].tolist()[1:3] == ["diverged", "odd"]
        store.add(runs.tail(10), "mine")
        assert store.runs_version == store.version > version
        with pytest.raises(ValueError, match="Say why"):
            store.exclude("mine", ["r1", "r2"], ["diverged", " "])


def test_known_hashes_leave_out_the_same_runs():
    runs, _ = planted()
    hashes = content_hashes(runs)
    out = [hashes[3], hashes[50], hashes[50], "00000000"]
    pd.testing.assert_frame_equal(marked(runs, out, hashes=pd.Series(hashes)), marked(runs, out))
    assert marked(runs, out)["excluded"].sum() == sum(min(out.count(h), hashes.count(h)) for h in set(out))


def test_what_is_drawn_of_many_runs_is_drawn_again_as_it_is():
    n = 4 * figures.MAX_DRAWN
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"flops": rng.random(n), "loss": rng.random(n), "excluded": rng.random(n) < 0.6})
    drawn = figures.drawn(runs, "flops")
    assert drawn["excluded"].value_counts().to_dict() == {True: figures.MAX_DRAWN, False: figures.MAX_DRAWN}
    pd.testing.assert_frame_equal(figures.drawn(drawn, "flops"), drawn)


@pytest.fixture
def many():
    """20,000 planted runs and a few that have marks, with a short curve each for some of them."""
    n = 20_000
    rng = np.random.default_rng(5)
    size, flops = 10 ** rng.uniform(7, 9, n), 10 ** rng.uniform(18, 20, n)
    loss = 1.8 + 400 * size**-0.34 + 2000 * (flops / 6 / size) ** -0.37
    runs = pd.DataFrame(
        {
            "run_id": [f"r{i:05d}" for i in range(n)], "name": [f"run {i}" for i in range(n)], "arch": "dense", "n_active": size,
            "tokens": flops / 6 / size, "flops": flops, "loss": loss, "loss_name": "loss", "status": "finished",
        }
    )  # fmt: skip
    runs.loc[runs.index[-1], "status"] = "running"
    again = runs.tail(600).head(599).assign(run_id=lambda r: r["run_id"] + "x")
    steps = np.arange(1, 41) * 10.0
    curves = [
        pd.DataFrame(
            {
                "run_id": f"r{i:05d}",
                "step": steps,
                "tokens": steps,
                "split": "loss",
                "loss": 2 + 8 / steps + (i == 7) * (steps > 300),
            }
        )
        for i in range(12)
    ]
    with lawlib.open_store() as store:
        store.add(pd.concat([runs, again]), "mine", curves=pd.concat(curves))
    return runs


@pytest.mark.usefixtures("many")
def test_a_page_of_many_runs_counts_all_marks_draws_a_part_and_says_so():
    at = open_page("runs", dataset="mine")
    assert "**20599 of 20599 selected runs** count" in answer(at)
    assert '1 in flight, 1 diverged, 599 duplicate, 20,598 logged as "finished", 1 logged as "running"' in captions(at)
    assert "worked out for up to 2,000 runs" in captions(at)
    assert "The first 5,000 of 20,599 runs." in captions(at)
    assert sum(len(t["x"]["bdata"] if isinstance(t["x"], dict) else t["x"]) > 0 for t in figure(at, "runs")["data"])
    clean(at.selectbox(key="mark_kind").select("duplicate").run())
    clean(at.button(key="leave_marked").click().run())
    assert "**20000 of 20599 selected runs** count" in answer(at)
    with lawlib.open_store() as store:
        left = store.runs("mine").query("excluded")
    assert (left["exclude_reason"] == 'duplicate: as "' + left["name"] + '"').all()


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    "page", ["overview", "fit", "isoflop", "granularity", "dense_vs_moe", "fine_grained", "compare", "serving", "planner"]
)
def test_pages_of_laws_say_up_to_how_many_runs_they_are_fitted(page):
    at = open_page(page, dataset="mine")
    said = captions(at) + " ".join(w.value for w in at.warning) + " ".join(m.value for m in at.markdown)
    words = "Laws are fitted to at most 20,000 here" if page != "fine_grained" else "pairs are looked for among at most 4,000"
    assert "20,599 runs are selected" in said
    assert words in said


def test_filters_bring_many_runs_within_what_laws_are_fitted_to(many, monkeypatch):
    monkeypatch.setattr("ui.cached.selections.MANY", 1000)
    low = float(many["flops"].nlargest(200).min())
    at = open_page("fit", dataset="mine", cmin=f"{low:.17g}")
    n = int((many["flops"] >= low / 1.001).sum())
    with lawlib.open_store() as store:
        own = lawlib.select(store.runs("mine"), flops=(low, None))
    assert n <= len(own) <= 1000
    assert f"holds **{len(own)} runs**" in answer(at)
