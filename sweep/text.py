"""The text: the GNU Collaborative International Dictionary of English, as Debian ships it, cut into training and held-out bytes."""

from __future__ import annotations

import gzip
import hashlib
import pydoc_data.topics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .model import CONTEXT

PACKAGE = "dict-gcide 0.48.5+nmu2"
FILE = Path("/usr/share/dictd/gcide.dict.dz")
SHA256 = "802beb667e1fb666203e750f1faea60d5c202ac5430c2083c4180494609f10a7"
"""Of the unpacked text."""
PIECE = 128 * CONTEXT
"""Bytes that stay together when the held-out part is cut out."""
HELD_OUT = 75
"""One piece in this many is held out."""


@dataclass(frozen=True)
class Text:
    """`training` and `held_out`: sequences of CONTEXT + 1 bytes, shape `(n_sequences, CONTEXT + 1)`; the last byte is a target alone."""

    training: np.ndarray
    held_out: np.ndarray
    sha256: str


def dictionary() -> Text:
    """The text of the sweep; raises when the package is missing or another version."""
    if not FILE.exists():
        raise SystemExit(f"{FILE} is missing: install the Debian package {PACKAGE} (apt-get install dict-gcide).")
    text = split(gzip.decompress(FILE.read_bytes()))
    if text.sha256 != SHA256:
        raise SystemExit(f"{FILE} unpacks to SHA-256 {text.sha256}, not to {SHA256} of {PACKAGE}: its losses would not compare.")
    return text


def python_topics() -> Text:
    """English text that comes with every Python, for a smoke test: too short for the sweep."""
    return split("\n".join(v for _, v in sorted(pydoc_data.topics.topics.items())).encode(), 10)


def split(text: bytes, held_out: int = HELD_OUT) -> Text:
    """Every `held_out`-th piece is held out; both parts are cut into sequences that share no target byte."""
    data = np.frombuffer(text, dtype=np.uint8)
    pieces = data[: len(data) // PIECE * PIECE].reshape(-1, PIECE)
    out = np.arange(len(pieces)) % held_out == held_out - 1
    return Text(sequences(pieces[~out]), sequences(pieces[out]), hashlib.sha256(text).hexdigest())


def sequences(pieces: np.ndarray) -> np.ndarray:
    """CONTEXT inputs and the byte behind them; a piece's last sequence ends at its end and gives up one input byte's worth."""
    usable = (pieces.shape[1] - 1) // CONTEXT * CONTEXT
    windows = np.lib.stride_tricks.sliding_window_view(pieces, CONTEXT + 1, axis=1)[:, :usable:CONTEXT]
    return np.ascontiguousarray(windows.reshape(-1, CONTEXT + 1))
