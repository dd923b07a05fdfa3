"""A laboratory whose furnaces are on EPICS, over loopback; its other instruments are virtual."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from campaigns.errors import LabError
from instruments.built_in import FURNACE
from instruments.clock import WallClock
from instruments.devices.epics_furnace import EpicsFurnace, EpicsPlace
from instruments.devices.epics_signal import use_control_layer
from instruments.job import Job, LoadMember
from instruments.places import with_places
from simulators.job_ledger import JobLedger, LedgerEntry, PlacedSample
from simulators.shared_state import LabSetup, LabState, Physics, Places
from simulators.virtual_lab import SimulatedLab, virtual_instrument

ROOT = Path(__file__).parent.parent
LOOPBACK = {
    "EPICS_CA_ADDR_LIST": "127.0.0.1",
    "EPICS_CA_AUTO_ADDR_LIST": "NO",
    "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
    "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
}
CONNECTING = 20.0
"""Wall time in seconds that a furnace may take to be found."""


class EpicsServer:
    """A process that serves EPICS on loopback; it ends with this one, even when this one is killed.

    Args:
        command: Python's arguments; the program says ``ready`` when it can be reached, and ends with standard input.
        port: of Channel Access.
        log: file for its messages; None for those of this process.

    Raises:
        LabError: the server does not start.
    """

    def __init__(self, command: Sequence[str], port: int, log: IO[bytes] | None = None) -> None:
        self.port = port
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env=os.environ | LOOPBACK,
            start_new_session=True,  # Ctrl-C is the controller's to handle
        )
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            self.kill()
            raise LabError(
                f"the EPICS server of the furnaces did not start on port {self.port}; see its messages above"
            )

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill the server, as a power cut would."""
        self._process.kill()
        self.close()

    def silence(self) -> None:
        """Let the server answer nothing, as a network that is down; it is stopped, and so are its instruments."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server answer again, what it was asked meanwhile, too."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server."""
        self.resume()
        self._process.communicate()


class FurnaceServer(EpicsServer):
    """The process that serves simulated furnaces.

    Args:
        prefixes: of the process variables, one per furnace.
        speed: lab time per wall time.
        port: of Channel Access.
        journal: file in which the furnaces write down what they do.
        log: file for its messages; None for those of this process.
        places: crucibles of each furnace, where they take several.
    """

    def __init__(
        self,
        prefixes: Sequence[str],
        speed: float,
        port: int,
        journal: Path | None = None,
        log: IO[bytes] | None = None,
        *,
        places: int = 0,
    ) -> None:
        kept = [] if journal is None else ["--journal", str(journal)]
        crucibles = ["--places", str(places)] if places else []
        command = ["-m", "simulators.epics_ioc", "--port", str(port), "--speed", str(speed), *kept, *crucibles]
        super().__init__([*command, *prefixes], port, log)


def unused_port() -> int:
    """Return a port of loopback that is free for both UDP and TCP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        port: int = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
    return port


class RecordedFurnace(EpicsFurnace):
    """A furnace on EPICS whose samples the virtual instruments know, as they have come out of it."""

    def __init__(self, prefix: str = "", *, name: str, bench: LabState, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, clock=bench.clock, **kwargs)
        self.bench = bench

    def verify(self, job: Job) -> None:
        """Prove from the log that the job did what it was told, and record what its sample has really seen.

        Raises:
            StepError: the log is empty or says otherwise.
        """
        super().verify(job)
        if self.bench.ledger.find(self.name, job.token) is None:
            told = {key: value for key, value in self.with_defaults(job.recipe).items() if key not in self.own}
            recipe = told | {"temperature": float(self.soak_mean_temperature.get())}
            now = self.clock.now()
            load = tuple(self._placed(one, job) for one in job.members)
            header = (job.sample, job.material, job.step, job.attempt)
            self.bench.ledger.append(LedgerEntry(self.name, job.token, *header, recipe, now, load))

    def _placed(self, one: LoadMember, job: Job) -> PlacedSample:
        """Return what is recorded of a sample of a load."""
        recipe = self.with_defaults({**job.recipe, **one.recipe})
        own = {key: recipe[key] for key in self.own_settings}
        return PlacedSample(one.token, one.sample, one.material, one.attempt, one.place, own)


def _furnace_class(places: Places | None) -> type[RecordedFurnace]:
    """Return the class of a furnace, with places where it takes several samples."""
    if places is None:
        return RecordedFurnace
    return with_places(RecordedFurnace, places.capacity, FURNACE.own(places.shared), EpicsPlace)


class EpicsLab(SimulatedLab):
    """Furnaces over Channel Access on loopback and virtual instruments, on a wall clock.

    The simulated furnaces remember nothing when their server ends, and it ends with this process.

    Args:
        setup: stations and folder; its faults meet the virtual instruments only.
        physics: the world behind the virtual instruments.
        speed: seconds of lab time per second of wall time.

    Raises:
        LabError: the server does not start, or a furnace is not found.
    """

    def __init__(self, setup: LabSetup, physics: Physics, speed: float = 10000.0) -> None:
        ledger = JobLedger(setup.state / "instruments.jsonl")
        port = unused_port()
        prefixes = {name: f"athanor{port}:{name}:" for name, kind in setup.stations.items() if kind == "furnace"}
        most = max((places.capacity for name, places in setup.places.items() if name in prefixes), default=0)
        self.server = FurnaceServer(list(prefixes.values()), speed, port, places=most)
        bench = LabState(setup, WallClock(speed, max(setup.start, ledger.latest)), physics, ledger)
        use_control_layer(servers=[f"127.0.0.1:{self.server.port}"])
        self._furnaces = {n: _furnace_class(setup.places.get(n))(p, name=n, bench=bench) for n, p in prefixes.items()}
        others = {n: virtual_instrument(kind, n, bench) for n, kind in setup.stations.items() if kind != "furnace"}
        super().__init__(bench, self._furnaces | others)
        self._connect()

    def close(self) -> None:
        """Let go of the furnaces, end their server, and do what every simulated lab does."""
        for furnace in self._furnaces.values():
            furnace.destroy()
        self.server.close()
        super().close()

    def _connect(self) -> None:
        for furnace in self._furnaces.values():
            try:
                furnace.wait_for_connection(timeout=CONNECTING)
            except TimeoutError as error:
                self.close()
                raise LabError(f"{furnace.name} does not answer on port {self.server.port}: {error}") from error
