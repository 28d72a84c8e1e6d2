"""Suggestions: each trips where it should, is silent where it should be, shows its numbers, and its fix mends."""

import re

import numpy as np
import pytest

from lawlib import ReadError
from lawlib.ingest import Import, Mapping, Source, build, detect, open_table

# code, a file that trips it, a near miss, words and numbers of the sentence, and what the fix makes of the quantity
CASES = [
    ("perplexity", "N,D,C,eval ppl\n1e8,2e9,1.2e18,25\n2e8,4e9,4.8e18,15\n", "N,D,C,eval apple loss\n1e8,2e9,1.2e18,3\n",
     'looks like perplexity, by the name of "eval ppl": its median is 20.* 2.996 nats', np.log([25, 15])),
    ("perplexity", "N,D,C,loss\n1e8,2e9,1.2e18,25\n2e8,4e9,4.8e18,15\n", "N,D,C,loss\n1e8,2e9,1.2e18,11.9\n2e8,4e9,4.8e18,11\n",
     "an untrained model has at most about 12 nats: its median is 20", np.log([25, 15])),
    ("bits-per-token", "N,D,C,loss (bits)\n1e8,2e9,1.2e18,4\n", "N,D,C,loss\n1e8,2e9,1.2e18,4\n",
     r"is in bits by its name \(median 4\).* 2.773 nats", [4 * np.log(2)]),
    ("forward-only", "N,D,C,loss\n1e8,2e9,0.4e18,3\n", "N,D,C,loss\n1e8,2e9,0.89e18,3\n",
     r"looks like forward-only FLOP: the median of C/\(6ND\) is 0.333 as it is, and 1 with", [1.2e18]),
    ("forward-only", "N,D,total_gflops,loss\n1e8,2e9,0.4e9,3\n", "N,D,total_gflops,loss\n1e8,2e9,1.2e9,3\n",
     "looks like forward-only GFLOP", [1.2e18]),
    ("flop-unit", "N,D,C,loss\n1e8,2e9,1.2e9,3\n", "N,D,C,loss\n1e8,2e9,2.1e18,3\n",
     r"looks like GFLOP: the median of C/\(6ND\) is 1e-09", [1.2e18]),
    ("flop-unit", "N,D,C,loss\n1e8,2e9,1.2e6,3\n", "N,D,C,loss\n1e8,2e9,1.2e11,3\n", "looks like TFLOP.* 1e-12", [1.2e18]),
    ("flop-unit", "N,D,C,loss\n1e8,2e9,1.2e3,3\n", "N,D,C,loss\n1e8,2e9,1.2e18,3\n", "looks like PFLOP.* 1e-15", [1.2e18]),
    ("flop-unit", "N,D,C,loss\n1e8,2e9,0.4e9,3\n", "N,D,C,loss\n1e8,2e9,0.2e9,3\n", "looks like forward-only GFLOP", [1.2e18]),
    ("flop-unit", "N,D,pf_days,loss\n1e8,2e9,1.2e18,3\n", "N,D,pf_days,loss\n1e12,2e12,1.4e5,3\n", "looks like FLOP:", [1.2e18]),
    ("overflow", "N,D,C,loss\n1e10,3e8,-446744073709551616,3\n1e8,2e9,1.2e18,3\n", "N,D,C,loss\n1e10,3e8,1.8e19,3\n",
     "1 of 2 values are negative, and 1 are what 6ND becomes in 64- or 32-bit integers", [1.8e19, 1.2e18]),
    ("overflow", "N,D,C,loss\n10000000000,5000000000,4852094820647174144,3\n", "N,D,C,loss\n10000000000,5000000000,3e20,3\n",
     "0 of 1 values are negative, and 1 are what 6ND becomes", [3e20]),
    ("overflow", "N,D,C,loss\n1e8,2e9,-5,3\n1e8,2e9,1.2e18,3\n", "N,D,C,loss\n1e8,2e9,5e18,3\n",
     "1 of 2 values are negative .first: -5, where 6ND is 1.2e.18", [1.2e18, 1.2e18]),
    ("token-unit", "N,D,loss\n1e8,2,3\n", "N,D,loss\n1e8,2e6,3\n", '"D" looks like billions of tokens: its largest value is 2', [2e9]),
    ("token-unit", "N,D,C,loss\n1e8,2,1.2e21,3\n", "N,D,C,loss\n1e8,2e9,1.2e18,3\n", "trillions of tokens", [2e12]),
    ("param-unit", "N,D,loss\n70,1.4e9,3\n400,8e9,2.9\n", "N,D,loss\n1e5,1.4e9,3\n", "looks like millions of parameters: .* 400", [70e6, 400e6]),
    ("param-unit", "N,D,loss\n0.35,7e9,3\n7,140e9,2\n", "N,D,loss\n1e5,1.4e9,3\n", "looks like billions of parameters: .* 7,", [0.35e9, 7e9]),
    ("param-unit", "active_params,loss\n70,3\n", "active_params,loss\n7e7,3\n", "looks like millions of parameters", [70e6]),
    ("derive-tokens", "N,C,loss\n1e8,1.2e18,3\n2e8,4.8e18,2\n", "N,D,loss\n1e8,2e9,3\n", r"derive D = C/\(6N\).* 2e\+09 to 4e\+09", [2e9, 4e9]),
    ("derive-flops", "N,D,loss\n1e8,2e9,3\n2e8,4e9,2\n", "N,C,loss\n1e8,2e18,3\n", r"derive C = 6ND.* 1.2e\+18 to 4.8e\+18", [1.2e18, 4.8e18]),
    ("derive-params", "C,D,loss\n1.2e18,2e9,3\n", "N,D,C,loss\n1e8,2e9,1.2e18,3\n", r"derive N = C/\(6D\).* 1e\+08 to 1e\+08", [1e8]),
    ("dense-params", "total_params,D,C,loss\n1e8,2e9,1.2e18,3\n", "total_params,n_experts,D,C,loss\n1e8,8,2e9,1.2e18,3\n",
     '"total_params" counts all parameters', [1e8]),
    ("experts-or-expansion", "E,G,N,D,C,loss\n8,4,1e8,2e9,1.2e18,3\n", "E,G,N,D,C,loss\n8,1,1e8,2e9,1.2e18,3\n",
     "E x G = 32 to 32 experts. Or is it the number of experts itself, 8 to 8", [8]),
]  # fmt: skip


def read(text: str) -> Import:
    table = open_table(text.encode(), "f.csv")
    return build(table, detect(table))


@pytest.mark.parametrize(("code", "text", "miss", "sentence", "mended"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_a_suggestion_trips_and_its_fix_mends(code, text, miss, sentence, mended):
    found = read(text)
    (suggestion,) = (s for s in found.suggestions if s.code == code)
    assert re.search(sentence, suggestion.sentence)
    assert Mapping.from_json(suggestion.fix.to_json()) == suggestion.fix
    after = build(open_table(text.encode(), "f.csv"), suggestion.fix)
    quantity = "n_active" if suggestion.quantity == "n_params" else suggestion.quantity
    np.testing.assert_allclose(after.runs[quantity], mended, rtol=1e-12)
    assert code not in [s.code for s in after.suggestions]


@pytest.mark.parametrize(("code", "text", "miss", "sentence", "mended"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_a_near_miss_is_silent(code, text, miss, sentence, mended):
    assert code not in [s.code for s in read(miss).suggestions]


def test_nothing_is_applied_by_itself():
    for _, text, _, _, _ in CASES:
        table = open_table(text.encode(), "f.csv")
        mapping = detect(table)
        before = mapping.to_json()
        build(table, mapping)
        assert mapping.to_json() == before


def test_bits_per_byte_need_the_users_number():
    table = open_table(b"N,D,C,val_bpb\n1e8,2e9,1.2e18,1\n", "f.csv")
    (suggestion,) = build(table, detect(table)).suggestions
    assert suggestion.code == "bits-per-byte"
    with pytest.raises(ReadError, match="give that number"):
        build(table, suggestion.fix)
    source = suggestion.fix.sources["loss"]
    fix = suggestion.fix.with_source("loss", Source(source.column, source.unit, bytes_per_token=4.5))
    assert build(table, fix).runs["loss"].tolist() == pytest.approx([4.5 * np.log(2)])


def test_a_total_loss_gives_way_to_the_models_own():
    table = open_table(b"N,D,C,total_loss,lm_loss\n1e8,2e9,1.2e18,3.5,3.25\n", "f.csv")
    mapping = detect(table)
    assert build(table, mapping).suggestions == []
    (suggestion,) = build(table, mapping.with_source("loss", Source("total_loss"))).suggestions
    assert suggestion.code == "auxiliary-loss"
    assert 'There is also "lm_loss", and the median difference is 0.25' in suggestion.sentence
    assert suggestion.fix.loss == "lm_loss"


def test_units_of_both_counts_are_told_together_and_nothing_is_derived_before():
    table = open_table(b"N,D,loss\n70,1.4,3\n400,8,2.9\n", "f.csv")
    found = build(table, detect(table))
    assert [s.code for s in found.suggestions] == ["token-unit", "param-unit"]
    found = build(table, found.suggestions[0].fix)
    assert [s.code for s in found.suggestions] == ["param-unit"]
    found = build(table, found.suggestions[0].fix)
    assert [s.code for s in found.suggestions] == ["derive-flops"]
    assert found.runs["n_active"].tolist() == [70e6, 400e6]
    assert found.runs["tokens"].tolist() == [1.4e9, 8e9]
