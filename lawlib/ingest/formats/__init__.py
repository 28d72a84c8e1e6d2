"""File formats: recognises what a file is, limits how much of it is read, and reads its rows."""

from .archive import MEMBERS, File, is_archive, members
from .body import MISFITS, Head, read_body
from .delimited import FORMATS, decimal_notes, no_rows, read_head
from .loading import layout, load_table
from .records import Parsed, frame_of, kinds_of_cells, parse_records

__all__ = [
    "FORMATS",
    "MEMBERS",
    "MISFITS",
    "File",
    "Head",
    "Parsed",
    "decimal_notes",
    "frame_of",
    "is_archive",
    "kinds_of_cells",
    "layout",
    "load_table",
    "members",
    "no_rows",
    "parse_records",
    "read_body",
    "read_head",
]
