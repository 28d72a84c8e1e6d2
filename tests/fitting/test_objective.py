"""Penalties against scipy's own and against finite differences."""

import numpy as np
import pytest
from scipy.special import huber

from lawlib.fitting.objective import OBJECTIVES, Objective

RNG = np.random.default_rng(7)
PRED = np.log(RNG.uniform(1.5, 6, 200))
LOSS = PRED + RNG.normal(0, 3e-3, 200)


@pytest.mark.parametrize("delta", [1e-4, 1e-3, 0.1])
def test_huber_is_scipys(delta):
    np.testing.assert_allclose(Objective("huber", delta).value(PRED, LOSS), huber(delta, PRED - LOSS), rtol=1e-12, atol=1e-18)


def test_each_run_may_have_its_own_delta():
    delta = RNG.uniform(1e-4, 1e-2, 200)
    np.testing.assert_allclose(Objective().value(PRED, LOSS, delta), huber(delta, PRED - LOSS), rtol=1e-12, atol=1e-18)


def test_squared_objectives_are_squares():
    np.testing.assert_allclose(Objective("squared_log").value(PRED, LOSS), (PRED - LOSS) ** 2, rtol=1e-13)
    np.testing.assert_allclose(Objective("squared").value(PRED, LOSS), (np.exp(PRED) - np.exp(LOSS)) ** 2, rtol=1e-13)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_derivatives_are_those_of_the_value(name):
    objective = Objective(name)
    value, first, second = objective.derivatives(PRED, LOSS)
    np.testing.assert_array_equal(value, objective.value(PRED, LOSS))
    # Central differences; away from Huber's kink, where the second derivative jumps.
    h = 1e-6
    smooth = np.abs(np.abs(PRED - LOSS) - objective.delta) > 2 * h if name == "huber" else np.ones(200, dtype=bool)
    up, down = objective.value(PRED + h, LOSS), objective.value(PRED - h, LOSS)
    np.testing.assert_allclose(first, (up - down) / (2 * h), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(second[smooth], ((up - 2 * value + down) / h**2)[smooth], rtol=2e-3, atol=2e-3)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="no objective 'hubert'; known are huber, squared_log, squared"):
        Objective("hubert")
    with pytest.raises(ValueError, match="delta must be positive; got 0"):
        Objective("huber", 0.0)
