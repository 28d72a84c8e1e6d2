"""Every health check on a planted case that trips it, and silence on runs that have no such fault."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import Finding
from lawlib.fitting.health import LARGEST, MAX_CONDITION, MAX_DISAGREEMENT, MAX_PULL, MIN_DECADES, MIN_RAY_SPREAD, UNMOVED
from lawlib.fitting.identification import gauss_newton
from tests.support.planted import PARAMS, chinchilla, grid


def fit(runs, law="chinchilla", **options):
    return lawlib.fit(runs, law, **({"objective": "squared_log"} | options))


def codes(fitted):
    return {f.code for f in fitted.health()}


SOUND = grid("chinchilla", noise=0.003, seed=2)


def test_a_sound_fit_has_no_findings():
    assert fit(SOUND).health() == []


def test_a_published_law_has_no_findings():
    assert lawlib.published("krajewski2024-moe-e64").health() == []


def test_runs_on_one_ray():
    sizes = np.geomspace(1e7, 1e10, 12)
    spread = np.where(np.arange(12) % 2, 1.2, 1.0)
    ray = pd.concat([grid("chinchilla", sizes=[n], tokens=[20 * n * s], noise=0.003) for n, s in zip(sizes, spread, strict=True)])
    found = next(f for f in fit(ray).health() if f.code == "one-ray")
    assert found.severity == "warning"
    assert f"a factor of only 1.2 (below {MIN_RAY_SPREAD:g})" in found.sentence
    assert "over- and under-trained" in found.remedy
    assert "one-ray" not in codes(fit(SOUND))


@pytest.mark.parametrize(
    ("code", "options"), [("short-N", {"sizes": np.geomspace(1e8, 8e8, 7)}), ("short-D", {"tokens": np.geomspace(1e9, 8e9, 6)})]
)
def test_a_short_lever(code, options):
    found = {f.code: f for f in fit(grid("chinchilla", noise=0.003, **options)).health()}
    assert (
        f"span 0.90 decades of {'size' if code == 'short-N' else 'training tokens'} (below {MIN_DECADES:g})"
        in found[code].sentence
    )
    assert not {"short-N", "short-D"} - {code} & set(found)


def test_few_values_of_e_and_g():
    runs = grid("joint_granular", noise=0.001, granularities=(1.0, 8.0), expansions=(1.0, 8.0, 32.0))
    found = {f.code: f for f in fit(runs, "joint_granular").health()}
    assert "2 different values of G (below 4)" in found["few-G"].sentence
    assert "3 different values of E (below 4)" in found["few-E"].sentence
    plenty = codes(fit(grid("fine_grained", noise=0.001), "fine_grained"))
    assert "few-G" not in plenty


def test_held_shapes():
    runs = grid("joint", noise=0.001, expansions=(1.0, 2.0, 8.0, 32.0))
    found = next(f for f in fit(runs, "joint").health() if f.code == "held")
    assert found.severity == "note"
    assert found.sentence.startswith("E_start, E_max were not fitted, held at Ludziejewski et al. 2025")
    assert "held" not in codes(fit(grid("joint", noise=0.001), "joint"))


def test_a_bend_that_the_law_does_not_have():
    bent = SOUND.assign(loss=SOUND["loss"] * np.exp(0.02 * np.log(SOUND["tokens"] / SOUND["n_active"] / 20).clip(-3, 3) ** 2))
    found = [f for f in fit(bent).health() if f.code == "trend"]
    assert any("tokens per parameter" in f.sentence for f in found)
    assert all("standard errors, above 3" in f.sentence for f in found)


def test_a_trend_with_the_budget():
    z = np.log(SOUND["flops"] / 1e19) / 3
    found = [f.sentence for f in fit(SOUND.assign(loss=SOUND["loss"] * np.exp(0.02 * z**2))).health() if f.code == "trend"]
    assert any(s.startswith("The residuals bend with training FLOPs") for s in found)


def test_incomplete_runs():
    holed = SOUND.copy()
    holed.loc[[1, 5], "tokens"] = np.nan
    found = next(f for f in fit(holed).health() if f.code == "incomplete-runs")
    assert "2 runs miss a quantity" in found.sentence


def test_a_term_that_is_not_there():
    params = PARAMS["chinchilla"] | {"L_inf": 1e-12}
    fitted = fit(grid("chinchilla", params=params, noise=0.03, seed=5))
    if fitted.params["L_inf"] < 1e-6:
        found = next(f for f in fitted.health() if f.code == "status")
        assert "L_inf fell to zero" in found.sentence
        assert found.severity == "warning"
    else:
        assert "status" not in codes(fitted)


def test_a_status_that_is_not_converged_is_a_warning():
    fitted = fit(SOUND)
    broken = type(fitted)(**{**fitted.__dict__, "status": "not converged: the objective may be slightly above its minimum"})
    assert next(iter(broken.health())).sentence.startswith("The fit is not converged")


def test_parameters_that_move_together():
    # A third of an octave of sizes and tokens: a constant, a level and a slope look alike.
    tiny = grid("chinchilla", sizes=np.geomspace(1e8, 1.3e8, 6), tokens=np.geomspace(1e10, 1.3e10, 6), noise=1e-6)
    found = next(f for f in fit(tiny).health() if f.code == "flat-direction")
    assert "above 1e+04" in found.sentence
    assert "cannot tell" in found.sentence
    assert "flat-direction" not in codes(fit(SOUND))


def test_the_gauss_newton_matrix_is_that_of_differences():
    fitted = fit(SOUND)

    def predicted(theta):
        return np.log(type(fitted)(**{**fitted.__dict__, "theta": theta}).predict(fitted.fit.runs))

    h = 1e-5
    jacobian = np.stack(
        [(predicted(fitted.theta + h * e) - predicted(fitted.theta - h * e)) / (2 * h) for e in np.eye(5)], axis=1
    )
    np.testing.assert_allclose(gauss_newton(fitted), jacobian.T @ jacobian / len(SOUND), rtol=1e-5, atol=1e-9)
    matrix = gauss_newton(fitted)
    scale = np.sqrt(np.diag(matrix))
    assert np.sqrt(np.linalg.cond(matrix / np.outer(scale, scale))) < MAX_CONDITION


def test_warnings_come_first():
    runs = grid("joint_granular", noise=0.001, granularities=(1.0, 8.0), expansions=(1.0, 8.0, 32.0))
    found = fit(runs, "joint_granular").health()
    order = [f.severity for f in found]
    assert order == sorted(order, reverse=True)
    assert {"warning", "note"} == set(order)
    assert all(isinstance(f, Finding) and f.sentence.endswith(".") and f.remedy.endswith(".") for f in found)


def isoflops(budgets=(1e19, 1e20, 1e21), shift=0.0, n=7, noise=0.0):
    """IsoFLOP slices of the planted Chinchilla law; sizes a factor of 4.5 to both sides of the optimum, shifted by `shift` in ln N."""
    p = PARAMS["chinchilla"]
    ratio = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    blocks = []
    for c, s in zip(budgets, np.broadcast_to(shift, len(budgets)), strict=True):
        best = ratio * (c / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
        size = best * np.exp(np.linspace(-1.5, 1.5, n) + s)
        tokens = c / (6 * size)
        blocks.append(pd.DataFrame({"n_active": size, "tokens": tokens, "flops": c, "loss": chinchilla(p, size, tokens, 1, 1)}))
    runs = pd.concat(blocks, ignore_index=True)
    runs["loss"] *= np.exp(noise * np.random.default_rng(0).normal(size=len(runs)))
    return runs.assign(name=[f"run {i}" for i in range(len(runs))])


def one(fitted, code):
    (found,) = [f for f in fitted.health() if f.code == code]
    assert found.severity == "warning"
    return found


def test_a_parameter_that_never_moved():
    fitted = fit(SOUND)
    start = fitted.fit.start.copy()
    assert "unmoved" not in codes(fitted)
    start[fitted.law.linear.index("beta")] = fitted.params["beta"]
    stuck = replace(fitted, fit=replace(fitted.fit, start=start))
    assert one(stuck, "unmoved").sentence == f"beta ended where the search had started (change below {UNMOVED:.0e})."
    # A change in the sixth digit is a change.
    start[fitted.law.linear.index("beta")] *= 1 + 1e-6
    assert "unmoved" not in codes(replace(fitted, fit=replace(fitted.fit, start=start)))


def test_a_shape_that_never_moved():
    fitted = fit(grid("joint", noise=0.001), "joint")
    assert fitted.fit.fit_shapes
    start = fitted.fit.start.copy()
    start[-1] = fitted.shapes[-1]
    assert one(replace(fitted, fit=replace(fitted.fit, start=start)), "unmoved").sentence.startswith("E_max ended where")
    # Held shapes are no news.
    held = fit(grid("joint", noise=0.001, expansions=(1.0, 2.0, 8.0, 32.0)), "joint")
    assert "unmoved" not in codes(held)


@pytest.mark.parametrize(
    ("law", "pooled", "silent"),
    [("chinchilla", {"E", "G"}, set()), ("joint", {"G"}, {"E"}), ("joint_granular", set(), {"E", "G"})],
)
def test_runs_pooled_over_what_the_law_does_not_have(law, pooled, silent):
    runs = grid("joint_granular", noise=0.001, granularities=(1.0, 4.0, 16.0), expansions=(1.0, 8.0, 32.0))
    fitted = fit(runs, law)
    for word in pooled:
        low, n = 1, 3
        high = 32 if word == "E" else 16
        found = one(fitted, f"pooled-{word}")
        assert found.sentence == f"Runs of {n} different {word} ({low} to {high}) are pooled by a law without {word}."
        assert found.remedy.startswith(f"Filter to one {word}")
    assert not {f"pooled-{word}" for word in silent} & codes(fitted)


def test_one_e_and_one_g_are_not_pooled():
    runs = SOUND.assign(granularity=8.0, expansion=64.0)
    assert not {"pooled-E", "pooled-G"} & codes(fit(runs))
    runs.loc[3, "granularity"] = np.nan
    assert "pooled-G" not in codes(fit(runs)), "not known is not another"
    runs.loc[3, "granularity"] = 4.0
    assert "pooled-G" in codes(fit(runs))
    assert "pooled-G" not in codes(fit(runs.assign(excluded=runs.index == 3))), "an excluded run is not pooled"


def test_a_single_run_that_the_optimum_hangs_on():
    runs = isoflops()
    fitted = fit(runs)
    assert "pull" not in codes(fitted)
    off = runs.assign(loss=runs["loss"].where(runs.index != 20, runs["loss"] * 1.15))
    fitted = fit(off)
    found = one(fitted, "pull")
    table = lawlib.pulls(fitted, 1e21)
    strong = table[table["n_pull"].abs() > MAX_PULL]
    assert found.sentence.startswith(
        f"{len(strong)} single runs move the optimal size at 1e21 FLOPs by more than 28% when left out"
    )
    assert all(name in found.sentence for name in strong["name"].head(3))
    assert "run 20" in set(strong["name"])


def test_runs_without_flops_or_a_law_without_an_optimum_hang_on_nothing():
    off = isoflops().drop(columns="flops")
    off.loc[20, "loss"] *= 1.15
    assert not {"pull", "isoflop-shape", "approaches-disagree"} & codes(fit(off))
    assert "pull" not in codes(fit(grid("routed", noise=0.002), "routed"))


@pytest.mark.parametrize(("shift", "words"), [(2.5, "minimum outside"), (-2.5, "minimum outside")])
def test_an_isoflop_slice_on_one_side_of_its_minimum(shift, words):
    assert "isoflop-shape" not in codes(fit(isoflops()))
    found = one(fit(isoflops(shift=[0.0, 0.0, shift])), "isoflop-shape")
    assert found.sentence == f"1 of 3 isoFLOP slices have no minimum between their sizes: 1e21 ({words})."


def test_an_isoflop_slice_that_opens_downwards():
    runs = isoflops()
    last = runs["flops"] == 1e21
    runs.loc[last, "loss"] = 2 * runs.loc[last, "loss"].mean() - runs.loc[last, "loss"]
    assert "1e21 (opens downwards)" in one(fit(runs), "isoflop-shape").sentence


def test_isoflop_slices_of_several_experts_are_not_judged_as_one():
    runs = isoflops(shift=[0.0, 0.0, 2.5])
    fine = pd.concat([runs.assign(granularity=g, expansion=64.0, n_total=runs["n_active"] * 43) for g in (1.0, 4.0, 16.0)])
    assert not {"isoflop-shape", "approaches-disagree"} & codes(
        fit(fine.assign(loss=fine["loss"] * fine["granularity"] ** -0.02), "fine_grained")
    )


def test_a_law_that_the_parabolas_contradict():
    fitted = fit(isoflops())
    assert "approaches-disagree" not in codes(fitted)
    p = fitted.params
    exponent = p["alpha"] + p["beta"]
    for factor, trips in ((np.exp(0.35), False), (np.exp(0.5), True)):
        # N_opt goes as (A/B)^(1/(alpha+beta)).
        moved = replace(fitted, theta=fitted.law.theta(p | {"A": p["A"] * factor**exponent}))
        found = [f for f in moved.health() if f.code == "approaches-disagree"]
        assert bool(found) is trips
    sizes = lawlib.compute_optimal(moved, 1e19).n_active
    assert any(
        f"the law's optimal size is {lawlib.numbers.count(sizes)}, that of the isoFLOP parabolas" in f.sentence for f in found
    )
    assert all(f"(ratio above {np.exp(MAX_DISAGREEMENT):.2g})" in f.sentence for f in found)


def test_a_law_that_the_envelope_contradicts():
    fitted = fit(isoflops(n=5))
    p = fitted.params
    moved = replace(fitted, theta=fitted.law.theta(p | {"A": p["A"] * 4}))
    assert any("envelope of the runs (approach 1)" in f.sentence for f in moved.health() if f.code == "approaches-disagree")


def test_an_optimum_that_one_start_alone_reached():
    sound = fit(SOUND)
    alone = replace(sound, fit=replace(sound.fit, n_agreeing=1))
    found = next(f for f in alone.health() if f.code == "lonely-optimum")
    assert f"one of {sound.fit.n_starts} starts" in found.sentence
    assert "lonely-optimum" not in codes(sound)


@pytest.mark.parametrize("code", ["not-identified", "not-identified-far"])
def test_what_a_small_noisy_sample_does_not_identify(code):
    few = grid("chinchilla", sizes=[1e8, 1.6e8, 2.5e8], tokens=[5e9, 8e9, 1.2e10], noise=0.03, seed=1)
    assert code in codes(fit(few))
    assert code not in codes(fit(SOUND))


def test_a_gap_that_the_runs_do_not_identify():
    few = grid("joint", sizes=[1e8, 4e8, 1.6e9], tokens=[5e9, 4e10], noise=0.05, seed=3)
    many = grid("joint", noise=0.0005, seed=3)
    assert "not-identified-gap" in codes(fit(few, "joint"))
    assert "not-identified-gap" not in codes(fit(many, "joint"))


def test_a_law_that_misses_the_largest_runs_says_by_how_much():
    runs = isoflops(budgets=(1e18, 1e19, 1e20, 1e21, 1e22), noise=0.001)
    top = runs["flops"] >= runs["flops"].max() / LARGEST
    assert top.sum() >= 3
    low = runs.assign(loss=np.where(top, runs["loss"] * 0.93, runs["loss"]))
    fitted = fit(low)
    (found,) = (f for f in fitted.health() if f.code == "largest-missed")
    said = float(found.sentence.split("lies ")[1].split("%")[0]) / 100
    assert said == pytest.approx(fitted.fit.residuals[top.to_numpy()].mean(), abs=6e-4)
    assert "above" in found.sentence
    assert f"the {top.sum()} runs" in found.sentence
    assert "largest-missed" not in codes(fit(runs))
