"""Reads TensorBoard event files: every scalar, by run (folder), step and tag. Needs the package `tensorboard` for its messages.

The frames of the file are taken apart here and their checksums passed over: checking them in Python is what makes
EventAccumulator slow, and it keeps 10,000 points a tag unless told otherwise.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from lawlib.errors import ReadError

from ..core import counted, shown
from .reader import RUN
from .tracking import Scalars

_FLOAT, _DOUBLE = 1, 2  # DataType


def looks(head: bytes) -> bool:
    return b"brain.Event:" in head[:64]


def read_events(files: list[tuple[str, str, bytes]]) -> tuple[pd.DataFrame, list[str]]:
    """Returns a row a run and step, a column a tag, from (run, file name, content) in the order of writing; and notes.

    Raises:
        ReadError: the package is missing, or there is not one scalar.
    """
    try:
        from tensorboard.compat.proto import event_pb2
    except ImportError as error:
        raise ReadError(
            f"{files[0][1]} is a TensorBoard event file; reading it needs the package tensorboard. Install it with "
            "`.venv/bin/pip install -r requirements-extra.txt` and start again, or export the scalars as CSV."
        ) from error
    scalars, notes, others = Scalars(), [], 0
    for run, name, content in files:
        try:
            for record in _records(content, name, notes):
                event = event_pb2.Event.FromString(record)
                for value in event.summary.value:
                    number = _number(value)
                    if number is not None:
                        scalars.add(run, event.step, value.tag, number)
                    elif value.metadata.plugin_data.plugin_name == "hparams":
                        scalars.settings.setdefault(run, {}).update(_hparams(value.metadata.plugin_data.content))
                    else:
                        others += 1
        except Exception as error:
            if type(error).__name__ != "DecodeError":
                raise
            notes.append(f"{name} is damaged: it is read up to its first unreadable record.")
    if others:
        notes.append(f"{counted(others, 'record')} of texts, histograms or pictures passed over.")
    if not scalars.n:
        raise ReadError(f"{shown(files[0][1])}: the event files hold no scalar at all, so there is no curve in them.")
    return scalars.frame(RUN), notes


def _records(content: bytes, name: str, notes: list[str]) -> Iterator[bytes]:
    """Yields the records of a TFRecord file: length (8 bytes), checksum (4), data, checksum (4)."""
    view, at, end = memoryview(content), 0, len(content)
    while at + 12 <= end:
        (length,) = struct.unpack_from("<Q", view, at)
        if length > end - at - 12:
            break
        yield bytes(view[at + 12 : at + 12 + length])
        at += length + 16
    if at < end:
        notes.append(f"{name} ends within a record, as a file that is still written does: what is before is read.")


def _number(value: Any) -> float | None:
    """Returns the scalar of a summary value, stored as number (torch, old writers) or as a tensor of one element; None for others."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return value.simple_value
    if kind != "tensor":
        return None
    tensor = value.tensor
    if tensor.dtype not in (_FLOAT, _DOUBLE) or any(d.size != 1 for d in tensor.tensor_shape.dim):
        return None
    given = tensor.float_val if tensor.dtype == _FLOAT else tensor.double_val
    if len(given) == 1:
        return given[0]
    dtype = np.dtype("<f4" if tensor.dtype == _FLOAT else "<f8")
    return float(np.frombuffer(tensor.tensor_content, dtype)[0]) if len(tensor.tensor_content) == dtype.itemsize else None


def _hparams(content: bytes) -> dict[str, str]:
    from tensorboard.plugins.hparams import plugin_data_pb2

    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    found = {}
    for key, value in sorted(data.session_start_info.hparams.items()):  # a map of protobuf has another order in each process
        kind = value.WhichOneof("kind")
        if kind in ("number_value", "string_value", "bool_value"):
            given = getattr(value, kind)
            if kind == "number_value" and math.isfinite(given) and given == int(given):
                given = int(given)
            found[f"hparams.{key}"] = str(given)[:200]
    return found
