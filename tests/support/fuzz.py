"""Damages real log files at random, reproducibly by number: the cases of the fuzz test."""

from __future__ import annotations

import gzip
import random
import warnings
from functools import cache
from pathlib import Path

from lawlib.errors import LawlibError
from lawlib.ingest import build, detect, open_files

DATA = Path(__file__).parents[1] / "data"
TOKENS = (
    b"nan", b"inf", b"-1", b"1e999", b"1e-400", b"9" * 400, b"0x10", b"true", b"null", b"\"", b"'", b",", b";", b"\t", b"\n", b"\r\n", b"{", b"}",
    b"[", b"]", b":", b"\xff\xfe", b"\x00", b"\xef\xbb\xbf", b"<script>", b"=cmd()", b"DROP TABLE runs;", b"\xf0\x9f\x92\xa5", b"loss", b"step", b"tokens",
    b"N", b"iteration", b"[step=", b"{}" * 40, b"[" * 200, b"PK\x03\x04", b"\x1f\x8b", b"SQLite format 3\x00", b"PAR1",
)  # fmt: skip


@cache
def samples() -> list[tuple[str, bytes]]:
    """Returns (name, content) of every sample file, and some packed ones."""
    files = [(p.name, p.read_bytes()) for p in sorted(DATA.rglob("*")) if p.is_file()]
    return [*files, *((f"{name}.gz", gzip.compress(content, mtime=0)) for name, content in files[::5])]


def case(number: int) -> tuple[str, bytes]:
    """Returns (name, content) of a fuzz case: a sample damaged in one to six places, cut, repeated, crossed with another, or noise."""
    rng = random.Random(number)
    name, content = rng.choice(samples())
    if rng.random() < 0.05:
        return name, rng.randbytes(rng.randint(0, 2000))
    data = bytearray(content[:20_000])
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        end = min(at + rng.choice((1, 1, 2, 4, 16, 200)), len(data))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[at % len(data)] = rng.randrange(256)
        elif kind == 1:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:end] = rng.choice(TOKENS)
        elif kind == 4:
            data[at:at] = data[at:end] * rng.choice((1, 2, 30))
        elif kind == 5:
            del data[at:]
        else:
            other = rng.choice(samples())[1]
            start = rng.randrange(len(other) + 1)
            data[at:end] = other[start : start + rng.choice((10, 100, 1000))]
    if rng.random() < 0.2:
        name = rng.choice(
            ("runs.csv", "log.txt", "x.json", "x.jsonl", "x.parquet", "x.zip", "x.db", "config.json", "trainer_state.json")
        )
    return name, bytes(data)


def read(name: str, content: bytes) -> str:
    """Returns what the Upload page would make of it: "runs", or the sentence that refuses it. Anything else raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reader may warn of what it then tells in words
        try:
            table = open_files([(name, content)])
            found = build(table, detect(table))
        except LawlibError as error:
            sentence = str(error)
            if not sentence.strip() or len(sentence) > 20_000:
                raise AssertionError(f"No sentence: {sentence[:200]!r}") from error
            return sentence
    for problem in found.problems:
        assert problem.reason
    return "runs"
