"""Builds a figure from plain dictionaries and makes the plotly Figure at the end, as plotly's checked objects cost 1 ms a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

_NESTED = ("title", "margin", "font", "line", "marker", "minor", "legend")
"""What may be written with an underscore, as in plotly: `title_text=`, `margin_t=`."""


Trace = dict[str, Any]
"""A trace's properties under plotly's names."""


Columns = dict[str, np.ndarray]
"""A table as arrays of one length by name."""


def arrays(table: pd.DataFrame, *names: str) -> Columns:
    """Returns the columns (or the named ones) as arrays by name; pandas takes 0.1 ms for every column it is asked for."""
    return {name: table[name].to_numpy() for name in names or map(str, table)}


def split(table: pd.DataFrame, by: str) -> dict[float, Columns]:
    """Returns the rows of each value of a column, in the form of `arrays`."""
    return parted(arrays(table), by)


def parted(columns: Columns, by: str) -> dict[float, Columns]:
    """Returns the same as `split` for columns that are arrays already."""
    return {float(value): rows_of(columns, columns[by] == value) for value in np.unique(columns[by]) if not np.isnan(value)}


def rows_of(columns: Columns, rows: np.ndarray) -> Columns:
    """Returns these rows of the columns."""
    return {name: values[rows] for name, values in columns.items()}


def scatter(type: str = "scatter", **properties: Any) -> Trace:
    """Returns a trace of points or lines (or of another `type`) with the given properties, unchecked."""
    return {"type": type} | {name: _array(value) for name, value in properties.items()}


class Figure(go.Figure):
    """A plotly Figure made without checks and only when one of its methods is used: pages need nothing but its `parts`.

    written: cached JSON; valid only while the figure is not modified.
    """

    written = ""

    def __init__(self, parts: dict[str, Any]) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        """Makes the plotly Figure and returns its attribute; called for every attribute that this object does not have itself."""
        parts = self.__dict__.pop("_parts", None)
        if parts is None:
            raise AttributeError(name)
        super().__init__(parts, _validate=False)
        return getattr(self, name)

    @property
    def parts(self) -> dict[str, Any]:
        """Data and layout as dictionaries under plotly's names; do not change them."""
        return self.__dict__.get("_parts") or {"data": self._data, "layout": self._layout}


class Draft:
    """Collects traces and layout under plotly's names; `figure` makes the plotly Figure of them."""

    def __init__(self, layout: dict[str, Any]) -> None:
        self._traces: list[dict] = []
        self._layout = layout

    def add_trace(self, trace: Trace | BaseTraceType) -> Draft:
        self._traces.append(trace if isinstance(trace, dict) else trace.to_plotly_json())
        return self

    def add_traces(self, traces: Sequence[Trace]) -> Draft:
        for trace in traces:
            self.add_trace(trace)
        return self

    def add_annotation(self, **properties: Any) -> Draft:
        self._layout.setdefault("annotations", []).append(properties)
        return self

    def add_vline(self, x: float, **properties: Any) -> Draft:
        ends = {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "xref": "x", "yref": "y domain"}
        self._layout.setdefault("shapes", []).append(ends | properties)
        return self

    def add_hline(self, y: float, **properties: Any) -> Draft:
        ends = {"type": "line", "x0": 0, "x1": 1, "y0": y, "y1": y, "xref": "x domain", "yref": "y"}
        self._layout.setdefault("shapes", []).append(ends | properties)
        return self

    def add_vrect(self, x0: float, x1: float, **properties: Any) -> Draft:
        ends = {"type": "rect", "x0": x0, "x1": x1, "y0": 0, "y1": 1, "xref": "x", "yref": "paper", "layer": "below"}
        self._layout.setdefault("shapes", []).append(ends | properties)
        return self

    def update_xaxes(self, **properties: Any) -> Draft:
        return self.update_layout(xaxis=properties)

    def update_yaxes(self, **properties: Any) -> Draft:
        return self.update_layout(yaxis=properties)

    def update_layout(self, **properties: Any) -> Draft:
        _merge(self._layout, properties)
        return self

    @property
    def names(self) -> list[str]:
        """The names of the entries in the legend."""
        return [str(t["name"]) for t in self._traces if t.get("showlegend") is not False and t.get("name")]

    @property
    def log_x(self) -> bool:
        return self._layout["xaxis"].get("type") == "log"

    @property
    def log_y(self) -> bool:
        return self._layout["yaxis"].get("type") == "log"

    @property
    def heights(self) -> np.ndarray:
        """The y of every point on the first axis."""
        return np.concatenate([np.asarray(t["y"], dtype=float) for t in self._traces if t.get("yaxis", "y") == "y"])

    @property
    def figure(self) -> Figure:
        return Figure({"data": self._traces, "layout": self._layout})

    @property
    def layout(self) -> dict[str, Any]:
        """The layout collected so far."""
        return self._layout


def _merge(target: dict, properties: dict) -> None:
    for name, value in properties.items():
        head, _, rest = name.partition("_")
        if rest and head in _NESTED:
            name, value = head, {rest: value}
        if isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        else:
            target[name] = value


def _array(value: Any) -> Any:
    """Returns pandas columns as arrays."""
    if isinstance(value, dict):
        return {name: _array(inner) for name, inner in value.items()}
    return value.to_numpy() if hasattr(value, "to_numpy") else value
