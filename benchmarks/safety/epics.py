"""A kiln on EPICS with limits of its own, which writes down what arrives; its driver, and what judges that afterwards.

python -m benchmarks.safety.epics --port PORT --journal FILE PREFIX
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from caproto.server import PVGroup
from ophyd import Component, EpicsSignal

from benchmarks.safety.account import Account
from benchmarks.safety.users import WORLDS, Heater
from instruments.devices.epics_signal import PATIENCE, Channel
from instruments.job_instrument import JobInstrument
from instruments.limits import Limits
from simulators.epics_ioc import note, numeric_variable, serve_variables
from simulators.epics_lab import EpicsServer, unused_port

PREFIX = "kiln:"
NAMES = "abc"
LIMITS = (-90.0, 110.0)
"""Limits that the server states."""


class Kiln(Heater):
    """A driver of a user's own for a kiln on EPICS, which overrides all that it can."""

    a = Component(Channel, "a")
    b = Component(Channel, "b")
    c = Component(Channel, "c")

    @property
    def limits(self) -> Limits:
        """What the server states."""
        return Limits(self.name, {key: getattr(self, key).limits for key in self.settings}, {})

    def __init__(self, *args: Any, world: int, station: str, sly: bool = False, **kwargs: Any) -> None:
        JobInstrument.__init__(self, *args, **kwargs)
        self.world = WORLDS[world]
        for name in self.settings:
            place = f"{station}.{name}"
            self.world.axes[place] = Patient(getattr(self, name))
            self.world.inner[place] = Twin(f"{self.prefix}{name}")
            self.world.account.is_new(place)
        if sly:
            self.world.command(lambda: Patient(self.a).put(1e6))


class Patient:
    """A signal that is waited for, so that what it is told has arrived before anything else changes."""

    def __init__(self, signal: Any) -> None:
        self._signal = signal

    def put(self, value: Any) -> None:
        """Put a value."""
        self._signal.wait_for_connection(timeout=PATIENCE)
        self._signal.put(value, wait=True, timeout=PATIENCE)

    def set(self, value: Any) -> None:
        """Set a value."""
        self._signal.set(value).wait(PATIENCE)


class Twin(Patient):
    """Another signal for a process variable, made when it is first used."""

    def __init__(self, variable: str) -> None:
        super().__init__(None)
        self._variable = variable

    def put(self, value: Any) -> None:
        """Put a value."""
        if self._signal is None:
            self._signal = EpicsSignal(self._variable, name="twin")
        super().put(value)


class KilnServer(EpicsServer):
    """The process that serves the kiln, and keeps a journal of what arrives."""

    def __init__(self, journal: Path, units: Sequence[str]) -> None:
        self.journal, port = journal, unused_port()
        journal.touch()
        super().__init__(["-m", __name__, "--port", str(port), "--journal", str(journal), PREFIX, *units], port)


def judge(account: Account, station: str, journal: Path, closed: Sequence[tuple[float, str]]) -> None:
    """Judge by the server's journal what has arrived at a kiln.

    Args:
        account: of the laboratory.
        station: where the kiln stands.
        journal: of the server.
        closed: since when [seconds since the epoch] nothing may move there, and why; empty where something may.
    """
    for line in journal.read_text(encoding="utf-8").splitlines():
        when, name, text = line.split()
        value, part = json.loads(text), account.parts[f"{station}.{name}"]
        account.setpoints += 1
        if value == part.safe and station in account.troubled:
            continue
        why = [one for at, one in closed if at <= float(when)][-1:]
        if not part.low <= value <= part.high:
            account.wrong.append(f"{station}.{name} = {value}: outside of {part.low} to {part.high}")
        account.wrong += [f"{station}.{name} = {value}: {one}" for one in why if one]


def _group(prefix: str, units: Sequence[str], journal: Path) -> PVGroup:
    """Return the variables of a kiln, each of which writes down what arrives."""

    def taken(name: str) -> Any:
        async def take(group: PVGroup, instance: Any, value: Any) -> None:
            del group, instance
            note(journal, f"{time.time()!r}", name, json.dumps(value))

        return take

    stated = zip(NAMES, units, strict=True)
    variables = {name: numeric_variable(name, unit, *LIMITS, put=taken(name)) for name, unit in stated}
    kind: type[PVGroup] = type("KilnGroup", (PVGroup,), variables)
    return kind(prefix)


def main() -> None:
    """Serve a kiln until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("prefix")
    parser.add_argument("units", nargs=len(NAMES))
    options = parser.parse_args()
    serve_variables([_group(options.prefix, options.units, options.journal)], options.port)


if __name__ == "__main__":
    main()
