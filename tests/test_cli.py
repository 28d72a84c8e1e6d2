"""The command `lawlib`: what it prints is what the library says, and a wrong file or number ends in a sentence."""

import json
import os

import pytest

import lawlib
from lawlib import cli
from tests.support.planted import PARAMS, grid


@pytest.fixture
def table(tmp_path):
    """A CSV of 60 runs of the Chinchilla law with noise."""
    path = tmp_path / "runs.csv"
    runs = grid("chinchilla", noise=0.002)
    runs[["name", "n_active", "tokens", "flops", "loss"]].to_csv(path, index=False)
    return path


def said(capsys, *arguments):
    status = cli.main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_read_says_which_column_is_what_and_how_many_runs_there_are(table, capsys):
    status, out, err = said(capsys, "read", table)
    runs = lawlib.read_runs(table)
    assert (status, err) == (0, "")
    for words in ("n_active", "tokens", "flops", "loss", "nats", f"{len(runs)} runs"):
        assert words in out


def test_read_goes_on_after_a_file_that_cannot_be_read(table, tmp_path, capsys):
    broken = tmp_path / "broken.csv"
    broken.write_bytes(b"\0\1\2")
    status, out, _ = said(capsys, "read", broken, tmp_path / "missing.csv", table)
    assert status == 1
    assert "not read: broken.csv is not text" in out
    assert "missing.csv could not be opened" in out
    assert "loss" in out.partition(str(table))[2]


def test_read_stores_nothing(table, capsys):
    said(capsys, "read", table)
    with lawlib.open_store() as store:
        assert "uploaded" not in set(store.datasets()["kind"])


def test_fit_as_json_is_what_the_library_says(table, capsys, monkeypatch):
    monkeypatch.setattr(cli, "N_RESAMPLES", 50)
    status, out, _ = said(capsys, "fit", table, "--law", "chinchilla", "--budget", "1e21", "--level", ".9", "--json")
    found, law = json.loads(out), lawlib.fit(lawlib.read_runs(table), "chinchilla")
    samples, optimum = lawlib.bootstrap(law, 50), lawlib.compute_optimal(law, 1e21)
    assert status == 0
    assert found["parameters"] == pytest.approx(law.params)
    assert found["parameters"]["alpha"] == pytest.approx(PARAMS["chinchilla"]["alpha"], rel=0.05)
    assert found["intervals"]["alpha"] == pytest.approx(samples.interval("alpha", 0.9))
    assert found["optimum"]["n_active"] == pytest.approx(float(optimum.n_active))
    expected = samples.interval(lambda law: lawlib.compute_optimal(law, 1e21).tokens, 0.9)
    assert found["optimum_intervals"]["tokens"] == pytest.approx(expected)
    assert found["level"] == 0.9
    assert [f["code"] for f in found["health"]] == [f.code for f in law.health()]


def test_fit_in_words_has_coefficients_health_and_optimum(table, capsys, monkeypatch):
    monkeypatch.setattr(cli, "N_RESAMPLES", 20)
    status, out, _ = said(capsys, "fit", table, "--law", "chinchilla")
    largest = lawlib.read_runs(table)["flops"].max()
    assert status == 0
    for words in ("L_inf", "alpha", "95% interval", "runs, converged", "optimum at", lawlib.numbers.flops(largest, 3)):
        assert words in out
    assert "nan" not in out


def test_a_law_that_these_runs_cannot_identify_is_refused_with_the_reason(table, capsys):
    status, out, err = said(capsys, "fit", table, "--law", "joint")
    assert (status, out) == (1, "")
    assert err.startswith("lawlib: ")
    assert "joint law" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--law", "nonsense"], "invalid choice: 'nonsense'"),
        (["--law", "chinchilla", "--budget", "-3"], "'-3' is not a positive number"),
        (["--law", "chinchilla", "--budget", "many"], "'many' is not a positive number"),
        (["--law", "chinchilla", "--expansion", "inf"], "'inf' is not a positive number"),
    ],
)
def test_a_wrong_argument_is_named(table, capsys, arguments, sentence):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["fit", str(table), *arguments])
    assert sentence in capsys.readouterr().err


def test_a_level_beyond_one_is_refused(table, capsys):
    status, _, err = said(capsys, "fit", table, "--law", "chinchilla", "--level", "95")
    assert status == 1
    assert "--level must lie between 0 and 1; got 95" in err


def test_app_starts_streamlit_on_the_application_beside_the_library(monkeypatch):
    started = []
    monkeypatch.setattr(os, "execv", lambda path, command: started.append(command))
    monkeypatch.setattr(os, "chdir", lambda path: started.append(path))
    cli.main(["app", "--port", "8765"])
    folder, command = started
    assert (folder / "app.py").is_file()
    assert command[1:] == ["-m", "streamlit", "run", "app.py", "--server.port", "8765"]


def test_without_streamlit_the_sentence_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["app"]) == 1
    assert 'pip install "lawlib[app]"' in capsys.readouterr().err
