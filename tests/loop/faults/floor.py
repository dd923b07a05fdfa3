"""What the instruments of the matrix share: a file in which they write down what they do, and what holds them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulators.epics_ioc import note

ODD = "0"
"""The sample that meets the fault."""
WAITED = 40.0
"""Wall time in seconds after which a test gives up what it waits for."""


@dataclass(frozen=True)
class Floor:
    """A folder."""

    folder: Path

    @property
    def journal(self) -> Path:
        """Lines of instrument, what it does, and with which job."""
        return self.folder / "journal.txt"

    def note(self, *words: str) -> None:
        """Write down what is done; it is on disk when this returns."""
        note(self.journal, *words)

    @property
    def done(self) -> list[list[str]]:
        """What was done so far, in order, in words."""
        return [line.split() for line in self.journal.read_text().splitlines()] if self.journal.exists() else []

    @property
    def held(self) -> bool:
        """Whether no job ends for the time being."""
        return self._hold.exists()

    def hold(self) -> None:
        """Let no job end."""
        self._hold.touch()

    def release(self) -> None:
        """Let jobs end."""
        self._hold.unlink(missing_ok=True)

    @property
    def _hold(self) -> Path:
        return self.folder / "hold"


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    ends = time.monotonic() + WAITED
    while not holds():
        assert time.monotonic() < ends, "what is waited for does not come"
        time.sleep(0.005)
