"""Limits BLAS to one thread for small matrices: with more, threads wait for each other, many times slower on a busy machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import OpenBLASController, ThreadpoolController

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _OneThread:
    """The limit of the whole process: the first of overlapping calls sets it and the last one lifts it.

    threadpoolctl gives OpenBLAS to the Python thread that set a limit first and ignores all others; the count replaces that.
    """

    def __init__(self) -> None:
        self._lock, self._inside = Lock(), 0
        self._controller: Any = None
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                OpenBLASController.clear_controlling_thread(force=True)
                if self._controller is None:
                    self._controller = ThreadpoolController()  # looks the BLAS libraries up: once
                self._limit = self._controller.limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                OpenBLASController.clear_controlling_thread(force=True)
                self._limit.restore_original_limits()
                OpenBLASController.clear_controlling_thread(force=True)


_one_thread = _OneThread()


def one_blas_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Returns the function wrapped so that it runs with one BLAS thread."""

    @wraps(function)
    def limited(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with _one_thread:
            return function(*args, **options)

    return limited
