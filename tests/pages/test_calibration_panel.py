"""Calibration on the Serving page: what is typed into its table becomes the shares that the page serves with."""

import pandas as pd
import pytest

from lawlib.serving.calibration import NUMBERS
from tests.support.pages import clean, open_page
from tests.support.throughput import measured
from ui.session.folded import OPENED


@pytest.fixture
def typed(monkeypatch):
    """What the reader has typed: AppTest cannot fill in a data editor."""
    rows: dict[str, pd.DataFrame] = {}
    monkeypatch.setattr("streamlit.data_editor", lambda frame, **_: rows.get("typed", frame))
    return rows


def test_nothing_is_said_before_a_row_is_typed(typed):
    at = open_page("serving")
    assert not [b for b in at.button if b.key == "use_shares"]


def test_measured_rows_become_the_page_s_shares(typed):
    typed["typed"] = measured(0.42, 0.71)
    at = open_page("serving")
    assert any("42% of the peak compute, 71% of the memory bandwidth" in m.value for m in at.markdown)
    clean(at.button(key="use_shares").click().run())
    at.session_state[f"{OPENED}Options"] = True
    clean(at.run())
    assert at.slider(key="w_peak").value == pytest.approx(0.42, abs=0.005)
    assert at.slider(key="w_reach").value == pytest.approx(0.71, abs=0.005)
    assert any("42% of its rate" in c.value for c in at.caption)


def test_a_row_that_lacks_something_is_told(typed):
    typed["typed"] = measured(0.42, 0.71).drop(columns=list(NUMBERS)[-1])
    at = open_page("serving")
    assert any("Row 1 needs a positive tokens" in w.value.replace("\\", "") for w in at.warning)
