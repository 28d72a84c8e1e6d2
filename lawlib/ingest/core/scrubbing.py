"""Removes personal and machine-identifying values (host names, e-mails, paths) from a table and lists what was removed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .problem import shown
from .scrubbed import HEADER, Scrubbed
from .table import Table

# Columns that hold nothing else, by their last part without case and underscores: what they hold.
_PRIVATE = {
    "host name": ("host", "hostname", "nodename"),
    "IP address": ("ipaddress",),
    "e-mail": ("email",),
    "user name": ("user", "username", "userid"),
    "git remote": ("gitremote", "giturl", "remote", "repourl", "gitrepourl"),
    "path": ("program", "codepath", "codepathlocal", "cwd", "workingdirectory", "executable"),
    "path or address": ("artifacturi",),
}
_KIND = {leaf: kind for kind, leaves in _PRIVATE.items() for leaf in leaves}
_BRANCHES = {
    "facts of the machine": r"(^|\.)(metadata|_wandb|system_info)(\.|$)",
    "path": r"(^|\.)tags\.mlflow\.source\.name(\.|$)",
    "state of the code": r"(^|\.)tags\.mlflow\.source\.git\.\w+(\.|$)",
    "id of another run": r"(^|\.)tags\.mlflow\.parentRunId(\.|$)",
    "facts of the workspace": r"(^|\.)tags\.mlflow\.databricks\.\w+(\.|$)",
    "user name": r"(^|\.)tags\.mlflow\.user(\.|$)",
}
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+(?::[\w./-]{1,200})?")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+]{1,9}://[^\s,;\"'<>]{0,500}")
_PATH = re.compile(r"(?<![\w/.:])(?:[A-Za-z]:\\|\\\\|~?/)(?:[\w.@+ -]{1,100}[/\\])+[\w.@+-]{0,100}")
_IN_HEADER = re.compile(r"(?<=/)/(?:[\w.@+-]{1,100}/)+")


def scrub(table: Table) -> Table:
    """Returns the table without host names, e-mails, paths and addresses; what was removed is listed in `dropped`.

    Columns that hold nothing else go. In other texts e-mails go, and paths and addresses are cut to their last part.
    """
    kinds = {c: kind for c in table.frame.columns if (kind := _private_kind(c))}
    dropped = [Scrubbed(_name(c), kind, _n_filled(table.frame[c]), True) for c, kind in kinds.items()]
    frame = table.frame.drop(columns=list(kinds))
    headers = {c: _IN_HEADER.sub("", c) for c in frame.columns if _IN_HEADER.search(c)}
    n_of = Counter(headers.values())
    headers = {c: h for c, h in headers.items() if h not in frame.columns and n_of[h] == 1}
    if headers:
        frame = frame.rename(columns=headers)
        dropped += [Scrubbed(_name(h), HEADER, 1) for h in headers.values()]
    cleaned: dict[str, pd.Series] = {}
    for column in frame.columns:
        cells, counts = _cells(frame[column])
        if counts:
            cleaned[column] = cells
            dropped += [Scrubbed(_name(column), kind, n) for kind, n in sorted(counts.items())]
    return replace(table, frame=frame.assign(**cleaned), dropped=dropped)


def _name(column: str) -> str:
    """Returns a column's name as it may be shown."""
    return shown(without_private(_IN_HEADER.sub("", column)), 120)


def _n_filled(column: pd.Series) -> int:
    """Counts the distinct values of the cells."""
    texts = column.dropna().astype("str").str.strip()
    return int(texts[texts != ""].nunique())


def _private_kind(column: str) -> str:
    """Returns the kind of private data that the whole column holds, "" for other columns."""
    leaf = re.sub(r"[^a-z]", "", re.split(r"[/.](?=[^/.]*$)", column)[-1].lower())
    return _KIND.get(leaf) or next((kind for kind, pattern in _BRANCHES.items() if re.search(pattern, column)), "")


def _cells(column: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Returns the column with private parts cut out, and how many distinct values had some, by kind."""
    if isinstance(column.dtype, pd.StringDtype):
        if not pc.any(pc.match_substring_regex(pa.array(column.array), r"[@/\\]")).as_py():
            return column, {}
    elif column.dtype != object:
        return column, {}
    texts = column.astype("str")
    suspect = texts.str.contains(r"[@/\\]")
    if not suspect.any():
        return column, {}
    mended: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for text in texts[suspect].unique():
        clean, kinds = _cut(text)
        if clean != text:
            mended[text] = clean
            counts.update(kinds)
    if not mended:
        return column, {}
    return texts.where(~texts.isin(list(mended)), texts.map(mended)).where(column.notna(), column), dict(counts)


def without_private(text: str) -> str:
    """Returns `text` without e-mails, and with paths and addresses cut to their last part."""
    return _cut(text)[0]


def _cut(text: str) -> tuple[str, set[str]]:
    """Returns the text without its private parts, and the kinds of these."""
    kinds: set[str] = set()

    def address(match: re.Match[str]) -> str:
        kinds.add("git remote" if re.search(r"^(git|ssh)\b|\.git/?$", match[0]) else "address")
        return _last(match[0])

    def email(match: re.Match[str]) -> str:
        kinds.add("git remote" if ":" in match[0] else "e-mail")
        return ""

    def path(match: re.Match[str]) -> str:
        kinds.add("path")
        return _last(match[0])

    return _PATH.sub(path, _EMAIL.sub(email, _ADDRESS.sub(address, text))), kinds


def _last(path: str) -> str:
    return re.split(r"[/\\]+", re.sub(r"[?#].*", "", path).rstrip("/\\"))[-1].rpartition("@")[2]
