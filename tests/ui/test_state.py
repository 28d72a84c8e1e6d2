"""What the user has chosen: in the address and back unchanged, bad values ignored, defaults left out."""

import re
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from ui.session.url_fields import FIELDS, LIMITS

NAMES = 'mine & yours, 50 % "best" = ä/ß?'
CHOSEN: dict[str, object] = {
    "dataset": NAMES,
    "law": "own:joint",
    "law_g": "krajewski2024-moe-e64",
    "law_e": "ludziejewski2025",
    "objective": "squared_log",
    "delta": 2.5e-4,
    "rule": "krajewski",
    "weights": "compute",
    "unit": "slices",
    "budget": 1.93e20,
    "e": 64.0,
    "g": 0.5,
    "cmin": 1e17,
    "cmax": 3.2e22,
    "experts": (1.0, 8.0, 64.0),
    "grans": (1.0, 2.5),
    "arch": "moe",
    "extra": "router_type=Dense|S-Base",
    "split": "eval/loss",
    "cut": 5e19,
    "backtest": ("chinchilla", "joint"),
    "a": "budget=1e21&law=joint",
    "b": "dataset=mine+%26+yours&out=none",
    "by": "arch",
    "side_a": "1",
    "side_b": "64",
    "hand_a": ("3f9a1c02", "77aa01be"),
    "hand_b": ("3f9a1c02",),
    "along": "flops",
    "basis": "finished",
    "law_f": "joint",
    "metric": "acc_norm",
    "gpu": "MI300X",
    "precision": "fp8",
    "served": 3e12,
    "price": 1.95,
    "prompt": 4000.0,
    "output": 333.0,
    "reference": 4.0,
    "mfu": 0.38,
    "peak": 0.61,
    "reach": 0.83,
    "most": 64.0,
    "pace": 25.0,
    "vocabulary": 32000.0,
    "optimum": "tokens",
    "against": "n_total",
    "x": "d_model",
    "color": "loss_name",
    "given": "time",
    "trainers": 256.0,
    "days": 12.5,
    "have": 1.5e13,
    "life": 2e12,
    "goal": 2.31,
    "copy": 8.0,
    "at_once": 64.0,
    "step_ms": 22.5,
    "sequence": 8192.0,
    "multiple": "64",
    "plan_e": (1.0, 8.0),
    "plan_g": (4.0,),
    "spend": 3e19,
    "aim": "loss",
    "part": "released",
    "style": "mixtral",
    "data": "47-3f9a1c02-77aa01be",
    "out": ("3f9a1c02", "77aa01be"),
}
BAD: dict[str, list[str]] = {
    "objective": ["median", "Huber", "<b>", ""],
    "rule": ["7ND", "measured of mine"],
    "weights": ["best", "n_active"],
    "unit": ["run", "days"],
    "delta": ["0", "-1", "nan", "inf", "1e300", "ten", ""],
    "budget": ["0", "-1e20", "nan", "inf", "1e5", "1e36", "1e20 FLOPs", "", "<b>"],
    "e": ["0.5", "0", "1e6", "nan", "x", ""],
    "g": ["0", "-2", "1e6", "nan", "x", ""],
    "cmin": ["0", "-1", "nan", "inf", "x", ""],
    "cmax": ["0", "-1", "nan", "inf", "x", ""],
    "experts": ["1,x", "0", "1,-2", "nan", "1;2"],
    "grans": ["1,x", "0", "inf"],
    "cut": ["0", "-1", "nan", "inf", "x", ""],
    "by": ["nope", ""],
    "hand_a": ["3f9a1c0", "x"],
    "along": ["miles", "tokens"],
    "basis": ["maybe"],
    "precision": ["int4", ""],
    "served": ["0", "1e5", "nan", "x", ""],
    "price": ["0", "-2", "1e5", "inf", "2.5 USD"],
    "mfu": ["0", "1.2", "40", "nan", ""],
    "pace": ["0", "nan", "x"],
    "vocabulary": ["1", "nan", "1e8", "bytes"],
    "optimum": ["loss", ""],
    "against": ["loss", ""],
    "x": ["loss", ""],
    "color": ["extra", ""],
    "given": ["days", ""],
    "trainers": ["0", "-8", "nan", "many"],
    "have": ["0", "1e18", "inf", "all"],
    "plan_e": ["1,x", "0", "inf"],
    "spend": ["0", "1e36", "nan"],
    "data": ["47", "47-3f9a1c02", "x-3f9a1c02-77aa01be", "47-3f9a1c02-77aa01bg", "47-3f9a1c0-77aa01be", "47-3f9a1c02-77aa01be-1"],
    "out": ["", "3f9a1c0", "3f9a1c02,77aa01be", "3F9A1C02", "3f9a1c0g", "x", "-1x", "<script>"],
}


def app():
    """A page that shows its state as text, and takes one value from a box."""
    import streamlit as st

    from ui.session import state, url_fields

    for name, value in st.session_state.get("put", {}).items():
        state.put(name, value)
    state.clear(*st.session_state.get("clear", ()))
    st.session_state.seen = {name: state.get(name) for name in url_fields.FIELDS}
    st.session_state.query = state.query()
    st.session_state.link = state.link("isoflop")
    st.text_input("Split", **state.bound("split", state.get("split")))
    st.text_input("Budget", **state.bound("budget", "", lambda text: state.put("budget", float(text) * 10)))
    state.write_url()


def opened(query=None, put=None, clear=()):
    at = AppTest.from_function(app)
    for name, value in (query or {}).items():
        at.query_params[name] = value
    at.session_state["put"] = put or {}
    at.session_state["clear"] = clear
    at.run()
    assert not at.exception
    return at


def address(at):
    """The address after the run; AppTest keeps what the test wrote as text, what the app wrote as lists."""
    return {name: value if isinstance(value, str) else value[0] for name, value in at.query_params.items()}


class TestFields:
    def test_every_field_is_tested_here(self):
        assert set(CHOSEN) == set(FIELDS)
        assert all(CHOSEN[name] != field.default for name, field in FIELDS.items())

    @pytest.mark.parametrize("name", FIELDS)
    def test_a_value_reads_back_as_it_was_written(self, name):
        field = FIELDS[name]
        text = field.write(CHOSEN[name])
        assert isinstance(text, str)
        assert field.read(text) == CHOSEN[name]

    @pytest.mark.parametrize("name", ["budget", "e", "g", "cmin", "delta"])
    def test_numbers_keep_every_digit_in_a_short_address(self, name):
        assert FIELDS[name].write(1235.0) == "1235"
        assert FIELDS[name].write(1.93e20) == "1.93e20"
        for value in (1.23456789e3, 2 / 3, 3.162277660168379e21, 0.1 + 0.2):
            assert float(FIELDS[name].write(value)) == value

    @pytest.mark.parametrize(("name", "text"), [(n, t) for n, values in BAD.items() for t in values])
    def test_what_cannot_be_is_refused(self, name, text):
        with pytest.raises(ValueError, match=r".*"):
            FIELDS[name].read(text)

    @pytest.mark.parametrize("name", LIMITS)
    def test_the_limits_themselves_are_allowed(self, name):
        low, high = LIMITS[name]
        assert (FIELDS[name].read(repr(low)), FIELDS[name].read(repr(high))) == (low, high)
        for beyond in (low * 0.99, high * 1.01):
            with pytest.raises(ValueError, match=re.escape(repr(beyond))):
                FIELDS[name].read(repr(beyond))

    def test_lists_keep_every_digit_too(self):
        values = (1.0, 7 / 3, 1e21 / 3)
        assert FIELDS["grans"].read(FIELDS["grans"].write(values)) == values

    def test_no_runs_left_out_and_too_many_to_name_are_told_apart_from_none_said(self):
        out = FIELDS["out"]
        assert out.default is None
        assert (out.write(()), out.read("none")) == ("none", ())
        assert out.read("812x") == ("812x",)

    def test_an_empty_list_is_no_filter(self):
        assert FIELDS["experts"].read("") == FIELDS["experts"].default == ()


class TestSession:
    def test_without_an_address_all_is_at_its_default(self):
        at = opened()
        assert at.session_state.seen == {name: field.default for name, field in FIELDS.items()}
        assert at.session_state.query == address(at) == {}

    def test_the_whole_state_goes_through_the_address_into_a_new_session(self):
        first = opened(put=CHOSEN)
        assert first.session_state.seen == CHOSEN
        written = address(first)
        assert set(written) == set(FIELDS)
        assert opened(written).session_state.seen == CHOSEN

    @pytest.mark.parametrize("name", ["dataset", "budget", "experts"])
    def test_each_value_alone_does_too(self, name):
        written = address(opened(put={name: CHOSEN[name]}))
        assert set(written) == {name}
        assert opened(written).session_state.seen[name] == CHOSEN[name]

    def test_values_at_their_default_leave_the_address(self):
        at = opened({"budget": "1e21", "objective": "huber", "weights": "equal", "e": "8"}, clear=["e"])
        assert address(at) == {"budget": "1e21"}

    @pytest.mark.parametrize("place", range(max(map(len, BAD.values()))))
    def test_bad_values_are_ignored_and_the_others_taken(self, place):
        bad = {name: values[place % len(values)] for name, values in BAD.items()}
        bad = {name: text for name, text in bad.items() if text}
        at = opened(bad | {"arch": "moe"})
        assert at.session_state.seen == {name: field.default for name, field in FIELDS.items()} | {"arch": "moe"}
        assert address(at) == {"arch": "moe"}

    def test_an_address_may_spell_defaults_out(self):
        written = {name: field.write(field.default) for name, field in FIELDS.items() if field.default is not None}
        at = opened(written)
        assert at.session_state.seen == {name: field.default for name, field in FIELDS.items()}
        assert address(at) == {}

    def test_unknown_names_of_an_address_are_dropped(self):
        at = opened({"utm_source": "x", "budget": "1e21"})
        assert address(at) == {"budget": "1e21"}

    def test_a_link_is_the_address_of_a_page_with_this_state(self):
        found = urlparse(opened(put={"dataset": NAMES, "budget": 1e21}).session_state.link)
        assert found.path == "/isoflop"
        assert parse_qs(found.query) == {"dataset": [NAMES], "budget": ["1e21"]}

    def test_the_state_lives_on_when_the_address_changes(self):
        at = opened({"budget": "1e21"})
        at.query_params["budget"] = "1e22"
        at.run()
        assert at.session_state.seen["budget"] == 1e21
        assert address(at) == {"budget": "1e21"}

    def test_a_widget_shows_the_state_and_writes_back(self):
        at = opened({"split": "eval"})
        assert at.text_input[0].value == "eval"
        at.text_input[0].set_value("train").run()
        assert at.session_state.seen["split"] == "train"
        assert at.text_input[0].value == "train"
        assert address(at) == {"split": "train"}

    def test_a_widget_may_say_what_its_value_means(self):
        at = opened()
        at.text_input[1].set_value("2e20").run()
        assert not at.exception
        assert at.session_state.seen["budget"] == 2e21
