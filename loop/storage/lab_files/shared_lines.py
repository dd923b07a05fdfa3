"""An append-only file of lines beside a lab file, which all of its campaigns share.

A line is one JSON object. It is written under a lock and synced; a last line that was torn by a crash never counted.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from campaigns.errors import LabError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LineWriter:
    """Adds lines to a file that nobody else writes to meanwhile."""

    path: Path
    purpose: str
    file: IO[bytes]

    def add(self, body: Mapping[str, Any]) -> None:
        """Add a line; it is on disk when this returns.

        Raises:
            LabError: it cannot be written.
        """
        try:
            self.file.write(json.dumps(body).encode() + b"\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise _unwritten(self.path, self.purpose, error) from error


class SharedLines:
    """The lines of a file, as one who follows it has read them so far.

    Args:
        path: of the file, which need not be there.
        purpose: what the file does, after "which".
        advice: what to do where a line cannot be read.
    """

    def __init__(self, path: Path, purpose: str, advice: str) -> None:
        self.path, self._purpose, self._advice = path, purpose, advice
        self._read = 0  # bytes of whole lines

    @property
    def is_behind(self) -> bool:
        """Whether something was added since it was read, or is there no more."""
        return self._size != self._read

    @property
    def _size(self) -> int:
        """How much there is [bytes]; nothing where there is no file."""
        try:
            return self.path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def read(self, parse: Callable[[bytes], _T]) -> list[_T]:
        """Return the lines that were added since, parsed; none of them counts as read where one cannot be.

        Raises:
            LabError: the file, or one of them, cannot be read, or was replaced by what it held earlier.
        """
        if not self.is_behind:
            return []
        if self._size < self._read:
            raise self._replaced()
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                whole, newline, _ = file.read().rpartition(b"\n")
        except OSError as error:
            raise self._unread(str(error)) from error
        found = []
        for line in whole.split(b"\n") if newline else ():
            try:
                found.append(parse(line))
            except (ValueError, LookupError, TypeError) as error:
                raise self._unread(f"got {line[:80]!r} ({error})") from error
        self._read += len(whole) + len(newline)
        return found

    def _replaced(self) -> LabError:
        less = "holds less than before, as if it was removed, or an older copy was brought back"
        return LabError(f"{self.path}, which {self._purpose}, {less}; bring the newer one back, or start the run again")

    def _unread(self, why: str) -> LabError:
        return LabError(f"{self.path}, which {self._purpose}, cannot be read: {why}; {self._advice}")

    @contextmanager
    def writing(self) -> Iterator[LineWriter]:
        """Keep all others from writing meanwhile.

        Raises:
            LabError: the file cannot be written, or was replaced by what it held earlier.
        """
        if self._size < self._read:
            raise self._replaced()
        try:
            self.path.parent.mkdir(exist_ok=True)
            file = self.path.open("a+b")
        except OSError as error:
            raise _unwritten(self.path, self._purpose, error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(self._read)
            file.truncate(self._read + file.read().rfind(b"\n") + 1)  # without a torn line
            yield LineWriter(self.path, self._purpose, file)

    def add(self, body: Mapping[str, Any]) -> None:
        """Add a line; see ``LineWriter``."""
        with self.writing() as writer:
            writer.add(body)


def _unwritten(path: Path, purpose: str, error: OSError) -> LabError:
    return LabError(f"{path} cannot be written, which {purpose}: {error.strerror}")
