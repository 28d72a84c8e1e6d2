"""Weights and KV cache of released models against their published sizes; largest batch; experts that a batch touches."""

import numpy as np
import pytest

from lawlib import seeds, serving
from lawlib.architecture import GroupedAttention, LatentAttention, Transformer
from lawlib.seeds.released import released_shapes

MODELS = seeds.table("released_models").set_index("model")
SHAPES = released_shapes()


@pytest.mark.parametrize(
    ("model", "parameters", "kv_bytes"),
    [("Mixtral 8x7B", 46.7e9, 131072), ("OLMoE-1B-7B", 6.92e9, 131072), ("DeepSeek-V3", 671e9, 70272)],
)
def test_weights_and_cache_of_released_models_are_their_published_sizes(model, parameters, kv_bytes):
    model = serving.footprint(SHAPES[model])
    assert serving.weight_bytes(model, "bf16") == pytest.approx(2 * parameters, rel=0.02)
    assert serving.weight_bytes(model, "fp8") == pytest.approx(parameters, rel=0.02)
    assert serving.kv_bytes(model, 1) == pytest.approx(kv_bytes, rel=0.02)


@pytest.mark.parametrize("model", SHAPES)
def test_every_shape_counts_to_the_published_parameters(model):
    """The published counts have the router in them."""
    shape, row = SHAPES[model], MODELS.loc[model]
    assert shape.n_total + shape.n_router == pytest.approx(row["n_total"], rel=5e-4)
    assert shape.n_active + shape.n_router == pytest.approx(row["n_active"], rel=3e-3)
    assert serving.footprint(shape).total == pytest.approx(row["n_total_with_embeddings"], rel=5e-4)


def test_latent_attention_counted_matrix_by_matrix():
    """DeepSeek-V3: 7168 -> 1536 -> 128 (128 + 64); 7168 -> 512 + 64; 512 -> 128 (128 + 128); 128 · 128 -> 7168."""
    attention = LatentAttention(n_heads=128, kv_rank=512, rope_dim=64, head_dim=128, q_rank=1536)
    expected = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168
    assert attention.parameters(7168) == expected
    assert LatentAttention(16, 512, 64, 128).parameters(2048) == 2048 * 16 * 192 + 2048 * 576 + 512 * 16 * 256 + 16 * 128 * 2048


def test_as_many_key_heads_as_query_heads_is_the_default():
    plain = Transformer(1024, 8, 4096, n_experts=8, top_k=2, vocabulary=1000)
    grouped = Transformer(1024, 8, 4096, n_experts=8, top_k=2, vocabulary=1000, attention=GroupedAttention(8, 8, 128))
    assert serving.footprint(plain) == serving.footprint(grouped)
    assert plain.n_active == grouped.n_active


def test_shared_experts_and_dense_blocks_are_common():
    shape = Transformer(
        512, 6, 2048, n_experts=16, top_k=2, granularity=4, ffn_matrices=3, n_shared=1, n_dense_layers=2, d_ff_dense=2048
    )
    expert = 3 * 512 * 512
    assert shape.n_common == 6 * 4 * 512**2 + 2 * 3 * 512 * 2048 + 4 * expert
    assert shape.n_active == shape.n_common + 4 * 2 * expert
    assert shape.n_total == shape.n_common + 4 * 16 * expert
    assert shape.n_router == 4 * 512 * 16


def test_tied_embeddings_are_kept_once():
    tied = Transformer(512, 6, 2048, vocabulary=1000, tied=True)
    assert tied.n_embedding == 512_000
    assert serving.footprint(tied).total == tied.n_total + tied.n_embedding


def test_distinct_experts_are_those_of_a_draw():
    """Against tokens that each draw 8 of 64 experts."""
    model = serving.footprint(SHAPES["OLMoE-1B-7B"])
    rng = np.random.default_rng(0)
    for tokens in (1, 4, 16, 64):
        drawn = [len(np.unique(rng.random((tokens, 64)).argsort(axis=1)[:, :8])) for _ in range(2000)]
        assert model.distinct_experts(tokens) == pytest.approx(np.mean(drawn), rel=0.01)
    assert model.distinct_experts(1) == pytest.approx(8)
    assert model.distinct_experts(1e6) == pytest.approx(64)


def test_a_dense_model_touches_all_of_itself():
    dense = serving.footprint(Transformer(1024, 8, 4096, vocabulary=1000))
    assert dense.distinct_experts(np.array([1, 7, 300])).tolist() == [1, 1, 1]
    assert dense.weights_touched(1) == dense.active == dense.total - dense.lookup


def test_the_largest_batch_fills_the_memory():
    model, h100 = serving.footprint(SHAPES["Mixtral 8x7B"]), serving.gpu("H100 SXM")
    context = serving.mean_context(1024, 512)
    n = np.array([1, 2, 4, 8])
    batch = serving.largest_batch(model, h100, n, context)
    assert batch[0] == 0  # 93 GB of weights
    filled = serving.weight_bytes(model) + serving.kv_bytes(model, context, batch[1:])
    np.testing.assert_allclose(filled, 0.9 * 80e9 * n[1:])


def test_rates_are_dense_and_formats_without_units_are_refused():
    table = serving.gpus()
    assert list(table) == ["A100 40GB SXM", "A100 80GB SXM", "H100 SXM", "H200 SXM", "B200 (HGX)", "L40S", "MI300X"]
    assert table["H100 SXM"].flops("bf16") == 989.5e12
    assert all(g.fp8_tflops / g.bf16_tflops == pytest.approx(2, rel=0.02) for g in table.values() if "A100" not in g.name)
    assert all("data sheet" in g.sheet for g in table.values())
    assert table["A100 80GB SXM"].precisions == ["bf16"]
    with pytest.raises(ValueError, match="A100 80GB SXM has no fp8 rate in its data sheet"):
        table["A100 80GB SXM"].flops("fp8")
    with pytest.raises(ValueError, match=r"no number format 'int4' here; known are bf16, fp8"):
        table["L40S"].flops("int4")
    with pytest.raises(ValueError, match=r"no GPU 'H1000' in the table; known are A100 40GB SXM, .*MI300X"):
        serving.gpu("H1000")
