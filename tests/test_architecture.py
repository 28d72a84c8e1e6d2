"""Counts of shapes against the papers' own tables and against counting weight matrices one by one."""

import numpy as np
import pytest

from lawlib import architecture as arch
from lawlib import seeds
from tests.support.planted import krajewski_total


def test_counts_add_up_matrix_by_matrix():
    shape = arch.Transformer(d_model=512, n_layers=8, d_ff=2048, n_experts=64, top_k=4, granularity=4, ffn_matrices=3)
    attention = 4 * 512 * 512  # query, key, value, output
    expert = 3 * 512 * 512  # gate, up, down, each 512 x (2048 / 4)
    assert shape.n_active == 8 * (attention + 4 * expert)
    assert shape.n_total == 8 * (attention + 64 * expert)
    assert shape.n_router == 8 * 512 * 64
    assert shape.expansion == 16
    assert shape.flops_per_token() == 6 * shape.n_active + 14 * shape.n_router


def test_a_dense_model_has_no_router():
    dense = arch.Transformer(d_model=512, n_layers=8, d_ff=2048, vocabulary=1000)
    assert dense.n_router == 0
    assert dense.n_active == dense.n_total == 12 * 512**2 * 8
    assert dense.flops_per_token() == 6 * dense.n_active
    assert dense.n_embedding == 2 * 512 * 1000


@pytest.mark.parametrize("n_blocks", [4, 10, 30, 96])
@pytest.mark.parametrize("granularity", [1, 8, 64])
def test_krajewski_formulas_equal_the_shape_counted(n_blocks, granularity):
    d = 64 * n_blocks
    shape = arch.Transformer(d, n_blocks, 4 * d, n_experts=64 * granularity, top_k=granularity, granularity=granularity)
    assert arch.krajewski_blocks(shape.n_active) == pytest.approx(n_blocks, rel=1e-12)
    assert krajewski_total(shape.n_active, 64) == pytest.approx(shape.n_total, rel=1e-12)
    assert shape.n_total / shape.n_active == pytest.approx(43, rel=1e-12)
    flops = arch.krajewski_flops(shape.n_active, 1e9, 64, granularity)
    assert flops == pytest.approx(1e9 * shape.flops_per_token(), rel=1e-12)


def test_flops_formula_reproduces_table_2():
    table = seeds.table("krajewski_table2")
    flops = arch.krajewski_flops(table["n_active"], table["tokens"], table["expansion"], table["granularity"])
    np.testing.assert_allclose(flops / table["flops"], 1.0, atol=0.005)


@pytest.mark.parametrize("expansion", [1, 8, 32])
def test_embeddings_are_taken_off_ludziejewskis_shape(expansion):
    n = np.array([5.0, 12.0, 31.5])
    d = 64 * n
    with_embeddings = 2 * d * 50257 + 13 * n * d**2
    active, total, total_with = arch.without_embeddings(with_embeddings, expansion)
    np.testing.assert_allclose(active, 13 * n * d**2, rtol=1e-11)
    np.testing.assert_allclose(total, (4 + 9 * expansion) * n * d**2, rtol=1e-11)
    np.testing.assert_allclose(total_with, 2 * d * 50257 + (4 + 9 * expansion) * n * d**2, rtol=1e-11)


@pytest.mark.parametrize("target", [1e4, 1e7, 1e12, 1e16])
def test_embeddings_are_taken_off_at_any_size(target):
    active, _, total_with = arch.without_embeddings(target, 1)
    assert 0 < active < target
    assert total_with == pytest.approx(target, rel=1e-10)


def test_granularity_is_krajewskis_and_twice_lings():
    assert arch.granularity_of(4096, 14336) == pytest.approx(4 * 4096 / 14336)
    assert arch.granularity_of(2048, 2048 / 4) == 2 * (2 * 2048 / (2048 / 4))
