"""Plans training runs under limits: the optimum, a configuration of whole numbers, its export, and the next runs to do.

    cluster = planner.Cluster(serving.gpu("H100 SXM"), n_gpus=256)
    found = planner.plan(law, planner.Limits(flops=1e22, tokens=2e12, cluster=cluster))
    found.best, found.bound, planner.neighbours(found), planner.changes(found)
    planner.megatron(found.best)
    planner.suggest_runs(fit, flops=1e21, quantity=lambda law: lawlib.compute_optimal(law, 1e23).n_active)

`limits` and `training` say what a plan must keep to, `options` which E and G it may choose from, `recipe` how a law's N becomes a
shape, `continuous` and `configuration` find the optimum and the whole numbers round it, `plans` puts them together, `conflicts` says
why there is none. `next_runs` has the experiments to choose from, `design` chooses.
"""

from .configuration import STEPS, Configuration
from .exports import STYLES, huggingface, megatron, torchtitan
from .limits import Deployment, Limits, described
from .next_runs import Experiments, NextRuns, candidates, expected_error, isoflop_grid, suggest_runs
from .options import EXPANSIONS, same
from .plans import Plan, changes, neighbours, plan
from .recipe import Recipe, recipe_of
from .training import JOINT_RANGE, JOINT_RATE, LING_BATCH, LING_RANGE, LING_RATE, Cluster, joint_rate, ling_batch, ling_rate

__all__ = [
    "EXPANSIONS",
    "JOINT_RANGE",
    "JOINT_RATE",
    "LING_BATCH",
    "LING_RANGE",
    "LING_RATE",
    "STEPS",
    "STYLES",
    "Cluster",
    "Configuration",
    "Deployment",
    "Experiments",
    "Limits",
    "NextRuns",
    "Plan",
    "Recipe",
    "candidates",
    "changes",
    "described",
    "expected_error",
    "huggingface",
    "isoflop_grid",
    "joint_rate",
    "ling_batch",
    "ling_rate",
    "megatron",
    "neighbours",
    "plan",
    "recipe_of",
    "same",
    "suggest_runs",
    "torchtitan",
]
