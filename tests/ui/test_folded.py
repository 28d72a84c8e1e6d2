"""Options that are folded away: they stay open under the reader's hand, and say how many were changed."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import settle
from tests.support.pages import clean, open_page
from ui.session.folded import OPENED


def unfolded(at, words: str) -> bool:
    (found,) = (e for e in at.expander if e.label.startswith(words))
    return found.proto.expanded


def test_an_expander_opens_with_a_change_and_stays_when_it_is_taken_back():
    at = open_page("overview")
    assert not unfolded(at, "Fit options")
    clean(at.selectbox(key="w_objective").set_value("squared").run())
    assert unfolded(at, "Fit options (1 changed)")
    clean(at.selectbox(key="w_objective").set_value("huber").run())
    assert unfolded(at, "Fit options")
    assert not any("changed" in e.label for e in at.expander)


def test_options_behind_a_button_are_drawn_while_it_is_open():
    at = open_page("serving", mfu="0.5")
    assert not [s for s in at.slider if s.key == "w_mfu"]
    at.session_state[f"{OPENED}Options"] = True
    clean(at.run())
    assert at.slider(key="w_mfu").value == 0.5
    assert any("training at 50% MFU" in c.value for c in at.caption)


@pytest.mark.browser
@pytest.mark.parametrize("path", ["/serving", "/planner"])
def test_a_slider_behind_the_button_may_pass_its_default(page, path):
    page.goto(path)
    settle(page)
    page.get_by_role("button", name="Options", exact=True).click()
    slider = page.locator(".st-key-w_mfu input[type=range]")
    slider.focus()
    for key, value in (("ArrowRight", "0.41"), ("ArrowLeft", "0.4"), ("ArrowLeft", "0.39")):
        page.keyboard.press(key)
        settle(page)
        expect(slider).to_be_focused()
        expect(slider).to_have_value(value)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Options (1)")).to_be_visible()
    assert "mfu=0.39" in page.url
