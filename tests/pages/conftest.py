"""Fixtures of every test of a page: navigation as on a server, and few bootstrap refits."""

import pytest
from streamlit.runtime.pages_manager import PagesManager


@pytest.fixture(autouse=True)
def navigation(monkeypatch):
    """AppTest forgets at every run that the app uses st.navigation, as a server does only once: see `ui.frame.page._through_app`."""
    original = PagesManager.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        PagesManager.uses_pages_directory = False

    monkeypatch.setattr(PagesManager, "__init__", init)
    yield
    PagesManager.uses_pages_directory = None


@pytest.fixture(autouse=True)
def few_resamples(request, monkeypatch):
    """Bands of 30 refits instead of 300, except where a test reads their number: refits take most of these tests' time."""
    if "all_resamples" not in request.fixturenames:
        monkeypatch.setattr("ui.cached.fits.N_RESAMPLES", 30)


@pytest.fixture
def all_resamples():
    """Keeps the pages' own number of refits."""
