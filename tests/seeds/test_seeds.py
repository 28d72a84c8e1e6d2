"""The seeds hold what the papers print, typed and complete."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lawlib import seeds

FAMILIES = {
    "chinchilla": "L_inf A alpha B beta",
    "fine_grained": "a alpha b beta g gamma c",
    "joint": "a alpha delta gamma b beta omega zeta c E_start E_max",
    "routed": "a b c d E_start E_max",
    "sparsity": "a alpha b beta c lambda d delta gamma e",
    "leverage": "a d gamma beta A_start A_max",
    "granular_shared": "e f m n k h a alpha b beta c eps",
}
LAWS = [
    "hoffmann2022", "besiroglu2024", "krajewski2024-moe-e64", "krajewski2024-moe-e64-heldout",
    "krajewski2024-moe-e64-inrounding", "krajewski2024-moe-e16", "krajewski2024-dense", "clark2022-sbase",
    "clark2022-rlr", "clark2022-hash", "ludziejewski2025", "abnar2025", "ling2025", "zhao2025",
]  # fmt: skip


def law(name: str) -> dict[str, float]:
    rows = seeds.table("published_laws").query("law == @name")
    return dict(zip(rows["parameter"], rows["value"].astype(float), strict=True))


@pytest.mark.parametrize("name", seeds.NAMES)
def test_every_column_is_either_text_without_gaps_or_float(name):
    frame = seeds.table(name)
    assert len(frame) > 0
    for column in frame:
        if column in seeds.TEXT_COLUMNS:
            assert frame[column].dtype == "str"
            assert frame[column].notna().all()
        else:
            assert frame[column].dtype == np.float64


def test_the_caller_gets_a_copy():
    frame = seeds.table("published_laws")
    frame["value"] = "0"
    assert law("hoffmann2022")["A"] == 406.4


def test_an_unknown_table_names_those_there_are():
    with pytest.raises(ValueError, match=r'no seed table "laws".*law_sources.*published_laws'):
        seeds.table("laws")


def test_every_published_law_has_a_source_and_all_parameters_of_its_family():
    sources, parameters = seeds.table("law_sources"), seeds.table("published_laws")
    assert sources["law"].tolist() == LAWS
    assert list(dict.fromkeys(parameters["law"])) == LAWS
    for row in sources.itertuples():
        assert parameters.loc[parameters["law"] == row.law, "parameter"].tolist() == FAMILIES[row.family].split()
    assert set(sources["flops_rule"]) == {"6ND", "krajewski", ""}
    assert set(sources["mark"]) <= {"P", "S", "R", "C", ""}


def test_print_rounding_follows_from_the_digits_and_unrounded_values_lie_within_it():
    for row in seeds.table("published_laws").itertuples():
        assert row.decimals == -Decimal(row.value).as_tuple().exponent
        if row.mark == "C":
            assert np.isnan(row.half_unit)
        else:
            assert row.half_unit == pytest.approx(0.5 * 10**-row.decimals)
        if not np.isnan(row.unrounded):
            assert abs(row.unrounded - float(row.value)) <= row.half_unit


def test_the_inrounding_set_lies_within_the_rounding_of_the_printed_one():
    rows = seeds.table("published_laws").query("law == 'krajewski2024-moe-e64'")
    moved = law("krajewski2024-moe-e64-inrounding")
    for row in rows.itertuples():
        assert abs(moved[row.parameter] - float(row.value)) <= row.half_unit * (1 + 1e-9)


def test_krajewski_table_2_follows_from_the_flops_formula():
    t = seeds.table("krajewski_table2")
    d = (t["n_active"] / 12 * 64) ** (1 / 3)  # n_active = 12 d^2 n_blocks, d = 64 n_blocks
    blocks = d / 64
    flops = (12 * d**2 * 6 + d * t["expansion"] * t["granularity"] * 14) * t["tokens"] * blocks
    assert (flops / t["flops"]).between(0.997, 1.005).all()
    assert (t["tokens_low"] < t["tokens"]).all()
    assert (t["tokens"] < t["tokens_high"]).all()


def test_joint_tables_agree_with_the_joint_law():
    p, t1, t4 = law("ludziejewski2025"), seeds.table("joint_table1"), seeds.table("joint_table4")
    assert (6 * t1["n_opt"] * t1["d_opt"] / t1["flops"]).between(0.97, 1.04).all()
    ehat = 1 / (1 / (t4["expansion"] - 1 + 1 / (1 / p["E_start"] - 1 / p["E_max"])) + 1 / p["E_max"])
    assert (p["a"] * ehat ** p["delta"]).to_numpy() == pytest.approx(t4["m"], rel=3e-3)
    assert (p["b"] * ehat ** p["omega"]).to_numpy() == pytest.approx(t4["n"], rel=3e-3)
    assert (p["alpha"] + p["gamma"] * np.log(ehat)).to_numpy() == pytest.approx(t4["mu"], abs=2e-4)
    assert (p["beta"] + p["zeta"] * np.log(ehat)).to_numpy() == pytest.approx(t4["nu"], abs=2e-4)


def test_marin_runs_are_complete_and_mark_derived_tokens():
    runs = seeds.table("runs_marin")
    assert runs["dataset"].value_counts().to_dict() == {"marin-moe-v16": 47, "marin-moe-may": 15}
    assert runs["name"].is_unique
    assert {"v16-d512-1e18", "may-d1280-3e19"} <= set(runs["name"])
    derived = runs["token_provenance"].str.startswith("derived")
    assert (derived == ((runs["dataset"] == "marin-moe-v16") & (runs["flops"] >= 1e20))).all()
    assert runs[["n_active", "n_total", "tokens", "flops", "loss"]].notna().all(axis=None)
    assert seeds.table("datasets")["dataset"].tolist() == ["byte-moe-sweep", "marin-moe-v16", "marin-moe-may"]


def test_released_models_agree_with_their_names():
    models = seeds.table("released_models").set_index("model")
    assert len(models) == 14
    assert set(models["tokens_verified"]) | set(models["config_verified"]) == {"yes", "no", ""}
    kv = pd.Series(
        {"Mixtral 8x7B": 2 * 2 * 8 * 128 * 32, "OLMoE-1B-7B": 2 * 2 * 16 * 128 * 16, "DeepSeek-V3": 2 * (512 + 64) * 61}
    )
    assert models["kv_bytes_per_token"].dropna().to_dict() == kv.to_dict()
    assert (models["n_active"] < models["n_active_with_embeddings"]).all()


def test_coarse_against_fine_has_only_printed_figures_marked_secondary():
    t = seeds.table("coarse_fine")
    assert t["mark"].tolist() == ["S"] * 4
    assert t["loss"].tolist() == [2.233, 2.183, 1.780, 1.757]
    assert t["benchmark_mean"].tolist() == [48.4, 50.6, 58.8, 60.5]
