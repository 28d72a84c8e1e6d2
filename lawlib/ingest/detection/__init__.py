"""Detection of which column holds which quantity."""

from .columns import WITH_AUX, detect, detect_each
from .evidence import rows_of
from .preset import Applied, apply_preset

__all__ = [
    "WITH_AUX",
    "Applied",
    "apply_preset",
    "detect",
    "detect_each",
    "rows_of",
]
