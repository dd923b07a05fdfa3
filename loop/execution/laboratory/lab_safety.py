"""The safety of a running campaign's laboratory: guards before its instruments, and who watches them."""

from __future__ import annotations

import queue
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Thread
from typing import Any

from campaigns.errors import CampaignError, LabError, LimitError, Problem, called
from campaigns.lab.conditions import Condition
from campaigns.lab.lab_rules import LabFileConfig, ReadingConfig
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from instruments.construction_guard import nothing_moves
from instruments.emergency_stop import EmergencyStop, StopFile
from instruments.guarded_devices import GuardedInstrument, part_of
from instruments.interlock_readings import InterlockReading
from instruments.job_instrument import JobInstrument
from instruments.safe_state import make_safe, unsafe_text
from instruments.safety_monitor import GivesUp, SafetyMonitor, WatchedLab
from instruments.station_guard import StationGuard, StationRules
from loop.storage.unsafe_stations import UnsafeStations

_PATIENCE = 2.0
"""Wall time in seconds for which it is waited until stations were told to go into their safe states; not tuned: links
answer in milliseconds, and one that is dead shall not keep the others' jobs from being given up."""


class Safety(ABC):
    """What a session knows of the safety of its laboratory, whoever watches that.

    Args:
        stop: the laboratory's emergency stop.
        not_safe: remembers the stations that may not be in their safe states.
    """

    def __init__(self, stop: StopFile, not_safe: UnsafeStations) -> None:
        self.stop, self._not_safe = stop, not_safe
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._begun: dict[str, int] = {}
        self._telling: list[Thread] = []

    def news(self) -> list[str]:
        """Return what has happened since the last call."""
        found = []
        while not self._news.empty():
            found.append(self._news.get())
        return found

    @property
    def emergency(self) -> str:
        """What people are told of the emergency stop; empty if there is none."""
        stopped = self._stopped()
        return "" if stopped is None else f"{stopped.text}; {self.stop.how_to_clear}"

    def _stopped(self) -> EmergencyStop | None:
        """Return the emergency stop, if there is one."""
        return self.stop.read()

    def unsafe(self, station: str) -> str:
        """Return why a station may not be in its safe state; empty once somebody has said that it is, or it was."""
        return self._not_safe.known.get(station, "")

    @property
    def unsafe_stations(self) -> dict[str, str]:
        """Station to why it may not be in its safe state."""
        return dict(self._not_safe.known)

    def settle(self, station: str) -> None:
        """Take note that somebody has looked at a station, and says that it is safe."""
        self._not_safe.settle(station)

    def secure(self, stations: Iterable[str], reason: str) -> None:
        """Bring stations into their safe states; return when all were told, or do not answer for some time."""
        threads = [Thread(target=self._secure, args=(name, reason), daemon=True) for name in stations]
        for thread in threads:
            thread.start()
        _join(threads)
        self._telling = [thread for thread in (*self._telling, *threads) if thread.is_alive()]

    @abstractmethod
    def _secure(self, station: str, reason: str) -> None:
        """Bring one station into its safe state, and tell what did not work."""


def _join(threads: Iterable[Thread]) -> None:
    """Wait until threads have ended, for some time together."""
    until = time.monotonic() + _PATIENCE
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))


class LabSafety(Safety):
    """Guards all instruments of a laboratory, and watches emergency stop and interlocks.

    Args:
        rules: of a lab file, or None.
        stop: the laboratory's emergency stop.
        instruments: of all stations.
        not_safe: remembers the stations that may not be in their safe states.

    Raises:
        CampaignError: a reading cannot be made, or the lab file names a part that is not there.
    """

    def __init__(
        self,
        rules: LabFileConfig | None,
        stop: StopFile,
        instruments: Mapping[str, JobInstrument],
        not_safe: UnsafeStations,
    ) -> None:
        super().__init__(stop, not_safe)
        self._rules = rules
        self._readings = {} if rules is None else dict(_readings(rules, instruments))
        self._units = {} if rules is None else rules.units
        self._alarms = () if rules is None else rules.alarms
        self._guarded: dict[str, GuardedInstrument] = {}
        for name, instrument in instruments.items():
            try:
                self._guarded[name] = self._guard(name, instrument)
            except LimitError as error:
                self.release()
                raise CampaignError([Problem(f"stations.{name}", str(error))]) from error
        self._monitor: SafetyMonitor | None = None

    def _guard(self, name: str, instrument: JobInstrument) -> GuardedInstrument:
        found = StationRules() if self._rules is None else station_rules(self._rules, name)
        guard = StationGuard(name, found, self._readings, self._units, self.stop, self._values)
        return GuardedInstrument(instrument, guard)

    def admit(
        self, name: str, instrument: JobInstrument, watched: Callable[[GuardedInstrument], None] = lambda _: None
    ) -> None:
        """Guard and watch a station whose instrument was not there before.

        Args:
            name: of the station.
            instrument: what stands there.
            watched: called with it behind its guard, before that is watched: who runs its jobs has to be known then.

        Raises:
            LimitError: it has no part that the lab file names.
        """
        guarded = self._guard(name, instrument)
        for key, reading in {} if self._rules is None else self._rules.readings.items():
            if reading.station == name:
                self._readings[key].follow(part_of(instrument, reading.signal or ""))
        watched(guarded)
        self._guarded[name] = guarded
        if self._monitor is not None:
            self._monitor.attend(name)

    def watch(self, stations: Mapping[str, GivesUp]) -> None:
        """Begin to watch."""
        lab = WatchedLab(self.stop, self._guarded, stations, self._readings, self._alarms, self._units)
        self._monitor = SafetyMonitor(lab, self._news.put, unsafe=self._note_unsafe)
        self._monitor.start()

    def close(self) -> None:
        """Stop watching, and take the guards away, once all that are on their way into safe states were told."""
        if self._monitor is not None:
            self._monitor.end()
        _join(self._telling)
        self.release()

    def release(self) -> None:
        """Take the guards away, the last first: stations may have a device in common."""
        for one in reversed(self._guarded.values()):
            one.release()

    @property
    def guarded(self) -> Mapping[str, GuardedInstrument]:
        """Station to its instrument behind its guard."""
        return self._guarded

    def _stopped(self) -> EmergencyStop | None:
        """Return that which the watch has noticed, or which is there now."""
        return None if self._monitor is None else self._monitor.emergency or super()._stopped()

    def held(self, station: str) -> str:
        """Return why a station may begin nothing now; empty if it may."""
        return self._guarded[station].guard.closed

    @property
    def closed(self) -> dict[str, str]:
        """Station to why nothing moves there, of all at which an interlock or an emergency stop lets nothing move."""
        return {name: why for name in list(self._guarded) if (why := self.held(name))}

    def begins(self, station: str) -> None:
        """Take note that a station begins a job."""
        self._begun[station] = self._guarded[station].guard.trips

    def interrupted(self, station: str) -> bool:
        """Return whether an interlock or an emergency stop has interrupted a station's job, or keeps it from one."""
        guard = self._guarded[station].guard
        return bool(guard.closed) or guard.trips != self._begun.get(station, guard.trips)

    @property
    def declared(self) -> list[str]:
        """The stations whose safe state the lab file declares."""
        return [name for name, one in self._guarded.items() if one.guard.rules.safe]

    def _secure(self, station: str, reason: str) -> None:
        if wrong := make_safe(self._guarded[station], reason):
            self._note_unsafe(station, "; ".join(wrong))

    def _note_unsafe(self, name: str, wrong: str) -> None:
        """Remember, from any thread, that a station may not be in its safe state, until somebody has looked at it."""
        failed = self._not_safe.note(name, wrong)
        text = unsafe_text(name, wrong)
        self._news.put(f"{text} (which could not be stored: {failed})" if failed else text)

    def _values(self) -> dict[str, Any]:
        return {key: value for one in list(self._guarded.values()) for key, value in one.values().items()}


def station_rules(rules: LabFileConfig, name: str) -> StationRules:
    """Return what a lab file says of a station."""
    config = rules.stations[name]
    return StationRules(
        config.limits, rules.required(name), config.safe_values, tuple(_naming(rules.combinations, name)), strict=True
    )


def _naming(combinations: tuple[Condition, ...], station: str) -> Iterator[Condition]:
    return (one for one in combinations if any(name.partition(".")[0] == station for name in one.names))


def _readings(rules: LabFileConfig, instruments: Mapping[str, JobInstrument]) -> Iterator[tuple[str, InterlockReading]]:
    for name, config in rules.readings.items():
        where = f"lab.path: readings.{name}"
        try:
            source = _source(name, config, instruments, where)
        except LabError as error:
            raise CampaignError([Problem(where, str(error))]) from error
        yield name, InterlockReading(name, source, config.patience)


def _source(name: str, config: ReadingConfig, instruments: Mapping[str, JobInstrument], where: str) -> Any:
    """Return what is read."""
    if config.station is not None and config.station not in instruments:
        return None  # it is left out of the lab, so that its reading is unknown
    if config.station is not None:
        return part_of(instruments[config.station], config.signal or "")
    with nothing_moves():
        found = load_object(config.device or "", where, Use.DEVICE, config.settings)
        if isinstance(found, type):
            found = called(found, config.device or "", where, name=name.replace(".", "_"), **config.settings)
    for part in config.signal.split(".") if config.signal else ():
        if not hasattr(found, part):
            raise LimitError(f"{config.device} has no {part}; correct signal")
        found = getattr(found, part)
    return found
