"""The frame of every page: title, sidebar, links, sharing, styles."""

from .navigation import menu
from .page import ICON, answer, begin, explore, finish

__all__ = [
    "ICON",
    "answer",
    "begin",
    "explore",
    "finish",
    "menu",
]
