"""Words from users inside markdown."""

from __future__ import annotations

import re


def plain(text: object) -> str:
    """A user's words as words: characters that markdown would read are escaped."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\\\1", str(text))


def unmarked(text: str) -> str:
    """A page's sentence as plain words: without the markdown that marks its numbers, icons and colours."""
    text = re.sub(r":material/\w+:|:orange\[|(?<=[.\s])\](?=$)", "", text.replace("**", ""))
    return re.sub(r"\\([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\1", text).strip()
