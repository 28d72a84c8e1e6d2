"""How numbers are written: three digits, the next letter in time, a dash where there is none, and read back as they were."""

import numpy as np
import pytest

from lawlib import numbers
from lawlib.runs.canonical import parse_number

NONE = "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (128, "128"), (0.5, "0.5"), (0.0123456, "0.0123"), (999, "999"), (999.4, "999"), (999.6, "1K"),
        (1000, "1K"), (1234, "1.23K"), (7.3149e9, "7.31B"), (10.04e9, "10B"), (10.06e9, "10.1B"), (99.96e6, "100M"),
        (100e6, "100M"), (350e6, "350M"), (999.4e6, "999M"), (999.95e6, "1B"), (999.6e9, "1T"), (2.5e15, "2.5Q"), (3e18, "3000Q"),
        (-999.95e6, "-1B"), (-2.5e9, "-2.5B"), (-3, "-3"),
    ],
)  # fmt: skip
def test_counts(value, text):
    assert numbers.count(value) == text


def test_counts_of_many_are_those_of_each():
    rng = np.random.default_rng(0)
    values = np.r_[10 ** rng.uniform(-5, 19, 2000), -(10 ** rng.uniform(0, 12, 200)), 0.0, np.nan, np.inf, -np.inf]
    values = np.r_[values, 999.5, 999.49, 999.5e3, 999.4999e9, 1e15, 1.005e6]
    for digits in (2, 3, 4):
        assert numbers.counts(values, digits) == [numbers.count(v, digits) for v in values.tolist()]
    assert numbers.counts([]) == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("write", [numbers.count, numbers.flops, numbers.loss, numbers.plain])
def test_what_is_no_number_is_a_dash(write, value):
    assert write(value) == NONE


def test_counts_read_back_within_half_of_the_last_digit():
    for value in np.geomspace(1e-3, 9e17, 2000):
        text = numbers.count(value)
        assert parse_number(text) == pytest.approx(value, rel=0.5001e-2), text
        assert len(text.strip("KMBTQ").replace(".", "").lstrip("0")) <= 3, text


def test_more_digits_on_request():
    assert numbers.count(7.3149e9, 4) == "7.315B"
    assert numbers.count(999.94e6, 4) == "999.9M"
    assert numbers.count(999.96e6, 4) == "1B"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.2e20, "3.2e20"), (1e21, "1e21"), (9.96e20, "1e21"), (9.94e20, "9.9e20"), (1.06e18, "1.1e18"), (6, "6e0"), (0.5, "5e-1"),
        (0, NONE), (-1e20, NONE),
    ],
)  # fmt: skip
def test_flops(value, text):
    assert numbers.flops(value) == text


def test_flops_with_other_digits():
    assert numbers.flops(1.934e20, 3) == "1.93e20"
    assert numbers.flops(1.934e20, 1) == "2e20"


def test_losses_have_three_decimals():
    assert [numbers.loss(v) for v in (2.0, 2.34567, 0.0)] == ["2.000", "2.346", "0.000"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (21.34, "21.3x"),
        (119.6, "120x"),
        (9.996, "10x"),
        (1, "1x"),
        (0.0421, "0.0421x"),
        (0, "0x"),
        (np.inf, "∞"),
        (np.nan, NONE),
        (58380.2, "58380x"),
        (99999.6, "1e5x"),
        (1221846, "1.22e6x"),
    ],
)
def test_ratios(value, text):
    assert numbers.times(value) == text


def test_other_numbers():
    assert [numbers.plain(v) for v in (0.34734, 64.0, 1e-3)] == ["0.3473", "64", "0.001"]
    assert numbers.plain(0.34734, 2) == "0.35"


def test_intervals():
    assert numbers.span(2.1, 2.2) == "[2.100, 2.200]"
    assert numbers.span(18.2, np.inf, numbers.times) == "[18.2x, ∞]"
    assert numbers.span(np.nan, 1e9, numbers.count) == "[–, 1B]"
