"""Copies a whole workspace into one file, and restores it from one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import duckdb

from lawlib.errors import StoreError
from lawlib.store import schema
from lawlib.store.database import STORAGE, Database, quoted, sentence


def backup(database: Database, path: Path) -> None:
    """Writes the workspace, deleted data sets included, to `path`: whole, or not at all."""
    if not (database.saved or database.writable):
        raise StoreError(f"There is nothing to back up. {' '.join(database.warnings)}")
    if path == database.path:
        raise StoreError(f"{path} is the workspace itself. Choose another file for the backup.")
    part = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    alias = _alias()
    try:
        with database.lock, database.cursor() as cursor:
            cursor.execute(f"attach {quoted(part)} as {alias} ({STORAGE})")
            try:
                cursor.execute(f"copy from database workspace to {alias}")
                cursor.execute(f"checkpoint {alias}")
            finally:
                cursor.execute(f"detach {alias}")
        os.replace(part, path)
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"The backup {path} cannot be written: {str(error).splitlines()[0]}") from error
    finally:
        part.unlink(missing_ok=True)


def backup_bytes(database: Database) -> bytes:
    """Returns the backup file's bytes, for a download."""
    with tempfile.TemporaryDirectory(prefix="lawlib-") as folder:
        path = Path(folder) / "backup.duckdb"
        backup(database, path)
        return path.read_bytes()


def restore(database: Database, data: bytes | str | Path) -> Path | None:
    """Replaces the workspace's content by a backup's, in one transaction, and returns the file that keeps the content before.

    The backup is read completely first (its blocks carry checksums) and must have the tables of this program. It is worked
    on in a copy, which is brought to the present schema.

    Raises:
        StoreError: the file is damaged, not a backup or of a newer program; the workspace is as it was.
    """
    database.require_writable()
    with tempfile.TemporaryDirectory(prefix="lawlib-") as folder:
        copy = Path(folder) / "restore.duckdb"
        if isinstance(data, bytes):
            copy.write_bytes(data)
        else:
            source = Path(data).expanduser().resolve()
            # Closing a second handle on an attached file would drop this process's lock on it.
            if source == database.path:
                raise StoreError(f"{source} is the workspace itself, not a backup of it.")
            try:
                shutil.copyfile(source, copy)
            except OSError as error:
                raise StoreError(f"The backup {source} cannot be read: {error.strerror or error}") from error
        return _take(database, copy)


def _take(database: Database, copy: Path) -> Path | None:
    alias = _alias()
    with database.lock, database.cursor() as cursor:
        try:
            if copy.stat().st_size == 0:
                raise StoreError("The backup is an empty file. The workspace is as it was.")
            cursor.execute(f"attach {quoted(copy)} as {alias} (type duckdb)")
            schema.check(cursor, alias, "The backup")
            schema.migrate(cursor, alias)
            for table in schema.TABLES:
                cursor.execute(f"select bit_xor(hash(t)) from {alias}.{table} t").fetchall()
            kept = None if database.path is None or not database.saved else _free(database.path)
            if kept is not None:
                backup(database, kept)
            version = schema.write_counter(cursor, alias)

            def replace(writer: duckdb.DuckDBPyConnection) -> None:
                for table in schema.TABLES:
                    if table != "meta":
                        writer.execute(f"delete from workspace.{table}")
                        writer.execute(f"insert into workspace.{table} by name select * from {alias}.{table}")
                # Above both counters, so that no cache key of either content comes back.
                writer.execute("update workspace.meta set version = greatest(version, ?)", [version])

            database.write(replace)
            return kept
        except duckdb.Error as error:
            reason = sentence(copy, error).replace(str(copy), "The backup", 1)
            raise StoreError(f"{reason}. The workspace is as it was.") from error
        finally:
            cursor.execute(f"detach database if exists {alias}")


def _free(workspace: Path) -> Path:
    """Returns a file name beside the workspace that is not taken: x.before-restore, x.before-restore-2, ..."""
    number = 1
    while True:
        path = workspace.with_name(f"{workspace.name}.before-restore{'' if number == 1 else f'-{number}'}")
        if not path.exists():
            return path
        number += 1


def _alias() -> str:
    return f"backup_{uuid4().hex}"
