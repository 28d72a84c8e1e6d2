"""Beyond the data: which optima count as outside, with 5 % of slack, and the sentences that say by how much."""

from dataclasses import replace

import numpy as np
import pytest

import lawlib
from lawlib import compute_optimal
from lawlib.optimum.extrapolation import SLACK, checked, inside, sentences
from tests.support.planted import grid

RUNS = grid("chinchilla", noise=0.002, seed=1)
FIT = lawlib.fit(RUNS, "chinchilla", objective="squared_log")
LOW, HIGH = FIT.ranges["flops"]
MOE = lawlib.published("krajewski2024-moe-e64")


def at(**values):
    """A law whose only ranges are these."""
    return replace(FIT, ranges=values)


def test_the_ranges_are_those_of_the_runs():
    assert (RUNS["flops"].min(), RUNS["flops"].max()) == (LOW, HIGH)
    ratio = RUNS["tokens"] / RUNS["n_active"]
    assert FIT.ranges["tokens_per_parameter"] == (ratio.min(), ratio.max())


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.9 / SLACK, False), (1.001 / SLACK, True), (1.0, True), (3.0, True), (0.999, True)]
)
def test_the_low_end_has_five_per_cent_of_slack(factor, expected):
    opt = compute_optimal(FIT, LOW * factor)
    assert bool(inside(FIT, opt)) is expected
    assert (not sentences(FIT, opt)) is expected


@pytest.mark.parametrize(("factor", "expected"), [(0.5, True), (1.0, True), (SLACK * 0.999, True), (SLACK * 1.001, False)])
def test_the_high_end_has_five_per_cent_of_slack(factor, expected):
    law = at(flops=(LOW, HIGH))
    opt = compute_optimal(law, HIGH * factor)
    assert bool(inside(law, opt)) is expected
    assert (not sentences(law, opt)) is expected


def test_the_mask_has_the_shape_of_the_optimum_and_agrees_with_the_sentences():
    budgets = np.geomspace(LOW / 100, HIGH * 100, 24).reshape(4, 6)
    mask = inside(FIT, compute_optimal(FIT, budgets))
    assert mask.shape == (4, 6)
    assert mask.any()
    assert not mask.all()
    for budget, good in zip(budgets.ravel(), mask.ravel(), strict=True):
        assert bool(sentences(FIT, compute_optimal(FIT, budget))) is not bool(good)


def test_above_and_below_in_words():
    law = at(flops=(1e19, 1e21))
    assert sentences(law, compute_optimal(law, 1e23)) == ["1e23 training FLOPs is 100x above the data (1e19 to 1e21)"]
    assert sentences(law, compute_optimal(law, 1e18)) == ["1e18 training FLOPs is 10x below the data (1e19 to 1e21)"]
    assert sentences(law, compute_optimal(law, 1e20)) == []


def test_sizes_and_tokens_bound_a_law_whose_data_have_no_flops():
    opt = compute_optimal(FIT, 1e21)
    law = at(n_active=(opt.n_active / 4, opt.n_active / 2), tokens=(opt.tokens * 3, opt.tokens * 9))
    assert checked(law) == ["n_active", "tokens"]
    above, below = sentences(law, opt)
    assert " active parameters is 2x above the data (" in above
    assert " training tokens is 3x below the data (" in below
    assert not inside(law, opt)
    # With FLOPs in the data, sizes and tokens of the optimum are no reason.
    assert inside(at(flops=(1e20, 1e22), n_active=(1.0, 2.0)), opt)


def test_tokens_per_parameter_count_besides_the_flops():
    opt = compute_optimal(FIT, 1e21)
    law = at(flops=(1e20, 1e22), tokens_per_parameter=(opt.tokens_per_parameter * 10, opt.tokens_per_parameter * 20))
    (found,) = sentences(law, opt)
    assert found.startswith(f"{opt.tokens_per_parameter:.4g} tokens per parameter is 10x below the data")


def test_granularity_and_expansion_of_a_published_law():
    low, high = MOE.ranges["granularity"]
    law = replace(
        MOE, ranges={q: r for q, r in MOE.ranges.items() if q in ("granularity", "expansion", "flops")} | {"flops": (1e19, 1e21)}
    )
    mask = inside(law, compute_optimal(law, 1e20, 64, [low, high, 4 * high]))
    assert mask.tolist() == [True, True, False]
    (found,) = sentences(law, compute_optimal(law, 1e20, 64, 4 * high))
    assert found == f"{4 * high:g} granularity is 4x above the data ({low:g} to {high:g})"
    joint = lawlib.published("ludziejewski2025")
    high = joint.ranges["expansion"][1]
    found = sentences(joint, compute_optimal(joint, 1e20, 10 * high))
    assert any("expansion rate E is 10x above the data" in s for s in found)


def test_a_law_whose_data_are_not_on_record_is_inside_nowhere():
    law = at()
    assert checked(law) == []
    assert inside(law, compute_optimal(law, [1e18, 1e20])).tolist() == [False, False]
    assert sentences(law, compute_optimal(law, 1e20)) == ["the range of this law's data is not on record here"]


def test_a_quantity_that_the_optimum_does_not_have_is_no_reason():
    law = at(granularity=(2.0, 4.0), expansion=(8.0, 16.0), flops=(1e19, 1e21))
    opt = replace(compute_optimal(law, 1e20), expansion=np.nan)
    assert np.isnan(opt.granularity)
    assert inside(law, opt)
    assert sentences(law, opt) == []
