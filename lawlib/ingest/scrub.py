"""What a log says of people and machines is taken out before anything is shown or stored, and told."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from .problem import counted, shown
from .table import Table

# Columns that hold nothing else, by their last part without case and underscores.
_PRIVATE = frozenset(
    {
        "host", "hostname", "nodename", "email", "user", "username", "userid", "gitremote", "giturl", "remote", "repourl",
        "gitrepourl", "program", "codepath", "codepathlocal", "cwd", "workingdirectory", "executable", "artifacturi", "ipaddress",
    }
)  # fmt: skip
_BRANCH = re.compile(
    r"(^|\.)(metadata|_wandb|system_info|tags\.mlflow\.(user|source\.name|source\.git\.\w+|parentRunId|databricks\.\w+))(\.|$)"
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+(?::[\w./-]{1,200})?")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+]{1,9}://[^\s,;\"'<>]{0,500}")
_PATH = re.compile(r"(?<![\w/.:])(?:[A-Za-z]:\\|\\\\|~?/)(?:[\w.@+ -]{1,100}[/\\])+[\w.@+-]{0,100}")
_IN_HEADER = re.compile(r"(?<=/)/(?:[\w.@+-]{1,100}/)+")


def scrub(table: Table) -> Table:
    """The table without host names, e-mails, paths and addresses; what was dropped is in `dropped`.

    Columns that hold nothing else go. In other texts e-mails go, and paths and addresses are cut to their last part.
    """
    dropped: list[str] = []
    private = [c for c in table.frame.columns if _is_private(c)]
    frame = table.frame.drop(columns=private)
    if private:
        dropped.append(f"{counted(len(private), 'column')}: {shown(', '.join(private), 300)}")
    headers = {c: _IN_HEADER.sub("", c) for c in frame.columns if _IN_HEADER.search(c)}
    headers = {c: h for c, h in headers.items() if h not in frame.columns and list(headers.values()).count(h) == 1}
    if headers:
        frame = frame.rename(columns=headers)
        dropped.append(f"paths in {counted(len(headers), 'column name')}")
    for column in frame.columns:
        cleaned, n = _cells(frame[column])
        if n:
            frame = frame.assign(**{column: cleaned}) if column.isidentifier() else _set(frame, column, cleaned)
            dropped.append(f'{counted(n, "value")} in "{shown(column)}" (e-mails, paths or addresses)')
    return replace(table, frame=frame, dropped=dropped)


def _set(frame: pd.DataFrame, column: str, values: pd.Series) -> pd.DataFrame:
    frame = frame.copy(deep=False)
    frame[column] = values
    return frame


def _is_private(column: str) -> bool:
    leaf = re.sub(r"[^a-z]", "", re.split(r"[/.](?=[^/.]*$)", column)[-1].lower())
    return leaf in _PRIVATE or _BRANCH.search(column) is not None


def _cells(column: pd.Series) -> tuple[pd.Series, int]:
    """The column with private parts cut out, and how many different values had some."""
    if not (isinstance(column.dtype, pd.StringDtype) or column.dtype == object):
        return column, 0
    texts = column.astype("str")
    suspect = texts.str.contains("@", regex=False) | texts.str.contains("/", regex=False) | texts.str.contains("\\", regex=False)
    if not suspect.any():
        return column, 0
    mended = {}
    for text in texts[suspect].unique():
        clean = without_private(text)
        if clean != text:
            mended[text] = clean
    if not mended:
        return column, 0
    return texts.where(~texts.isin(list(mended)), texts.map(mended)).where(column.notna(), column), len(mended)


def without_private(text: str) -> str:
    """`text` with e-mails taken out, and paths and addresses cut to their last part."""
    text = _ADDRESS.sub(lambda m: _last(m[0]), text)
    text = _EMAIL.sub("", text)
    return _PATH.sub(lambda m: _last(m[0]), text)


def _last(path: str) -> str:
    return re.split(r"[/\\]+", re.sub(r"[?#].*", "", path).rstrip("/\\"))[-1].rpartition("@")[2]
