"""A furnace on EPICS, driven by the same plan as any other."""

from __future__ import annotations

from typing import Any

from ophyd import Component, Kind

from campaigns.errors import StepError
from instruments.channel import PATIENCE, Channel
from instruments.furnace import Furnace


def _text(suffix: str, **kwargs: Any) -> Any:
    return Component(Channel, suffix, string=True, **kwargs)


class EpicsFurnace(Furnace):
    """A furnace whose controller runs the program of a job and answers over Channel Access.

    Losing the connection in the middle of a job is a failure of the job, though the furnace may go on by itself.
    """

    sample = _text("Sample")
    material = _text("Material")
    step = _text("Step")
    attempt = Component(Channel, "Attempt")
    token = _text("Token")
    state = _text("State", kind=Kind.omitted)
    message = _text("Message", kind=Kind.omitted)
    command = _text("Start", kind=Kind.omitted)
    phase = _text("Phase", kind=Kind.omitted, auto_monitor=True)

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
        super().__init__(prefix, name=name, **kwargs)
        self.state.subscribe(self._connection, event_type=self.state.SUB_META, run=False)

    def knows(self, token: str) -> bool:
        """Return whether the controller is at the job, or has just done it: it remembers one."""
        return bool(self.token.get() == token)

    def start(self, token: str) -> None:
        """Start the job that the settings describe; the controller attaches to it when it knows the token.

        Raises:
            StepError: the controller does not take the job.
        """
        self.command.put(token, wait=True, timeout=PATIENCE)
        if (at := self.token.get()) != token:
            raise StepError(f"{self.name} does not take job {token!r}: it is at {at!r}, {self.state.get()}")

    def progress(self) -> str:
        """Return what the controller last said that it does."""
        return str(self.phase.get()) if self.connected else "disconnected"

    def _follow(self, *, value: Any, **_: Any) -> None:
        """Take note of the state as it was sent: to ask the server here would hold up the messages of all others.

        A late message of an earlier job does no harm: the job's readings are asked for and checked afterwards.
        """
        if (waiting := self._waiting) is None:
            return
        if value == "done":
            waiting[0].end()
        elif value != "busy":
            waiting[0].end(StepError(f"{self.name}: job {waiting[1]} ended as {value}; see the furnace's message"))

    def _connection(self, *, connected: bool, **_: Any) -> None:
        """Fail the job when the connection is lost."""
        if not connected and (waiting := self._waiting) is not None:
            waiting[0].end(StepError(f"{self.name}: the connection was lost during job {waiting[1]}; look at it"))
