"""N of every family of Hugging Face models, against the real library's own parameters (tests/data/hf_counts.json, by tools/hf_counts.py)."""

import json
from pathlib import Path

import pytest

from lawlib.ingest.core import N_ACTIVE, N_TOTAL
from lawlib.ingest.readers.hf_config import N_EXPERTS, TOP_K, config_columns, is_config

FAMILIES = json.loads((Path(__file__).parents[1] / "data" / "hf_counts.json").read_text())["families"]
OPEN = {"longcat_flash"}
"""Families whose blocks are of another kind: no count is given, and N is asked for."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_gives_the_counts_of_the_real_model(family):
    want = FAMILIES[family]
    assert is_config(want["config"])
    found = config_columns(want["config"])
    if family in OPEN:
        assert N_ACTIVE not in found
        return
    assert float(found[N_ACTIVE]) == pytest.approx(want["n_active"], rel=1e-3)
    assert float(found[N_TOTAL]) == pytest.approx(want["n_total"], rel=1e-3)
    assert float(found.get(N_EXPERTS, 1)) == want["n_experts"]
    assert float(found.get(TOP_K, 1)) == want["top_k"]


def test_a_multimodal_config_is_that_of_its_language_model():
    inner = FAMILIES["qwen3_moe"]["config"]
    assert config_columns(
        {"model_type": "some_vl", "text_config": inner, "vision_config": {"hidden_size": 64}}
    ) == config_columns(inner)


def test_all_families_of_mixtures_are_there():
    assert len(FAMILIES) > 40
    assert sum(f["n_experts"] > 1 for f in FAMILIES.values()) > 20
