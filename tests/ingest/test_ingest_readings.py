"""What else a file could mean: its other losses, its rows read in the other way, FLOPs that count all experts."""

import numpy as np
import pytest

from lawlib.ingest import build, detect, open_table


def read(text):
    table = open_table(text.encode(), "runs.csv")
    return table, build(table, detect(table))


def rows_of(header, *rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def test_the_other_losses_are_shown_with_their_last_values_and_one_click_takes_one():
    text = rows_of("run,step,val_loss,train_loss,lb_loss", *[("a", i, 5 - i / 10, 4 - i / 10, 0.01) for i in range(1, 11)])
    table, found = read(text)
    assert found.runs["loss"].tolist() == [4.0]
    assert [s.sentence for s in found.other_losses] == ['"train_loss" ends at 3.']
    assert build(table, found.other_losses[0].fix).runs["loss"].tolist() == [3.0]


def test_other_losses_of_a_table_of_runs_lie_between_two_values():
    _, found = read(rows_of("name,params,tokens,val_loss,loss", ("a", 1e7, 1e9, 3.5, 3.4), ("b", 2e7, 2e9, 3.2, 3.0)))
    assert [s.sentence for s in found.other_losses] == ['"loss" lies between 3 and 3.4 (2 runs).']


def test_rows_whose_tokens_grow_may_be_points_and_one_click_makes_them_so():
    text = rows_of("tokens,val_loss", *[(i * 1e8, 5 - i / 10) for i in range(1, 7)])
    table, found = read(text)
    (offer,) = [s for s in found.suggestions if s.code == "rows-or-runs"]
    assert len(found.runs) == 6
    again = build(table, offer.fix)
    assert (len(again.runs), len(again.curves)) == (1, 6)
    assert "rows-or-runs" in [s.code for s in again.suggestions]  # and back


def test_points_whose_tokens_take_the_place_of_the_step_may_be_runs():
    text = rows_of("tokens,lr,val_loss", *[(i * 1e8, 1e-3, 5 - i / 10) for i in range(1, 13)])
    table, found = read(text)
    (offer,) = [s for s in found.suggestions if s.code == "rows-or-runs"]
    assert len(found.runs) == 1
    assert len(build(table, offer.fix).runs) == 12


def test_more_runs_than_a_third_of_the_rows_with_a_growing_step_are_a_suspicion():
    text = rows_of("name,step,val_loss", *[(f"part{i // 2}", i * 100, 5 - i / 10) for i in range(1, 13)])
    table, found = read(text)
    (offer,) = [s for s in found.suggestions if s.code == "rows-or-runs"]
    assert len(found.runs) == 7
    assert "told apart by name" in offer.sentence
    assert len(build(table, offer.fix).runs) == 1


@pytest.mark.parametrize(
    "text",
    [
        rows_of("name,params,tokens,loss", *[(f"m{i}", i * 1e7, i * 1e9, 4 - i / 10) for i in range(1, 8)]),
        rows_of("name,step,val_loss", *[(f"m{i // 10}", i % 10 + 1, 5 - i % 10 / 10) for i in range(30)]),
    ],
)
def test_plain_tables_raise_no_suspicion(text):
    assert "rows-or-runs" not in [s.code for s in read(text)[1].suggestions]


def test_flops_of_all_experts_are_not_taken():
    n, total, d = np.array([1e8, 2e8, 4e8]), np.array([8e8, 16e8, 32e8]), np.array([2e9, 4e9, 8e9])
    header = "active_params,total_params,n_experts,tokens,flops,loss"
    rows = [(a, t, 8, x, 6 * t * x, 3 - i / 10) for i, (a, t, x) in enumerate(zip(n, total, d, strict=True))]
    table, found = read(rows_of(header, *rows))
    assert found.runs["flops"].isna().all()
    assert "counts all experts and not the active ones" in " ".join(found.notes)
    (offer,) = [s for s in found.suggestions if s.code == "derive-flops"]
    np.testing.assert_allclose(build(table, offer.fix).runs["flops"], 6 * n * d)


def test_flops_of_the_active_parameters_are_taken():
    _, found = read(
        rows_of(
            "active_params,total_params,n_experts,tokens,flops,loss",
            (1e8, 8e8, 8, 2e9, 1.2e18, 3),
            (2e8, 16e8, 8, 4e9, 4.8e18, 2.9),
        )
    )
    assert found.runs["flops"].tolist() == [1.2e18, 4.8e18]


def test_total_flos_of_a_mixture_are_not_taken_and_those_of_dense_runs_are():
    _, found = read(
        rows_of(
            "name,num_experts,active_params,tokens,total_flos,loss",
            ("moe", 8, 1e8, 2e9, 9e18, 3),
            ("dense", 1, 1e8, 2e9, 1.2e18, 3.1),
        )
    )
    assert found.runs["flops"].isna().tolist() == [True, False]
