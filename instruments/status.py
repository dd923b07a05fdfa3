"""Statuses that end, or time out, in lab time; and how a station waits for them without holding up the clock."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ophyd.device import Device
from ophyd.status import DeviceStatus

from campaigns.errors import LabError, LateError
from campaigns.values import lab_time
from instruments.clock import Clock, Party


class LabStatus(DeviceStatus):
    """The status of an action that takes lab time.

    It ends once; whoever comes late is ignored. It never stops its device: a furnace cools by itself.

    Args:
        device: the device that acts.
        clock: the clock that the action goes by.
        timeout: longest time that the action may take, in seconds of lab time.
    """

    def __init__(self, device: Device, clock: Clock, timeout: float) -> None:
        self._ending = threading.Lock()
        self._ended = False
        self._wait: LabWait | None = None
        super().__init__(device, call_stop_on_failure=False)
        self._timer = clock.call_later(timeout, lambda: self.end(_late(device, timeout)), device.name)

    def end(self, error: LabError | ConnectionError | None = None) -> None:
        """Finish the status, or fail it with ``error``; do nothing when it has ended before."""
        with self._ending:
            if self._ended:
                return
            self._ended = True
            wait = self._wait
        self._timer.cancel()
        if wait is not None:
            wait.ending(self, failed=error is not None)
        if error is None:
            self.set_finished()
        else:
            self.set_exception(error)

    def waited_by(self, wait: LabWait | None) -> bool:
        """Remember who waits; return whether the status is still to end."""
        with self._ending:
            self._wait = wait
            return not self._ended


def _late(device: Device, timeout: float) -> LateError:
    """Return the error of an action that takes too long, with what its link last said where that is silent."""
    silence = getattr(device, "silence", "")
    advice = getattr(device, "when_late", "look at the instrument, or allow the step a longer timeout")
    return LateError(
        f"{device.name} did not end within {lab_time(timeout)} of lab time"
        f"{f', and does not answer ({silence})' if silence else ''}; {advice}"
    )


class LabWait:
    """A RunEngine's ``waiting_hook`` that leaves the clock for as long as only lab time is waited for.

    The party is entered again before the last status finishes (or the first fails), so that there is no moment at
    which everybody looks idle while work is about to go on. While another kind of status is among those waited for,
    the party stays at work and lab time stands still.
    """

    def __init__(self, party: Party) -> None:
        self._party = party
        self._lock = threading.RLock()
        self._pending: set[LabStatus] = set()

    def __call__(self, statuses: Iterable[Any] | None) -> None:
        """Begin to wait for ``statuses``; or stop waiting, when None."""
        with self._lock:
            self._come_back()
            pending = {status for status in statuses or () if not status.done}
            if not pending or not all(isinstance(status, LabStatus) for status in pending):
                return
            self._pending = {status for status in pending if status.waited_by(self)}
            if self._pending:
                self._party.leave()

    def ending(self, status: LabStatus, *, failed: bool) -> None:
        """Take note that ``status`` is about to end, and come back to work when that ends the wait."""
        with self._lock:
            self._pending.discard(status)
            if failed or not self._pending:
                self._come_back()

    def _come_back(self) -> None:
        for status in self._pending:
            status.waited_by(None)
        self._pending = set()
        self._party.enter()
