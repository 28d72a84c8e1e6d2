"""The root finder of many problems at once, on functions whose roots are known."""

import numpy as np
import pytest

from lawlib.numerics.roots import root

SHIFTS = np.r_[np.linspace(-9, 9, 41), np.geomspace(1e-9, 1, 20)]
PROBLEMS = {
    "steep": lambda x, s: np.exp(x) - np.exp(s),
    "flat at its root": lambda x, s: (x - s) ** 3,
    "a kink": lambda x, s: np.where(x < s, x - s, 100 * (x - s)),
    "a jump": lambda x, s: np.where(x < s, -1.0, 2.0),
    "a floor beside it": lambda x, s: np.log(np.exp(-(x - s)) + 0.99) - np.log(1.99),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_roots_are_found(name):
    found = root(lambda x: PROBLEMS[name](x, SHIFTS), np.full(SHIFTS.shape, -10.0), np.full(SHIFTS.shape, 11.5))
    np.testing.assert_allclose(found, SHIFTS, atol=1e-4 if name == "flat at its root" else 3e-10)


@pytest.mark.parametrize("name", ["steep", "a floor beside it"])
def test_smooth_roots_take_few_steps_also_together(name):
    """Those that are found must not keep the others busy: 62 calls where each ends by itself in a dozen."""
    calls = 0

    def f(x):
        nonlocal calls
        calls += 1
        return PROBLEMS[name](x, SHIFTS)

    root(f, np.full(SHIFTS.shape, -10.0), np.full(SHIFTS.shape, 11.5))
    assert calls < 30


def test_known_ends_save_two_calls_and_change_nothing():
    low, high, asked = np.full(SHIFTS.shape, -10.0), np.full(SHIFTS.shape, 11.5), []

    def f(x):
        asked.append(x)
        return PROBLEMS["steep"](x, SHIFTS)

    plain, calls = root(f, low, high), len(asked)
    ends = f(low), f(high)
    asked.clear()
    np.testing.assert_array_equal(root(f, low, high, ends), plain)
    assert len(asked) == calls - 2


def test_where_both_ends_have_one_sign_some_x_between_them_is_given():
    found = root(lambda x: x**2 + 1, np.array([-1.0, 2.0]), np.array([3.0, 5.0]))
    assert ((found >= [-1, 2]) & (found <= [3, 5])).all()


def test_a_root_is_not_left_when_others_are_still_looked_for():
    """One root is found at once, the other one needs many steps: the first one stays to the last digit."""
    wanted = np.array([1.0, -9.7])

    def f(x):
        return np.where([True, False], x - wanted, (x - wanted) ** 3)

    found = root(f, np.array([-10.0, -10.0]), np.array([11.0, 11.0]))
    assert found[0] == pytest.approx(1.0, abs=1e-10)
    assert found[1] == pytest.approx(-9.7, abs=1e-4)
