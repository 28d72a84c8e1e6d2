"""Any bytes end in runs or in a sentence: never another exception, a hang or a flood of memory.

`LAWLIB_FUZZ=100000 python -m pytest tests/guards/test_fuzz.py` tries so many cases instead of 10,000; a case that fails is named by its number and is
the same on every machine (`tests.support.fuzz.case`).
"""

import os
import time

import pytest

from tests.support.fuzz import case, read, samples
from tests.support.processes import peak

CASES, CHUNKS = int(os.environ.get("LAWLIB_FUZZ", "10000")), 20
SECONDS, BYTES = 10.0, 2**30


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damaged_logs_end_in_runs_or_in_a_sentence(chunk):
    before, ends = peak(), set()
    for number in range(chunk * CASES // CHUNKS, (chunk + 1) * CASES // CHUNKS):
        began = time.process_time()
        try:
            ends.add(read(*case(number)) == "runs")
        except BaseException as error:
            pytest.fail(f"Case {number} ({case(number)[0]}) ended in {type(error).__name__}: {error}")
        assert time.process_time() - began < SECONDS, number
    assert peak() - before < BYTES
    assert ends == {True, False} or CASES < 100 * CHUNKS  # both happen, or the damage is too little or too much


def test_every_sample_is_among_them():
    assert len(samples()) > 40
    assert len({case(n)[0] for n in range(2000)}) > 40


def test_a_fault_is_seen(monkeypatch):
    monkeypatch.setattr("tests.support.fuzz.build", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read(*next(s for s in samples() if s[0] == "moe_runs.csv"))


@pytest.mark.parametrize("number", [2925, 15772])
def test_a_database_whose_own_words_are_no_text_is_damaged(number):
    """SQLite's own message could not be decoded."""
    assert "damaged" in read(*case(number))
