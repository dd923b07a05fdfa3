"""Benches of a user's own that meet one trouble each: settings x and y; the data are a curve and its height."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ophyd import Component

from campaigns.errors import LabError, SampleError
from instruments.job_instrument import JobInstrument, Quantity

POINTS = 64


class Bench(JobInstrument):
    """Takes an hour, and does what it is told."""

    scale = 1.0
    settings = ("x", "y")
    x = Component(Quantity, value=0.0, unit="1", limits=(0, 1))
    y = Component(Quantity, value=0.0, unit="1", limits=(0, 1))
    curve = Component(Quantity, value=np.zeros(POINTS))
    height = Component(Quantity, value=0.0, unit="1")

    def has_job(self, token: str) -> bool:
        return bool(token == self.token.get())

    def progress(self) -> str:
        return str(self.state.get())

    def start(self, token: str) -> None:
        if not self.has_job(token):
            self.token.put(token)
            self.state.put("busy")
            self.clock.call_later(3600.0, self._end, self.name)

    @property
    def number(self) -> int:
        """The number of the trial."""
        return int(self.sample.get())

    def _end(self) -> None:
        x, y = float(self.x.get()), float(self.y.get())
        self.curve.put((1.0 + x) * np.sin(np.linspace(0.0, 3.0 + y, POINTS)))
        self.height.put(self.scale * (1.0 - (x - 0.4) ** 2 - (y - 0.6) ** 2))
        self.finish()

    def finish(self) -> None:
        """Say how it went."""
        self.state.put("done")


class Brief(Bench):
    """Takes half a second, and can be told to stop."""

    def start(self, token: str) -> None:
        if not self.has_job(token):
            self.token.put(token)
            self.state.put("busy")
            self.timer = self.clock.call_later(0.5, self._end, self.name)

    def halt(self, reason: str) -> None:
        if self.state.get() == "busy":
            self.timer.cancel()
            self.message.put(reason)
            self.state.put("idle")


class Mistaken(Bench):
    """Raises when the lab's clock calls it for trial 2."""

    def _end(self) -> None:
        if self.number == 2:
            raise KeyError("no such register")
        super()._end()


class Halfmade(Bench):
    """Never lets its base make it."""

    def __init__(self, prefix: str = "", **_: Any) -> None:
        self.note = prefix


class Busy(Bench):
    """Is not ready when asked for the third time, as trial 2 comes."""

    asked = 0

    def check_ready(self) -> None:
        self.asked += 1
        if self.asked == 3:
            raise LabError(f"{self.name} is being loaded by hand; nothing was moved")
        super().check_ready()


class Shut(Bench):
    """Is not ready any more once two samples are done."""

    asked = 0

    def check_ready(self) -> None:
        self.asked += 1
        if self.asked > 2:
            raise LabError(f"{self.name}: interlock: the door is open; nothing was moved")


class Silent(Bench):
    """Cannot be read twice after trial 2, and not at all after trial 4."""

    asked = 0

    def read(self) -> Any:
        if self.number in (2, 4):
            self.asked += 1
            if self.number == 4 or self.asked <= 2:
                raise ConnectionError("the line is dead")
        return super().read()


class Cracked(Bench):
    """Finds trials 2 and 3 broken: one before it begins, one as it ends."""

    asked = 0

    def check_ready(self) -> None:
        self.asked += 1
        if self.asked == 3:
            raise SampleError(f"{self.name}: the crucible is empty")

    def finish(self) -> None:
        self.message.put("the pellet is cracked")
        self.state.put("sample failed" if self.number == 3 else "done")


class Forming(Bench):
    """Makes nothing that has a purity where x and y are both above 0.5."""

    def _end(self) -> None:
        x, y = float(self.x.get()), float(self.y.get())
        formed = not (x > 0.5 and y > 0.5)
        self.height.put(max(0.0, 1 - 2.2 * abs(x - 0.55) - 1.2 * abs(y - 0.6)) if formed else 0.0)
        self.curve.put(np.linspace(0.0, 0.5 + 0.4 * x * y if self.height.get() > 0 else 0.0, POINTS))
        self.state.put("done")


class Wild(Bench):
    """Gives trial 3 on another scale."""

    def _end(self) -> None:
        self.scale = 1000.0 if self.number == 3 else 1.0
        super()._end()


class Frozen(Bench):
    """Has a detector that gives trials 3 and 4 what it gave trial 2, beside angles that are always the same."""

    angles = Component(Quantity, value=np.linspace(10.0, 80.0, POINTS))
    shown: Any = None

    def finish(self) -> None:
        if self.shown is None or self.number not in (3, 4):
            self.shown = self.curve.get()
        self.angles.put(np.linspace(10.0, 80.0, POINTS))
        self.curve.put(np.array(self.shown))
        super().finish()


class Stopped(Bench):
    """Does not update what it reads for trials 3 and 4."""

    def _end(self) -> None:
        if self.number in (3, 4):
            self.state.put("done")
        else:
            super()._end()


class Unplugged(Bench):
    """Reads nothing but nan for trial 2 and nothing but zeros for trial 3, beside angles and a constant dark frame."""

    angles = Component(Quantity, value=np.linspace(10.0, 80.0, POINTS))
    dark = Component(Quantity, value=np.full(POINTS, 3.0))

    def finish(self) -> None:
        self.angles.put(np.linspace(10.0, 80.0, POINTS))
        self.dark.put(np.full(POINTS, 3.0))
        if self.number in (2, 3):
            self.curve.put(np.full(POINTS, math.nan if self.number == 2 else 0.0))
        super().finish()


class Padded(Bench):
    """Pads its curve with nan."""

    def finish(self) -> None:
        self.curve.put(np.append(np.array(self.curve.get())[:-4], [math.nan] * 4))
        super().finish()


class Tearing(Bench):
    """Tears trials 1 and 4 as it measures them."""

    def finish(self) -> None:
        self.message.put("the film tore")
        self.state.put("sample failed" if self.number in (1, 4) else "done")


class Confused(Bench):
    """Loses contact to its odd jobs at their first attempt, and remembers all that it has measured.

    It forgets those of FORGOTTEN samples; until MENDED, those of trial 6 cannot be read.
    """

    @property
    def known(self) -> dict[str, Any]:
        """What it remembers, by token."""
        return REMEMBERED

    def has_job(self, token: str) -> bool:
        return token in self.known

    def start(self, token: str) -> None:
        if token in self.known:
            for name, value in self.known[token].items():
                getattr(self, name).put(value)
            self.state.put("done")
        else:
            super().start(token)

    def finish(self) -> None:
        names = ("token", "sample", "x", "y", "curve", "height")
        if self.number not in FORGOTTEN:
            self.known[self.token.get()] = {name: getattr(self, name).get() for name in names}
        lost = self.number % 2 == 1 and self.attempt.get() == 1
        self.message.put("no contact" if lost else "")
        self.state.put("silent" if lost else "done")

    def read(self) -> Any:
        if self.number == 6 and not MENDED[0]:
            raise ConnectionError("the line is dead")
        return super().read()


REMEMBERED: dict[str, Any] = {}
FORGOTTEN: set[int] = set()
MENDED = [False]
