"""Console dialects of trainers, a few lines of each written by hand (tests/data/dialects): the last loss, its step's tokens, and the size."""

import math
from pathlib import Path

import pytest

from lawlib.ingest import build, detect, open_table

DIALECTS = Path(__file__).parents[1] / "data" / "dialects"


@pytest.mark.parametrize(
    ("name", "reader", "loss", "tokens", "n"),
    [
        ("nanochat.log", "nanochat", 1.9, 5242880, 560988160), ("llmc.log", "llmc", 6.4, 250 * 524288, 124475904), ("modded_nanogpt.log", "llmc", 3.9, None, None),
        ("fairseq.log", "fairseq", 9 * math.log(2), 200_000, 125e6), ("composer.log", "composer", 7.5, 40960, None),
    ],
)  # fmt: skip
def test_a_dialect_is_read(name, reader, loss, tokens, n):
    table = open_table(DIALECTS / name, name)
    found = build(table, detect(table))
    assert table.format == reader
    (run,) = found.runs.to_dict("records")
    assert run["loss"] == pytest.approx(loss)
    assert tokens is None or run["tokens"] == tokens
    assert n is None or run["n_active"] == n
