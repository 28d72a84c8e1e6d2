"""Plans: whole numbers that keep every limit, neighbours, what would change the decision, conflicts, starting points, exports."""

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest

import lawlib
from lawlib import FlopsRule, planner, serving
from lawlib.planner import Limits, configuration
from lawlib.planner.limits import BUDGET, SERVED, SERVING, TOKENS, TRAINING
from lawlib.planner.plans import usage
from lawlib.planner.recipe import law_active
from tests.support import planted

H100 = serving.gpu("H100 SXM")
JOINT = lawlib.published("ludziejewski2025")
LIMITS = planner.Limits(
    1e22, 1e12, cluster=planner.Cluster(H100, 256), deployment=planner.Deployment(serving.Machine(H100), 1, sequences=4)
)


@pytest.fixture(scope="module")
def found():
    return planner.plan(JOINT, LIMITS, samples=JOINT.rounding(40))


def test_a_plan_is_whole_numbers_that_keep_every_limit(found):
    best, shape = found.best, found.best.shape
    assert shape.d_model % 64 == 0
    assert shape.d_model == shape.attention.n_heads * shape.attention.head_dim
    assert shape.attention.n_heads % shape.attention.n_kv_heads == 0
    assert best.d_expert % 64 == 0
    assert shape.n_experts == best.expansion
    assert best.tokens == best.steps * best.batch * best.sequence
    assert all(
        isinstance(v, int) for v in (shape.d_model, shape.n_layers, shape.n_experts, best.d_expert, best.steps, best.batch)
    )
    assert max(found.usage.values()) <= 1
    assert found.usage[SERVING] > 0.85
    assert found.bound == [SERVING, BUDGET]


def test_a_plan_s_loss_and_flops_are_the_law_s_at_its_counts(found):
    shape, p = found.best.shape, JOINT.params
    blocks = np.cbrt(shape.n_active / (13 * 64**2))  # the paper's shape with so many parameters
    n = shape.n_active + 2 * 64 * blocks * 50257
    assert found.best.flops == pytest.approx(6 * n * found.best.tokens, rel=1e-9)
    assert found.best.loss == pytest.approx(planted.joint(p, n, found.best.tokens, None, found.best.expansion), rel=1e-9)
    assert found.loss_low < found.best.loss < found.loss_high


def test_whole_numbers_cost_little(found):
    continuous = found.options["loss"].min()
    assert found.best.loss < continuous + 0.005
    free = planner.plan(JOINT, planner.Limits(1e21))
    assert abs(free.best.loss - free.options["loss"].min()) < 0.001


def test_the_share_of_samples_that_choose_an_e_adds_up(found):
    assert found.options["chosen_in"].sum() == pytest.approx(1.0)


def test_neighbours_say_what_each_costs_and_which_limit_it_breaks(found):
    rows = planner.neighbours(found).set_index("model")
    assert rows.iloc[0]["loss_more"] == 0
    assert rows.loc["half the size", "loss_more"] > 0
    assert rows.loc["twice the size", "broken"] == SERVING
    assert rows.loc["half the size", "broken"] == ""
    assert set(rows.index) >= {"dense", "half the size", "twice the size", "3/4 of the size", "4/3 of the size"}
    assert rows["flops"].max() <= 1e22 * (1 + 1e-9)
    assert rows["n_active"]["half the size"] / rows["n_active"].iloc[0] == pytest.approx(0.5, rel=0.09)


def test_what_would_change_the_decision_does_change_it(found):
    rows = planner.changes(found)
    assert not rows.empty
    for row in rows.itertuples():
        if row.limit not in (BUDGET, TOKENS):
            continue
        field = {BUDGET: "flops", TOKENS: "tokens"}[row.limit]

        def chosen(factor, field=field):
            moved = replace(LIMITS, **{field: getattr(LIMITS, field) * factor})
            options = planner.plan(JOINT, moved).options
            return options.loc[options["loss"].idxmin(), "expansion"]

        now = found.options.loc[found.options["loss"].idxmin(), "expansion"]
        assert chosen(row.factor) == row.expansion != now
        assert chosen(row.factor**0.8) == now  # before it, the decision stays
    up = rows[(rows["limit"] == SERVING) & (rows["factor"] > 1)].iloc[0]
    assert up["expansion"] > now  # more memory, more experts


@pytest.mark.parametrize("budget", [3.2e18, 1.1e21, 1.2e23])
def test_no_change_leads_to_what_whole_numbers_made_the_best_already(budget):
    """At these budgets another G is better in real numbers than the plan's, by less than whole numbers cost it."""
    plan = planner.plan(lawlib.published("krajewski2024-moe-e64"), planner.Limits(budget))
    real, own = (plan.options.set_index("granularity").loc[g] for g in (_best_g(plan), plan.best.granularity))
    assert real["loss"] < own["loss"]
    assert real["whole_loss"] > own["whole_loss"] == plan.best.loss
    rows = planner.changes(plan)
    assert len(rows)
    assert plan.best.granularity not in set(rows["granularity"])


@pytest.mark.parametrize("limits", [Limits(1e16, served=1e11), Limits(1.6e17, tokens=1.66e7, served=2.4e10)])
def test_what_cannot_be_built_is_no_decision_that_changes(limits):
    """Other G are better in real numbers, but no whole numbers keep the limits there."""
    plan = planner.plan(lawlib.published("krajewski2024-moe-e64"), limits)
    assert np.isinf(plan.options["whole_loss"]).any()
    assert plan.best.granularity not in set(planner.changes(plan)["granularity"])


def test_a_budget_beyond_all_reason_is_planned_in_little_memory():
    sizes = configuration._grids(planner.recipe_of(JOINT), np.array([1e9, 1e22]), np.array([8.0, 8.0]), np.array([1.0, 1.0]))[0]
    assert (np.bincount(sizes) <= configuration.MOST**2).all()
    assert planner.plan(JOINT, Limits(1e34)).best.shape.n_active > 1e14


def _best_g(plan):
    return plan.options.loc[plan.options["loss"].idxmin(), "granularity"]


def test_less_of_any_limit_never_lowers_the_loss():
    base = planner.plan(JOINT, LIMITS).options["loss"].min()
    for worse in (
        replace(LIMITS, flops=5e21),
        replace(LIMITS, tokens=1e11),
        replace(LIMITS, served=1e12),
        replace(LIMITS, deployment=planner.Deployment(serving.Machine(serving.gpu("A100 40GB SXM")), 1)),
        replace(LIMITS, expansions=(1.0, 2.0)),
    ):
        assert planner.plan(JOINT, worse).options["loss"].min() >= base


def test_a_fine_grained_law_splits_experts_and_counts_its_router():
    law = lawlib.published("krajewski2024-moe-e64")
    best = planner.plan(law, planner.Limits(1e21, granularities=(16.0,))).best
    assert (best.shape.n_experts, best.shape.top_k) == (1024, 16)
    assert best.flops / best.tokens == pytest.approx(6 * best.shape.n_active + 14 * best.shape.n_router)
    assert best.shape.n_total == pytest.approx(43 * best.shape.n_active, rel=0.05)
    assert best.loss == pytest.approx(float(lawlib.compute_optimal(law, 1e21, granularity=16).loss), abs=0.005)


def test_runs_without_e_lend_their_experts():
    with lawlib.open_store() as store:
        fit = lawlib.fit(store.runs("marin-moe-v16"), "chinchilla")
    recipe = planner.recipe_of(fit)
    assert recipe.experts[:2] == (64, 4)
    assert recipe.experts[2] == pytest.approx(0.5, rel=0.02)
    assert recipe.n_shared == 1
    shape = planner.plan(fit, planner.Limits(1e22)).best.shape
    assert (shape.n_experts, shape.top_k, shape.n_shared) == (64, 4, 1)


@pytest.mark.parametrize(
    ("limits", "first", "second"),
    [
        (planner.Limits(1e18, served=1e15), "training budget", "tokens to serve"),
        (
            planner.Limits(1e22, deployment=planner.Deployment(serving.Machine(H100), 1, sequences=10**7)),
            r"Memory at serving \(1 x H100 SXM, 72 GB\)",
            r"sequences to serve at once \(10,000,000",
        ),
        (planner.Limits(1e22, deployment=planner.Deployment(serving.Machine(H100), 1, max_step=1e-8)), "Latency", "rates of 1 x H100"),
        (planner.Limits(1e22, cluster=planner.Cluster(H100, 1, micro_tokens=1e8)), "Memory at training", "tokens of a GPU's forward pass"),
        (planner.Limits(1e22, loss=2.0), r"loss to reach \(2.000\)", r"training budget \(1e22 FLOPs\)"),
        (
            planner.Limits(1e22, loss=2.11, deployment=planner.Deployment(serving.Machine(H100), 1, sequences=64), served=0),
            "loss to reach",
            "training budget|memory at serving",
        ),
        (planner.Limits(1e22, loss=1.3), "loss to reach", "law"),
        (planner.Limits(1e8), "training budget", "allowed E and G"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_said_with_the_pair_that_conflicts(limits, first, second):
    with pytest.raises(lawlib.OptimumError, match=rf"{first}.*({second}).*conflict"):
        planner.plan(JOINT, limits)


def test_experts_that_do_not_fit_conflict_with_what_is_allowed():
    gpu = replace(H100, memory_gb=0.5)
    limits = planner.Limits(1e22, cluster=planner.Cluster(gpu, 1, micro_tokens=64), expansions=(16384.0,))
    with pytest.raises(lawlib.OptimumError, match=r"memory at training and the allowed E and G \(E from 16384 on\) conflict"):
        planner.plan(JOINT, limits)


def test_training_memory_is_18_bytes_a_parameter_and_the_activations():
    shape = planner.Recipe(vocabulary=1000).whole(2048, 16, 8.0, 1.0)
    n = shape.n_total + shape.n_router + shape.n_embedding
    few, many = planner.Cluster(H100, 8), planner.Cluster(H100, 16)
    assert few.bytes_per_gpu(shape) - many.bytes_per_gpu(shape) == pytest.approx(18 * n / 16)
    token = 2 * (16 * 2048 + 17 * 2048 + 2048 + 3 * 5440) + 4 * 1000  # d_expert: 8/3 of 2048, a multiple of 64
    double = planner.Cluster(H100, 8, micro_tokens=8192)
    assert double.bytes_per_gpu(shape) - few.bytes_per_gpu(shape) == pytest.approx(4096 * token)
    assert planner.Cluster(H100, 8, recompute=False).bytes_per_gpu(shape) > few.bytes_per_gpu(shape)


def test_a_cluster_s_days_and_flops_are_inverse():
    cluster = planner.Cluster(H100, 1000, mfu=0.4)
    assert cluster.flops(30) == pytest.approx(1000 * 30 * 86400 * 989.5e12 * 0.4)
    assert cluster.days(cluster.flops(30)) == pytest.approx(30)
    with pytest.raises(ValueError, match="share between 0 and 1"):
        planner.Cluster(H100, 8, mfu=40)


def test_starting_points_are_those_of_the_papers():
    # Ling's Table 7 lists 1.31e-3 and 147 sequences of 4,096 tokens for runs of up to 6e18 FLOPs.
    assert float(planner.ling_rate(6e18)) == pytest.approx(1.31e-3, rel=0.25)
    assert float(planner.ling_batch(6e18)) / 4096 == pytest.approx(147, rel=0.25)
    assert 2**18 < float(planner.ling_batch(1e20)) < 2**21
    assert float(planner.joint_rate(1e9, 1.0)) == pytest.approx(np.exp(8.39 - 0.81 * np.log(1e9)))
    assert float(planner.joint_rate(1e9, 8.0) / planner.joint_rate(1e9, 1.0)) == pytest.approx(8**-0.25)


def test_exports_say_the_same_model(found):
    best, shape = found.best, found.best.shape
    lines = [line for line in planner.megatron(best).splitlines() if not line.startswith("#")]
    args = dict(line.removeprefix("--").split(" ") for line in lines if " " in line)
    assert args["num-layers"] == str(shape.n_layers)
    assert args["num-query-groups"] == str(shape.attention.n_kv_heads)
    assert int(args["global-batch-size"]) * int(args["train-iters"]) * int(args["seq-length"]) == best.tokens
    for style in planner.STYLES:
        config = json.loads(planner.huggingface(best, style))
        assert config["model_type"] == style
        width = config.get("moe_intermediate_size", config["intermediate_size"])
        experts = config.get("num_experts", config.get("num_local_experts"))
        d, kv = config["hidden_size"], config["num_key_value_heads"] * config["head_dim"]
        assert config["num_hidden_layers"] * (2 * d * (d + kv) + 3 * d * width * experts) == shape.n_total
    text = planner.torchtitan(best)
    toml = tomllib.loads(text)
    assert toml["training"]["steps"] * toml["training"]["global_batch_size"] * toml["training"]["seq_len"] == best.tokens
    assert f"num_experts={shape.n_experts}" in text
    assert "starting point, not a result" in text
    with pytest.raises(ValueError, match="known are qwen3_moe, mixtral, olmoe"):
        planner.huggingface(best, "gpt")


def test_a_dense_plan_is_exported_without_experts():
    best = planner.plan(JOINT, planner.Limits(1e20, expansions=(1.0,))).best
    assert best.dense
    assert "num-experts" not in planner.megatron(best)
    assert json.loads(planner.huggingface(best))["model_type"] == "qwen3"
    assert "moe_enabled" not in planner.torchtitan(best)


def test_a_law_without_d_has_no_plan():
    with pytest.raises(lawlib.OptimumError, match="no training tokens"):
        planner.plan(lawlib.published("clark2022-sbase"), planner.Limits(1e21))


def test_served_tokens_are_paid_from_the_budget():
    limits = planner.Limits(1e22, served=1e12)
    best = planner.plan(JOINT, limits).best
    shares = usage(JOINT, limits, best)
    assert shares[BUDGET] <= 1
    assert best.flops < 0.9e22
    assert SERVED not in shares
    assert TRAINING not in shares


@pytest.mark.parametrize("rule", [FlopsRule(), FlopsRule("router", ((6.0, 1.0), (900.0, 0.6))), FlopsRule("measured", ((6.0, 1.0), (900.0, 2 / 3)))], ids=lambda r: r.name)  # fmt: skip
@pytest.mark.parametrize("budget", [1e20, 1e22])
def test_a_plan_costs_what_the_law_s_rule_says_router_and_all_and_beats_no_real_optimum(rule, budget):
    law = replace(JOINT, flops_rule=rule)
    found = planner.plan(law, Limits(budget))
    best = found.best
    n = float(law_active(law, best.shape))
    assert best.flops == pytest.approx(float(rule.flops(n, best.tokens, best.expansion, 1.0)), rel=1e-12)
    assert best.flops <= budget
    assert best.loss >= found.options["loss"].min() - 1e-12
    assert best.loss == pytest.approx(found.options["loss"].min(), abs=0.01)


@pytest.mark.parametrize(("tokens", "budget"), [(1e6, 1e24), (1e6, 1e20), (1e7, 1e22), (3e7, 1e23), (2e6, 1e21)])
def test_a_batch_larger_than_the_tokens_leaves_a_hundred_steps_or_all_there_are(tokens, budget):
    found = planner.plan(JOINT, Limits(budget, tokens=tokens))
    assert max(found.usage.values()) <= 1
    assert found.usage[TOKENS] > 0.97
    assert found.best.steps >= 100 or found.best.batch == 8


def test_the_largest_e_allowed_is_named_where_a_larger_one_would_be_better():
    few, many = (planner.plan(JOINT, Limits(1e22, expansions=e)) for e in ((1.0, 2.0, 4.0), (1.0, 2.0, 4.0, 8.0)))
    e, gain = few.wider
    assert e == 8
    assert gain == pytest.approx(few.options["loss"].min() - many.options["loss"].min(), abs=1e-9)
    assert planner.plan(lawlib.published("besiroglu2024"), Limits(1e22)).wider[1] == 0
