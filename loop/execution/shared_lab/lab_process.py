"""The process that owns all instruments of a lab file, and serves them to campaigns until it is told to end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from campaigns.errors import CampaignError, LabError, Problem
from campaigns.lab_file import load_lab_file
from campaigns.lab_rules import LabFileConfig
from campaigns.laboratory import CustomLabConfig, RealLabConfig
from campaigns.manual_consistency import MANUAL
from campaigns.user_code.module_files import open_folder
from instruments.emergency_stop import StopFile
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from instruments.whole_file import write_whole
from loop.execution.device_binding import CONNECTING, JobRecords
from loop.execution.lab_safety import LabSafety
from loop.execution.lab_setup import build_instrument, real_lab
from loop.execution.shared_lab.lab_service import LabService
from loop.execution.shared_lab.messages import fingerprint
from loop.execution.shared_lab.reservations import Reservations
from loop.execution.shared_lab.shared_station import SharedStation, StationContext
from loop.execution.shared_lab.socket_file import listening
from loop.storage.lab_lock import LabLock, shared_folder

_LOOK = 0.05
"""Wall time in seconds between two looks at what changes by itself; it decides about nothing."""
LAB_PROCESS = "the lab process"
"""Who drives the instruments of a lab file then."""


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
        LabError: there is no instrument that answers, or another process drives them.
    """
    rules = load_lab_file(file)
    config = _shared(rules, file)
    with ExitStack() as owned:
        owned.enter_context(LabLock(file, LAB_PROCESS))
        lab = real_lab(config, 0.0)
        owned.callback(lab.close)
        if not lab.clock.wall_time(1.0):
            raise LabError("the laboratory's clock skips waiting, which campaigns cannot share; run them one by one")
        service = _service(rules, lab, tell, owned)
        server = owned.enter_context(closing(listening(file)))
        threading.Thread(target=service.accept, args=(server,), name="accept", daemon=True).start()
        tell(f"{file}: campaigns may attach now")
        while not abort.is_set() and not (service.is_closed and not service.jobs):
            if stop.is_set() and not service.is_closed:
                service.close()
                tell(f"no new job begins; {', '.join(service.jobs) or 'no station'} under way")
            service.look()
            time.sleep(_LOOK)


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
    if problems := list(_not_shared(rules)):
        raise CampaignError(problems, str(file))
    return rules.lab


def _not_shared(rules: LabFileConfig) -> Iterator[Problem]:
    """Yield what a lab process cannot do for campaigns."""
    for name, station in rules.stations.items():
        if station.capacity > 1:
            message = "a lab process gives a station to one job of one sample; remove capacity to share the laboratory"
            yield Problem(f"stations.{name}.capacity", message)
        if station.standard is not None:
            message = "a lab process measures no standards; remove standard to share the laboratory"
            yield Problem(f"stations.{name}.standard", message)


def _service(rules: LabFileConfig, lab: Lab, tell: Callable[[str], None], owned: ExitStack) -> LabService:
    """Return what serves a laboratory, with its instruments watched."""
    folder = shared_folder(rules.path)
    open_folder(rules.path.absolute().parent)
    about = {name: StationContext() for name in rules.stations}
    instruments, absent = _instruments(rules, lab, about)
    for name, why in absent.items():
        tell(f"{name} is left out: {why}")
    reservations = Reservations(
        folder / "reservations.json", rules.stations, rules.reservation_timeout, time.monotonic()
    )
    safety = LabSafety(rules, StopFile(rules.stop_file), instruments, FiledUnsafeStations(folder / "unsafe.json"))
    owned.callback(safety.close)
    stations = {name: SharedStation(guarded, reservations, about[name]) for name, guarded in safety.guarded.items()}
    service = LabService(fingerprint(rules.path), stations, absent, safety, reservations, tell)
    safety.watch(stations)
    return service


def _instruments(
    rules: LabFileConfig, lab: Lab, about: Mapping[str, StationContext]
) -> tuple[dict[str, JobInstrument], dict[str, str]]:
    """Return station to its instrument; and each station that does not answer to why.

    Raises:
        LabError: none answers.
    """
    found: dict[str, JobInstrument] = {}
    absent: dict[str, str] = {}
    patience = getattr(rules.lab, "connection_timeout", CONNECTING)
    how = rules.lab if isinstance(rules.lab, RealLabConfig) else None
    for name, config in rules.stations.items():
        if config.kind == MANUAL:
            continue  # each campaign asks people by itself
        records = JobRecords(shared_folder(rules.path), patience, about[name].context, how)
        try:
            found[name] = build_instrument(name, config, lab, records)
        except LabError as error:
            absent[name] = str(error)
    if not found:
        raise LabError(f"no station can be used: {'; '.join(absent.values())}")
    return found, absent
