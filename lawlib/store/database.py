"""One DuckDB instance with the workspace and the shipped data attached, shared by all stores of a process.

A result is always fetched to its end: after `fetchone` a DuckDB 2.0 connection refuses its next call.

The instance itself is in memory, so a file that cannot be opened never keeps the other from being read. DuckDB allows one
process to hold a file open for writing: a second one gets the shipped data alone, read-only, and a warning.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd
import pyarrow

from lawlib.errors import StoreError
from lawlib.store import journal, schema

T = TypeVar("T")
_OPEN: dict[Path, Database] = {}
_OPENING = threading.RLock()
# Readable by DuckDB 1.5, so that users' other tools can open backups and workspaces.
STORAGE = "storage_version 'v1.5.0'"

LARGE = 50_000_000
"""Bytes of a result after which Arrow is asked to give its memory back."""


def connect() -> duckdb.DuckDBPyConnection:
    """Returns a new instance in memory that runs no extensions and sees no Python variables."""
    con = duckdb.connect(
        ":memory:",
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    # The default would be a folder .tmp in the working directory.
    con.execute(f"set temp_directory = {quoted(Path(tempfile.gettempdir()) / f'lawlib-{os.getpid()}')}")
    con.execute("set memory_limit = '384MB'")
    return con


def quoted(text: str | Path) -> str:
    """Returns `text` as an SQL string literal: ATTACH takes no parameters."""
    return "'" + str(text).replace("'", "''") + "'"


TOO_MUCH = (
    "Nothing was saved, the workspace is as before: this is too much to store at once. Give fewer runs at a time, or leave out"
    " columns: each one that is not understood is kept as text with every run."
)


def sentence(path: Path, error: Exception) -> str:
    """Returns what a DuckDB error on opening `path` means to a user, and how to go on."""
    text = str(error)
    if "Could not set lock" in text or "already attached" in text:
        holder = re.search(r"\(PID (\d+)\)", text)
        return f"{path} is open in another program{f' (process {holder[1]})' if holder else ''}"
    if "version number" in text or "newer version" in text or "storage version" in text.lower():
        return f"{path} was written by another version of DuckDB than {duckdb.__version__} can read"
    if "not a valid DuckDB database" in text:
        return f"{path} is not a DuckDB file"
    if "Corrupt" in text or "Could not read" in text or "Serialization" in text or "WAL" in text:
        return f"{path} is damaged and cannot be read"
    return f"{path} cannot be opened ({text.splitlines()[0]})"


class Database:
    """The attached databases `workspace` and one `shippedN` for each shipped file; a cursor per call, one writer at a time."""

    def __init__(self, workspace: Path | None) -> None:
        self.path = workspace
        self.warnings: list[str] = []
        self.notices: list[str] = []
        self.writable = True
        self.saved = workspace is not None
        self.lock = threading.RLock()
        self.users = 0
        self._shipped: dict[tuple[Path, int, int], str] = {}
        self._mark: journal.Mark | None = None
        self._con = connect()
        try:
            self._attach_workspace()
            self.version = self.runs_version = schema.write_counter(self._con, "workspace")
            self.schema_version = schema.schema_version(self._con, "workspace")
        except BaseException:
            self._close()
            raise

    def _attach_workspace(self) -> None:
        path = self.path
        if path is None:
            return self._attach_memory()
        try:
            present = path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return self._session_only(path, error.strerror or str(error))
        folder_writable = os.access(path.parent, os.W_OK)
        if not present and not folder_writable:
            return self._session_only(path, "its folder is read-only")
        if present and not (folder_writable and os.access(path, os.W_OK)):
            self.writable = False
            self.warnings.append(f"The workspace {path} is read-only: its data are shown, but nothing can be saved.")
        # The storage version of a file that exists cannot be lowered; asking for it would refuse one made by DuckDB 2.
        mode = "read_only" if not self.writable else "" if present else STORAGE
        try:
            self._con.execute(f"attach {quoted(path)} as workspace {f'({mode})' if mode else ''}")
        except duckdb.Error as error:
            reason = sentence(path, error)
            if "open in another program" in reason:
                self.writable = self.saved = False
                self.warnings.append(
                    f"The workspace {reason}, so only the bundled data are shown and nothing can be saved. Close that"
                    " program and start again, or name another workspace in LAWLIB_WORKSPACE."
                )
                return self._attach_memory()
            raise StoreError(
                f"The workspace {reason}. It was left as it is. To go on, move the file away (a new, empty workspace is made)"
                " and restore a backup, or name another workspace in LAWLIB_WORKSPACE."
            ) from error
        if not (self.writable and schema.is_empty(self._con, "workspace")):
            schema.check(self._con, "workspace", f"The workspace {path}")
        if self.writable:
            schema.migrate(self._con, "workspace")
            self._mark = journal.Mark(path)
            if self._mark.found:
                with self.cursor() as cursor:
                    self.notices, wrong = journal.recover(cursor)
                self.warnings += wrong
        return None

    def _session_only(self, path: Path, reason: str) -> None:
        self.saved = False
        self.warnings.append(
            f"The workspace {path} cannot be created ({reason}): uploads will not be kept when the program ends. Name a"
            " writable place in LAWLIB_WORKSPACE."
        )
        self._attach_memory()

    def _attach_memory(self) -> None:
        self._con.execute("attach ':memory:' as workspace")
        schema.migrate(self._con, "workspace")

    def attach_shipped(self, path: Path) -> str:
        """Attaches the shipped file read-only and returns its name. A rebuilt file counts as another one."""
        try:
            stat = path.stat()
        except OSError as error:
            raise StoreError(f"The bundled data {path} are missing. Run `make data` to build them.") from error
        key = (path, stat.st_ino, stat.st_mtime_ns)
        with self.lock:
            if key not in self._shipped:
                name = f"shipped{len(self._shipped)}"
                try:
                    self._con.execute(f"attach {quoted(path)} as {name} (read_only)")
                except duckdb.Error as error:
                    raise StoreError(f"The bundled data file {sentence(path, error)}. Run `make data` to build it.") from error
                if schema.schema_version(self._con, name) != schema.SHIPPED_VERSION:
                    self._con.execute(f"detach {name}")
                    raise StoreError(f"The bundled data {path} are of another version. Run `make data` to build them.")
                self._shipped[key] = name
            return self._shipped[key]

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns a connection of its own to the same instance, for one call: sharing one between threads mixes up answers."""
        return self._con.cursor()

    def read(self, sql: str, params: dict[str, Any] | None = None, **tables: pd.DataFrame) -> pd.DataFrame:
        """Returns the rows of a query; `tables` are frames it can name."""
        with self.cursor() as cursor:
            for name, frame in tables.items():
                cursor.register(name, frame)
            # Through Arrow: texts are not copied, a million runs come in a quarter of the time that df() takes.
            table = cursor.sql(sql, params=params or {}).to_arrow_table()
        size, found = table.nbytes, table.to_pandas()
        if size > LARGE:
            del table
            pyarrow.default_memory_pool().release_unused()  # it would keep as much again for itself
        return found

    def write(self, change: Callable[[duckdb.DuckDBPyConnection], T], *, seen: bool = True, runs: bool = True) -> T:
        """Runs `change` in one transaction: all of it is saved, or nothing. Raises StoreError where saving is impossible.

        `seen` is False for what no reader sees: the version, and with it every cache, stays. `runs` is False for what leaves runs
        and curves as they are, exclusions aside.
        """
        self.require_writable()
        with self.lock, self.cursor() as cursor:
            cursor.execute("begin")
            try:
                result = change(cursor)
                if seen:
                    cursor.execute("update workspace.meta set version = version + 1")
                version = schema.write_counter(cursor, "workspace")
                cursor.execute("commit")
            except BaseException as error:
                with suppress(duckdb.Error):
                    cursor.execute("rollback")
                if isinstance(error, duckdb.OutOfMemoryException):
                    raise StoreError(TOO_MUCH) from error
                if isinstance(error, duckdb.Error):
                    raise StoreError(f"Nothing was saved, the workspace is as before: {error}") from error
                raise
            self.version = version
            if seen and runs:
                self.runs_version = version
            return result

    def require_writable(self) -> None:
        """Raises StoreError, with the reason, if nothing can be saved."""
        if not self.writable:
            raise StoreError(f"Nothing was saved. {' '.join(self.warnings)}")

    def close(self) -> None:
        """Releases the database; its last user closes the files."""
        with _OPENING:
            self.users -= 1
            if self.users > 0:
                return
            if self.path is not None and _OPEN.get(self.path) is self:
                del _OPEN[self.path]
            self._close()

    def _close(self) -> None:
        self._con.close()
        if self._mark is not None:
            self._mark.remove()


def share(workspace: Path | None) -> Database:
    """Returns the open database of this workspace, or a new one; one that could not open its file is not shared, so as to try again."""
    with _OPENING:
        path = None if workspace is None else workspace.expanduser().resolve()
        database = _OPEN.get(path) if path is not None else None
        if database is None:
            database = Database(path)
            if path is not None and database.saved:
                _OPEN[path] = database
        database.users += 1
        return database


def now() -> str:
    """Returns the time in UTC as ISO text."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
