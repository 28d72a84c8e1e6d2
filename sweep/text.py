"""The text: the GNU Collaborative International Dictionary of English, as Debian ships it, cut into training and held-out bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import pydoc_data.topics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweep.model import CONTEXT

SOURCE = json.loads((Path(__file__).parents[1] / "lawlib" / "data" / "byte_models" / "text.json").read_text("utf-8"))
"""Debian package with its version, the file it installs, and the SHA-256 of that file's unpacked text."""
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
    file, package, sha256 = Path(SOURCE["file"]), SOURCE["package"], SOURCE["sha256"]
    if not file.exists():
        raise SystemExit(f"{file} is missing: install the Debian package {package} (apt-get install dict-gcide).")
    text = split(gzip.decompress(file.read_bytes()))
    if text.sha256 != sha256:
        raise SystemExit(f"{file} unpacks to SHA-256 {text.sha256}, not to {sha256} of {package}: its losses would not compare.")
    return text


def python_topics() -> Text:
    """English text that comes with every Python, for a smoke test: too short for the sweep."""
    return split("\n".join(v for _, v in sorted(pydoc_data.topics.topics.items())).encode(), 10)


def split(text: bytes, held_out: int = HELD_OUT) -> Text:
    """Returns training and held-out pieces: every `held_out`-th piece is held out; both are cut into sequences that share no target byte."""
    data = np.frombuffer(text, dtype=np.uint8)
    pieces = data[: len(data) // PIECE * PIECE].reshape(-1, PIECE)
    out = np.arange(len(pieces)) % held_out == held_out - 1
    return Text(sequences(pieces[~out]), sequences(pieces[out]), hashlib.sha256(text).hexdigest())


def sequences(pieces: np.ndarray) -> np.ndarray:
    """CONTEXT inputs and the byte behind them; a piece's last sequence ends at its end and gives up one input byte's worth."""
    usable = (pieces.shape[1] - 1) // CONTEXT * CONTEXT
    windows = np.lib.stride_tricks.sliding_window_view(pieces, CONTEXT + 1, axis=1)[:, :usable:CONTEXT]
    return np.ascontiguousarray(windows.reshape(-1, CONTEXT + 1))
