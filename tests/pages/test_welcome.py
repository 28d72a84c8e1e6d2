"""A first visit: three cards with numbers that the pages they lead to show too, closed for good on a click."""

import re

import pytest
from playwright.sync_api import expect

import lawlib
from lawlib import numbers
from tests.support.browser import settle
from tests.support.pages import add, answer, clean, dense_and_moe, open_page


def cards(at) -> str:
    return " ".join(m.value for m in at.markdown if re.match(r"\*\*[123] ·", m.value))


def test_three_cards_hold_the_law_s_own_numbers():
    at = open_page("overview")
    text = cards(at)
    assert text.count(" · ") == 3
    with lawlib.open_store(workspace=":memory:") as store:
        fit = lawlib.fit(store.runs("marin-moe-v16"), "chinchilla")
    small, large = (lawlib.compute_optimal(fit, c) for c in (1e22, 1e23))
    assert f"a model **{numbers.times(large.n_active / small.n_active)}** as large" in text
    assert f"on **{numbers.times(large.tokens / small.tokens)}** the tokens" in text


def test_the_second_card_leads_to_its_number():
    at = open_page("overview")
    said = re.search(r"dense model needs (\*\*\S+\*\*) the compute", cards(at))[1]
    at = clean(at.button(key="welcome_experts").click().run())
    assert "At **1e22 FLOPs** a MoE with **E = 32**" in answer(at)
    assert f"a dense model needs {said} [" in answer(at)


def test_closed_cards_stay_closed():
    at = open_page("overview")
    clean(at.button(key="welcome_close").click().run())
    assert not cards(at)
    assert not cards(clean(at.run()))


def test_who_has_runs_here_is_no_first_visitor():
    add(dense_and_moe(), "mine")
    assert not cards(open_page("overview"))


@pytest.mark.browser
def test_the_browser_remembers_that_they_were_closed(fresh_server, new_page):
    page = new_page(fresh_server(), path="/")  # a workspace that no other test has stored runs in
    settle(page)
    shown = page.get_by_text("Three things, in a minute")
    expect(shown).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).click()
    expect(shown).to_have_count(0)
    page.wait_for_function("document.cookie.includes('scaling_laws_welcomed=1')")
    page.reload()
    settle(page)
    expect(page.locator(".st-key-answer")).to_be_visible()
    assert shown.count() == 0
