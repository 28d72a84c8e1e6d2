"""Markdown helpers: user text escaped, and tables of words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence


def plain(text: object) -> str:
    """Returns a user's words with the characters escaped that markdown would read."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\\\1", str(text))


def unmarked(text: str) -> str:
    """Returns a page's sentence without the markdown that marks its numbers, icons and colours."""
    text = re.sub(r":material/\w+:|:orange\[|(?<=[.\s])\](?=$)", "", text.replace("**", ""))
    return re.sub(r"\\([\\`*_{}\[\]()<>#+\-.!|~$:])", r"\1", text).strip()


def table(columns: Mapping[str, Sequence[str]], right: Collection[str] = ()) -> str:
    """Returns a table of the page's own words as markdown, by column; `right`: those of numbers, flush right.

    For small tables that follow a slider: a table element costs a move ten times as long.
    """
    rows = [columns, ["---:" if name in right else "---" for name in columns], *zip(*columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
