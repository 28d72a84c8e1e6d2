"""Every health check on a planted case that trips it, and silence on runs that have no such fault."""

import numpy as np
import pandas as pd
import pytest

import lawlib
from lawlib import Finding
from lawlib.health import MAX_CONDITION, MIN_DECADES, MIN_RAY_SPREAD
from lawlib.identification import gauss_newton
from tests.planted import PARAMS, grid


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
