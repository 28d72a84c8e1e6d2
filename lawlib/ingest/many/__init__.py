"""Many files together: names, settings beside logs, small files read as one batch."""

from .gather import open_files, open_table, whole_name

__all__ = [
    "open_files",
    "open_table",
    "whole_name",
]
