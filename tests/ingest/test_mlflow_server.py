"""Runs of a live MLflow server: the table that its database gives, read in pages by MLflow's client, and a sentence for every failure."""

import copy
import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lawlib import ReadError
from lawlib.ingest import Scrubbed, build, detect, open_table
from lawlib.ingest.remote import mlflow_server
from lawlib.ingest.remote.mlflow_client import address, installed
from lawlib.ingest.remote.mlflow_server import Experiment

ROOT = Path(__file__).resolve().parents[2]
DATABASE = ROOT / "tests" / "data" / "trackers" / "mlflow.db"


def chosen(server, *names):
    found = mlflow_server.experiments(server.address)
    return [e for e in found if e.name in names]


def read(server, **caps):
    return mlflow_server.read(server.address, chosen(server, "sweep"), **caps)


def test_experiments_are_listed_over_all_pages(tracking_server):
    tracking_server.page = 1
    assert mlflow_server.experiments(tracking_server.address) == [Experiment("1", "sweep"), Experiment("0", "Default")]
    assert [method for method, _ in tracking_server.asked] == ["experiments/search"] * 2


@pytest.mark.parametrize("page", [1, 2, 10**6])
def test_the_server_gives_what_its_database_gives(tracking_server, page):
    """The recorded answers are those of a real server on this very database."""
    tracking_server.page = page
    table, file = read(tracking_server), open_table(DATABASE, "mlflow.db")
    pd.testing.assert_frame_equal(table.frame.sort_index(axis=1), file.frame.sort_index(axis=1))
    assert table.dropped == file.dropped
    live, stored = build(table, detect(table)), build(file, detect(file))
    columns = [c for c in stored.runs if c not in ("run_id", "extra")]
    pd.testing.assert_frame_equal(live.runs[columns], stored.runs[columns])
    assert live.runs[["name", "n_active", "tokens", "loss", "status"]].values.tolist() == [
        ["dense-0", 1e8, 3e7, 2.5, "finished"],
        ["dense-1", 2e8, 3e7, 2.25, "failed"],
    ]
    assert len(live.curves) == len(stored.curves) == 8
    assert live.derivations.drop(columns="run_id").equals(stored.derivations.drop(columns="run_id"))
    assert live.problems == stored.problems == []


def test_tags_come_too_and_what_tells_of_people_and_machines_is_left_out(tracking_server):
    for run in tracking_server.answers["runs"]["runs"]:
        run["data"]["tags"] += [{"key": "team", "value": "a"}, {"key": "out", "value": "/home/someone/out"}]
    table = read(tracking_server)
    assert set(table.frame["tags.team"]) == {"a"}
    assert set(table.frame["tags.out"]) == {"out"}
    assert "someone" not in table.frame.to_csv()
    assert Scrubbed("tags.mlflow.user", "user name", 1, True) in table.dropped
    assert Scrubbed("tags.out", "path", 1) in table.dropped
    assert "127.0.0.1" not in " ".join([table.name, *table.notes])
    assert table.notes[0].endswith("UTC: 2 runs of sweep.")


def test_an_experiment_named_after_a_person_does_not_name_the_data(tracking_server):
    table = mlflow_server.read(tracking_server.address, [Experiment("1", "/Users/someone@example.com/sweep")])
    assert "someone" not in " ".join([table.name, *table.notes]) + table.frame.to_csv()


def test_runs_of_one_name_stay_apart_nan_is_kept_and_the_machine_s_metrics_are_passed_over(tracking_server):
    for run in tracking_server.answers["runs"]["runs"]:
        key = run["info"]["run_id"]
        run["info"]["run_name"] = "same"
        for metric, value in (("system/cpu_utilization_percentage", 50.0), ("odd", "NaN")):
            point = {"key": metric, "value": value, "timestamp": 1, "step": 10}
            run["data"]["metrics"].append(point)
            tracking_server.answers["history"][f"{key} {metric}"] = {"metrics": [point]}
    table = read(tracking_server)
    assert table.frame["run"].unique().tolist() == ["same", "same (2)"]
    assert set(table.frame["metrics.odd"]) == {"NaN", ""}
    assert "metrics.system/cpu_utilization_percentage" not in table.frame
    assert "2 metrics of the machine (system/...) passed over." in table.notes
    assert not [a for m, a in tracking_server.asked if m == "metrics/get-history" and a["metric_key"].startswith("system/")]


def many(server, n):
    """n runs of the first one's content, one started after another."""
    (run, *_), history = server.answers["runs"]["runs"], server.answers["history"]
    old, server.answers["runs"]["runs"] = run["info"]["run_id"], []
    for i in range(n):
        new = copy.deepcopy(run)
        new["info"] |= {"run_id": f"{i:032x}", "run_uuid": f"{i:032x}", "run_name": f"run-{i}", "start_time": 10**12 + i}
        server.answers["runs"]["runs"].append(new)
        history |= {f"{i:032x} {m['key']}": history[f"{old} {m['key']}"] for m in run["data"]["metrics"]}


def test_the_cap_on_runs_takes_the_last_ones_and_says_so(tracking_server):
    many(tracking_server, 7)
    tracking_server.page = 2
    steps = []
    table = read(tracking_server, max_runs=5, progress=lambda done, total: steps.append((done, total)))
    assert table.frame["run"].unique().tolist() == ["run-2", "run-3", "run-4", "run-5", "run-6"]
    assert "The experiments hold more than 5 runs: the last 5 started were read." in table.notes
    assert steps == [(i, 5) for i in range(5)]
    assert not [note for note in read(tracking_server, max_runs=7).notes if "more than" in note]


def test_the_cap_on_points_keeps_whole_runs_and_says_so(tracking_server):
    many(tracking_server, 4)
    table = read(tracking_server, max_points=15)  # 7 a run
    assert table.frame["run"].unique().tolist() == ["run-2", "run-3"]
    assert any(
        n.startswith("Only the last 2 of 4 runs were read: with the next one it would be more than 15") for n in table.notes
    )
    with pytest.raises(ReadError, match=r"no metric of any run.*Only the last 0 of 4 runs"):
        read(tracking_server, max_points=6)


def test_an_exception_of_the_progress_ends_the_reading(tracking_server):
    many(tracking_server, 4)

    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(tracking_server, progress=stop)
    assert sum(m == "metrics/get-history" for m, _ in tracking_server.asked) == 3


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("401", r"wants to know who asks \(401\)\. Set MLFLOW_TRACKING_USERNAME and"),
        ("403", r"does not allow this .* \(403\)"),
        ("404", r"is no MLflow tracking server, or the server lies under another path \(404\)"),
        ("302", r"sends elsewhere \(302\), as a login page does, and is not followed"),
        ("418", "answers 418"),
        ("503", r"answers 503: the server is busy or has a fault\. Try again later"),
        ("web", r"is not what an MLflow tracking server answers"),
        ("other", r"is not what an MLflow tracking server answers"),
        ("bare", "has no experiment"),
        ("refused", r"refuses: Closed for today\."),
        ("silent", "did not answer in 1 s"),
        ("token", r"\(401\)"),
    ],
)
def test_every_failure_is_a_sentence(tracking_server, path, sentence):
    with pytest.raises(ReadError, match=sentence) as error:
        mlflow_server.experiments(f"{tracking_server.address}/{path}")
    assert "Traceback" not in str(error.value)
    assert len(str(error.value)) < 300


def test_a_failure_in_the_midst_of_the_runs_is_a_sentence_too(tracking_server):
    tracking_server.answers["history"].clear()
    with pytest.raises(ReadError, match="could not be reached, or broke the connection off"):
        read(tracking_server)


def test_credentials_are_those_of_mlflow_s_environment(tracking_server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    assert len(mlflow_server.experiments(f"{tracking_server.address}/token")) == 2


@pytest.mark.usefixtures("tracking_server")
def test_a_server_that_is_not_there_says_so():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ReadError, match=rf"Nothing answers at 127\.0\.0\.1:{port}: is the server running"):
        mlflow_server.experiments(f"http://127.0.0.1:{port}")


@pytest.mark.usefixtures("tracking_server")
def test_a_name_that_cannot_be_found_says_so(monkeypatch):
    def nowhere(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(ReadError, match=r"mlflow\.example could not be found"):
        mlflow_server.experiments("http://mlflow.example")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "mlflow.db",
        "127.0.0.1:5000",
        "sqlite:///mlflow.db",
        "file:///tmp/mlruns",
        "databricks",
        "http://",
        "http://a b",
        "http:///x",
    ],
)
def test_what_is_no_http_address_is_refused_with_an_example(typed):
    with pytest.raises(ReadError, match=r'begins with http:// or https://, such as "http://127\.0\.0\.1:5000"; this is'):
        mlflow_server.experiments(typed)


@pytest.mark.parametrize("typed", ["http://[", "http://a:x", "http://a:99999"])
def test_what_is_no_address_at_all_is_told(typed):
    with pytest.raises(ReadError, match="This is no address"):
        mlflow_server.experiments(typed)


def test_an_address_with_a_password_is_refused_before_anything_is_asked(tracking_server):
    with pytest.raises(ReadError, match="user's name or password in it is not asked") as error:
        mlflow_server.experiments(tracking_server.address.replace("//", "//me:secret@"))
    assert "secret" not in str(error.value)
    assert tracking_server.asked == []


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        (" HTTP://Host:5000/ ", "http://host:5000"),
        ("https://host/ml/#/experiments/1?x=2", "https://host/ml"),
        ("http://[::1]:5000/?a=b", "http://[::1]:5000"),
    ],
)
def test_a_page_of_the_server_s_ui_stands_for_the_server(typed, asked):
    assert address(typed) == asked


def test_no_experiment_chosen_and_an_empty_one_are_told(tracking_server):
    with pytest.raises(ReadError, match="Choose at least one experiment"):
        mlflow_server.read(tracking_server.address, [])
    with pytest.raises(ReadError, match="hold no run"):
        mlflow_server.read(tracking_server.address, chosen(tracking_server, "Default"))


def test_without_the_package_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ReadError, match=r"needs the package mlflow-skinny\. Install it with .*requirements-extra\.txt"):
        mlflow_server.experiments("http://127.0.0.1:1")


def test_the_package_is_looked_for_and_not_loaded():
    code = "import sys, lawlib.ingest as i; i.mlflow_server.installed(); sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    assert installed()


def test_only_the_typed_address_is_contacted(tracking_server):
    """In a process that MLflow cannot take for a test: in one it switches its usage statistics off by itself."""
    code = """if True:
        import sys
        seen = set()
        def hook(event, args):
            if event == "socket.connect":
                seen.add(args[1][:2] if isinstance(args[1], tuple) else args[1])
            elif event == "socket.getaddrinfo":
                seen.add(args[:2])
        sys.addaudithook(hook)
        from lawlib.ingest import mlflow_server
        uri = sys.argv[1]
        table = mlflow_server.read(uri, mlflow_server.experiments(uri))
        import time; time.sleep(1)
        print(len(table.frame), sorted({str(s[1]) for s in seen}), {s[0] for s in seen})
    """
    quiet = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "NO_PROXY", "no_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", code, tracking_server.address], cwd=ROOT, env=quiet, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"6 ['{tracking_server.server_port}'] {{'127.0.0.1'}}", done.stderr
