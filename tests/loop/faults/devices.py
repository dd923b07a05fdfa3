"""Instruments that meet the faults of their drivers with sample 0, and do what they are told with all others."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ophyd import Component, EpicsSignal, EpicsSignalRO, PVPositioner
from ophyd.status import MoveStatus

from campaigns.errors import BusyError, SampleError
from instruments.devices.epics_furnace import EpicsFurnace
from instruments.job_instrument import SAMPLE_FAILED, JobInstrument, Quantity
from instruments.status import LabStatus
from tests.loop.faults.floor import ODD, Floor

_PRESSING = 0.1
"""Wall time in seconds that a press takes."""
_LOOKING = 0.02


class Press(JobInstrument):
    """Presses pellets. It remembers its jobs on disk and goes on by itself, whatever becomes of its driver."""

    settings = ("force",)
    force = Component(Quantity, value=0.0, unit="kN", limits=(0, 10))
    height = Component(Quantity, value=0.0, unit="mm")

    def __init__(self, prefix: str = "", *, name: str, floor: str, fault: str = "", **more: Any) -> None:
        self.floor, self._fault, self._read = Floor(Path(floor)), fault, False
        super().__init__(prefix, name=name, **more)

    @property
    def fault(self) -> str:
        """What goes wrong with the sample at hand."""
        return self._fault if self.sample.get() == ODD else ""

    def check_ready(self) -> None:
        """Check that nobody else's job is under way."""
        if (self.floor.folder / "lent").exists():
            raise BusyError(f"{self.name} is at job 'theirs'; wait until it has ended; nothing was moved")
        super().check_ready()

    def has_job(self, token: str) -> bool:
        """Return whether it remembers a job."""
        return token in self._remembered

    def never_began(self, token: str) -> bool:
        """Return whether it does not."""
        return not self.has_job(token)

    def start(self, token: str) -> None:
        """Start a job, or attach to it."""
        if self.fault == "exit":
            sys.exit("no licence")
        if not self.has_job(token):
            self._remember(token)
        force, begun, sample = self._remembered[token]
        self.force.put(force)
        self.sample.put(sample)
        self.token.put(token)
        self.state.put("busy")
        self.clock.call_later(max(begun + _PRESSING - time.monotonic(), 0.0), lambda: self._end(token), self.name)

    def progress(self) -> str:
        """Return its state."""
        return str(self.state.get())

    def read(self) -> Any:
        """Return its readings; a line that breaks does so once."""
        if self.fault == "read" and not self._read:
            self._read = True
            raise ConnectionError("the line is dead")
        return super().read()

    def _end(self, token: str) -> None:
        if self.token.get() != token or self.state.get() != "busy":
            return
        if self.fault == "callback":
            raise KeyError("no such register")
        if self.floor.held:
            self.clock.call_later(_LOOKING, lambda: self._end(token), self.name)
            return
        self.height.put(math.nan if self.fault == "nan" else 2.0 * float(self.force.get()))
        if f"press done {token}" not in self.floor.journal.read_text().splitlines():
            self.floor.note("press", "done", token)
        self.message.put("the pellet is cracked")
        self.state.put(SAMPLE_FAILED if self.fault == "cracked" else "done")

    def _remember(self, token: str) -> None:
        told = f"{token} {self.force.get()!r} {time.monotonic()!r} {self.sample.get()}\n"
        with (self.floor.folder / "press.txt").open("a") as file:
            file.write(told)
        self.floor.note("press", "begin", token)

    @property
    def _remembered(self) -> Mapping[str, tuple[float, float, str]]:
        file = self.floor.folder / "press.txt"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return {token: (float(force), float(begun), sample) for token, force, begun, sample in lines}


class Oven(EpicsFurnace):
    """A furnace over EPICS whose link counts as silent after .3 s."""

    made: ClassVar[list[Oven]] = []

    def __init__(self, prefix: str = "", *, name: str, fault: str = "", **more: Any) -> None:
        self._fault, self._read = fault, False
        self._odd, self._settled = False, 0
        super().__init__(prefix, name=name, **more)
        for signal in (self.phase, self.state, self.token):
            signal._timeout = signal._connection_timeout = 0.3
        self.made.append(self)

    def start(self, token: str) -> None:
        """Start a job, or attach to it."""
        self._odd = f"-{ODD}-" in token
        if self._odd and self._fault == "exit":
            sys.exit("no licence")
        super().start(token)

    def read(self) -> Any:
        """Return its readings; a line that breaks does so once."""
        if self._odd and self._fault == "read" and not self._read:
            self._read = True
            raise ConnectionError("the line is dead")
        found = super().read()
        if self._odd and self._fault == "nan":
            found[f"{self.name}_soak_mean_temperature"]["value"] = math.nan
        return found

    def _settle(self, status: LabStatus, token: str) -> None:
        self._settled += self._odd
        if self._fault == "callback" and self._settled == 2:
            raise KeyError("no such register")
        super()._settle(status, token)


class Stage(PVPositioner):
    """An axis and its gauge over EPICS, as ophyd has them, with shorter time-outs: nothing of this project."""

    setpoint = Component(EpicsSignal, "val")
    readback = Component(EpicsSignalRO, "rbv")
    done = Component(EpicsSignalRO, "dmov")
    stop_signal = Component(EpicsSignal, "stop")
    gauge = Component(EpicsSignalRO, "gauge")

    def __init__(self, prefix: str, *, name: str, fault: str = "", **more: Any) -> None:
        self._moves, self._fault, self._read = 0, fault, False
        super().__init__(prefix, name=name, **more)
        for signal in (self.readback, self.done, self.gauge):
            signal._timeout = signal._connection_timeout = 0.3

    @property
    def fault(self) -> str:
        """What goes wrong with the sample at hand, which is the first that it is moved for."""
        return self._fault if self._moves == 1 else ""

    def set(self, *values: Any, **more: Any) -> MoveStatus:
        """Move."""
        self._moves += 1
        if self.fault == "exit":
            sys.exit("no licence")
        if self.fault == "cracked":
            raise SampleError("the pellet is cracked")
        return super().set(*values, **more)

    def read(self) -> Any:
        """Return its readings; a line that breaks does so once."""
        if self.fault == "read" and not self._read:
            self._read = True
            raise ConnectionError("the line is dead")
        found = super().read()
        if self.fault == "nan":
            found[self.gauge.name]["value"] = math.nan
        return found

    def _move_changed(self, *values: Any, **more: Any) -> None:
        if self.fault == "callback":
            raise KeyError("no such register")
        super()._move_changed(*values, **more)
