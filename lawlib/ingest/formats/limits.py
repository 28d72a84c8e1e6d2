"""Limits on how much of a file is read, and the sentences that refuse more."""

from __future__ import annotations

from lawlib.errors import ReadError

LIMIT = 200 * 2**20  # bytes of a file as it comes
UNPACKED_LIMIT = 2**30  # bytes of a gz file, unpacked
GZIP_MEMBERS = 100_000  # joined in one file; bgzip makes one of every 64 kB
COLUMNS = 10_000  # of a table: each takes some milliseconds to look through
SUPPORTED = "CSV, TSV, JSONL, JSON, Parquet or a training log, plain or as .gz"


class TooLarge(ReadError):
    """Raised where more bytes would be unpacked than are read."""


def check_columns(n: int, name: str) -> None:
    """Raises ReadError where a table has more than `COLUMNS` columns."""
    if n > COLUMNS:
        raise ReadError(
            f"{name} has {n:,} columns; at most {COLUMNS:,} are read. Leave out those that are not needed, or turn the table: a row a run."
        )


def check_size(size: int, name: str) -> None:
    if size > LIMIT:
        raise ReadError(
            f"{name} has {size / 2**20:,.0f} MB; at most {LIMIT / 2**20:.0f} MB are read. "
            "Pack it with gzip, save it as Parquet, or leave out columns and steps that are not needed."
        )
