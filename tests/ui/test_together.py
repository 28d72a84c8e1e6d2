"""Elements sent together (ui/session/together.py): nothing is lost, doubled or held for long."""

import time
from types import SimpleNamespace

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner.script_runner import ScriptRunnerEvent
from streamlit.testing.v1 import AppTest

from ui.session import together


class Ended(BaseException):
    """A run was told to end."""


class Runner:
    """What a run of a script sends its messages through, as far as `together` knows it: it ends where it sends something."""

    def __init__(self):
        self.sent: list[str] = []
        self.stopped = False
        self.on_event = SimpleNamespace(send=self._send)

    def _send(self, _, event: ScriptRunnerEvent, forward_msg: ForwardMsg) -> None:
        assert event is ScriptRunnerEvent.ENQUEUE_FORWARD_MSG
        self.sent.append(forward_msg.hash)

    def enqueue(self, message: ForwardMsg) -> None:
        self._maybe_handle_execution_control_request()
        self.on_event.send(self, event=ScriptRunnerEvent.ENQUEUE_FORWARD_MSG, forward_msg=message)

    def _maybe_handle_execution_control_request(self) -> None:
        if self.stopped:
            raise Ended


@pytest.fixture
def runner():
    return Runner()


@pytest.fixture
def run(monkeypatch, runner):
    run = SimpleNamespace(_enqueue=runner.enqueue)
    monkeypatch.setattr(together, "get_script_run_ctx", lambda: run)
    return run


def _element(name: str) -> ForwardMsg:
    message = ForwardMsg(hash=name)
    message.delta.new_element.markdown.body = name
    return message


def _address() -> ForwardMsg:
    message = ForwardMsg(hash="address")
    message.page_info_changed.query_string = "a=1"
    return message


def test_all_is_sent_at_the_end_and_the_address_first(run, runner):
    with together.together():
        for message in (_element("one"), _address(), _element("two")):
            run._enqueue(message)
        assert runner.sent == []
    run._enqueue(_element("three"))
    assert runner.sent == ["address", "one", "two", "three"]


def test_long_work_is_shown_as_it_comes(run, runner, monkeypatch):
    monkeypatch.setattr(together, "PATIENCE", 0.01)
    with together.together():
        run._enqueue(_element("one"))
        time.sleep(0.02)
        run._enqueue(_element("progress"))
        assert runner.sent == ["one", "progress"]
        run._enqueue(_element("two"))
        assert runner.sent == ["one", "progress", "two"]
    assert runner.sent == ["one", "progress", "two"]


def test_an_error_loses_nothing(run, runner):
    def part():
        with together.together():
            run._enqueue(_element("one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        part()
    assert runner.sent == ["one"]


def test_a_run_ends_where_it_sends_something_and_what_it_had_shown_stays(run, runner):
    def part():
        with together.together():
            run._enqueue(_element("why"))
            runner.stopped = True  # as st.stop does
            run._enqueue(_element("empty"))
            run._enqueue(_element("never"))

    with pytest.raises(Ended):
        part()
    assert runner.sent == ["why"]


def test_in_a_page_what_stands_before_a_stop_is_seen_and_nothing_after_it_is_run():
    def page():
        import streamlit as st

        from ui.session.together import together

        with together():
            st.markdown("before")
            st.stop()
            st.markdown("after")

    at = AppTest.from_function(page).run()
    assert [m.value for m in at.markdown] == ["before"]
    assert not at.exception


def test_in_a_page_a_rerun_begins_anew():
    def page():
        import streamlit as st

        from ui.session.together import together

        with together():
            st.session_state["times"] = st.session_state.get("times", 0) + 1
            st.markdown(f"{st.session_state['times']} times")
            if st.session_state["times"] < 3:
                st.rerun()

    at = AppTest.from_function(page).run()
    assert [m.value for m in at.markdown] == ["3 times"]
    assert not at.exception
