"""One BLAS thread inside, as many as before outside, and the function otherwise unchanged."""

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import lawlib
from lawlib.fitting import solver
from lawlib.numerics.threads import one_blas_thread
from tests.support.planted import grid


def blas_threads():
    np.linalg.solve(np.eye(2), np.eye(2))
    return [lib.num_threads for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]


@pytest.fixture
def two_threads():
    """A process with two BLAS threads, on a machine with one core too."""
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        if 2 not in blas_threads():
            pytest.skip("this BLAS has no threads to limit")
        yield blas_threads()


def test_one_thread_inside_and_the_old_number_after(two_threads):
    assert set(one_blas_thread(blas_threads)()) == {1}
    assert blas_threads() == two_threads


def test_the_old_number_comes_back_after_an_error(two_threads):
    @one_blas_thread
    def fail():
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        fail()
    assert blas_threads() == two_threads


def test_a_fit_runs_with_one_thread(two_threads, monkeypatch):
    seen = set()

    def watched(*args, **options):
        seen.update(blas_threads())
        return solver.minimise(*args, **options)

    monkeypatch.setattr("lawlib.fitting.procedure.minimise", watched)
    lawlib.fit(grid("chinchilla"), "chinchilla", objective="squared_log")
    assert seen == {1}
    assert blas_threads() == two_threads


def test_arguments_result_name_and_words_are_the_functions():
    def area(width: float, height: float = 2.0) -> float:
        """Width times height."""
        return width * height

    limited = one_blas_thread(area)
    assert limited(3.0, height=4.0) == 12.0
    assert limited.__name__ == "area"
    assert limited.__doc__ == "Width times height."
    assert inspect.signature(limited) == inspect.signature(area)


def test_calls_that_overlap_leave_the_old_number_behind(two_threads):
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))
    seen = []

    @one_blas_thread
    def first():
        first_is_in.set()
        assert second_is_in.wait(20)

    @one_blas_thread
    def second():
        second_is_in.set()
        assert first_is_out.wait(20)
        seen.extend(blas_threads())

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert first_is_in.wait(20)
        two = pool.submit(second)
        one.result(20)
        first_is_out.set()
        two.result(20)
    assert set(seen) == {1}, "the first one's end must not free the second one"
    assert blas_threads() == two_threads


def test_a_bootstrap_leaves_the_old_number_behind(two_threads):
    fit = lawlib.fit(grid("chinchilla", noise=0.01), "chinchilla", objective="squared_log")
    lawlib.bootstrap(fit, 300)
    assert blas_threads() == two_threads
