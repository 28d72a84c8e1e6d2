"""Saved analyses found again, and two views side by side: each as its own page shows it."""

from urllib.parse import parse_qsl, urlencode

import lawlib
from lawlib import numbers
from tests.support.pages import add, answer, captions, clean, dense_and_moe, open_page


def side(at, name: str) -> dict[str, str]:
    table = at.dataframe[0].value
    return dict(zip(table["quantity"], table[name], strict=True))


def number(text: str) -> float:
    return lawlib.runs.parse_number(text.split(" ")[0])


def test_without_a_choice_the_view_is_compared_with_ten_times_its_budget():
    at = open_page("compare", budget="1e21")
    left, right = side(at, "This view"), side(at, "This view, ten times the budget")
    assert (left["budget, FLOPs"], right["budget, FLOPs"]) == ("1e21", "1e22")
    law = lawlib.fit(lawlib.open_store().runs("marin-moe-v16"), "chinchilla")
    for found, budget in ((left, 1e21), (right, 1e22)):
        best = lawlib.compute_optimal(law, budget)
        assert found["optimal active parameters N"].startswith(f"{numbers.count(best.n_active)} [")
        assert found["loss there, nats per token"].startswith(f"{best.loss:.3f} [")
    ratio = side(at, "right / left")
    losses = [lawlib.compute_optimal(law, b).loss for b in (1e21, 1e22)]
    assert ratio["loss there, nats per token"] == f"{losses[1] - losses[0]:+.3f} nats"
    assert ratio["budget, FLOPs"] == "10x"
    coefficients = at.dataframe[1].value.set_index("coefficient")
    assert coefficients.loc["alpha", "left"] == coefficients.loc["alpha", "right"]
    assert coefficients.loc["alpha", "left"].startswith(numbers.plain(law.params["alpha"], 5) + " [")


def test_two_laws_of_different_data_are_not_compared_by_their_loss():
    at = open_page("compare", b=urlencode({"law": "ludziejewski2025", "budget": "1e21", "e": "4"}))
    assert "their losses are not compared" in captions(at)
    assert "different forms" in captions(at)
    ratio = side(at, "right / left")
    assert ratio["loss there, nats per token"] == "other data"
    assert ratio["optimal active parameters N"] == "other count of N"
    assert "the loss is" not in answer(at)


def test_one_published_law_at_two_budgets_is_compared_by_its_loss():
    at = open_page("compare", law="besiroglu2024", budget="1e21")
    losses = [lawlib.compute_optimal(lawlib.published("besiroglu2024"), b).loss for b in (1e21, 1e22)]
    assert side(at, "right / left")["loss there, nats per token"] == f"{losses[1] - losses[0]:+.3f} nats"
    assert "losses are not compared" not in captions(at)
    assert "nats lower" in answer(at)


def test_two_data_sets_stand_side_by_side_and_the_session_keeps_its_own():
    add(dense_and_moe(), "mine")
    right = {"dataset": "mine", "law": "joint_granular", "budget": "1e20", "e": "16", "g": "8"}
    at = open_page("compare", budget="3e20", b=urlencode(right))
    pinned = side(at, "Pinned view")
    assert pinned["data set"] == "mine"
    assert pinned["runs fitted"] == "112"
    assert (pinned["E"], pinned["G"]) == ("16", "8")
    own = answer(open_page("overview", **right))
    assert f"**{pinned['optimal active parameters N'].split(' ')[0]} active parameters**" in own
    assert at.selectbox(key="w_dataset").value == "marin-moe-v16"
    clean(at.switch_page("pages/overview.py").run())
    assert "At **3e20 FLOPs**" in answer(at)


def test_a_view_of_data_that_are_gone_says_so():
    at = open_page("compare", b="dataset=gone")
    assert any("which is not here" in w.value for w in at.warning)


def test_a_view_is_kept_under_a_name_and_found_again():
    at = open_page("isoflop", budget="3.3e20", objective="squared_log")
    line = answer(at)
    at.text_input(key="analysis_name").set_value("squares & <b>co</b>")
    save = next(b for b in at.button if b.label == "Save")
    clean(save.click().run())
    with lawlib.open_store() as store:
        (saved,) = store.analyses().to_dict("records")
    assert saved["name"] == "squares & <b>co</b>"
    query = dict(parse_qsl(saved["query"]))
    assert query["budget"] == "3.3e20"
    assert query["data"].startswith("47-")
    assert "At 3.3e20 FLOPs the loss is lowest" in saved["summary"]

    fresh = open_page("compare")
    assert "squares & <b>co</b>" in fresh.selectbox(key="w_b").options
    clean(fresh.button(key="open_saved_0").click().run())
    clean(fresh.switch_page("pages/isoflop.py").run())  # AppTest stays where it was after st.switch_page
    assert answer(fresh) == line
    clean(fresh.switch_page("pages/compare.py").run())
    clean(fresh.button(key="delete_saved_0").click().run())
    assert "None yet" in captions(fresh)


def test_the_same_name_twice_is_refused_with_a_sentence():
    with lawlib.open_store() as store:
        store.save_analysis("mine", "fit", "")
    at = open_page("overview")
    at.text_input(key="analysis_name").set_value("mine")
    clean(next(b for b in at.button if b.label == "Save").click().run())
    assert any("already" in e.value for e in at.error)


def test_a_view_can_be_pinned():
    at = open_page("overview", budget="5e20")
    clean(at.button(key="pin_b").click().run())
    assert [t.value for t in at.toast] == ["Pinned on the right of the Compare page."]
    clean(at.select_slider(key="w_budget").set_value(1e20).run())
    clean(at.switch_page("pages/compare.py").run())
    assert side(at, "This view")["budget, FLOPs"] == "1e20"
    assert side(at, "Pinned view")["budget, FLOPs"] == "5e20"


def test_where_nothing_can_be_saved_the_reason_is_said(monkeypatch):
    lawlib.open_store().close()
    monkeypatch.setattr("lawlib.store.database.os.access", lambda *_: False)
    at = open_page("overview")
    assert next(b for b in at.button if b.label == "Save").disabled
    assert "Saving is off" in captions(at)
    clean(at.switch_page("pages/compare.py").run())
    assert answer(at)
