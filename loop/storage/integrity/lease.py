"""Who runs a campaign: a lease that stands in the store, so that it holds by whatever name the file is opened."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sqlite3
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

from campaigns.errors import StoreInUseError
from loop.core.formatting import date_time
from loop.storage.connections import connect_reading, is_empty

BEAT = 20.0
"""Seconds between two renewals of a lease. Not tuned: six may fail before the lease ends."""
TERM = 120.0
"""Seconds that a lease holds after its last renewal; clocks of machines that share a store may differ by less.

Not tuned: long enough for a pause of a network drive, short enough for a person who waits to take over.
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to run the campaign of a store.

    Attributes:
        holder: unique to who holds it.
        user: name of the user.
        host: name of the machine.
        machine: identity of the running system, within which ``pid`` is unique.
        pid: the process.
        born: when the process began, in the system's own words, as numbers of processes are used again; may be empty.
        file: device and inode of the store, so that a copy of a leased store is not leased.
        since: start in seconds since the epoch.
        until: end in seconds since the epoch, unless it is renewed.
    """

    holder: str
    user: str
    host: str
    machine: str
    pid: int
    born: str
    file: str
    since: float
    until: float

    def keeps_out(self, path: Path) -> bool:
        """Return whether nobody else may run the campaign of the store at ``path`` now.

        On its own machine a lease holds exactly as long as its process lives; on others, until it is over.
        """
        if self.machine != machine():
            return time.time() < self.until
        return self.file == inode(path) and _lives(self.pid, self.born)

    def describe(self) -> str:
        """Return who holds it and, where that can only be waited for, how long at most."""
        text = f"process {self.pid} of {self.user} on {self.host}, since {date_time(self.since)}"
        if self.machine == machine():
            return text
        return f"{text}; if that machine is dead, the store is free at {date_time(self.until)}"


_COLUMNS = tuple(field.name for field in fields(Lease))


def lease_of(path: Path) -> Lease | None:
    """Return the lease that stands in a store; None where there is none, or no store that could be read."""
    if is_empty(path):
        return None
    try:
        with closing(connect_reading(path)) as connection:
            row = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM lease").fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else Lease(*row)


def current_lease(path: Path) -> Lease | None:
    """Return the lease of the process that runs the campaign of a store now; None where none does."""
    lease = lease_of(path)
    return lease if lease is not None and lease.keeps_out(path) else None


def check_free(path: Path) -> None:
    """Check that no other process runs the campaign of a store.

    Raises:
        StoreInUseError: one does.
    """
    if (lease := current_lease(path)) is not None:
        raise in_use(path, lease)


def in_use(path: Path, lease: Lease) -> StoreInUseError:
    """Return the error of who wants to run the campaign of a store that is leased."""
    return StoreInUseError(f"another process runs the campaign of {path}: {lease.describe()}; wait for it, or stop it")


def new_lease(path: Path) -> Lease:
    """Return a lease of the store at ``path`` for this process, from now on."""
    now, pid = time.time(), os.getpid()
    return Lease(uuid.uuid4().hex, _user(), socket.gethostname(), machine(), pid, _born(pid), inode(path), now, end())


def end() -> float:
    """Return the end of a lease that is renewed now, in seconds since the epoch."""
    return time.time() + TERM


def inode(path: Path) -> str:
    """Return the identity of a file on this machine, whatever its name.

    Raises:
        OSError: it cannot be found.
    """
    found = path.stat()
    return f"{found.st_dev}-{found.st_ino}"


def machine() -> str:
    """Return the identity of the running system within which a process's number is unique."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"  # a container has numbers of its own
    except OSError:
        return f"{platform.node()} {uuid.getnode():x}"


def _lives(pid: int, born: str) -> bool:
    """Return whether a process of this machine lives, and is the one that was born then."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return not born or _born(pid) in ("", born)


def _born(pid: int) -> str:
    """Return when a process began, in clock ticks since the start of the system; empty where nobody tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    state, *others = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return "gone" if state == "Z" else others[18]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody has a name here, as in some containers
        return "operator"
