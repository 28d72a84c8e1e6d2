"""Turns long tables, a row a logged value (run, tag, step, value), and TensorBoard's downloads into one row a run and step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from ..core import counted, ranked
from .reader import RUN

_RUN = (
    "run",
    "runname",
    "runid",
    "name",
    "experiment",
    "runuuid",
    "displayname",
    "dirname",
    "sysid",
    "customrunid",
    "trial",
    "exp",
)
_TAG = ("tag", "metric", "key", "metricname", "attributepath", "variable", "tagname", "attributename", "metrickey", "series")
_STEP = ("step", "globalstep", "iteration", "iter")
_VALUE = ("value", "floatvalue", "metricvalue", "val")
_DOWNLOAD = re.compile(r"(?:run-(?P<run>.+?)-)?tag-(?P<tag>.+?)(?:\s*\(\d+\))?\.(?:csv|json)", re.IGNORECASE)
_KEYS = 2000


def _key(column: str) -> str:
    """Returns the letters and digits of a column's name without its path: of "data.step" those of "step"."""
    return re.sub(r"[^a-z0-9]", "", column.lower().rpartition(".")[2])


@lru_cache(256)
def _roles(columns: tuple[str, ...]) -> dict[str, str]:
    """Returns the columns of a long table by what they hold: run (may lack), tag, step, value."""
    keys = {_key(c): c for c in reversed(columns)}
    found = {
        what: next((keys[k] for k in names if k in keys), "")
        for what, names in (("run", _RUN), ("tag", _TAG), ("step", _STEP), ("value", _VALUE))
    }
    if (
        not found["tag"] and found["run"] and _key(found["run"]) == "name"
    ):  # without a tag the name is the metric's: no loss is there else
        found |= {"tag": found["run"], "run": ""}
    if not (found["tag"] and found["step"] and found["value"]) or ranked(columns):
        return {}
    return found


def fits(columns: Sequence[str]) -> bool:
    """Whether a table has a column of tags, of steps and of values, and hardly another."""
    return len(columns) <= 14 and bool(_roles(tuple(columns)))


def pivot(frame: pd.DataFrame, lines: np.ndarray) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Returns a row a run and step with a column a tag; of several values of a run, step and tag the last one counts."""
    roles = _roles(tuple(frame.columns))
    named = [c for c in frame.columns if _key(c) in _RUN and c not in roles.values()]
    run = frame[roles["run"]].astype("str") if roles["run"] else pd.Series("", index=frame.index, dtype="str")
    if named and run.nunique() < frame[named[0]].nunique():  # runs of one name, told apart by their ids
        run = run + " (" + frame[named[0]].astype("str") + ")"
    tags = frame[roles["tag"]].astype("str").str.strip()
    long = pd.DataFrame({RUN: run, "step": frame[roles["step"]], "tag": tags, "value": frame[roles["value"]], "line": lines})
    long = long[(tags != "").to_numpy() & (long["value"].astype("str").str.strip() != "").to_numpy()]
    known = long["tag"].unique()[:_KEYS]
    long = long[long["tag"].isin(known)]
    order = long.drop_duplicates([RUN, "step"])[[RUN, "step", "line"]].reset_index(drop=True)
    place = pd.MultiIndex.from_frame(order[[RUN, "step"]])
    found = order[[RUN, "step"]].copy()
    for tag in known:
        mine = long[long["tag"] == tag].drop_duplicates([RUN, "step"], keep="last")
        at = place.get_indexer(pd.MultiIndex.from_frame(mine[[RUN, "step"]]))
        cells = np.full(len(order), "", dtype=object)
        cells[at] = mine["value"].astype("str").to_numpy(dtype=object)
        found[tag if tag not in found else f"{tag} (metric)"] = pd.Series(cells, dtype="str")
    if not roles["run"]:
        found = found.drop(columns=RUN)
    note = f"A long table of {counted(len(known), 'metric')}: brought into a row a run and step with a column a metric."
    return found, order["line"].to_numpy(dtype=np.int64), [note]


def is_download(columns: Sequence[str]) -> bool:
    """Whether the columns are those of TensorBoard's download of one curve."""
    return len(columns) == 3 and [_key(c) for c in columns] == ["walltime", "step", "value"]


def download(frame: pd.DataFrame, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Returns a curve downloaded from TensorBoard with the run and the tag that the file's name holds, "loss" where it holds none."""
    match = _DOWNLOAD.search(name)
    run, tag = (match["run"] or "", match["tag"]) if match else ("", "")
    found = frame.set_axis(["wall time", "step", tag or "loss"], axis=1).drop(columns="wall time")
    notes = ["A curve downloaded from TensorBoard" + (f': run "{run}", tag "{tag}", by the file\'s name.' if tag else ".")]
    if not tag:
        notes.append(
            "The file's name does not say which tag it is (run-...-tag-....csv): it is taken to be the loss. Check that."
        )
    return pd.concat([pd.Series(run or name.rpartition(".")[0], index=found.index, name=RUN, dtype="str"), found], axis=1), notes
