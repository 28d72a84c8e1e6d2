"""Helpers that open a page without a browser and read values off it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block
from streamlit.util import calc_hash

import lawlib
from tests.support import planted
from ui.frame import sharing

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "overview",
    "runs",
    "byte_models",
    "upload",
    "fit",
    "isoflop",
    "granularity",
    "dense_vs_moe",
    "fine_grained",
    "compare",
    "serving",
    "planner",
    "reproductions",
)


def open_page(page="overview", **query) -> AppTest:
    """Returns the page as a link with this query opens it, without exceptions. Without a data set, the published Marin runs."""
    query.setdefault("dataset", "marin-moe-v16")
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    unfold(at)
    for name, value in query.items():
        at.query_params[name] = str(value)
    if page != "overview":
        at._page_hash = calc_hash(page)  # `switch_page` works after a first run only, and that would draw the Overview
    return clean(at.run())


def unfold(at: AppTest) -> None:
    """Opens Export and Share, which are empty until then."""
    for popover in (sharing.EXPORT, sharing.SHARE):
        at.session_state[popover] = True


def clean(at: AppTest) -> AppTest:
    assert [e.value for e in at.exception] == []
    return at


def answer(at: AppTest) -> str:
    """Returns the answer line: the first markdown of the container keyed "answer"."""

    def find(block):
        for child in block.children.values():
            if isinstance(child, Block):
                if str(getattr(child.proto, "id", "")).endswith("-answer"):
                    return child
                if (found := find(child)) is not None:
                    return found
        return None

    return find(at.main).markdown[0].value


def captions(at: AppTest) -> str:
    return "\n".join(c.value for c in at.caption)


def charts(at: AppTest) -> dict[str, dict]:
    """Returns every chart of the page by its key, as plotly's JSON."""
    drawn = [
        (c.proto.id, json.loads(c.proto.json)["figure"]) for c in at.get("bidi_component") if c.proto.component_name == "chart"
    ]
    drawn += [(c.proto.id, c.proto.spec) for c in at.get("plotly_chart")]
    return {name.rpartition("-")[2]: json.loads(spec) for name, spec in drawn}


def figure(at: AppTest, key: str) -> dict:
    """Returns the chart of this key as plotly's JSON."""
    return charts(at)[key]


def number_after(pattern: str, text: str) -> float:
    """Returns the number that the group of `pattern` matches: 14.4B, 1e22, 2.467."""
    found = re.search(pattern.replace("#", r"\*{0,2}([\d.,e+-]+[KMBTQ]?)\*{0,2}"), text)
    assert found, f"{pattern} is not in: {text}"
    return lawlib.runs.parse_number(found[1])


def dense_and_moe(noise=0.002) -> pd.DataFrame:
    """Returns 112 runs of the joint fine-grained law: dense ones, and MoE ones with E = 4, 16 and G = 1, 2, 8."""
    axes = {"sizes": np.geomspace(1e7, 1e9, 4), "tokens": np.geomspace(2e9, 1e11, 4), "noise": noise}
    dense = planted.grid("joint_granular", granularities=(1.0,), expansions=(1.0,), **axes)
    moe = planted.grid("joint_granular", granularities=(1.0, 2.0, 8.0), expansions=(4.0, 16.0), seed=1, **axes)
    runs = pd.concat([dense.assign(arch="dense"), moe.assign(arch="moe")], ignore_index=True)
    return runs.assign(n_experts=runs["expansion"] * runs["granularity"], name=[f"run {i}" for i in range(len(runs))])


def add(runs: pd.DataFrame, name: str) -> None:
    with lawlib.open_store() as store:
        store.add(runs, name)
