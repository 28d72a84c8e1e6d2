"""Approaches 1 and 2 on planted parabolas and planted curves whose optimum and exponents are known."""

import numpy as np
import pandas as pd
import pytest

from lawlib import envelope_optima, isoflop_optima
from lawlib.optimum.approaches import MAX_SPAN, SLICE_WIDTH, slice_labels

BUDGETS = np.array([1e18, 1e19, 1e20, 1e21])
EXPONENT = 0.46


def n_best(c):
    return 3e8 * (c / 1e19) ** EXPONENT


def slice_of(c, width=2.0, n=7, shift=0.0, bend=0.02, noise=0.0, seed=0):
    """Runs at compute `c` whose loss is an exact parabola of ln N about `n_best`; sizes `width` in ln N to both sides."""
    x = np.linspace(-width, width, n) + shift
    size = n_best(c) * np.exp(x)
    loss = 2 + (c / 1e19) ** -0.1 + bend * x**2 + noise * np.random.default_rng(seed).normal(size=n)
    return pd.DataFrame({"flops": c, "n_active": size, "tokens": c / (6 * size), "loss": loss})


def slices_of(budgets=BUDGETS, **options):
    return pd.concat([slice_of(c, seed=i, **options) for i, c in enumerate(budgets)], ignore_index=True)


class TestSlices:
    def test_runs_within_five_per_cent_of_c_are_one_slice(self):
        flops = np.array([1e20, 1e19, 1.04e19, 1.09e20, 1.04e20, np.nan])
        assert slice_labels(pd.DataFrame({"flops": flops})).tolist() == [1, 0, 0, 1, 1, -1]
        assert SLICE_WIDTH == 0.05

    def test_six_per_cent_apart_are_two(self):
        assert slice_labels(pd.DataFrame({"flops": [1e19, 1.06e19]})).tolist() == [0, 1]

    def test_the_order_of_the_rows_does_not_matter(self):
        runs = slices_of().assign(flops=lambda r: r["flops"] * np.exp(np.linspace(-0.02, 0.02, len(r))))
        shuffled = runs.sample(frac=1, random_state=0)
        back = pd.Series(slice_labels(shuffled), index=shuffled.index).sort_index()
        assert back.tolist() == slice_labels(runs).tolist()


class TestParabolas:
    @pytest.mark.parametrize("shift", [0.0, 1.0, -1.0])
    def test_planted_vertices_and_exponents_come_back(self, shift):
        found = isoflop_optima(slices_of(shift=shift))
        table = found.slices
        np.testing.assert_allclose(table["flops"], BUDGETS, rtol=1e-12)
        np.testing.assert_allclose(table["n_opt"], n_best(BUDGETS), rtol=1e-6)
        np.testing.assert_allclose(table["tokens_opt"], BUDGETS / (6 * n_best(BUDGETS)), rtol=1e-6)
        np.testing.assert_allclose(table["loss"], 2 + (BUDGETS / 1e19) ** -0.1, rtol=1e-9)
        assert table["n_runs"].tolist() == [7] * 4
        assert table["inside"].all()
        assert table["opens_up"].all()
        assert found.n_exponent == pytest.approx(EXPONENT, abs=1e-6)
        assert found.d_exponent == pytest.approx(1 - EXPONENT, abs=1e-6)

    def test_the_intervals_hold_the_truth_and_grow_with_the_noise(self):
        widths = []
        for noise in (0.001, 0.005):
            found = isoflop_optima(slices_of(n=15, noise=noise))
            for (low, high), point, truth in (
                (found.n_interval, found.n_exponent, EXPONENT),
                (found.d_interval, found.d_exponent, 1 - EXPONENT),
            ):
                assert low < point < high
                assert low < truth < high
            widths.append(np.diff(found.n_interval)[0])
        assert 2 < widths[1] / widths[0] < 12

    def test_the_same_seed_gives_the_same_interval(self):
        runs = slices_of(noise=0.003)
        assert isoflop_optima(runs, seed=3).n_interval == isoflop_optima(runs, seed=3).n_interval
        assert isoflop_optima(runs, seed=3).n_interval != isoflop_optima(runs, seed=4).n_interval

    @pytest.mark.parametrize(
        ("spoiled", "mark"), [({"bend": -0.02}, "opens_up"), ({"shift": 2.5}, "inside"), ({"shift": -2.5}, "inside")]
    )
    def test_a_slice_without_a_minimum_is_marked_and_left_out_of_the_exponent(self, spoiled, mark):
        # Its sizes are moved too, so that its vertex would turn the exponent.
        odd = slice_of(1e22, **spoiled)
        odd["n_active"] *= 5
        odd["tokens"] /= 5
        found = isoflop_optima(pd.concat([slices_of(), odd], ignore_index=True))
        assert found.slices[mark].tolist() == [True] * 4 + [False]
        assert found.n_exponent == pytest.approx(EXPONENT, abs=1e-6)
        assert found.d_exponent == pytest.approx(1 - EXPONENT, abs=1e-6)
        assert found.n_interval == pytest.approx((EXPONENT, EXPONENT), abs=1e-4)

    def test_nearly_equal_budgets_are_pooled(self):
        runs = slices_of()
        runs["flops"] *= np.tile([0.99, 1.0, 1.01, 1.0, 0.985, 1.015, 1.0], 4)
        runs["tokens"] = runs["flops"] / (6 * runs["n_active"])
        found = isoflop_optima(runs)
        assert found.slices["n_runs"].tolist() == [7] * 4
        assert found.n_exponent == pytest.approx(EXPONENT, abs=1e-4)

    def test_two_sizes_make_no_slice(self):
        few = slice_of(1e22).iloc[[0, 6]]
        found = isoflop_optima(pd.concat([slices_of(), few, few], ignore_index=True))
        assert len(found.slices) == 4

    def test_nothing_to_fit_is_none(self):
        assert isoflop_optima(slices_of().iloc[[0, 3, 8, 9]]) is None
        assert isoflop_optima(slices_of().assign(flops=np.nan)) is None
        assert isoflop_optima(slices_of().iloc[:0]) is None

    def test_one_slice_has_a_vertex_but_no_exponent(self):
        found = isoflop_optima(slice_of(1e19))
        assert found.slices["n_opt"].tolist() == pytest.approx([n_best(1e19)])
        assert np.isnan([found.n_exponent, found.d_exponent, *found.n_interval, *found.d_interval]).all()

    def test_excluded_and_incomplete_runs_have_no_part(self):
        runs = slices_of().assign(excluded=False)
        wrong = pd.concat([slice_of(c).iloc[[0, 3]] for c in BUDGETS]).assign(excluded=True)
        wrong["loss"] -= 0.5
        holed = slice_of(1e19).assign(excluded=False, tokens=np.nan)
        holed["loss"] += 1
        pd.testing.assert_frame_equal(
            isoflop_optima(pd.concat([runs, wrong, holed], ignore_index=True)).slices, isoflop_optima(runs).slices
        )

    def test_the_callers_runs_stay_as_they_are(self):
        runs = slices_of()
        before = runs.copy(deep=True)
        isoflop_optima(runs)
        envelope_optima(runs)
        pd.testing.assert_frame_equal(runs, before)


class TestEnvelope:
    SIZES = np.geomspace(1e7, 1e10, 25)
    ALPHA, BETA = 0.35, 0.35

    @classmethod
    def loss(cls, n, d):
        return 1.7 + 400 * n**-cls.ALPHA + 400 * d**-cls.BETA

    @classmethod
    def planted(cls):
        """Training curves of many sizes, equal exponents: N_opt = sqrt(C / 6) = D_opt for A = B."""
        curves = []
        for i, n in enumerate(cls.SIZES):
            d = np.geomspace(0.02 * n, 100 * n, 80)
            curves.append(pd.DataFrame({"run_id": f"r{i}", "tokens": d, "flops": 6 * n * d, "loss": cls.loss(n, d)}))
        curves = pd.concat(curves, ignore_index=True)
        last = curves.groupby("run_id", sort=False).last().reset_index()
        return last.assign(n_active=cls.SIZES), curves

    def test_planted_curves_give_their_exponent(self):
        found = envelope_optima(*self.planted())
        # The sizes are a grid of a factor 1.33, and the envelope steps on it.
        assert found.n_exponent == pytest.approx(0.5, abs=0.02)
        assert found.d_exponent == pytest.approx(0.5, abs=0.02)
        expected = np.sqrt(found.slices["flops"] / 6)
        assert np.abs(np.log(found.slices["n_opt"] / expected)).max() < np.log(self.SIZES[1] / self.SIZES[0])
        np.testing.assert_allclose(6 * found.slices["n_opt"] * found.slices["tokens_opt"], found.slices["flops"], rtol=1e-9)
        low, high = found.n_interval
        assert low < 0.5 < high

    def test_its_loss_is_the_lowest_of_all_curves(self):
        runs, curves = self.planted()
        found = envelope_optima(runs, curves)
        for row in found.slices.iloc[::9].itertuples():
            lowest = min(
                np.interp(np.log(row.flops), np.log(p["flops"]), p["loss"], left=np.inf, right=np.inf)
                for _, p in curves.groupby("run_id")
            )
            assert row.loss == pytest.approx(lowest, rel=1e-12)

    def test_the_ends_of_the_sweep_are_left_out(self):
        runs, curves = self.planted()
        found = envelope_optima(runs, curves)
        reach = curves.groupby("run_id")["flops"].agg(["min", "max"]).loc[runs["run_id"]]
        for row in found.slices.itertuples():
            there = runs["n_active"][((reach["min"] <= row.flops) & (reach["max"] >= row.flops)).to_numpy()]
            assert there.min() < row.n_opt < there.max()

    def test_without_curves_the_best_run_of_each_slice_is_taken(self):
        found = envelope_optima(slices_of(n=9))
        np.testing.assert_allclose(found.slices["n_opt"], n_best(BUDGETS), rtol=1e-9)
        assert found.n_exponent == pytest.approx(EXPONENT, abs=1e-9)
        assert found.d_exponent == pytest.approx(1 - EXPONENT, abs=1e-9)

    def test_a_slice_whose_best_run_is_its_smallest_or_largest_is_left_out(self):
        found = envelope_optima(pd.concat([slices_of(n=9), slice_of(1e22, shift=3.0)], ignore_index=True))
        np.testing.assert_allclose(found.slices["flops"], BUDGETS)

    @pytest.mark.parametrize("case", ["no runs", "no flops", "one slice", "two runs with curves", "curves that do not meet"])
    def test_where_it_is_impossible_it_is_none(self, case):
        runs, curves = self.planted()
        arguments = {
            "no runs": (runs.iloc[:0], curves),
            "no flops": (slices_of().assign(flops=np.nan), None),
            "one slice": (slice_of(1e19), None),
            "two runs with curves": (runs.iloc[:2], curves),
            "curves that do not meet": (runs.iloc[[0, 12, 24]], curves[curves["tokens"] > 50 * curves["flops"] / 6 / curves["tokens"]]),
        }  # fmt: skip
        assert envelope_optima(*arguments[case]) is None

    def test_excluded_runs_have_no_part(self):
        runs, curves = self.planted()
        wrong = curves[curves["run_id"] == "r12"].assign(run_id="bad", loss=lambda c: c["loss"] - 0.3)
        bad = runs.iloc[[12]].assign(run_id="bad", loss=1.0)
        marked = pd.concat([runs.assign(excluded=False), bad.assign(excluded=True)], ignore_index=True)
        both = pd.concat([curves, wrong], ignore_index=True)
        pd.testing.assert_frame_equal(envelope_optima(marked, both).slices, envelope_optima(runs, curves).slices)
        counted = envelope_optima(marked.assign(excluded=False), both)
        assert counted.n_exponent < 0.45, "one line below all others turns the exponent, were it counted"

    def test_curves_of_unknown_runs_and_runs_without_curves_change_nothing(self):
        runs, curves = self.planted()
        stranger = curves[curves["run_id"] == "r3"].assign(run_id="stranger", loss=0.1)
        silent = runs.iloc[[5]].assign(run_id="silent")
        found = envelope_optima(pd.concat([runs, silent], ignore_index=True), pd.concat([curves, stranger], ignore_index=True))
        pd.testing.assert_frame_equal(found.slices, envelope_optima(runs, curves).slices)

    def test_curves_of_two_losses_are_refused(self):
        runs, curves = self.planted()
        both = pd.concat([curves.assign(split="train"), curves.assign(split="validation", loss=curves["loss"] + 0.1)])
        with pytest.raises(ValueError, match=r"these curves hold the splits train, validation: choose one of them\."):
            envelope_optima(runs, both)
        chosen = envelope_optima(runs, both[both["split"] == "train"])
        assert chosen.n_exponent == envelope_optima(runs, curves).n_exponent


def test_runs_of_scattered_compute_are_not_chained_into_one_slice():
    runs = pd.DataFrame({"flops": np.geomspace(1e18, 1e22, 1500), "n_active": 1e8, "tokens": 1e9, "loss": 3.0})
    labels = slice_labels(runs)
    spans = np.log(runs["flops"]).groupby(labels).agg(np.ptp)
    assert spans.max() <= MAX_SPAN
    assert len(spans) > 40
