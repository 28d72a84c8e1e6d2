"""The guard of the browser tests: it reports what it is meant to report, and the page's theme is the app's own."""

import textwrap

import pytest

from tests.support.browser import running, settle

pytestmark = pytest.mark.browser

APP = """
    import time

    import streamlit as st

    st.button("rerun")
    what = st.query_params.get("what")
    if what == "exception":
        raise ValueError("planted")
    scripts = {
        "console": "console.error('planted')",
        "uncaught": "setTimeout(() => { throw new Error('planted') })",
        "outside": "fetch('http://127.0.0.1:9/planted').catch(() => 0)",
        "socket": "new WebSocket('ws://127.0.0.1:9/planted')",
    }
    if what in scripts:
        st.html(f"<script>{scripts[what]}</script>", unsafe_allow_javascript=True)
    if what == "twice":
        first = st.session_state.setdefault("first", True)
        st.session_state["first"] = False
        if first:
            st.write("only at first")
        with st.container():
            st.button("moves up", key="planted")
        time.sleep(0.5)  # or the page is sent when all is over
        if first:
            st.rerun()
    st.write("end of the page")
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted.py").write_text(textwrap.dedent(APP), "utf-8")
    with running(folder, app=folder / "planted.py") as server:
        yield server


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("exception", "exception on the page"),
        ("exception", "traceback in the server's log"),
        ("console", "console error: planted"),
        ("uncaught", "JavaScript error: .*planted"),
        ("outside", "request that leaves the app: http://127.0.0.1:9/planted"),
        ("socket", "request that leaves the app: ws://127.0.0.1:9/planted"),
        ("twice", "stood there twice: st-key-planted"),
    ],
)
def test_the_guard_finds_planted_trouble(planted, new_page, what, found):
    page = new_page(planted, path=f"/?what={what}")
    page.wait_for_timeout(300)
    with pytest.raises(AssertionError, match=found):
        page.guard.check()
    page.guard.allow(".")


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(251, 251, 248)"), ("dark", "rgb(12, 17, 21)")])
def test_a_clean_page_passes_in_the_system_s_colours(planted, new_page, scheme, colour):
    page = new_page(planted, path="/", color_scheme=scheme)
    page.get_by_role("button", name="rerun").click()
    settle(page)
    assert page.get_by_text("end of the page").is_visible()
    assert page.locator('[data-testid="stApp"]').evaluate("e => getComputedStyle(e).backgroundColor") == colour
    page.guard.check()
