"""Detection of which column holds which quantity."""

from .columns import detect, detect_each
from .evidence import rows_of
from .preset import Applied, apply_preset
from .rows import other_reading

__all__ = [
    "Applied",
    "apply_preset",
    "detect",
    "detect_each",
    "other_reading",
    "rows_of",
]
