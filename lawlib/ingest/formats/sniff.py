"""Recognises what a file is, by its content first and its name second, and refuses everything that cannot be a table of runs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from lawlib.errors import ReadError

from ..readers import ANSI, TEXT, lm_eval, trainer_state
from . import limits

_SIGNS = (b":", b"|", b"=", b"loss ")  # every console log has one of them, most tables none
HEAD = 2**23  # bytes in which a console log shows what it is: some dump megabytes of settings first

_SAVE = "Save the table as CSV or Parquet and read that."
_MAGIC: tuple[tuple[bytes, int, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", 0, "an HDF5 file", _SAVE),
    (b"DUCK", 8, "a DuckDB database", "Export its table of runs with COPY ... TO 'runs.parquet' and read that."),
    (b"\x93NUMPY", 0, "a NumPy array", _SAVE),
    (b"ARROW1", 0, "an Arrow (Feather) file", _SAVE),
    (b"FEA1", 0, "a Feather file", _SAVE),
    (b"ORC", 0, "an ORC file", _SAVE),
    (b"Obj\x01", 0, "an Avro file", _SAVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, "an old Excel workbook", "Save the sheet as CSV and read that."),
    (b"BZh", 0, "packed with bzip2", "Unpack it, or pack it with gzip."),
    (b"\xfd7zXZ\0", 0, "packed with xz", "Unpack it, or pack it with gzip."),
    (b"\x28\xb5\x2f\xfd", 0, "packed with zstd", "Unpack it, or pack it with gzip."),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z archive", "Unpack it and read the table in it."),
    (b"\x89PNG", 0, "a picture", "Read the table that the picture was made from."),
    (b"%PDF", 0, "a PDF document", "Read the table that the document was made from."),
)
# Protocols 0 and 1 look like text: an opening opcode, then a dot as the last byte.
_TEXT_PICKLE = re.compile(rb"\((?:[dl]p?\d*\n?|i|c)|c[\w.]+\r?\n[\w.]+\r?\n|[\]}]q\x00")
_PICKLE_NAMES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill")
_DEFLATE = 1032  # deflate packs no tighter than one byte for so many
_CONTROL = bytes(set(range(32)) - {*b"\t\n\r\f\x1b"})


def load(data: bytes | Path, name: str) -> bytes:
    """Returns the bytes of an upload or of the file at a path, packed or not.

    Raises:
        ReadError: there is no such file, it is empty, or it is larger than `LIMIT`.
    """
    if isinstance(data, Path):
        try:
            size = data.stat().st_size
            if data.is_dir():
                raise ReadError(f"{name} is a folder: give one file in it.")
            limits.check_size(size, name)
            data = data.read_bytes()
        except OSError as error:
            raise ReadError(f"{name} could not be opened: {error.strerror or error}. Check the path.") from error
    limits.check_size(len(data), name)
    if not data.strip(b"\0"):
        raise ReadError(f"{name} is empty: it has {len(data)} bytes and no text. Needed is {limits.SUPPORTED}.")
    return data


def unpack(data: bytes, name: str, limit: int | None = None) -> bytes:
    """Returns `data` unpacked where it is gzip, unchanged otherwise; further members are appended, as gzip does.

    `limit` is the most bytes it may unpack to, by default `UNPACKED_LIMIT`.

    Raises:
        ReadError: it unpacks to more (`TooLarge`), is cut off or damaged, or is packed twice.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    limit = limits.UNPACKED_LIMIT if limit is None else limit
    if len(data) * _DEFLATE > limit:  # counted before any of it is kept
        size = 0
        for part in _inflated(data, name):
            size += len(part)
            if size > limit:
                raise limits.TooLarge(
                    f"{name} unpacks to more than {limits.UNPACKED_LIMIT / 2**30:g} GB ({len(data):,} bytes packed): "
                    "split it, or leave out columns and steps that are not needed."
                )
    content = b"".join(_inflated(data, name))
    if content.startswith(b"\x1f\x8b"):
        raise ReadError(f"{name} is packed with gzip twice: unpack it once.")
    if not content:
        raise ReadError(f"{name} is empty: its gzip data unpack to 0 bytes. Needed is {limits.SUPPORTED}.")
    return content


def _inflated(data: bytes, name: str) -> Iterator[bytes]:
    """Yields the unpacked bytes of gzip data, in parts of at most 17 MB."""
    view, at, n = memoryview(data), 0, 0
    while data[at : at + 2] == b"\x1f\x8b":
        n += 1
        if n > limits.GZIP_MEMBERS:
            raise ReadError(
                f"{name} is made of more than {limits.GZIP_MEMBERS:,} gzip files joined together: pack it again as one."
            )
        stream = zlib.decompressobj(31)
        while at < len(data) and not stream.eof:
            piece = view[at : at + 2**14]
            try:
                part = stream.decompress(piece)
            except zlib.error as error:
                raise ReadError(f"{name} is a damaged gzip file ({error}): pack or download it again.") from error
            at += len(piece)
            yield part
        if not stream.eof:
            raise ReadError(f"{name} is a gzip file that ends too early: download or pack it again.")
        at -= len(stream.unused_data)
    if data[at:].strip(b"\0"):
        raise ReadError(f"{name} has {len(data) - at:,} bytes after the end of its gzip data: pack it again.")


def format_of(content: bytes, name: str) -> str:
    """Returns "parquet", "sqlite", "json", "jsonl", "csv" (any delimiter) or a reader's name for unpacked content.

    Raises:
        ReadError: the content is of a kind that is not read; the sentence says which and what to do.
    """
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    if content.startswith(b"PAR1"):
        return "parquet"
    if content.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if _is_pickle(content, suffix):
        raise ReadError(f"{name} is a Python pickle. Opening a pickle runs the code in it, so none is opened here. {_SAVE}")
    if content.startswith(b"PK\x03\x04"):
        kind = "an Excel workbook" if b"xl/" in content[:8192] or suffix == ".xlsx" else "a zip archive"
        advice = "Save the sheet as CSV" if kind == "an Excel workbook" else "Unpack it and give the table in it"
        raise ReadError(f"{name} is {kind}; needed is {limits.SUPPORTED}. {advice}.")
    for magic, offset, kind, advice in _MAGIC:
        if content.startswith(magic, offset):
            raise ReadError(f"{name} is {kind}; needed is {limits.SUPPORTED}. {advice}")
    if suffix == ".parquet" and not content.startswith((b"\xff\xfe", b"\xfe\xff")) and _binary_at(content) is not None:
        raise ReadError(f'{name} is called Parquet but does not begin with "PAR1": it is damaged or something else.')
    return _text_format(content, name, suffix)


def _text_format(content: bytes, name: str, suffix: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, told by its byte order mark; `text.decode` reads it
        text = content[: HEAD // 2 * 2].decode("utf-16", errors="ignore").encode(errors="ignore")
        return _text_format(text, name, suffix) if text.strip() and b"\0" not in text else "csv"
    at = _binary_at(content)
    if at is not None:
        raise ReadError(
            f"{name} is not text: byte {content[at]} at position {at:,} is no character of a table. Needed is {limits.SUPPORTED}."
        )
    head = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not re.match(rb'\{\s*["}]', head) and (console := console_format(content)):
        return console
    if not head and not content.removeprefix(b"\xef\xbb\xbf").strip():
        raise ReadError(f"{name} is empty: it has only blank lines. Needed is {limits.SUPPORTED}.")
    if head.startswith(b"version https://git-lfs"):
        raise ReadError(f"{name} is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`.")
    if re.match(rb"<(!doctype|html|\?xml)", head, re.IGNORECASE):
        raise ReadError(f"{name} is a web page or XML, not a table: download the raw file. Needed is {limits.SUPPORTED}.")
    if head.startswith(b"["):
        return "json" if suffix not in (".csv", ".tsv", ".log", ".txt") or _json_array(head) else "csv"
    if head.startswith(b"{"):
        if trainer_state.looks(content):
            return trainer_state.READER.name
        if lm_eval.looks(content):
            return lm_eval.READER.name
        return "jsonl" if suffix in (".jsonl", ".ndjson") else "json"
    return "csv"


def console_format(content: bytes) -> str:
    """Returns the name of the console log's reader that recognises the text, "" where none does."""
    head = content[:HEAD]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[: len(head) // 2 * 2].decode("utf-16", errors="ignore").encode(errors="ignore")
    if not any(sign in head for sign in _SIGNS):
        return ""
    head = ANSI.sub(b"", head).replace(b"\r", b"\n")
    return next((reader.name for reader in TEXT if reader.looks(head)), "")


def _json_array(head: bytes) -> bool:
    return re.match(rb"\[\s*([\[{\]\"]|-?\d+\s*[,.\]])", head) is not None


def _is_pickle(content: bytes, suffix: str) -> bool:
    if suffix in _PICKLE_NAMES:
        return True
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    return content.rstrip()[-1:] == b"." and _TEXT_PICKLE.match(content) is not None


def _binary_at(content: bytes) -> int | None:
    """Returns the position of the first byte that no text has: any NUL, or control characters above 1 in 100 bytes."""
    at = content.find(b"\0")
    if at >= 0:
        return at
    head = content[: 2**16]
    found = len(head) - len(head.translate(None, _CONTROL))
    return next(i for i, byte in enumerate(head) if byte in _CONTROL) if found > len(head) / 100 else None
