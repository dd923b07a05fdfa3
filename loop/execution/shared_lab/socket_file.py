"""The socket on which a lab process can be reached: a file in the folder beside the lab file, for its user alone."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

from campaigns.errors import LabError
from loop.execution.shared_lab.messages import PROTOCOL
from loop.storage.lab_files.lab_lock import shared_folder

_NAME = "lab.sock"
_LONGEST = 100
"""Bytes of a socket's name that every system takes."""
_LONGEST_VERSION = 10_000
"""Bytes at most of what is said first on a line: more than any version has said."""


def listening(lab_file: Path) -> socket.socket:
    """Return a socket on which others can reach this process, in place of what another process has left.

    Raises:
        LabError: there can be none.
    """
    file = shared_folder(lab_file) / _NAME
    made = file.with_suffix(".new")
    found = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # nobody but the user may write to it, as connecting needs
    try:
        made.unlink(missing_ok=True)
        with _short(made) as name:
            found.bind(name)
        found.listen()
        made.replace(file)  # so that a run never sees none where the last lab process has left one
    except OSError as error:
        found.close()
        raise LabError(f"{file} cannot be made, on which campaigns attach: {error.strerror}") from error
    finally:
        os.umask(mask)
    return found


class Listener:
    """Takes lines of campaigns, also after somebody has removed the socket's file.

    Args:
        lab_file: whose lab process listens.
        accept: takes lines from a socket until that is closed, in a thread of its own.

    Raises:
        LabError: there can be no socket.
    """

    def __init__(self, lab_file: Path, accept: Callable[[socket.socket], None]) -> None:
        self._lab_file, self._accept, self._told = lab_file, accept, ""
        self._open()

    def look(self) -> str:
        """Make the socket's file again where it is not this process's any more; return what to tell people of that."""
        if self._inode() == self._made:
            return ""
        before = self._socket
        try:
            shared_folder(self._lab_file).mkdir(exist_ok=True)
            self._open()
        except (LabError, OSError) as error:
            told, self._told = self._told, str(error)
            return "" if told == self._told else self._told
        _end(before)
        self._told = ""
        return f"{shared_folder(self._lab_file) / _NAME} was removed, and is made again: campaigns may attach"

    def close(self) -> None:
        """Take no more lines."""
        _end(self._socket)

    def _open(self) -> None:
        self._socket = listening(self._lab_file)
        self._made = self._inode()
        threading.Thread(target=self._accept, args=(self._socket,), name="accept", daemon=True).start()

    def _inode(self) -> int | None:
        with suppress(OSError):
            return (shared_folder(self._lab_file) / _NAME).stat().st_ino
        return None


def _end(listening: socket.socket) -> None:
    with suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)  # wakes who accepts
    listening.close()


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


def opened_line(found: socket.socket) -> Connection:
    """Return a socket to a lab process as a line for messages, once it was said of which version they will be.

    Raises:
        OSError: nobody is there.
    """
    line = line_of(found)
    try:
        line.send_bytes(PROTOCOL)
    except OSError:
        line.close()
        raise
    return line


def check_version(line: Connection) -> None:
    """Check that the other end of a line is of this version, and tell it otherwise.

    Raises:
        OSError, EOFError: nobody is there, or it says something else.
    """
    if (other := line.recv_bytes(_LONGEST_VERSION)) != PROTOCOL:
        mine, its = PROTOCOL.decode(), other.decode(errors="replace")
        end = f"end it by Ctrl-C or 'kill {os.getpid()}', and start it again by 'athanor lab run'"
        line.send(("error", LabError(f"the lab process is of another version ({mine}) than this one ({its}): {end}")))
        raise EOFError


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
