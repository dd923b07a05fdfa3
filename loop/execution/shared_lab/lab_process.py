"""The process that owns all instruments of a lab file, and serves them to campaigns until it is told to end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from campaigns.checks.manual_consistency import MANUAL
from campaigns.errors import CampaignError, LabError, Problem
from campaigns.lab.lab_file import load_lab_file
from campaigns.lab.lab_rules import LabFileConfig
from campaigns.lab.laboratory import CustomLabConfig, RealLabConfig
from campaigns.user_code.module_files import open_folder
from instruments.emergency_stop import StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from instruments.whole_file import write_whole
from loop.execution.laboratory.device_binding import CONNECTING, JobRecords
from loop.execution.laboratory.lab_safety import LabSafety
from loop.execution.laboratory.lab_setup import build_instrument, real_lab
from loop.execution.laboratory.missing_stations import MissingStations
from loop.execution.shared_lab.lab_service import LabService
from loop.execution.shared_lab.reservations import Reservations
from loop.execution.shared_lab.shared_station import SharedStation, StationContext
from loop.execution.shared_lab.socket_file import Listener, note_end
from loop.storage.lab_files.lab_lock import LAB_PROCESS, LabLock, shared_folder

_LOOK = 0.05
"""Wall time in seconds between two looks at what changes by itself; it decides about nothing."""


class FiledUnsafeStations:
    """The stations that may not be in their safe states, in a file beside the lab file.

    Args:
        file: where they are kept.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        self._known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    @property
    def known(self) -> Mapping[str, str]:
        """Station to what did not work."""
        return self._known

    def note(self, station: str, wrong: str) -> str:
        """Remember a station, from any thread; return why that could not be stored, empty if it was."""
        return self._change({station: wrong}, "")

    def settle(self, station: str) -> None:
        """Forget a station at which somebody has looked."""
        self._change({}, station)

    def _change(self, more: Mapping[str, str], without: str) -> str:
        with self._lock:
            self._known = {key: text for key, text in {**self._known, **more}.items() if key != without}
            try:
                write_whole(self._file, json.dumps(self._known))
            except OSError as error:
                return str(error)
        return ""


def run_lab(file: Path, tell: Callable[[str], None], stop: threading.Event, abort: threading.Event) -> None:
    """Own the instruments of a lab file, and serve them to campaigns.

    Args:
        file: the lab file.
        tell: told what happens, from any thread.
        stop: begin nothing more, and end when the jobs under way have ended and their campaigns know it.
        abort: end at once; the jobs of plain devices and plans are given up.

    Raises:
        CampaignError: the lab file is wrong.
        LabError: another process drives the instruments.
    """
    rules = load_lab_file(file)
    config = _shared(rules, file)
    with ExitStack() as owned:
        owned.enter_context(LabLock(file, LAB_PROCESS))
        lab = real_lab(config, 0.0)
        owned.callback(lab.close)
        if not lab.clock.wall_time(1.0):
            raise LabError("the laboratory's clock skips waiting, which campaigns cannot share; run them one by one")
        floor = SharedFloor(rules, lab, tell, owned)
        service = floor.service
        listener = owned.enter_context(closing(Listener(file, service.accept)))
        tell(f"{file}: campaigns may attach now")
        while not abort.is_set() and not (service.is_closed and not service.jobs):
            if stop.is_set() and not service.is_closed:
                service.close()
                tell(f"no new job begins; {', '.join(service.jobs) or 'no station'} under way")
            floor.admit()
            service.look()
            if text := listener.look():
                tell(text)
            time.sleep(_LOOK)
        note_end(file)


def _shared(rules: LabFileConfig, file: Path) -> CustomLabConfig | RealLabConfig:
    """Return the laboratory, if there is something to share.

    Raises:
        CampaignError: its instruments are simulated.
    """
    if not isinstance(rules.lab, CustomLabConfig | RealLabConfig):
        message = (
            f"got {rules.lab.kind}: simulated instruments are each campaign's own, on a clock of its own, so that "
            "there is nothing to share; run the campaigns side by side, or use kind: real"
        )
        raise CampaignError([Problem("lab.kind", message)], str(file))
    return rules.lab


class SharedFloor:
    """The stations of a laboratory that several campaigns share, each from when it answers.

    Args:
        rules: of the lab file.
        lab: its clock, and what stands at stations that name no device.
        tell: told what happens, from any thread.
        owned: what is closed at the end.

    Attributes:
        service: serves them.
    """

    def __init__(self, rules: LabFileConfig, lab: Lab, tell: Callable[[str], None], owned: ExitStack) -> None:
        self._rules, self._lab, self._tell = rules, lab, tell
        folder = shared_folder(rules.path)
        open_folder(rules.path.absolute().parent)
        self._about = {name: StationContext() for name in rules.stations}
        self._missing = MissingStations(self._build, lambda: None)
        owned.callback(self._missing.close)
        instruments = dict(self._first())
        self._reservations = Reservations(
            folder / "reservations.json", rules.stations, rules.reservation_timeout, time.monotonic()
        )
        unsafe = FiledUnsafeStations(folder / "unsafe.json")
        self._safety = LabSafety(rules, StopFile(rules.stop_file), instruments, unsafe)
        owned.callback(self._safety.close)
        self._stations = {name: self._station(guarded) for name, guarded in self._safety.guarded.items()}
        reservations = (self._safety, self._reservations)
        people = [name for name, config in rules.stations.items() if config.kind == MANUAL]
        self.service = LabService(rules.path, self._stations, self._missing.why, people, *reservations, tell)
        self._safety.watch(self._stations)

    def admit(self) -> None:
        """Serve the stations that were missing, and answer now."""
        for name, instrument in self._missing.take():
            try:
                self._safety.admit(name, instrument, self._watched)
            except LabError as error:
                self._missing.look_for(name, str(error))
                continue
            self.service.add(self._stations[name])
            self._tell(f"{name} answers now, and is served")

    def _first(self) -> Iterator[tuple[str, JobInstrument]]:
        """Yield the stations that answer at once, with their instruments; look for the others from now on."""
        for name, config in self._rules.stations.items():
            if config.kind == MANUAL:
                continue  # each campaign asks people by itself
            try:
                yield name, self._build(name)
            except LabError as error:
                self._tell(f"{name} is looked for again and again, and left out until then: {error}")
                self._missing.look_for(name, str(error))

    def _build(self, name: str) -> JobInstrument:
        """Return the instrument of a station.

        Raises:
            CampaignError: it cannot be made.
            LabError: it does not answer.
        """
        timeout = getattr(self._rules.lab, "connection_timeout", CONNECTING)
        how = self._rules.lab if isinstance(self._rules.lab, RealLabConfig) else None
        records = JobRecords(shared_folder(self._rules.path), timeout, self._about[name].context, how)
        return build_instrument(name, self._rules.stations[name], self._lab, records)

    def _watched(self, guarded: GuardedInstrument) -> None:
        self._stations[guarded.guard.name] = self._station(guarded)

    def _station(self, guarded: GuardedInstrument) -> SharedStation:
        return SharedStation(guarded, self._reservations, self._about[guarded.guard.name])
