"""`make test`: three parts, how long each took, and the status of the first that failed."""

import subprocess

import pytest

from tools import run_tests


@pytest.mark.parametrize(
    ("statuses", "expected"), [((0, 0, 0), 0), ((0, 5, 5), 0), ((5, 5, 5), 5), ((0, 1, 2), 1), ((5, 0, 3), 3), ((2, 5, 0), 2)]
)
def test_a_failure_of_any_part_is_the_whole_s(statuses, expected, monkeypatch, tmp_path, capsys):
    asked, left = [], [*statuses]

    def pytest_run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, left.pop(0))

    monkeypatch.setattr(run_tests.subprocess, "run", pytest_run)
    monkeypatch.setattr(run_tests, "UNTESTED", tmp_path / "untested")
    (tmp_path / "untested").write_text("of an earlier run")
    assert run_tests.run(["-k", "one"]) == expected
    assert [command[-2:] for command in asked] == [["-k", "one"]] * 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"Tests {words}" for words in (*run_tests.PARTS, "in all")]


def test_the_parts_are_all_tests_and_none_twice():
    markers = [options[options.index("-m") + 1] for options in run_tests.PARTS.values()]
    assert markers == ["not browser", "browser and not clock", "clock"]


def test_every_test_against_the_clock_is_one_in_a_browser(request):
    """Else it would run in two parts."""
    alone = [
        item.nodeid
        for item in request.session.items
        if item.get_closest_marker("clock") and not item.get_closest_marker("browser")
    ]
    assert not alone


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 min 00 s"), (65.2, "1 min 05 s"), (719.6, "12 min 00 s")])
def test_durations_are_minutes_and_seconds(seconds, words):
    assert run_tests.minutes(seconds) == words
