"""The stations that may not be in their safe states, until somebody has looked at them: kept through every kill."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from sqlalchemy.exc import DatabaseError

from campaigns.errors import StoreError
from loop.storage.artefacts import UNSAFE
from loop.storage.store import Store


class UnsafeStations(Protocol):
    """Remembers the stations that may not be in their safe states."""

    @property
    def known(self) -> Mapping[str, str]:
        """Station to what did not work."""

    def note(self, station: str, wrong: str) -> str:
        """Remember a station, from any thread; return why that could not be stored, empty if it was."""

    def settle(self, station: str) -> None:
        """Forget a station at which somebody has looked."""


class StoredUnsafeStations:
    """Those of a campaign that owns its laboratory, in its store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = {name: str(kept["reason"]) for name, kept in store.artefacts(UNSAFE).items()}

    @property
    def known(self) -> Mapping[str, str]:
        """Station to what did not work."""
        return self._known

    def note(self, station: str, wrong: str) -> str:
        """Remember a station, from any thread; return why that could not be stored, empty if it was."""
        failed, since = "", time.time()
        try:
            since = self._store.artefacts(UNSAFE, station).get(station, {}).get("since", since)
            self._store.keep(UNSAFE, station, {"reason": wrong, "since": since})
        except (StoreError, DatabaseError) as error:
            failed = str(error)
        self._known[station] = wrong
        return failed

    def settle(self, station: str) -> None:
        """Forget a station at which somebody has looked."""
        self._known.pop(station, None)
        self._store.drop(UNSAFE, station)
