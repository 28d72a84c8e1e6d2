"""Several elements in one go (ui/together.py): nothing is lost, doubled or held for long."""

import time
from types import SimpleNamespace

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from ui import together


@pytest.fixture
def run(monkeypatch):
    """A run of a script that writes down what it sends."""
    sent: list[str] = []
    run = SimpleNamespace(sent=sent, _enqueue=lambda message: sent.append(message.hash))
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


def test_all_is_sent_at_the_end_and_the_address_first(run):
    with together.together():
        for message in (_element("one"), _address(), _element("two")):
            run._enqueue(message)
        assert run.sent == []
    run._enqueue(_element("three"))
    assert run.sent == ["address", "one", "two", "three"]


def test_long_work_is_shown_as_it_comes(run, monkeypatch):
    monkeypatch.setattr(together, "PATIENCE", 0.01)
    with together.together():
        run._enqueue(_element("one"))
        time.sleep(0.02)
        run._enqueue(_element("progress"))
        assert run.sent == ["one", "progress"]
        run._enqueue(_element("two"))
        assert run.sent == ["one", "progress", "two"]
    assert run.sent == ["one", "progress", "two"]


def test_an_error_loses_nothing(run):
    def part():
        with together.together():
            run._enqueue(_element("one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        part()
    assert run.sent == ["one"]


def test_what_a_newer_run_interrupts_is_not_sent_twice(run):
    class Rerun(BaseException):
        pass

    def interrupted(message):
        raise Rerun

    run._enqueue = interrupted
    with pytest.raises(Rerun), together.together():
        run._enqueue(_element("one"))
    assert run._enqueue is interrupted
    assert run.sent == []
