"""The Planner page: limits in, one configuration out, conflicts named, and the runs to do next."""

import json
import re

import pytest

import lawlib
from lawlib import planner
from tests.support.pages import answer, captions, clean, figure, number_after, open_page

JOINT = {"law": "ludziejewski2025", "budget": "1e22"}


def table(at, column: str):
    """The one table with this column."""
    (found,) = [t.value for t in at.dataframe if column in t.value]
    return found


def words(at) -> str:
    return "\n".join(m.value for m in at.markdown)


def test_the_plan_of_a_published_law_is_the_library_s():
    at = open_page("planner", **JOINT)
    law = lawlib.published("ludziejewski2025")
    best = planner.plan(law, planner.Limits(1e22), planner.recipe_of(law)).best
    assert f"**{best.shape.n_layers} layers of d_model {best.shape.d_model:,}**" in answer(at)
    assert number_after("on # tokens", answer(at)) == pytest.approx(best.tokens, rel=0.005)
    assert number_after("predicted loss #", answer(at)) == pytest.approx(best.loss, abs=6e-4)
    days = float(planner.Cluster(lawlib.serving.gpu("H100 SXM"), 1, 0.4).days(best.flops))
    assert number_after("# days", answer(at)) == pytest.approx(days, rel=0.005)
    assert "training budget" in answer(at)
    assert figure(at, "options")["data"]


def test_gpus_and_days_make_the_budget():
    at = open_page("planner", law="ludziejewski2025", given="time", trainers="256", days="30")
    cluster = planner.Cluster(lawlib.serving.gpu("H100 SXM"), 256, 0.4)
    assert "256 × H100 SXM" in answer(at)
    assert number_after("# days", answer(at)) == pytest.approx(30, rel=0.01)
    expected = planner.plan(lawlib.published("ludziejewski2025"), planner.Limits(cluster.flops(30), cluster=cluster)).best
    assert number_after("predicted loss #", answer(at)) == pytest.approx(expected.loss, abs=6e-4)


def test_limits_that_cannot_be_kept_together_are_named_in_one_sentence():
    at = open_page("planner", **JOINT, life="1e17")
    (warning,) = [w.value for w in at.warning if "conflict" in w.value]
    assert "training budget" in warning
    assert "tokens to serve" in warning
    assert not at.dataframe


def test_a_number_is_typed_with_its_letter_and_nonsense_changes_nothing():
    at = open_page("planner", **JOINT)
    free = number_after("on # tokens", answer(at))
    clean(at.text_input(key="w_have").input("20B").run())
    assert number_after("on # tokens", answer(at)) == pytest.approx(20e9, rel=0.01)
    assert "tokens available" in answer(at)
    clean(at.text_input(key="w_have").input("lots").run())
    assert "needed is a number" in at.toast[0].value
    assert number_after("on # tokens", answer(at)) == pytest.approx(20e9, rel=0.01)
    clean(at.text_input(key="w_have").input("").run())
    assert number_after("on # tokens", answer(at)) == free


def test_neighbours_changes_and_starting_points_are_told_with_their_sources():
    at = open_page("planner", **JOINT, copy="1", step_ms="30", at_once="8")
    heads, _, *rows = next(m.value for m in at.markdown if "nats more" in m.value).split("\n")
    models = [row.split(" | ")[0].strip("| *") for row in rows]
    assert models[0] == "this plan"
    assert {"half the size", "twice the size", "dense"} <= set(models)
    assert "ms a token" in heads
    assert re.search(r"becomes the best|No limit, moved alone", words(at))
    points = [m.value.replace("\\", "") for m in at.markdown if re.search("learning rate|Batch of", m.value)]
    assert [re.search(r"arXiv:(\d+\.\d+)", p)[1] for p in points] == ["2502.05172", "2507.17702", "2507.17702"]


def test_only_allowed_experts_are_planned_and_none_where_the_law_has_none():
    at = open_page("planner", **JOINT, plan_e="2,4")
    assert number_after("with # experts", answer(at)) in (2, 4)
    at = open_page("planner", law="besiroglu2024", budget="1e21")
    assert at.multiselect(key="plan_e_off").disabled
    assert "one feed-forward layer" in answer(at)
    assert "One E and one G are left" in captions(at)


def test_configurations_are_offered_to_three_launchers():
    at = open_page("planner", **JOINT, part="launch")
    args, config, titan = (next(c.value for c in at.code if c.language == name) for name in ("bash", "json", "toml"))
    layers = int(number_after("Train # layers", answer(at)))
    assert f"--num-layers {layers}" in args
    assert json.loads(config)["num_hidden_layers"] == layers
    assert f"n_layers={layers}," in titan


def test_the_style_of_a_configuration_is_kept_when_another_tab_is_opened():
    at = open_page("planner", **JOINT, part="launch")
    clean(at.selectbox(key="w_style").select("mixtral").run())
    for part in ("neighbours", "launch"):
        at.session_state["chosen"]["part"] = part
        clean(at.run())
        assert bool([c for c in at.code if c.language == "json"]) == (part == "launch")
    config = next(c.value for c in at.code if c.language == "json")
    assert json.loads(config)["model_type"] == "mixtral"


def test_next_runs_cost_what_was_typed_and_make_the_decision_surer():
    at = open_page("planner", law="chinchilla", budget="1e22", spend="3e20", part="next")
    sentence = next(m.value for m in at.markdown if "standard error" in m.value)
    assert number_after(r"together # FLOPs", sentence) <= 3e20 * 1.01
    now, then, grid = (float(v) for v in re.findall(r"([\d.]+)%", sentence.split("FLOPs from")[1])[:3])
    assert then < grid < now
    assert len(table(at, "error without it")) == int(number_after(r"^\*\*# runs|# runs", sentence))


def test_only_the_open_tab_is_worked_out_and_the_address_names_it():
    at = open_page("planner", **JOINT)
    assert {c.language for c in at.code} == {"plaintext"}  # the link
    at = open_page("planner", **JOINT, part="released")
    assert figure(at, "released_ratio")["data"]
    assert "saw more tokens per active parameter" in words(at)
    assert "lie beyond the law's data" in captions(at)
    assert "nats more" not in words(at)


def test_a_plan_beyond_the_data_says_so():
    assert "Extrapolated" in captions(open_page("planner", law="chinchilla", budget="1e24"))
