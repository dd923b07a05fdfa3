"""Stations that do not answer when a laboratory is opened: they are looked for again and again, beside the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from campaigns.errors import AthanorError
from instruments.job_instrument import JobInstrument
from instruments.step_errors import is_silence, reason_of

_PAUSE = 1.0
"""Wall time in seconds before a station is looked for again, at first; then twice as long each time. Not tuned."""
_LONGEST = 30.0
"""Longest such pause in seconds of wall time: short beside the steps of a laboratory."""


class MissingStations:
    """Looks for stations, each in a thread of its own: one whose link hangs holds up no other.

    Args:
        find: returns the instrument of a station, if that answers now; raises an error that says why not.
        found: called, in another thread, when a station was found.
    """

    def __init__(self, find: Callable[[str], JobInstrument], found: Callable[[], None]) -> None:
        self._find, self._news = find, found
        self._why: dict[str, str] = {}
        self._found: queue.SimpleQueue[tuple[str, JobInstrument]] = queue.SimpleQueue()
        self._ended = threading.Event()

    @property
    def why(self) -> Mapping[str, str]:
        """Station to why it is not there yet, until it is taken."""
        return self._why

    def look_for(self, name: str, why: str) -> None:
        """Look for a station from now on, that is not there for a reason."""
        self._why[name] = why
        threading.Thread(target=self._search, args=(name,), name=f"search-{name}", daemon=True).start()

    def take(self) -> list[tuple[str, JobInstrument]]:
        """Return the stations that were found, with their instruments, each once."""
        found: list[tuple[str, JobInstrument]] = []
        with suppress(queue.Empty):
            while True:
                found.append(self._found.get_nowait())
        for name, _ in found:
            del self._why[name]
        return found

    def close(self) -> None:
        """Look no more; whoever is waited for just now is not waited for any longer."""
        self._ended.set()

    def _search(self, name: str) -> None:
        pause = _PAUSE
        while not self._ended.wait(pause):
            try:
                instrument = self._find(name)
            except Exception as error:
                if not (isinstance(error, AthanorError) or is_silence(error)):
                    raise  # a mistake of ours, which the thread reports
                self._why[name] = reason_of(error)
            else:
                self._found.put((name, instrument))
                self._news()
                return
            pause = min(2 * pause, _LONGEST)
