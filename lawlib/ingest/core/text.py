"""Decodes the bytes of a text file to UTF-8 with plain line ends."""

from __future__ import annotations

from lawlib.errors import ReadError


def decode(content: bytes, name: str) -> tuple[bytes, list[str]]:
    """Returns UTF-8 bytes with `\\n` line ends, and notes on what had to be assumed.

    Raises:
        ReadError: the file is marked as UTF-16 and is not.
    """
    notes = []
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            content = content.decode("utf-16").encode()
        except UnicodeError as error:
            raise ReadError(f"{name} begins like UTF-16 text but is not ({error}): save it as UTF-8.") from error
        if b"\0" in content or not content.strip():
            raise ReadError(f"{name} begins like UTF-16 text but holds none: save it as UTF-8.")
        notes.append("The file is UTF-16 text.")
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        content = content.decode("latin-1").encode()
        notes.append(f"The file is not UTF-8 (line {line}): it is read as Latin-1, so check letters with accents.")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content, notes
