"""Words from users inside markdown."""

from __future__ import annotations

import re


def plain(text: object) -> str:
    """A user's words as words: characters that markdown would read are escaped."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\\\1", str(text))
