"""A furnace and an axis over EPICS: ``python -m tests.loop.faults.server 5099 FOLDER``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from caproto.server import PVGroup, pvproperty

from simulators.epics_ioc import FurnaceGroup, Running, serve_variables
from tests.loop.faults.floor import Floor

SPEED = 36000.0
"""Lab time of the furnace per wall time."""
_SCAN = 0.02
_MOVING = 0.1
"""Wall time in seconds that the axis takes for any way, and between two looks at whether it is there."""


class HeldFurnace(FurnaceGroup):
    """A furnace that ends no program while it is held."""

    def __init__(self, prefix: str, floor: Floor) -> None:
        super().__init__(prefix, speed=SPEED, journal=floor.journal, places=2)
        self._floor = floor
        self._begun: tuple[str, ...] = ()

    def _note(self, *words: str) -> None:
        """Write down what is done; that a program has begun, once whoever has started it knows."""
        if words[0] == "begin":
            self._begun = words
        else:
            super()._note(*words)

    async def _control(self, running: Running) -> None:
        if self._begun:
            super()._note(*self._begun)
            self._begun = ()
        if not self._floor.held:
            await super()._control(running)


async def _move(group: Axis, instance: Any, value: float) -> None:
    del instance
    await group.move(value)


async def _stop(group: Axis, instance: Any, value: Any) -> None:
    del instance, value
    await group.stop_moving()


async def _follow(group: Axis, instance: Any, async_lib: Any) -> None:
    del instance
    while True:
        await group.scan()
        await async_lib.library.sleep(_SCAN)


class Axis(PVGroup):
    """An axis, and a gauge that reads twice where it is; it remembers no jobs, and is at 0 when it is switched on."""

    val = pvproperty(name="val", value=0.0, put=_move, precision=4)
    rbv = pvproperty(name="rbv", value=0.0, startup=_follow, precision=4)
    dmov = pvproperty(name="dmov", value=1)
    stop = pvproperty(name="stop", value=0, put=_stop)
    gauge = pvproperty(name="gauge", value=0.0, precision=4)

    def __init__(self, prefix: str, floor: Floor) -> None:
        super().__init__(prefix)
        self._floor = floor
        self._way: tuple[float, float] | None = None
        self._begun = True

    async def move(self, to: float) -> None:
        """Begin to move."""
        self._way, self._begun = (to, time.monotonic() + _MOVING), False
        await self.dmov.write(0)

    async def stop_moving(self) -> None:
        """Stay where it was."""
        if self._way is not None:
            self._floor.note("axis", "stopped", f"{self._way[0]:g}")
            self._way = None
            await self.dmov.write(1)

    async def scan(self) -> None:
        """See whether it is there."""
        if self._way is not None and not self._begun:
            self._floor.note("axis", "begin", f"{self._way[0]:g}")
            self._begun = True
        if self._way is None or self._floor.held or time.monotonic() < self._way[1]:
            return
        to, self._way = self._way[0], None
        self._floor.note("axis", "done", f"{to:g}")
        await self.rbv.write(to)
        await self.gauge.write(2.0 * to)
        await self.dmov.write(1)


def main(port: str, folder: str) -> None:
    """Serve both until standard input ends."""
    floor = Floor(Path(folder))
    serve_variables([HeldFurnace("matrix:oven:", floor), Axis("matrix:axis:", floor)], int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
