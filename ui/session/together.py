"""Buffers Streamlit's messages so that the browser renders a page once. It uses private Streamlit API; `test_together` guards it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner, ScriptRunnerEvent

PATIENCE = 0.2
"""Seconds after which nothing more is held: long work shows its progress."""


@contextmanager
def together() -> Iterator[None]:
    """Sends what is drawn inside when the context ends, or with the first message after `PATIENCE`, mostly a progress bar.

    The address goes first: for 5 ms after a message the server gathers what follows.
    """
    run = get_script_run_ctx()
    assert run is not None
    enqueue, held, began = run._enqueue, [], time.perf_counter()
    runner: ScriptRunner = enqueue.__self__  # type: ignore[attr-defined]

    def release() -> None:
        run._enqueue = enqueue
        waiting = sorted(held, key=lambda message: not message.HasField("page_info_changed"))
        held.clear()
        for message in waiting:  # past `enqueue`, which sends nothing more for a run that was told to stop
            runner.on_event.send(runner, event=ScriptRunnerEvent.ENQUEUE_FORWARD_MSG, forward_msg=message)

    def hold(message: ForwardMsg) -> None:
        runner._maybe_handle_execution_control_request()  # st.stop, st.rerun and a newer run end this one here
        held.append(message)
        if time.perf_counter() - began > PATIENCE:
            release()

    run._enqueue = hold
    try:
        yield
    finally:
        release()
