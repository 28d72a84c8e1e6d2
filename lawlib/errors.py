"""The library's exceptions. Wrong arguments are plain `ValueError`s; minor trouble, such as a fit at a bound, is a field of the result."""


class LawlibError(Exception):
    """Every error of this package that is not a plain `ValueError`; its text says what, where and what to do."""


class FitError(LawlibError):
    """Raised where the runs cannot identify the law; the message names the parameter and the reason."""


class OptimumError(LawlibError):
    """Raised where the law has no interior optimum for the question asked."""


class ReadError(LawlibError, ValueError):
    """Raised where a file cannot be read as run logs."""


class StoreError(LawlibError):
    """Raised where a database is locked, missing, damaged or newer than this program."""
