"""An emergency stop of a laboratory: a file that any program can make, and that stays until somebody clears it.

While the file is there, nothing is begun and nothing moves. It survives restarts. What was stopped and cleared, by whom
and why, stands in a log beside it.
"""

from __future__ import annotations

import json
import os
import pwd
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from campaigns.errors import EmergencyStopError

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

    def read(self) -> EmergencyStop | None:
        """Return the stop, or None. What cannot be looked at counts as one."""
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return EmergencyStop(time.time(), "nobody", f"{self.path} cannot be looked at: {error.strerror}")
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")[: 10 * _LONGEST]
        except OSError:
            text = ""
        found = _parsed(text)
        author, reason = str(found.get("author") or _owner(about.st_uid)), str(found.get("reason") or "")
        return EmergencyStop(about.st_mtime, author, " ".join(reason.split())[:_LONGEST])

    def make(self, author: str, reason: str) -> EmergencyStop:
        """Make an emergency stop, unless there is one; return that which holds. It is on disk when this returns."""
        if (there := self.read()) is not None:
            return there
        self.path.parent.mkdir(parents=True, exist_ok=True)
        body = json.dumps({"author": author, "reason": reason}, ensure_ascii=False)
        try:
            with self.path.open("x", encoding="utf-8") as file:
                _write(file, body)
        except FileExistsError:  # somebody else was faster
            return self.read() or EmergencyStop(time.time(), author, reason)
        self._note({"what": "stop", "author": author, "reason": reason})
        return self.read() or EmergencyStop(time.time(), author, reason)

    def clear(self, author: str, reason: str) -> EmergencyStop | None:
        """Clear the stop, once it is written down who did so and why; return what was cleared, None if nothing was."""
        there = self.read()
        if there is None:
            return None
        told = {"stopped_by": there.author, "stopped_for": there.reason}
        self._note({"what": "clear", "author": author, "reason": reason, **told})
        self.path.unlink(missing_ok=True)
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
