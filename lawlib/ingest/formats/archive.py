"""Unpacks zip archives in memory; nothing is written to disk, so no name in an archive can lead anywhere."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import NamedTuple

from lawlib.errors import ReadError

from ..core import counted, shown
from . import limits

MEMBERS = 10_000
_JUNK = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$|\.git/)")


class File(NamedTuple):
    """A file of an archive: its path ("/" between folders, no leading one) and its content."""

    path: str
    content: bytes


def is_archive(content: bytes) -> bool:
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06")) and b"xl/workbook" not in content[:8192]


def members(content: bytes, name: str, notes: list[str]) -> list[File]:
    """Returns every file of the archive, in order, unpacked up to `limits.UNPACKED_LIMIT` bytes in all.

    Raises:
        ReadError: damaged, encrypted, of an unusual compression, too many files or too large unpacked.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [e for e in archive.infolist() if not e.is_dir() and not _JUNK.search(e.filename)]
            if not entries:
                raise ReadError(f"{name} holds no file: pack the logs into it.")
            if len(entries) > MEMBERS:
                raise ReadError(f"{name} holds {len(entries):,} files; at most {MEMBERS:,} are read: pack only the logs.")
            return _read(archive, entries, name, notes)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        OverflowError,
    ) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{name} is a damaged or unusual zip archive ({shown(error)}): pack it again.") from error


def _read(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], name: str, notes: list[str]) -> list[File]:
    files, odd = [], 0
    if sum(e.file_size for e in entries) > limits.UNPACKED_LIMIT:  # told before a byte is unpacked
        raise ReadError(
            f"{name} unpacks to more than {limits.UNPACKED_LIMIT / 2**30:g} GB ({sum(e.compress_size for e in entries):,} bytes "
            "packed): pack only the logs that are needed."
        )
    for entry in entries:
        if entry.flag_bits & 1:
            raise ReadError(f"{name} is encrypted: unpack it and pack the logs without a password.")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ReadError(f"{name} is packed with an unusual method ({shown(entry.filename)}): pack it with plain deflate.")
        with archive.open(entry) as stream:
            data = stream.read(entry.file_size + 1)  # no more than its header says: one that says too little fails its checksum
        path = _safe(entry.filename)
        odd += path != entry.filename
        files.append(File(path or f"file {len(files) + 1}", data))
    if odd:
        notes.append(f"{counted(odd, 'file')} of the archive with absolute paths or dots in them: the names are taken without.")
    return files


def _safe(path: str) -> str:
    """Returns the path without drive, leading slashes, dots and control characters."""
    parts = re.split(r"[/\\]+", re.sub(r"[\x00-\x1f]", "", path))
    return "/".join(p for p in parts if p not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", p))
