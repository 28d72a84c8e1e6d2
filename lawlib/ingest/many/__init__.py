"""Reads many files together: names, configurations beside logs, small files in batches."""

from .gather import open_files, open_table, whole_name

__all__ = [
    "open_files",
    "open_table",
    "whole_name",
]
