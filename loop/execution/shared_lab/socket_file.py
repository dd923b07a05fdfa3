"""The socket on which a lab process can be reached: a file in the folder beside the lab file, for its user alone."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from campaigns.errors import LabError
from loop.storage.lab_files.lab_lock import shared_folder

_NAME = "lab.sock"
_LONGEST = 100
"""Bytes of a socket's name that every system takes."""


def listening(lab_file: Path) -> socket.socket:
    """Return a socket on which others can reach this process; what another process has left is removed.

    Raises:
        LabError: there can be none.
    """
    file = shared_folder(lab_file) / _NAME
    found = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # nobody but the user may write to it, as connecting needs
    try:
        file.unlink(missing_ok=True)
        with _short(file) as name:
            found.bind(name)
        found.listen()
    except OSError as error:
        found.close()
        raise LabError(f"{file} cannot be made, on which campaigns attach: {error.strerror}") from error
    finally:
        os.umask(mask)
    return found


def connected(lab_file: Path) -> socket.socket:
    """Return a socket to the lab process of a lab file.

    Raises:
        OSError: there is none.
    """
    found = socket.socket(socket.AF_UNIX)
    try:
        with _short(shared_folder(lab_file) / _NAME) as name:
            found.connect(name)
    except OSError:
        found.close()
        raise
    return found


def is_served(lab_file: Path) -> bool:
    """Return whether a lab process serves a lab file now."""
    try:
        connected(lab_file).close()
    except OSError:
        return False
    return True


def was_left(lab_file: Path) -> bool:
    """Return whether the last lab process of a lab file has gone without an end, as when it was killed."""
    return (shared_folder(lab_file) / _NAME).exists() and not is_served(lab_file)


def note_end(lab_file: Path) -> None:
    """Take note that the lab process of a lab file has ended."""
    (shared_folder(lab_file) / _NAME).unlink(missing_ok=True)


def line_of(found: socket.socket) -> Connection:
    """Return a socket as a line for messages; the socket stays open, so that its owner can shut it down."""
    return Connection(os.dup(found.fileno()))


def is_of_same_user(found: socket.socket) -> bool:
    """Return whether who has connected is this process's user, where the system tells."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, user, _ = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(user == os.getuid())


@contextmanager
def _short(file: Path) -> Iterator[str]:
    """Yield a name for a socket that is short enough, however deep its folder lies.

    Raises:
        OSError: the folder is not there.
    """
    if len(os.fsencode(file)) <= _LONGEST:
        yield str(file)
        return
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{file.name}"
    finally:
        os.close(folder)
