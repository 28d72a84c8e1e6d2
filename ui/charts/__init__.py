"""Charts of a page and their buttons."""

from .component import chart, style
from .images import image_buttons

__all__ = [
    "chart",
    "image_buttons",
    "style",
]
