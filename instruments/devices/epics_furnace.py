"""A furnace on EPICS, driven by the same plan as any other."""

from __future__ import annotations

import threading
from typing import Any

from ophyd import Component, Kind
from ophyd.status import Status

from campaigns.errors import BusyError, StepError
from instruments.devices.epics_signal import PATIENCE, Channel
from instruments.devices.furnace import Furnace
from instruments.job import NO_SAMPLE
from instruments.places import SamplePlace
from instruments.status import LabStatus
from instruments.step_errors import is_silence, reason_of

POLL = 0.1
"""Wall time in seconds between two questions about a running job."""


def _text(suffix: str, **kwargs: Any) -> Any:
    return Component(Channel, suffix, string=True, **kwargs)


class SampleName(Channel):
    """The sample at a place, ``-`` at the server where there is none: EPICS servers may refuse an empty text."""

    def get(self, **kwargs: Any) -> Any:
        """Return the sample; empty where there is none."""
        return "" if (found := super().get(**kwargs)) == NO_SAMPLE else found

    def set(self, value: Any, **kwargs: Any) -> Status:
        """Put the sample; see ``Channel.set``."""
        return super().set(value or NO_SAMPLE, **kwargs)


class EpicsPlace(SamplePlace):
    """A place of an instrument on EPICS: the server knows which sample it has, and says how that ended."""

    sample = Component(SampleName, "Sample", string=True)
    material = _text("Material")
    attempt = Component(Channel, "Attempt")
    token = _text("Token")
    state = _text("State")
    message = _text("Message")


class EpicsFurnace(Furnace):
    """A furnace whose controller runs the program of a job and answers over Channel Access.

    A connection that is lost in the middle of a job is waited for until the job's time is over: the furnace goes on by
    itself, and says afterwards what it has done.

    ``with_places(EpicsFurnace, 8, ["lithium_excess"], EpicsPlace)`` is one that takes eight crucibles.
    """

    sample = _text("Sample")
    material = _text("Material")
    step = _text("Step")
    attempt = Component(Channel, "Attempt")
    token = _text("Token")
    state = _text("State", kind=Kind.omitted)
    message = _text("Message", kind=Kind.omitted)
    command = _text("Start", kind=Kind.omitted)
    stop_command = Component(Channel, "Stop", kind=Kind.omitted)
    phase = _text("Phase", kind=Kind.omitted)

    temperature = Component(Channel, "Temperature", unit="degC")
    time = Component(Channel, "Time", unit="h")
    ramp_rate = Component(Channel, "RampRate", unit="degC/min")
    lithium_excess = Component(Channel, "LithiumExcess", unit="percent")
    atmosphere = _text("Atmosphere")

    door = _text("Door", kind=Kind.omitted)
    readback = Component(Channel, "Readback", unit="degC", kind=Kind.omitted)
    profile_time = Component(Channel, "ProfileTime", unit="s")
    profile_temperature = Component(Channel, "ProfileTemperature", unit="degC")
    peak_temperature = Component(Channel, "PeakTemperature", unit="degC")
    soak_mean_temperature = Component(Channel, "SoakMean", unit="degC")
    soak_sd = Component(Channel, "SoakDeviation", unit="degC")

    def __init__(self, prefix: str = "", *, name: str, **kwargs: Any) -> None:
        self._said = "idle"
        super().__init__(prefix, name=name, **kwargs)

    def has_job(self, token: str) -> bool:
        """Return whether the controller is at the job, or has just done it: it remembers one."""
        return bool(self.token.get() == token)

    def start(self, token: str) -> None:
        """Start the job that the settings describe; the controller attaches to it when it knows the token.

        Raises:
            BusyError: the controller is at another job.
            StepError: it does not take the job.
        """
        self.command.put(token, wait=True, timeout=PATIENCE)
        if (at := self.token.get()) != token:
            state = self.state.get()
            error = BusyError if state == "busy" else StepError
            raise error(f"{self.name} does not take job {token!r}: it is at {at!r}, {state}")

    def set(self, token: str, *, timeout: float) -> LabStatus:
        """Start the job ``token``, or attach to it when it is known already.

        Args:
            token: what the job is known by.
            timeout: longest time that the job may take from now, in seconds of lab time.
        """
        status, ended = super().set(token, timeout=timeout), threading.Event()
        status.add_callback(lambda _: ended.set())
        threading.Thread(
            target=self._watch, args=(status, token, ended), name=f"watch-{self.name}", daemon=True
        ).start()
        return status

    def halt(self, reason: str) -> None:  # noqa: ARG002  the controller gives its own
        """Let the controller end the program under way."""
        self.stop_command.put(1, wait=False)

    def progress(self) -> str:
        """Return what the controller last said that it does."""
        return self._said

    def _attend(self) -> None:
        """Rely on no message from the server: after a lost connection, caproto 1.3 may never deliver one again."""

    def _watch(self, status: LabStatus, token: str, ended: threading.Event) -> None:
        """Ask the controller again and again until the job has ended, or its time is over."""
        while not ended.wait(POLL):
            try:
                self._said = str(self.phase.get(connection_timeout=POLL))
                self._settle(status, token)
                self.silence = ""
            except BaseException as error:  # noqa: BLE001  a control layer may raise anything; it costs this job only
                if ended.is_set():
                    return
                if is_silence(error):
                    self.silence = reason_of(error)
                else:
                    self._driver_failed(error)
