"""An emergency stop of a laboratory: a file that any program can make, and that stays until somebody clears it.

While the file is there, nothing is begun and nothing moves. It survives restarts. What was stopped and cleared, by whom
and why, stands in a log beside it. Where its disk is full or read-only, a second file stands for it, in the machine's
memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from campaigns.errors import EmergencyStopError, LabError

_MEMORY = Path("/dev/shm")  # noqa: S108  a name that others can foresee is meant: any program may make the stop
"""Where the second file stands, in memory, which no full or read-only disk concerns (tmpfs of Linux)."""
_LONGEST = 300
"""Characters of another program's text that are shown."""


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """An emergency stop: since when [seconds since the epoch], by whom and why."""

    since: float
    author: str
    reason: str

    @property
    def text(self) -> str:
        """What people are told of it."""
        date = datetime.fromtimestamp(self.since).astimezone()
        return f"emergency stop by {self.author} since {date:%Y-%m-%d %H:%M:%S}: {self.reason or 'no reason is given'}"


@dataclass(frozen=True, slots=True)
class MadeStop:
    """What became of making an emergency stop: that which holds, None if there is none, and what was not written."""

    stop: EmergencyStop | None
    unwritten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopEntry:
    """A line of the log: whether a stop was made or cleared, when [seconds since the epoch], by whom and why."""

    cleared: bool
    time: float
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class StopFile:
    """The file that stands for an emergency stop, while it is there."""

    path: Path

    @property
    def places(self) -> tuple[Path, Path]:
        """The files of which each stands for the stop: that beside the laboratory, and one in the machine's memory."""
        return self.path, _in_memory(self.path, _MEMORY)

    def read(self) -> EmergencyStop | None:
        """Return the stop, or None. What cannot be looked at counts as one."""
        there: list[tuple[Path, os.stat_result]] = []
        for place in self.places:
            try:
                there.append((place, place.stat()))
            except FileNotFoundError:
                continue
            except OSError as error:
                if place == self.path:
                    return EmergencyStop(time.time(), "nobody", f"{place} cannot be looked at: {error.strerror}")
        if not there:
            return None
        about = min((one for _, one in there), key=lambda one: one.st_mtime)
        found = _parsed(next(filter(None, (_text(place) for place, _ in there)), ""))
        author, reason = str(found.get("author") or _owner(about.st_uid)), str(found.get("reason") or "")
        return EmergencyStop(about.st_mtime, author, " ".join(reason.split())[:_LONGEST])

    def make(self, author: str, reason: str) -> MadeStop:
        """Make an emergency stop, unless there is one; it is on disk when this returns, or it is said what is not."""
        if (there := self.read()) is not None:
            if self.path.exists():
                return MadeStop(there)
            author, reason = there.author, there.reason  # it stands in memory alone, from when there was no disk for it
        body, unwritten = json.dumps({"author": author, "reason": reason}, ensure_ascii=False), []
        for place in self.places:
            try:
                _put(place, body)
                break
            except OSError as error:
                unwritten.append(_cannot(place, error))
        made = self.read()
        if made is not None:
            try:
                self._note({"what": "stop", "author": author, "reason": reason})
            except OSError as error:
                unwritten.append(_cannot(self._log, error))
        return MadeStop(made, tuple(unwritten))

    def clear(self, author: str, reason: str) -> EmergencyStop | None:
        """Clear the stop, once it is written down who did so and why; return what was cleared, None if nothing was.

        Raises:
            LabError: that cannot be written down, or a file cannot be removed: the stop holds.
        """
        there = self.read()
        if there is None:
            return None
        told = {"stopped_by": there.author, "stopped_for": there.reason}
        try:
            self._note({"what": "clear", "author": author, "reason": reason, **told})
            for place in reversed(self.places):
                place.unlink(missing_ok=True)
        except OSError as error:
            why = f"{error.filename or self._log}: {error.strerror}"
            raise LabError(
                f"the emergency stop {self.path} cannot be cleared and holds: {why}; correct that"
            ) from error
        return there

    @property
    def how_to_clear(self) -> str:
        """What to do when the cause is gone."""
        return f"when it is safe: athanor stop {self.path} --clear --by NAME --reason WHY"

    def check(self) -> None:
        """Check that there is no emergency stop.

        Raises:
            EmergencyStopError: there is one.
        """
        if (there := self.read()) is not None:
            raise EmergencyStopError(f"{there.text}; nothing moves until it is cleared; {self.how_to_clear}")

    @property
    def log(self) -> tuple[StopEntry, ...]:
        """What was stopped and cleared, in order; lines that cannot be read are left out."""
        return tuple(self._entries())

    def _entries(self) -> Iterator[StopEntry]:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return
        for line in lines:
            found = _parsed(line)
            if "what" in found:
                author, reason = str(found.get("author")), str(found.get("reason"))
                yield StopEntry(found["what"] == "clear", float(found.get("time", 0.0)), author, reason)

    @property
    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}.jsonl")

    def _note(self, entry: dict[str, Any]) -> None:
        with self._log.open("a", encoding="utf-8") as file:
            _write(file, json.dumps({"time": time.time(), **entry}, ensure_ascii=False) + "\n")


@cache
def _in_memory(path: Path, memory: Path) -> Path:
    """Return the second file of a stop: its name is the same for whoever names the first one by whatever links."""
    key = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]
    return memory / f"athanor-{key}.stop"


def _put(place: Path, body: str) -> None:
    """Make a file, unless somebody was faster; without room, it may be there empty.

    Raises:
        OSError: it is not there, or its text is not.
    """
    if place.parent != _MEMORY:
        place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with place.open("x", encoding="utf-8") as file:
            _write(file, body)
    except FileExistsError:
        return


def _cannot(place: Path, error: OSError) -> str:
    return f"{place} cannot be written: {error.strerror}"


def _text(place: Path) -> str:
    try:
        with place.open(encoding="utf-8", errors="replace") as file:
            return file.read(10 * _LONGEST)
    except OSError:
        return ""


def _write(file: Any, text: str) -> None:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def _parsed(text: str) -> dict[str, Any]:
    """Return what a file says: of other programs' text, all is the reason."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"reason": text}
    return found if isinstance(found, dict) else {"reason": text}


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
