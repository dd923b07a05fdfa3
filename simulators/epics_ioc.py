"""Furnaces on EPICS Channel Access, simulated: ``python -m simulators.epics_ioc --port 5099 --speed 3600 lab:oven:``.

Every prefix is one furnace. The server says ``ready`` when it can be reached, and ends when its standard input does, so
that it never outlives the process that has started it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from caproto import ChannelType
from caproto.server import PVGroup, pvproperty, run

from instruments.job import NO_SAMPLE
from simulators.furnace_thermal import NOISE, ROOM, Program, record, temperature

LOG_LENGTH = 400
"""Readings that a log can hold."""
SCAN = 0.02
"""Wall time between two readings of the thermocouple [s]."""


def numeric_variable(name: str, units: str, low: float = 0.0, high: float = 0.0, **kwargs: Any) -> Any:
    """Return a process variable that holds a number, with its control limits."""
    limits = {"lower_ctrl_limit": low, "upper_ctrl_limit": high}
    return pvproperty(name=name, value=0.0, units=units, precision=3, **limits, **kwargs)


def words(name: str, value: str = "", **kwargs: Any) -> Any:
    """Return a process variable that holds a text of any length up to 256."""
    form = {"dtype": ChannelType.CHAR, "max_length": 256, "string_encoding": "utf-8"}
    return pvproperty(name=name, value=value, **form, **kwargs)


def choice(name: str, *values: str) -> Any:
    """Return a process variable that holds one of several texts."""
    return pvproperty(name=name, value=values[0], dtype=ChannelType.ENUM, enum_strings=values)


def waveform(name: str, units: str) -> Any:
    """Return a process variable that holds a log."""
    return pvproperty(name=name, value=[0.0], max_length=LOG_LENGTH, units=units)


async def take(group: FurnaceGroup, instance: Any, value: Any) -> None:
    """Start the job whose token is written."""
    del instance
    await group.begin(value if isinstance(value, str) else bytes(value).split(b"\0")[0].decode())


async def halt(group: FurnaceGroup, instance: Any, value: Any) -> None:
    """End the program under way, and switch the heater off."""
    del instance, value
    await group.halt()


async def watch(group: FurnaceGroup, instance: Any, async_lib: Any) -> None:
    """Read the thermocouple again and again, and end programs that are over."""
    while True:
        await group.scan(instance)
        await async_lib.library.sleep(SCAN)


class PlaceGroup(PVGroup):
    """The process variables of one crucible, whose thermocouple has contact or not."""

    sample = words("Sample", NO_SAMPLE)
    material = words("Material")
    attempt = pvproperty(name="Attempt", value=0)
    token = words("Token")
    state = choice("State", "empty", "busy", "done", "fault", "sample failed")
    message = words("Message")
    contact = choice("Contact", "closed", "open")
    lithium_excess = numeric_variable("LithiumExcess", "percent", 0.0, 30.0)
    soak_mean = numeric_variable("SoakMean", "degC")

    async def begin(self) -> None:
        """Begin a program with what stands here."""
        await self.message.write("")
        await self.state.write("empty" if self.sample.value == NO_SAMPLE else "busy")

    async def finish(self, soak_mean: float) -> None:
        """End it, well where the contact has held; the crucible has been as hot as the chamber."""
        if self.state.value == "busy":
            held = self.contact.value == "closed"
            await self.soak_mean.write(soak_mean if held else 0.0)
            await self.message.write("" if held else "no contact")
            await self.state.write("done" if held else "fault")


@dataclass(frozen=True, slots=True)
class Running:
    """A program under way, and when it was started [s of the furnace's own time]."""

    program: Program
    started: float


class FurnaceGroup(PVGroup):
    """The process variables of one furnace, and its controller."""

    sample = words("Sample")
    material = words("Material")
    step = words("Step")
    attempt = pvproperty(name="Attempt", value=0)
    token = words("Token")
    state = choice("State", "idle", "busy", "done", "fault")
    message = words("Message")
    command = words("Start", put=take)
    stop = pvproperty(name="Stop", value=0, put=halt)
    phase = words("Phase", "idle")
    door = choice("Door", "closed", "open")

    setpoint = numeric_variable("Temperature", "degC", 100.0, 1200.0)
    time = numeric_variable("Time", "h", 0.1, 100.0)
    ramp_rate = numeric_variable("RampRate", "degC/min", 0.5, 20.0)
    lithium_excess = numeric_variable("LithiumExcess", "percent", 0.0, 30.0)
    atmosphere = choice("Atmosphere", "air", "oxygen", "argon")

    readback = numeric_variable("Readback", "degC", startup=watch)
    profile_time = waveform("ProfileTime", "s")
    profile_temperature = waveform("ProfileTemperature", "degC")
    peak = numeric_variable("PeakTemperature", "degC")
    soak_mean = numeric_variable("SoakMean", "degC")
    soak_sd = numeric_variable("SoakDeviation", "degC")

    def __init__(self, prefix: str, *, speed: float, journal: Path | None = None, places: int = 0) -> None:
        super().__init__(prefix)
        self._places = [PlaceGroup(f"{prefix}Place{number}:") for number in range(1, places + 1)]
        for place in self._places:
            self.pvdb.update(place.pvdb)
        self._speed, self._journal = speed, journal
        self._rng = np.random.default_rng(len(prefix))
        self._running: Running | None = None

    async def begin(self, token: str) -> None:
        """Start the program of a new token; attach to that of a known one.

        Raises:
            RuntimeError: the furnace is busy with another job, or has no program.
        """
        if token == self.token.value:
            return
        if self.ramp_rate.value <= 0:
            raise RuntimeError("no program was set since the furnace was switched on")
        if self._running is not None:
            raise RuntimeError(f"busy with {self.token.value!r}")
        self._running = Running(Program(self.setpoint.value, self.time.value, self.ramp_rate.value), self._now())
        self._note("begin", token)
        for place in self._places:
            await place.begin()
        await self.state.write("busy")
        await self.token.write(token)

    async def halt(self) -> None:
        """End the program under way as failed."""
        if self._running is not None:
            self._running = None
            self._note("stopped", self.token.value)
            await self.message.write("stopped by command")
            await self.state.write("fault")

    async def scan(self, readback: Any) -> None:
        """Read the thermocouple once, and see how far the program is."""
        await readback.write(self._chamber() + self._rng.normal(0.0, NOISE))
        if self._running is not None:
            await self._control(self._running)

    async def _control(self, running: Running) -> None:
        elapsed = self._now() - running.started
        share = 100 * min(elapsed / running.program.duration, 1.0)
        await self.phase.write(f"{running.program.phase(elapsed)}, {share:.0f} %")
        if elapsed >= running.program.duration:
            await self._finish(running.program)

    async def _finish(self, program: Program) -> None:
        log = record(program, self._rng)
        await self.profile_time.write(log.time)
        await self.profile_temperature.write(log.temperature)
        await self.peak.write(log.peak)
        await self.soak_mean.write(log.soak_mean)
        await self.soak_sd.write(log.soak_sd)
        for place in self._places:
            await place.finish(log.soak_mean)
        self._running = None
        self._note("done", self.token.value)
        await self.phase.write("done")
        await self.state.write("done")

    def _chamber(self) -> float:
        if self._running is None:
            return ROOM
        return float(temperature(self._running.program, self._now() - self._running.started))

    def _now(self) -> float:
        return time.monotonic() * self._speed

    def _note(self, *words: str) -> None:
        """Write down what is done, with the furnace in front; it is on disk before anybody is told of it."""
        if self._journal is not None:
            note(self._journal, self.prefix, *words)


def note(journal: Path, *words: str) -> None:
    """Append a line to a file, and sync it."""
    with journal.open("a", encoding="utf-8") as file:
        file.write(" ".join(words) + "\n")
        file.flush()
        os.fsync(file.fileno())


async def ready(async_lib: Any) -> None:
    """Say that the server can be reached, and end it when standard input ends."""
    del async_lib
    asyncio.get_running_loop().run_in_executor(None, follow_parent)
    print("ready", flush=True)


def follow_parent() -> None:
    """End the process when standard input ends, which it does when the parent is killed."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve furnaces on loopback until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port of Channel Access")
    parser.add_argument("--speed", type=float, default=1.0, help="lab time per wall time")
    parser.add_argument("--journal", type=Path, help="file in which the furnaces write down what they do")
    parser.add_argument("--places", type=int, default=0, help="crucibles of each furnace, if it takes several")
    parser.add_argument("prefixes", nargs="+", help="prefix of each furnace")
    options = parser.parse_args()
    given = {"speed": options.speed, "journal": options.journal, "places": options.places}
    serve_variables([FurnaceGroup(prefix, **given) for prefix in options.prefixes], options.port)


def serve_variables(groups: Sequence[PVGroup], port: int) -> None:
    """Serve process variables on loopback, and say when they can be reached."""
    os.environ["EPICS_CA_SERVER_PORT"] = str(port)
    variables = {name: variable for group in groups for name, variable in group.pvdb.items()}
    run(variables, interfaces=["127.0.0.1"], startup_hook=ready)


if __name__ == "__main__":
    main()
