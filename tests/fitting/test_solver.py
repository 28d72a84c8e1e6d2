"""Exact gradients and Hessians against finite differences, and minima against scipy's."""

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize

from lawlib.fitting.model import Model
from lawlib.fitting.objective import OBJECTIVES, Objective
from lawlib.fitting.solver import minimise
from lawlib.laws import FAMILIES
from lawlib.laws.saturation import log_ehat, to_free
from tests.support.planted import PARAMS, grid

SHAPED = [name for name, law in FAMILIES.items() if law.has_shapes]
CASES = [(name, False) for name in FAMILIES] + [(name, True) for name in SHAPED]


def build(name, fit_shapes, noise=0.01):
    """(model, parameters at the planted law) of a small noisy grid."""
    law, params = FAMILIES[name], PARAMS[name]
    runs = grid(name, sizes=np.geomspace(1e7, 1e9, 4), tokens=np.geomspace(1e9, 5e10, 3), noise=noise)
    shapes = to_free(params["E_start"], params["E_max"]) if law.has_shapes else np.empty(0)
    expansion = runs["expansion"].to_numpy()
    x = {v: np.log(runs[c].to_numpy()) for v, c in {"N": law.count, "D": "tokens", "G": "granularity"}.items()}
    x["A"] = -np.log(expansion)
    if law.has_shapes:
        x["Ehat"] = log_ehat(expansion, shapes)
    model = Model(law, x, np.log(runs["loss"].to_numpy()), expansion if fit_shapes else None)
    theta = law.theta(params)
    return model, np.concatenate([theta, shapes]) if fit_shapes else theta


def evaluate(model, objective, phi, weights):
    """Value, gradient and Hessian at one parameter vector."""
    state = model.evaluate(phi[None, :])
    value, first, second = objective.derivatives(state.log_pred, model.log_loss)
    gradient, hessian = model.curvature(state, first * weights, second * weights)
    return float((value * weights).sum()), gradient[0], hessian[0]


@pytest.mark.parametrize(("name", "fit_shapes"), CASES)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradient_and_hessian_are_those_of_the_value(name, fit_shapes, objective):
    model, phi = build(name, fit_shapes)
    # Huber's delta is wide here: at its kink the second derivative jumps and differences say nothing.
    goal = Objective(objective, 0.5)
    rng = np.random.default_rng(5)
    weights = rng.uniform(0.5, 2, model.n_runs)
    phi = phi * (1 + 0.02 * rng.normal(size=len(phi)))
    _, gradient, hessian = evaluate(model, goal, phi, weights)
    # Steps of equal effect on the terms: one parameter multiplies 1, another ln N · ln Ehat.
    size = np.abs(model.plain) if model.shaped is None else np.abs(model.plain) + 4 * np.abs(model.shaped)
    steps = 3e-5 / size.max(axis=0)
    steps = np.concatenate([steps, [1e-5, 1e-5]]) if fit_shapes else steps
    for j, h in enumerate(steps):
        move = h * np.eye(len(phi))[j]
        up, down = evaluate(model, goal, phi + move, weights), evaluate(model, goal, phi - move, weights)
        scale = np.abs(hessian).max()
        assert gradient[j] == pytest.approx((up[0] - down[0]) / (2 * h), rel=2e-6, abs=1e-7 * np.abs(gradient).max())
        np.testing.assert_allclose(hessian[j], (up[1] - down[1]) / (2 * h), rtol=2e-5, atol=1e-8 * scale)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize(("name", "fit_shapes"), CASES)
def test_hubers_gradient_beyond_its_kink(name, fit_shapes):
    model, phi = build(name, fit_shapes)
    goal = Objective("huber", 1e-3)
    ones = np.ones(model.n_runs)
    _, gradient, _ = evaluate(model, goal, phi, ones)

    def at(p):
        return evaluate(model, goal, p, ones)[0] * 1e3

    error = check_grad(at, lambda p: evaluate(model, goal, p, ones)[1] * 1e3, phi, epsilon=1e-8)
    assert error < 1e-3 * np.linalg.norm(gradient) * 1e3


def test_a_stack_is_its_rows_one_by_one():
    model, phi = build("joint_granular", True)
    rng = np.random.default_rng(2)
    stack = phi * (1 + 0.01 * rng.normal(size=(6, len(phi))))
    weights = rng.uniform(0, 2, (6, model.n_runs))
    goal = Objective()
    together = minimise(model, goal, stack, weights)
    for i in range(6):
        alone = minimise(model, goal, stack[i : i + 1], weights[i])
        assert together.value[i] == pytest.approx(alone.value[0], rel=1e-7)


def test_weights_count_how_often_a_run_counts():
    model, phi = build("chinchilla", False)
    counts = np.random.default_rng(4).integers(0, 3, model.n_runs)
    repeated = np.repeat(np.arange(model.n_runs), counts)
    law = FAMILIES["chinchilla"]
    runs = grid("chinchilla", sizes=np.geomspace(1e7, 1e9, 4), tokens=np.geomspace(1e9, 5e10, 3), noise=0.01)
    x = {"N": np.log(runs["n_active"].to_numpy())[repeated], "D": np.log(runs["tokens"].to_numpy())[repeated]}
    again = Model(law, x, model.log_loss[repeated])
    weighted = minimise(model, Objective(), phi[None, :], counts)
    plain = minimise(again, Objective(), phi[None, :])
    assert weighted.value[0] == pytest.approx(plain.value[0], rel=1e-9)
    np.testing.assert_allclose(weighted.phi, plain.phi, rtol=1e-4)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_descent_is_left_at_the_minimum(objective):
    model, phi = build("fine_grained", False)
    goal = Objective(objective, 1e-2)
    found = minimise(model, goal, phi[None, :])
    assert found.converged.all()
    ones = np.ones(model.n_runs)
    rest = minimize(lambda p: evaluate(model, goal, p, ones)[:2], found.phi[0], jac=True, method="BFGS", options={"gtol": 1e-12})
    assert rest.fun >= found.value[0] * (1 - 1e-9)


def test_each_row_may_have_its_own_delta():
    model, phi = build("chinchilla", False)
    deltas = np.array([1e-4, 1e-3, 1e-1])
    together = minimise(model, Objective(), np.tile(phi, (3, 1)), delta=deltas)
    for delta, value in zip(deltas, together.value, strict=True):
        assert value == pytest.approx(minimise(model, Objective("huber", delta), phi[None, :]).value[0], rel=1e-8)


def test_running_out_of_iterations_is_told():
    model, phi = build("fine_grained", False)
    assert not minimise(model, Objective(), phi[None, :] * 0.5, max_iterations=1).converged.any()


def test_the_caller_keeps_the_start():
    model, phi = build("chinchilla", False)
    start = phi[None, :].copy()
    minimise(model, Objective(), start)
    np.testing.assert_array_equal(start[0], phi)


class TestNormalisedShapes:
    """The coordinates that fits with shapes move in: the same law, written in u = 0 ... 1 in place of ln Ehat."""

    @pytest.mark.parametrize("name", SHAPED)
    def test_it_is_the_same_law(self, name):
        model, phi = build(name, True)
        stack = phi * (1 + 0.02 * np.random.default_rng(1).normal(size=(3, len(phi))))
        moved = model.to_normalised(stack)
        np.testing.assert_allclose(model.to_normalised(moved, back=True), stack, rtol=1e-10)
        np.testing.assert_allclose(model.normalised.evaluate(moved).log_pred, model.evaluate(stack).log_pred, rtol=1e-12)

    @pytest.mark.parametrize("name", SHAPED)
    def test_its_derivatives_are_those_of_its_value(self, name):
        model, phi = build(name, True)
        model, phi = model.normalised, model.to_normalised(phi[None, :])[0]
        goal, ones = Objective("squared_log"), np.ones(model.n_runs)
        _, gradient, hessian = evaluate(model, goal, phi, ones)
        steps = [*3e-5 / (np.abs(model.plain) + np.abs(model.shaped)).max(axis=0), 1e-5, 1e-5]
        for j, h in enumerate(steps):
            move = h * np.eye(len(phi))[j]
            up, down = evaluate(model, goal, phi + move, ones), evaluate(model, goal, phi - move, ones)
            assert gradient[j] == pytest.approx((up[0] - down[0]) / (2 * h), rel=2e-6, abs=1e-7 * np.abs(gradient).max())
            np.testing.assert_allclose(hessian[j], (up[1] - down[1]) / (2 * h), rtol=2e-5, atol=1e-8 * np.abs(hessian).max())

    def test_yuns_law_is_scaled_but_not_shifted(self):
        shifts = {name: build(name, True)[0].normalised.scale.shifts for name in SHAPED}
        assert shifts == {"joint": 1.0, "joint_granular": 1.0, "routed": 1.0, "inference_optimal": 0.0}
