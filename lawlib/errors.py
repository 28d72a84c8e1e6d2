"""What can go wrong, by name. Wrong arguments are plain `ValueError`s; soft trouble is a field of the result."""


class LawlibError(Exception):
    """Every error of this package that is not a plain `ValueError`; its text says what, where and what to do."""


class FitError(LawlibError):
    """The runs cannot identify the law: the message names the parameter and the reason."""


class OptimumError(LawlibError):
    """The law has no interior optimum for the question asked."""


class ReadError(LawlibError, ValueError):
    """A file could not be read as run logs."""


class StoreError(LawlibError):
    """A database is locked, missing, damaged or newer than this program."""
