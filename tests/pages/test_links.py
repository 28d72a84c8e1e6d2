"""An address opened in another session, on another server: the same numbers, or a sentence on what differs."""

import re

import lawlib
from lawlib.runs.canonical import as_runs
from lawlib.runs.selection import content_hashes, fingerprint
from tests.support import planted
from tests.support.pages import add, answer, captions, clean, open_page


def runs(seed=0):
    grid = planted.grid("chinchilla", noise=0.01, seed=seed)
    return as_runs(grid.assign(name=[f"run {i}" for i in range(len(grid))], arch="dense"))


def query(at) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[0] for name, value in at.query_params.items()}


def elsewhere(monkeypatch, tmp_path):
    """Another server with an empty workspace, as if on another machine."""
    import streamlit

    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
    monkeypatch.setenv("LAWLIB_WORKSPACE", str(tmp_path / "elsewhere.duckdb"))


def said(at) -> str:
    """What the page says of the address."""
    return "\n".join(e.value for kind in (at.warning, at.info) for e in kind if re.search("[Tt]h(e|is) (link|address)", e.value))


def test_runs_left_out_travel_in_the_address(monkeypatch, tmp_path):
    with lawlib.open_store() as store:
        store.exclude("marin-moe-v16", store.runs("marin-moe-v16").nlargest(5, "flops")["run_id"], "still running")
    first = open_page("overview", budget="3.3e21")
    address = query(first)
    assert len(address["out"]) == 5 * 8
    assert address["data"].startswith("47-")
    assert "42 runs, converged" in captions(first)
    elsewhere(monkeypatch, tmp_path)
    second = open_page("overview", **address)
    assert answer(second) == answer(first)
    assert query(second) == address
    assert "This address leaves 5 runs out of fits; your workspace leaves out 0" in said(second)
    clean(second.button(key="link_keep").click().run())
    assert answer(second) == answer(first)
    assert said(second) == ""
    with lawlib.open_store() as store:
        assert store.runs("marin-moe-v16")["excluded"].sum() == 5
    assert answer(open_page("overview", budget="3.3e21")) == answer(first)


def test_a_link_that_leaves_out_none_does_so_where_the_workspace_leaves_out_some():
    whole = open_page()
    with lawlib.open_store() as store:
        known = store.runs("marin-moe-v16")
        store.exclude("marin-moe-v16", known.nlargest(5, "flops")["run_id"], "still running")
    at = open_page(data=str(fingerprint(known)), out="none")
    assert answer(at) == answer(whole)
    assert "This address leaves 0 runs out of fits; your workspace leaves out 5" in said(at)
    clean(at.button(key="link_mine").click().run())
    assert "42 runs, converged" in captions(at)


def test_data_of_ones_own_are_found_by_content_under_another_name(monkeypatch, tmp_path):
    add(runs().assign(run_id=[f"w{i}" for i in range(len(runs()))]), "mine")
    with lawlib.open_store() as store:
        store.exclude("mine", ["w3", "w5"], "diverged")
    first = open_page("isoflop", dataset="mine", budget="7e20")
    address = query(first)
    assert address["data"] == str(fingerprint(runs()))
    elsewhere(monkeypatch, tmp_path)
    add(runs().sample(frac=1, random_state=1), "theirs")
    second = open_page("isoflop", **address)
    assert second.selectbox(key="w_dataset").value == "theirs"
    assert "This address leaves 2 runs out" in said(second)
    written = [answer(at).partition("** [")[0] for at in (first, second)]  # intervals draw runs in their order
    assert written[0] == written[1]


def test_data_that_differ_are_told(monkeypatch, tmp_path):
    add(runs(), "mine")
    address = query(open_page("isoflop", dataset="mine"))
    elsewhere(monkeypatch, tmp_path)
    add(runs(seed=1), "mine")
    at = open_page("isoflop", **address)
    words = f"made with other data: the {len(runs())} runs have the same sizes and tokens, but other losses"
    assert words in said(at)
    assert query(at)["data"] == address["data"]  # still so after a reload
    clean(at.button(key="link_data").click().run())
    assert said(at) == ""
    assert query(at)["data"] != address["data"]


def test_data_that_are_not_here_are_told(monkeypatch, tmp_path):
    add(runs(), "mine")
    address = query(open_page("isoflop", dataset="mine"))
    elsewhere(monkeypatch, tmp_path)
    at = open_page("isoflop", **address)
    assert f"the data set “mine” with {len(runs())} runs, which is not here: upload its log" in said(at)
    assert at.selectbox(key="w_dataset").value == "byte-moe-sweep"
    clean(at.switch_page("pages/overview.py").run())
    assert "which is not here" in said(at)


def test_runs_that_are_not_here_are_counted():
    with lawlib.open_store() as store:
        known = store.runs("marin-moe-v16")
    at = open_page(data=str(fingerprint(known)), out="00000000" + content_hashes(known)[0])
    assert "leaves 2 runs out of fits (1 of them are not among the runs here)" in said(at)
    assert "46 runs, converged" in captions(at)


def test_too_many_to_name_are_told():
    at = open_page(out="812x")
    assert "leaves out 812 runs, too many to be named in an address" in said(at)
    assert "47 runs, converged" in captions(at)


def test_where_nothing_can_be_saved_runs_are_left_out_in_the_address(monkeypatch):
    lawlib.open_store().close()
    monkeypatch.setattr("lawlib.store.database.os.access", lambda *_: False)
    with lawlib.open_store() as store:
        known = store.runs("marin-moe-v16")
    at = open_page(out="".join(content_hashes(known.head(2))))
    assert "45 runs, converged" in captions(at)
    keep = at.button(key="link_keep")
    assert keep.disabled
    assert "is read-only" in keep.help
