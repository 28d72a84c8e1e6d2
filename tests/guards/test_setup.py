"""The set-up scripts and the settings in .streamlit/config.toml."""

import tomllib
from pathlib import Path

import pytest
from streamlit import config

from tools.browser import find_browser, starts
from tools.environment import digest, requirement_files

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def names(table: dict, prefix: str = "") -> list[str]:
    return [
        name
        for key, value in table.items()
        for name in (names(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key])
    ]


@pytest.mark.parametrize("name", names(SETTINGS))
def test_streamlit_knows_every_setting(name):
    assert name in config._config_options_template


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_meets_wcag_aa_and_charts_have_ten_visible_colours(mode):
    theme = SETTINGS["theme"][mode]
    page, panel = theme["backgroundColor"], theme["secondaryBackgroundColor"]
    for name in ("textColor", "linkColor", "codeTextColor", "dataframeHeaderTextColor"):
        assert min(contrast(theme[name], page), contrast(theme[name], panel)) >= 4.5, name
    for name in ("red", "orange", "yellow", "green", "blue", "violet", "gray"):
        assert contrast(theme[name + "Color"], page) >= 4.5, name
    assert contrast(theme["primaryColor"], "#ffffff") >= 4.5  # Streamlit's button text is always white
    assert contrast(theme["primaryColor"], page) >= 4.0  # 4.5 is impossible beside the line above on a dark page
    assert len(set(theme["chartCategoricalColors"])) == 10  # fewer, and Streamlit or plotly fall back to their own
    assert min(contrast(colour, page) for colour in theme["chartCategoricalColors"]) >= 3.0
    assert len(theme["chartSequentialColors"]) == len(theme["chartDivergingColors"]) == 10
    steps = [luminance(colour) for colour in theme["chartSequentialColors"]]
    assert steps == sorted(steps, reverse=mode == "light")


def test_a_wrong_browser_path_is_named(monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", "no-such-browser")
    with pytest.raises(FileNotFoundError, match='BROWSER_PATH is "no-such-browser", which does not start'):
        find_browser()


def test_the_browser_can_be_declined(monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", "none")
    assert find_browser() is None


def test_a_program_that_fails_is_no_browser():
    assert not starts("false")


def test_a_change_of_the_runtime_pins_reinstalls_the_development_environment_too(tmp_path):
    runtime, development = tmp_path / "requirements.txt", tmp_path / "requirements-dev.txt"
    runtime.write_text("one==1\n", "utf-8")
    development.write_text("-r requirements.txt\ntwo==2\n", "utf-8")
    before = digest(development)
    runtime.write_text("one==1.1\n", "utf-8")
    assert requirement_files(development) == [runtime, development]
    assert digest(development) != before
