"""Bluesky callbacks that a campaign names: they get each document in a thread of their own, and may fail."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from campaigns.errors import CampaignError, Problem, called, raised_by
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object

Callback = Callable[[str, dict[str, Any]], Any]
_PATIENCE = 10.0
"""Wall time in seconds that callbacks have at the end for what is still to be handed to them. Not tuned: a file is
written at once, and a server that needs longer than this does not keep up with the laboratory."""


def load_subscribers(paths: Iterable[str]) -> dict[str, Callback]:
    """Return dotted path to callback; of a class, an object of it.

    Raises:
        CampaignError: it is not there, cannot be made, or cannot be called.
    """
    found: dict[str, Callback] = {}
    for i, path in enumerate(paths):
        where = f"subscribers[{i}]"
        one = load_object(path, where, Use.CALLBACK)
        found[path] = called(one, path, where) if isinstance(one, type) else one
        if not callable(found[path]):
            message = f"{path} is a class whose objects cannot be called with name and document"
            raise CampaignError([Problem(where, message)])
    return found


class Subscribers:
    """Hands documents on, in the order in which they come, and never makes a station wait.

    Args:
        callbacks: dotted path to who gets the documents.
    """

    def __init__(self, callbacks: Mapping[str, Callback]) -> None:
        self._callbacks = callbacks
        self._waiting: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._failed: set[str] = set()
        self._warnings: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._closed = not callbacks
        self._thread = threading.Thread(target=self._hand_on, name="subscribers", daemon=True)
        if callbacks:
            self._thread.start()

    def publish(self, name: str, document: dict[str, Any]) -> None:
        """Hand a document on; returns at once."""
        if not self._closed:
            self._waiting.put((name, document))

    def warnings(self) -> list[str]:
        """Return what went wrong since this was asked last: of each callback, its first error."""
        found = []
        while not self._warnings.empty():
            found.append(self._warnings.get())
        return found

    def close(self, patience: float = _PATIENCE) -> None:
        """Wait until all has been handed on, but not for longer than ``patience`` seconds."""
        if self._closed:
            return
        self._closed = True
        self._waiting.put(None)
        self._thread.join(patience)
        if self._thread.is_alive():
            left = self._waiting.qsize()
            self._warnings.put(f"subscribers took longer than {patience:g} s at the end: {left} documents are left out")

    def _hand_on(self) -> None:
        for name, document in iter(self._waiting.get, None):
            for path, callback in self._callbacks.items():
                try:
                    callback(name, document)
                except BaseException as error:  # noqa: BLE001  a callback may raise anything; it costs a warning
                    self._warn(path, error)

    def _warn(self, path: str, error: BaseException) -> None:
        if path not in self._failed:
            self._failed.add(path)
            self._warnings.put(f"subscriber {path} raised {raised_by(error, path)}; the campaign goes on without it")
