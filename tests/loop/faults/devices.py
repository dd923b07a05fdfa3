"""Instruments that meet the faults of their drivers with sample 0, and do what they are told with all others."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import MsgGenerator
from ophyd import Component, EpicsSignal, EpicsSignalRO, PVPositioner
from ophyd.status import MoveStatus

from campaigns.errors import BusyError, SampleError, StepError
from instruments.devices.epics_furnace import EpicsFurnace, EpicsPlace
from instruments.job_instrument import SAMPLE_FAILED, JobInstrument, Quantity
from instruments.load_samples import LoadSample
from instruments.places import told_values, with_places
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
        """What goes wrong with the job at hand."""
        return self._fault if any(map(_is_odd, self._pellets)) else ""

    def check_ready(self) -> None:
        """Check that nobody else's job is under way."""
        if (self.floor.folder / "lent").exists():
            raise BusyError(f"{self.name} is at job 'theirs'; wait until it has ended; nothing was moved")
        super().check_ready()

    def has_job(self, token: str) -> bool:
        """Return whether it remembers a job."""
        return self._job(token).exists()

    def never_began(self, token: str) -> bool:
        """Return whether it does not."""
        return not self.has_job(token)

    def start(self, token: str) -> None:
        """Start a job, or attach to it."""
        if self.fault == "exit":
            sys.exit("no licence")
        if not self.has_job(token):
            told = {**told_values(self), **({} if self.place_count > 1 else {"sample": self.sample.get()})}
            self._job(token).write_text(json.dumps({"begun": time.monotonic(), "told": told}))
            self.floor.note("press", "begin", token)
        job = json.loads(self._job(token).read_text())
        for key, value in job["told"].items():
            attrgetter(key)(self).put(value)
        self.token.put(token)
        self.state.put("busy")
        self.clock.call_later(max(job["begun"] + _PRESSING - time.monotonic(), 0.0), lambda: self._end(token))

    def progress(self) -> str:
        """Return its state."""
        return str(self.state.get())

    def read(self) -> Any:
        """Return its readings; a line that breaks does so once."""
        if self.fault == "read" and not self._read:
            self._read = True
            raise ConnectionError("the line is dead")
        return super().read()

    @property
    def _pellets(self) -> list[Any]:
        """What each sample of the job has for itself."""
        return [place for place in self.numbered_places.values() or [self] if place.sample.get()]

    def _end(self, token: str) -> None:
        if self.token.get() != token or self.state.get() != "busy":
            return
        if self.fault == "callback":
            raise KeyError("no such register")
        if self.floor.held:
            self.clock.call_later(_LOOKING, lambda: self._end(token), self.name)
            return
        if f"press done {token}" not in self.floor.journal.read_text().splitlines():
            self.floor.note("press", "done", token)
        for one in self._pellets:
            self._press(one)
        self.state.put(self._pellets[0].state.get() if self.place_count == 1 else "done")

    def _press(self, one: Any) -> None:
        fault = self._fault if _is_odd(one) else ""
        one.height.put(math.nan if fault == "nan" else 2.0 * float(one.force.get()))
        one.message.put("the pellet is cracked" if fault == "cracked" else "")
        one.state.put(SAMPLE_FAILED if fault == "cracked" else "done")

    def _job(self, token: str) -> Path:
        return self.floor.folder / f"job-{token}"


def _is_odd(pellet: Any) -> bool:
    return bool(pellet.sample.get() == ODD)


_Pair = with_places(Press, 2, ["force", "height"])


class Tray(_Pair, Press):  # type: ignore[valid-type, misc]  # mypy does not follow classes that are made
    """A press that presses two pellets at once."""


class Oven(EpicsFurnace):
    """A furnace over EPICS whose link counts as silent after .3 s."""

    made: ClassVar[list[Oven]] = []
    measured: ClassVar[str] = "soak_mean_temperature"

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
            found[f"{self.name}_{self.measured}"]["value"] = math.nan
        return found

    def _settle(self, status: LabStatus, token: str) -> None:
        self._settled += self._odd
        if self._fault == "callback" and self._settled == 2:
            raise KeyError("no such register")
        super()._settle(status, token)


_TwoCrucibles = with_places(Oven, 2, ["lithium_excess", "soak_mean_temperature"], EpicsPlace)


class Crucibles(_TwoCrucibles, Oven):  # type: ignore[valid-type, misc]  # mypy does not follow classes that are made
    """The furnace with two crucibles, of which the first has sample 0."""

    measured = "place1_soak_mean_temperature"


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


@bpp.run_decorator(md={"plan_name": "measure"})
def measure(x: float, stage: Stage) -> MsgGenerator[None]:
    """Move an axis, and read it where it is there."""
    yield from bps.mv(stage, x)
    at = yield from bps.rd(stage.readback)
    if abs(at - x) > 0.01:
        raise StepError(f"the stage was sent to {x} mm and is at {at}")
    yield from bps.trigger_and_read([stage])


@bpp.run_decorator(md={"plan_name": "measure_all"})
def measure_all(samples: Sequence[LoadSample], stage: Stage) -> MsgGenerator[None]:
    """Move an axis for one sample after the other, and read it where it is there."""
    for sample in samples:
        x = float(sample.settings["x"])
        try:
            yield from bps.mv(stage, x)
        except SampleError as error:
            yield from sample.fail(error)
            continue
        at = yield from bps.rd(stage.readback)
        if abs(at - x) > 0.01:
            raise StepError(f"the stage was sent to {x} mm and is at {at}")
        yield from sample.mark(bps.trigger_and_read([stage]))
