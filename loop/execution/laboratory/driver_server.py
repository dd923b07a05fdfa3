"""What runs in a driver's process: the instrument of one station, asked over a line."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from campaigns.lab.laboratory import RealLabConfig, StationConfig
from campaigns.user_code.module_files import open_folder
from instruments.devices.answer_line import AnswerLine
from instruments.devices.bound_instrument import BoundInstrument
from instruments.devices.epics_signal import use_control_layer
from instruments.devices.served_instrument import ServedInstrument
from instruments.emergency_stop import StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.real_lab import RealLab
from instruments.run_context import RunContext
from instruments.station_guard import StationGuard, StationRules
from loop.execution.laboratory.device_binding import JobRecords
from loop.execution.laboratory.lab_setup import build_instrument

PROGRAM = "import sys; from loop.execution.laboratory.driver_server import main; main(int(sys.argv[1]))"


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
    """Answers questions about one instrument; the end of the line ends the process at once."""

    def __init__(self, line: Connection) -> None:
        self._line = AnswerLine(line, lambda: os._exit(0))
        self._start: dict[str, Any] = {}

    def serve(self) -> None:
        """Build the instrument, and answer until the line is closed."""
        order: DriverOrder = self._line.begin()
        if self._line.reply(lambda: self._build(order)):
            self._line.serve(self._answer)

    def _build(self, order: DriverOrder) -> None:
        if order.folder is not None:
            open_folder(order.folder)
        if order.lab is not None:
            use_control_layer(order.lab.control_layer, order.lab.epics_servers)
        self._start.update(order.start)
        context = RunContext(self._start, self._line.number, lambda name, body: self._line.send("document", name, body))
        records = JobRecords(order.state, order.patience, context)
        made = build_instrument(order.station, order.config, RealLab(order.now), records)
        if isinstance(made, BoundInstrument):  # which no lab file has: those of one may not stand in a process
            stop = StopFile(order.state.with_suffix(".stop"))
            GuardedInstrument(made, StationGuard(order.station, StationRules(), {}, {}, stop))
        self._served = ServedInstrument(made, partial(self._line.send, "state"), self._start)

    def _answer(self, name: str, values: tuple[Any, ...]) -> Any:
        answer = self._served.answer(name, values)
        instrument = self._served.instrument
        if name == "stop" and isinstance(instrument, BoundInstrument) and instrument.state.get() == "busy":
            os._exit(3)  # plain devices that do not stop are let go with this process
        return answer
