"""Time, throughput and cost of serving: by hand, by brute force, and in Yun 2024's own letters."""

import numpy as np
import pytest

import lawlib
from lawlib import serving
from lawlib.architecture import GroupedAttention, Transformer
from lawlib.seeds.released import released_shapes
from lawlib.serving.roofline import decode_time, exchange_time, prefill_time

H100 = serving.Machine(serving.gpu("H100 SXM"))
MIXTRAL = serving.footprint(released_shapes()["Mixtral 8x7B"])
LAMA = Transformer(4096, 32, 11008, ffn_matrices=3, vocabulary=32000, attention=GroupedAttention(32, 32, 128))
DENSE = serving.footprint(LAMA)
"""The shape of LLaMA 7B: 6.74B parameters."""


def test_one_sequence_decodes_at_the_bandwidth():
    """6.6B weights without the input embedding, and 0.5 MB of cache a token, at 3.35 TB/s."""
    weights = 2 * (32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096)
    cache = 1000 * 32 * 2 * 4096 * 2
    assert decode_time(DENSE, H100, 1, 1, 1000) == pytest.approx((weights + cache) / 3.35e12, rel=1e-12)
    assert decode_time(DENSE, H100, 1, 1, 0) == pytest.approx(0.00394, rel=0.01)


def test_a_long_prompt_is_read_at_the_peak_rate():
    """2 N FLOPs a token, causal attention 2 · d_model · layers · prompt a token, the unembedding once."""
    n = 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    flops = 4096 * (2 * n + 2 * 32 * 4096 * 4096) + 2 * 32000 * 4096
    assert prefill_time(DENSE, H100, 1, 1, 4096) == pytest.approx(flops / 989.5e12, rel=1e-12)


def test_a_batch_reads_the_experts_it_touches():
    one, many = (decode_time(MIXTRAL, H100, 2, b, 0) - exchange_time(MIXTRAL, H100, 2, b) for b in (1, 64))
    read = [2 * (MIXTRAL.common + MIXTRAL.head + k * MIXTRAL.expert) / 2 / 3.35e12 for k in (2, 8 * (1 - 0.75**64))]
    assert [one, many] == pytest.approx(read, rel=1e-12)


def test_sums_between_gpus_by_hand():
    """8 GPUs, 100 tokens: 2 · 7/8 of 2 · 32 · 4096 values of 2 bytes a token, at half of 900 GB/s."""
    assert exchange_time(DENSE, H100, 8, 100) == pytest.approx(100 * 1.75 * 2 * 32 * 4096 * 2 / 450e9, rel=1e-12)
    assert exchange_time(DENSE, H100, 1, 100) == 0
    own = serving.Machine(serving.GPU("own", 80, 3000, 900))
    assert exchange_time(DENSE, own, 8, 100) == 0


def test_shares_that_are_reached_divide_the_time():
    half = serving.Machine(H100.gpu, compute=0.5, bandwidth=0.25)
    assert prefill_time(DENSE, half, 1, 1, 4096) == pytest.approx(2 * prefill_time(DENSE, H100, 1, 1, 4096))
    assert decode_time(DENSE, half, 1, 1, 1000) == pytest.approx(4 * decode_time(DENSE, H100, 1, 1, 1000))
    with pytest.raises(ValueError, match=r"compute is a share between 0 and 1; got 1\.5"):
        serving.Machine(H100.gpu, compute=1.5)


def test_throughput_and_cost_are_yuns_formulas():
    """T = b / (L_prefill(b/n) + L_decode(b)), C = n_gpu C0 / T and b, written with h l in place of the cache's size."""
    work = serving.Workload(prompt=161, output=40)
    service = serving.serve(DENSE, H100, work, 4)
    b = (4 * 80e9 * 0.9 - serving.weight_bytes(DENSE)) / ((2 * 161 + 40) * 4096 * 32 * 2.0)
    assert service.batch == pytest.approx(float(b), rel=1e-12)
    rate = b / (prefill_time(DENSE, H100, 4, b / 40, 161) + decode_time(DENSE, H100, 4, b, 161 + 20))
    assert service.output_rate == pytest.approx(float(rate), rel=1e-12)
    per_answer_token = 4 * 2.5 / 3600 / rate
    assert service.cost(2.5) == pytest.approx(float(per_answer_token) * 1e6 * 40 / 201, rel=1e-12)


def test_few_prompts_share_their_prefill_among_steps():
    """A batch of 10 with answers of 100 tokens: one prompt joins every ten steps."""
    work = serving.Workload(prompt=500, output=100)
    service = serving.serve(DENSE, H100, work, 1, batch=10)
    decode, prefill = decode_time(DENSE, H100, 1, 10, 550), prefill_time(DENSE, H100, 1, 1, 500)
    assert service.step == pytest.approx(float(decode + prefill / 10))
    assert service.output_rate == pytest.approx(float(10 / service.step))


def test_cost_falls_with_the_batch():
    batch = np.geomspace(1, 3000, 200)
    for model in (DENSE, MIXTRAL):
        hours = serving.serve(model, H100, serving.Workload(), 4, batch).gpu_hours
        assert (np.diff(hours) <= 1e-15).all()


@pytest.mark.parametrize("max_step", [np.inf, 0.03, 0.015])
def test_the_cheapest_service_is_that_of_brute_force(max_step):
    """Every number of GPUs and every whole batch that fits and is quick enough."""
    work = serving.Workload(prompt=700, output=300, max_step=max_step)
    found = serving.cheapest(MIXTRAL, H100, work)
    lowest = np.inf
    for n in (1, 2, 4, 8, 16, 32, 64):
        free = n * 80e9 * 0.9 - serving.weight_bytes(MIXTRAL)
        batch = np.arange(1, int(free / (131072 * 850)) + 1) if free > 131072 * 850 else np.array([])
        if batch.size:
            service = serving.serve(MIXTRAL, H100, work, n, batch)
            lowest = min(lowest, service.gpu_hours[service.step <= max_step].min(initial=np.inf))
    assert found.gpu_hours == pytest.approx(lowest, rel=2e-3)
    assert found.gpu_hours <= lowest * (1 + 1e-9)
    assert found.step <= max_step * (1 + 1e-9)


def test_what_does_not_fit_or_is_too_slow_has_no_price():
    small = serving.cheapest(MIXTRAL, H100, serving.Workload(), counts=(1,))
    assert small.gpu_hours == np.inf
    assert small.batch == 0
    slow = serving.cheapest(MIXTRAL, H100, serving.Workload(max_step=1e-4))
    assert slow.gpu_hours == np.inf


def test_arrays_are_the_same_as_single_models():
    law = lawlib.published("ludziejewski2025")
    n, e = np.array([[1e9], [1e10]]), np.array([1.0, 8.0, 64.0])
    together = serving.cheapest(serving.law_footprint(law, n, e), H100, serving.Workload())
    assert together.gpu_hours.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            one = serving.cheapest(serving.law_footprint(law, n[i, 0], e[j]), H100, serving.Workload())
            assert float(one.gpu_hours) == pytest.approx(together.gpu_hours[i, j], rel=1e-12)  # sums in another order
            assert one.n_gpus == together.n_gpus[i, j]


@pytest.mark.parametrize("expansion", [1.0, 8.0, 64.0])
def test_footprints_of_ludziejewskis_sizes_are_the_papers_counts(expansion):
    """N_active = 2 d V + 13 n d^2 and N_total = 2 d V + (4 + 9 E) n d^2 with d = 64 n; the router comes on top."""
    blocks, d = 20.0, 1280.0
    n_active = 2 * d * 50257 + 13 * blocks * d**2
    model = serving.law_footprint(lawlib.published("ludziejewski2025"), n_active, expansion, queries_per_key=1)
    router = blocks * d * expansion if expansion > 1 else 0
    assert model.total == pytest.approx(2 * d * 50257 + (4 + 9 * expansion) * blocks * d**2 + router, rel=1e-9)
    assert model.active == pytest.approx(d * 50257 + 13 * blocks * d**2 + router, rel=1e-9)
    assert model.kv_values == pytest.approx(2 * blocks * d, rel=1e-9)


def test_footprints_of_krajewskis_sizes_are_those_of_its_shape():
    shape = Transformer(64 * 12, 12, 4 * 64 * 12, n_experts=64 * 8, top_k=8, granularity=8, vocabulary=50257)
    law = lawlib.published("krajewski2024-moe-e64")
    model = serving.law_footprint(law, shape.n_active, 64.0, 8.0, queries_per_key=1)
    expected = serving.footprint(shape)
    for name in expected.__dataclass_fields__:
        assert float(getattr(model, name)) == pytest.approx(float(getattr(expected, name)), rel=1e-9), name


def test_a_law_that_does_not_know_its_experts_has_no_footprint():
    with pytest.raises(lawlib.OptimumError, match="besiroglu2024 law does not say how many of its parameters are experts"):
        serving.law_footprint(lawlib.published("besiroglu2024"), 1e9, 1.0)
