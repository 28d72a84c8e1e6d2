"""Charts of a page, and the buttons that save them."""

from .component import chart, style
from .images import image_buttons

__all__ = [
    "chart",
    "image_buttons",
    "style",
]
