"""Builds `runs.duckdb` from the text seeds: `python -m lawlib.store`, which is `make data`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lawlib.store import shipped


def main(arguments: list[str] | None = None) -> int:
    """Builds the shipped file if its content differs from the seeds; `--check` only compares."""
    parser = argparse.ArgumentParser(prog="python -m lawlib.store", description="Build runs.duckdb from the text seeds.")
    parser.add_argument("--check", action="store_true", help="build nothing; exit with 1 if the file is out of date")
    parser.add_argument("path", nargs="?", type=Path, default=shipped.DEFAULT, help="the file to build")
    options = parser.parse_args(arguments)
    if shipped.is_current(options.path):
        print(f"{options.path.name} is up to date.")
        return 0
    if options.check:
        print(f"{options.path.name} does not hold what the seeds hold: run `make data`.")
        return 1
    shipped.build(options.path)
    print(f"{options.path.name} was built.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
