"""Fixtures of every test: a workspace of its own, empty caches, and a last line that names what went untested."""

import functools
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytest_plugins = ["tests.support.browser", "tests.support.tracking", "tests.support.http_server"]

UNTESTED = ROOT / "build" / "untested"
without_browser: list[str] = []


@pytest.fixture(autouse=True)
def own_workspace(tmp_path, monkeypatch):
    """Gives every test a workspace of its own, so that none touches the user's."""
    monkeypatch.setenv("LAWLIB_WORKSPACE", str(tmp_path / "workspace.duckdb"))


@pytest.fixture(autouse=True)
def empty_caches():
    """Empties Streamlit's caches, which belong to the process: else AppTest would see another test's store."""
    yield
    if "streamlit" in sys.modules:
        import streamlit

        streamlit.cache_data.clear()
        streamlit.cache_resource.clear()


@pytest.fixture(autouse=True, scope="session")
def packages_are_looked_through_once():
    """Searches the installed packages for components once, as a server does; AppTest would for every page."""
    if "streamlit.testing.v1" not in sys.modules:
        yield
        return
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", functools.cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Returns the folder of the original data files (LAWLIB_TEST_DATA); they are not all in the repository."""
    folder = os.environ.get("LAWLIB_TEST_DATA")
    if not folder:
        pytest.skip("LAWLIB_TEST_DATA does not name the folder of the original data files")
    if not Path(folder).is_dir():
        pytest.fail(f'LAWLIB_TEST_DATA is "{folder}", which is not a folder')
    return Path(folder)


def pytest_ignore_collect(collection_path, config):
    """Passes over files that do not even name the marker where only tests of one are asked for: reading all takes 8 s a process."""
    marker = config.option.markexpr.partition(" ")[0]
    if marker in ("browser", "clock") and collection_path.suffix == ".py" and marker not in collection_path.read_text("utf-8"):
        return True
    return None


def pytest_collection_modifyitems(items):
    """Runs browser tests last: they are slow, and Playwright leaves an event loop running in the main thread."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_runtest_logreport(report):
    if report.skipped and isinstance(report.longrepr, tuple) and "no browser" in report.longrepr[2]:
        without_browser.append(report.nodeid)


def pytest_unconfigure():
    """`make test` prints this file last: libraries may write to the screen after pytest's own. A line for each of its calls of pytest."""
    if without_browser and "PYTEST_XDIST_WORKER" not in os.environ:
        words = f"NOT TESTED IN A BROWSER: no Chromium or Chrome could be had, so {len(without_browser)} tests were skipped.\n"
        UNTESTED.parent.mkdir(exist_ok=True)
        with open(UNTESTED, "a", encoding="utf-8") as file:
            file.write(words)
