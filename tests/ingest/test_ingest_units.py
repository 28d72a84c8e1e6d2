"""Numbers out of cells, and what their units are."""

import numpy as np
import pandas as pd
import pytest

from lawlib.ingest.core.units import UNITS, count_unit, flop_unit, loss_unit, numbers


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("350M", 350e6), ("2.1B", 2.1e9), ("1_000", 1000), ("7,000,000", 7e6), ("1e21", 1e21), (" 5 ", 5), (".5", 0.5),
        ("-3", -3), ("+3", 3), ("inf", np.inf), ("-Infinity", -np.inf), ("1e400", np.inf), ("", np.nan), ("NaN", np.nan),
        ("N/A", np.nan), ("None", np.nan), ("-", np.nan), ("1'000", 1000),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(cell, value):
    found = numbers(pd.Series([cell, "1"]))
    np.testing.assert_array_equal(found.values, [value, 1])
    assert not found.text.any()
    assert found.nan.tolist() == [cell == "NaN", False]


@pytest.mark.parametrize("cell", ["abc", "3,25", "1 2", "0x10", "True", "1d5", ".5.5", "12,34", "3 apples"])
def test_text_is_no_number(cell):
    assert numbers(pd.Series(["1", cell])).text.tolist() == [False, True]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("3,25", 3.25), ("1.234.567", 1234567), ("1.234,5", 1234.5), ("2e9", 2e9), ("1,5M", 1.5e6), ("0.5", 0.5), ("1.25", 1.25)],
)
def test_numbers_with_decimal_commas(cell, value):
    assert numbers(pd.Series([cell]), ",").values.tolist() == [value]


def test_a_lone_group_of_thousands_among_decimal_commas_is_not_guessed():
    assert numbers(pd.Series(["1.234"]), ",").text.tolist() == [True]


def test_typed_columns():
    assert numbers(pd.Series([True, False])).text.all()
    np.testing.assert_array_equal(numbers(pd.Series([1, None], dtype="Int64")).values, [1, np.nan])
    mixed = numbers(pd.Series([1, "2B", None, True, 10**400, 2.5], dtype=object))
    np.testing.assert_array_equal(mixed.values, [1, 2e9, np.nan, np.nan, np.inf, 2.5])
    assert mixed.text.tolist() == [False, False, False, True, False, False]


def test_texts_of_floats_come_back_exactly():
    rng = np.random.default_rng(0)
    values = rng.random(20_000) * 10.0 ** rng.integers(-5, 22, 20_000)
    assert (numbers(pd.Series([repr(float(v)) for v in values])).values == values).all()


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("tokens (B)", ("tokens", "billion")), ("tokens_b", ("tokens", "billion")), ("params [M]", ("params", "million")),
        ("N (millions)", ("N", "million")), ("tokens in billions", ("tokens", "billion")), ("tokens", ("", "")),
        ("D_T", ("D", "trillion")), ("batch", ("", "")),
    ],
)  # fmt: skip
def test_units_of_counts_in_headers(header, unit):
    assert count_unit(header) == unit


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("total_gflops", "GFLOP"), ("pf_days", "PF-days"), ("C (PF-days)", "PF-days"), ("Training FLOP", ""), ("EFLOP", "EFLOP"),
        ("compute_petaflop_days", "PF-days"), ("petaflop/s-days", "PF-days"), ("total TFLOPs", "TFLOP"), ("flops", ""),
    ],
)  # fmt: skip
def test_units_of_flops_in_headers(header, unit):
    assert flop_unit(header)[1] == unit


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("ppl", "perplexity"), ("eval/ppl//c4", "perplexity"), ("Perplexity", "perplexity"), ("apple", ""), ("val_bpb", "bits per byte"),
        ("bits_per_byte", "bits per byte"), ("loss (bits)", "bits per token"), ("bits per token", "bits per token"), ("loss", ""),
    ],
)  # fmt: skip
def test_units_of_losses_in_headers(header, unit):
    assert loss_unit(header) == unit


def test_a_petaflop_day_is_a_day_of_petaflops():
    assert UNITS["flops"]["PF-days"] == 1e15 * 24 * 3600
    assert UNITS["loss"]["bits per token"] == np.log(2)
    assert all(UNITS["flops"][f"forward-only {unit}"] == 3 * UNITS["flops"][unit] for unit in ("FLOP", "TFLOP", "PF-days"))
