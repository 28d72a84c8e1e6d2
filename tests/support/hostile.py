"""Tasks for the reading subprocess that behave as damaged and hostile files may; `test_ingest_guarded` names them."""

import ctypes
import os
import signal
import time


def eat(folder, order):
    """Takes memory without end."""
    held = []
    while True:
        held.append(bytes(2**24))


def eat_unseen(folder, order):
    """Takes too much memory and tells it as damage."""
    try:
        bytes(2**50)
    except MemoryError as error:
        from lawlib.errors import ReadError

        raise ReadError("the file is damaged") from error


def spin(folder, order):
    """Computes without end."""
    while True:
        pass


def sleep(folder, order):
    """Waits without end, with a file of its own open beside."""
    (folder / "half").write_bytes(bytes(10**6))
    time.sleep(600)


def fill(folder, order):
    """Writes an answer of 1 TB."""
    with open(folder / "answer" / "frame.arrow", "wb") as file:
        file.seek(2**40)
        file.write(b"1")


def kill(folder, order):
    """Is killed, as by the system where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def crash(folder, order):
    """Reads where no memory is."""
    ctypes.string_at(0)


def fail(folder, order):
    """Meets a mistake of the program."""
    raise KeyError("loss")


def leave(folder, order):
    """Ends without an answer."""
    os._exit(3)
