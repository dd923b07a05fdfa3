"""What runs in a driver's process: the instrument of one station, asked over a line."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import pickle
import queue
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from campaigns.errors import AthanorError, StepError, raised_by
from campaigns.laboratory import RealLabConfig, StationConfig
from campaigns.user_code.module_files import open_folder
from campaigns.values import Scalar
from instruments.devices.bound_instrument import BoundInstrument
from instruments.devices.epics_signal import use_control_layer
from instruments.devices.process_instrument import DriverFacts
from instruments.job import Job
from instruments.job_instrument import JobInstrument
from instruments.proof import agrees, proven
from instruments.real_lab import RealLab
from instruments.run_context import RunContext
from loop.execution.device_binding import JobRecords
from loop.execution.lab_setup import build_instrument

PROGRAM = "import sys; from loop.execution.driver_server import main; main(int(sys.argv[1]))"
_NUMBERING = 30.0
"""Wall time in seconds that the controller has to number a run."""


@dataclass(frozen=True, slots=True)
class DriverOrder:
    """What a driver's process is to serve.

    Attributes:
        station: its name.
        config: what the campaign file says of it.
        lab: how EPICS is spoken; None in a lab of the user's own.
        folder: of the campaign file.
        state: folder where jobs are remembered.
        patience: wall time in seconds that a device may take to answer.
        start: what each start document says of the campaign.
        now: lab time in seconds.
    """

    station: str
    config: StationConfig
    lab: RealLabConfig | None
    folder: Path | None
    state: Path
    patience: float
    start: Mapping[str, Any]
    now: float


def main(descriptor: int) -> None:
    """Serve the instrument that the first message orders, until the line is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    server = DriverServer(Connection(descriptor))
    server.serve()


class DriverServer:
    """Answers questions one after the other; the end of the line ends the process at once."""

    def __init__(self, line: Connection) -> None:
        self._line, self._sending = line, threading.Lock()
        self._questions: queue.SimpleQueue[tuple[str, tuple[Any, ...]]] = queue.SimpleQueue()
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()

    def serve(self) -> None:
        """Build the instrument, and answer until the line is closed."""
        order: DriverOrder = self._line.recv()
        threading.Thread(target=self._listen, name="line", daemon=True).start()
        try:
            self._instrument = self._built(order)
        except BaseException as error:  # noqa: BLE001  a driver may raise anything, and whoever asks is told
            self._send("error", portable(error))
            return
        self._instrument.state.subscribe(self._tell, run=False)
        self._send("answer", None)
        while True:
            name, values = self._questions.get()
            try:
                answer = ("answer", self._answer(name, values))
            except BaseException as error:  # noqa: BLE001  as above
                answer = ("error", portable(error))
            self._send(*answer)

    def _built(self, order: DriverOrder) -> JobInstrument:
        if order.folder is not None:
            open_folder(order.folder)
        if order.lab is not None:
            use_control_layer(order.lab.control_layer, order.lab.epics_servers)
        context = RunContext(order.start, self._number, lambda name, body: self._send("document", name, body))
        records = JobRecords(order.state, order.patience, context)
        return build_instrument(order.station, order.config, RealLab(order.now), records)

    def _listen(self) -> None:
        """Take what the controller says; when it is gone, so is this process."""
        with contextlib.suppress(EOFError, OSError):
            while (message := self._line.recv()) != ("close",):
                kind, *rest = message
                if kind == "call":
                    self._questions.put((rest[0], rest[1]))
                else:
                    self._numbers.put(rest[0])
        os._exit(0)

    def _number(self) -> int:
        self._send("number")
        return self._numbers.get(timeout=_NUMBERING)

    def _tell(self, *, value: str, **_: Any) -> None:
        self._send("state", self._instrument.token.get(), value, self._instrument.message.get())

    def _send(self, *message: Any) -> None:
        with self._sending, contextlib.suppress(OSError):
            self._line.send(message)

    def _answer(self, name: str, values: tuple[Any, ...]) -> Any:
        own = self if name in ("facts", "start", "stop", "verify") else self._instrument
        found = getattr(own, name)
        return found(*values) if callable(found) else found

    def facts(self) -> DriverFacts:
        """Return what the instrument says of itself."""
        instrument = self._instrument
        choices = instrument.limits.choices
        units = {key: instrument.unit_of(key) for key in instrument.settings if key not in choices}
        return DriverFacts(tuple(instrument.settings), units, choices, dict(instrument.defaults))

    def start(self, token: str, job: Mapping[str, Any]) -> dict[str, Any]:
        """Start a job, or attach to it; return the settings that it has."""
        instrument = self._instrument
        if not instrument.has_job(token):
            for key, value in job.items():
                _write(getattr(instrument, key), value)
        instrument.start(token)
        self._send("state", instrument.token.get(), instrument.state.get(), instrument.message.get())
        return {key: getattr(instrument, key).get() for key in instrument.settings}

    def stop(self, success: bool) -> None:
        """Stop waiting; plain devices that do not stop are let go with this process."""
        instrument = self._instrument
        instrument.stop(success=success)
        if isinstance(instrument, BoundInstrument) and instrument.state.get() == "busy":
            os._exit(3)

    def verify(self, told: Mapping[str, Any]) -> None:
        """Prove that a job was done; see ``instruments.proof.proven``."""
        for message in proven(self._instrument, Job(**told)):  # a plan that does nothing but to wait
            time.sleep(message.args[0])


def _write(signal: Any, value: Scalar) -> None:
    """Set a signal and read it back.

    Raises:
        StepError: what is read is not what was set.
    """
    signal.set(value).wait()
    if not agrees(value, got := signal.get()):
        raise StepError(
            f"{signal.name} was set to {value!r} and reads {got!r}; nothing was started; look at the device"
        )


def portable(error: BaseException) -> BaseException:
    """Return an error that can be sent to another process: itself where that works, else its words."""
    with contextlib.suppress(Exception):
        if isinstance(error, AthanorError) and str(pickle.loads(pickle.dumps(error))) == str(error):
            return error
    return StepError(f"the driver raised {raised_by(error)}")
