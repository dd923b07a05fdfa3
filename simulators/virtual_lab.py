"""A virtual laboratory: simulated instruments that remember their jobs, on a clock that skips waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, assert_never

import numpy as np
from ophyd import Component, Kind
from ophyd.device import create_device_from_components

from campaigns.errors import BusyError, LabError, SampleError
from campaigns.values import Scalar
from instruments.built_in import CYCLER, DIFFRACTOMETER, FURNACE, InstrumentFacts, Setting
from instruments.clock import Clock
from instruments.devices.curve_instrument import CurveInstrument
from instruments.devices.cycler import Cycler
from instruments.devices.diffractometer import Diffractometer
from instruments.devices.furnace import Furnace
from instruments.job_instrument import NO_MATERIAL, SAMPLE_FAILED, JobInstrument, Quantity
from instruments.places import with_places
from simulators.durations import job_duration, program_of
from simulators.faults import kinds
from simulators.furnace_thermal import ROOM, record, summary, temperature
from simulators.job_ledger import JobLedger, LedgerEntry, PlacedSample
from simulators.shared_state import Array, LabSetup, LabState, Physics, StationKind
from simulators.simulated_experiment import SimulatedExperiment
from simulators.virtual_clock import VirtualClock


@dataclass(frozen=True, slots=True, eq=False)
class JobOutcome:
    """What a job will have come to: how long it takes [s], and signal to value afterwards.

    Attributes:
        failure: why the sample cannot be made or measured; empty where it can.
        error: what the place of the sample reports; empty where all is well.
    """

    duration: float
    values: Mapping[str, Any]
    failure: str = ""
    error: str = ""

    @property
    def state(self) -> str:
        """The state of the instrument, or of the place, afterwards."""
        return "fault" if self.error else SAMPLE_FAILED if self.failure else "done"


class VirtualInstrument(JobInstrument):
    """An instrument that is simulated: pure functions say what comes of a job, the ledger remembers that it was begun.

    A job that the ledger knows is never begun again; one that was under way when the controller died goes on, and ends
    when it would have ended.
    """

    def __init__(self, prefix: str = "", *, name: str, bench: LabState, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, clock=bench.clock, **kwargs)
        self.bench = bench
        self._entry: LedgerEntry | None = None
        self._outcome = JobOutcome(0.0, {})
        self._places: dict[int, JobOutcome] = {}
        self._ends = 0.0
        self._halted = False
        if (entry := bench.ledger.last(name)) is not None:
            self._assume_job(entry)

    def outcome(self, entry: LedgerEntry) -> JobOutcome:
        """Return what a job will have come to."""
        raise NotImplementedError

    def has_job(self, token: str) -> bool:
        """Return whether a job of this token runs or has run."""
        entry = self.bench.ledger.find(self.name, token)
        return entry is not None and "forget" not in self.bench.faults(entry)

    def never_began(self, token: str) -> bool:
        """Return whether the ledger, which is written before anything begins, does not know the job."""
        return self.bench.ledger.find(self.name, token) is None

    def start(self, token: str) -> None:
        """Start the job that the settings describe; attach to it when the token is known.

        Raises:
            BusyError: the instrument is at another job.
            LabError: it is to fail.
        """
        if self._entry is not None and self._entry.token == token:
            return
        if self.state.get() == "busy":
            raise BusyError(f"{self.name} is at job {self.token.get()!r}; wait until it has ended")
        known = self.bench.ledger.find(self.name, token)
        self._assume_job(known or self._new(token), new=known is None)

    def stop(self, *, success: bool = False) -> None:
        """Stop waiting; a job that hangs is given up when its time is over, so that the next one can be run."""
        super().stop(success=success)
        self._give_up()

    def check_ready(self) -> None:
        """Check that a job may start; a job that has hung since an earlier session is given up, too.

        Raises:
            LabError: it may not.
        """
        self._give_up()
        super().check_ready()

    def _give_up(self) -> None:
        if self._entry is not None and "hang" in self.bench.faults(self._entry) and self.clock.now() >= self._ends:
            self.message.put("the job never reported its end")
            self.state.put("fault")

    def halt(self, reason: str) -> None:
        """End the job under way as failed."""
        if self.state.get() == "busy":
            self._halted = True
            self.message.put(reason)
            self.state.put("fault")

    def progress(self) -> str:
        """Return what the instrument does now, for people; answers at once."""
        if self._entry is None or self.state.get() != "busy":
            return str(self.state.get())
        elapsed = self.clock.now() - self._entry.started
        return f"{self.phase(elapsed)}, {100 * min(elapsed / self._outcome.duration, 1.0):.0f} %"

    def phase(self, elapsed: float) -> str:  # noqa: ARG002  for those that have phases
        """Return what the instrument does ``elapsed`` seconds after a job's start."""
        return "running"

    def corrupted(self, entry: LedgerEntry, readings: Array) -> Array:
        """Return a detector's readings (``n``) as the job's faults leave them."""
        faults = self.bench.faults(entry)
        if "nan" in faults:
            return np.where(np.arange(readings.size) % 5 == 2, np.nan, readings)
        return np.zeros_like(readings) if "dead" in faults else readings

    def _new(self, token: str) -> LedgerEntry:
        """Return the job that the settings describe."""
        recipe = {key: getattr(self, key).get() for key in self.settings if key not in self.own}
        load = tuple(self._loaded())
        whose = load[0] if load else self
        sample, material, attempt = (
            (whose.sample, whose.material, whose.attempt)
            if isinstance(whose, PlacedSample)
            else (self.sample.get(), _material_name(self), self.attempt.get())
        )
        return LedgerEntry(self.name, token, sample, material, self.step.get(), attempt, recipe, self.clock.now(), load)

    def _loaded(self) -> Iterator[PlacedSample]:
        """Yield the samples that stand in the places."""
        for number, place in self.filled.items():
            recipe = {key: getattr(place, key).get() for key in self.own_settings}
            header = (place.sample.get(), _material_name(place), place.attempt.get())
            yield PlacedSample(place.token.get(), *header, number, recipe)

    def _assume_job(self, entry: LedgerEntry, *, new: bool = False) -> None:
        """Be at a job: now begun, under way, or over."""
        faults = self.bench.faults(entry)
        if new and "block" in faults:
            self.bench.released.wait()
        if new and faults & {"raise", "block"}:
            raise LabError(f"{self.name}: the driver failed, as the simulated fault asks")
        self._foresee(entry)
        if new:
            self.bench.ledger.append(entry)
        self._entry, self._halted = entry, False
        self._show(entry)
        self._ends = entry.started + self._outcome.duration
        if "hang" in faults:
            return
        if self._ends > self.clock.now():
            self.clock.call_at(self._ends, self._end, self.name)
        else:
            self._end()

    def _foresee(self, entry: LedgerEntry) -> None:
        """Work out what a job will have come to, for each sample of a load, which ends with the last of them."""
        if not entry.load:
            self._outcome, self._places = self._reported(entry), {}
            return
        one_by_one = zip(entry.load, entry.samples, strict=True)
        self._places = {placed.place: self._of_place(one) for placed, one in one_by_one}
        first = next(iter(self._places.values()))
        common = {key: value for key, value in first.values.items() if key not in self.own}
        self._outcome = JobOutcome(max(one.duration for one in self._places.values()), common)

    def _of_place(self, entry: LedgerEntry) -> JobOutcome:
        try:
            return self._reported(entry)
        except LabError as error:
            return JobOutcome(0.0, {}, error=str(error))

    def _reported(self, entry: LedgerEntry) -> JobOutcome:
        """Return what a sample's job comes to, with the error that its place reports, if it does."""
        found = self.outcome(entry)
        failing = "place" in kinds(self.bench.setup.faults, entry.instrument, entry.sample)
        return replace(found, error="no contact, as the simulated fault asks") if failing else found

    def _show(self, entry: LedgerEntry) -> None:
        self.state.put("busy")
        header = {} if entry.load else _header(entry)
        for key, value in {**header, **entry.recipe, "step": entry.step, "token": entry.token}.items():
            getattr(self, key).put(value)
        for place in self.numbered_places.values():
            self._clear(place)
        for placed in entry.load:
            place, header = self.place(placed.place), _header(placed) | {"token": placed.token, "state": "busy"}
            for key, value in {**header, **placed.recipe}.items():
                getattr(place, key).put(value)

    def _clear(self, place: Any) -> None:
        """Empty a place: nothing of an earlier load is read there."""
        for key in ("sample", "token", "message"):
            getattr(place, key).put("")
        place.state.put("empty")
        for key in self.own:
            if key not in self.settings:
                getattr(place, key).put(np.zeros(0))

    def _end(self) -> None:
        if self._halted:
            return
        self._read(self, self._outcome, self._outcome.values)
        for number, outcome in self._places.items():
            own = {key: value for key, value in outcome.values.items() if key in self.own}
            self._read(self.place(number), outcome, own)
        self.state.put(self._outcome.state)

    def _read(self, device: Any, outcome: JobOutcome, values: Mapping[str, Any]) -> None:
        """Show what a job has come to at the instrument, or at a place."""
        for key, value in values.items():
            getattr(device, key).put(value)
        device.message.put(outcome.error or outcome.failure)
        if device is not self:
            device.state.put(outcome.state)


def _header(one: LedgerEntry | PlacedSample) -> dict[str, Scalar]:
    """Return what is shown of whose sample it is."""
    return {"sample": one.sample, "material": one.material or NO_MATERIAL, "attempt": one.attempt}


def _material_name(device: Any) -> str | None:
    name: str = device.material.get()
    return None if name == NO_MATERIAL else name


class Thermocouple(Quantity):
    """The temperature of a virtual furnace, now."""

    def get(self, **_: Any) -> float:
        """Return the temperature [degC]."""
        return self.parent.chamber()


class VirtualFurnace(VirtualInstrument, Furnace):
    """A furnace whose temperature is a closed formula of lab time."""

    readback = Component(Thermocouple, value=ROOM, unit="degC", kind=Kind.omitted)

    def outcome(self, entry: LedgerEntry) -> JobOutcome:
        """Return the log of the program."""
        program = program_of(entry.recipe)
        log = record(program, self.bench.rng(entry))
        readings = log.temperature if "cold" not in self.bench.faults(entry) else np.full_like(log.temperature, ROOM)
        log = summary(program, log.time, self.corrupted(entry, readings))
        values = {"profile_time": log.time, "profile_temperature": log.temperature, "peak_temperature": log.peak}
        return JobOutcome(program.duration, {**values, "soak_mean_temperature": log.soak_mean, "soak_sd": log.soak_sd})

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float:
        """Return how long the program of a recipe takes [s]."""
        return job_duration("furnace", recipe)

    def chamber(self) -> float:
        """Return the temperature of the chamber now [degC]."""
        if self._entry is None or "cold" in self.bench.faults(self._entry):
            return ROOM
        return float(temperature(program_of(self._entry.recipe), self.clock.now() - self._entry.started))

    def phase(self, elapsed: float) -> str:
        """Return what the program does ``elapsed`` seconds after its start."""
        return "" if self._entry is None else program_of(self._entry.recipe).phase(elapsed)


class VirtualCurveInstrument(VirtualInstrument, CurveInstrument):
    """An instrument that takes its curve from the physics.

    Attributes:
        station_kind: of the station, by which it is known how long a job takes.
    """

    station_kind: ClassVar[StationKind]

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float:
        """Return how long a job takes [s]."""
        return job_duration(self.station_kind, recipe)

    def measure(self, entry: LedgerEntry) -> tuple[Array, Array]:
        """Return abscissa and readings (``n`` each) of a job's sample."""
        raise NotImplementedError

    def outcome(self, entry: LedgerEntry) -> JobOutcome:
        """Return the curve, with its readings as the job's faults leave them."""
        points, readings = self.measure(entry)
        values = zip(self.curve, (points, self.corrupted(entry, readings)), strict=True)
        return JobOutcome(self.job_duration(entry.recipe), dict(values))


class VirtualDiffractometer(VirtualCurveInstrument, Diffractometer):
    """A diffractometer that takes its patterns from the physics."""

    station_kind = "diffractometer"

    def measure(self, entry: LedgerEntry) -> tuple[Array, Array]:
        """Return angle and counts."""
        return self.bench.physics.diffract(self.bench.sample(entry), entry.recipe, self.bench.rng(entry))


class VirtualCycler(VirtualCurveInstrument, Cycler):
    """A cycler that takes its discharge curves from the physics."""

    station_kind = "cycler"

    def measure(self, entry: LedgerEntry) -> tuple[Array, Array]:
        """Return capacity and voltage of the discharge."""
        return self.bench.physics.discharge(self.bench.sample(entry), entry.recipe, self.bench.rng(entry))


class VirtualExperiment(VirtualInstrument):
    """An instrument that reads what a function of its recipe gives, with noise."""

    experiment: ClassVar[SimulatedExperiment]

    @classmethod
    def doing(cls, experiment: SimulatedExperiment) -> type[VirtualExperiment]:
        """Return the class of the instruments that do an experiment."""
        settings = {
            key: Component(Quantity, value=_idle(one), **one.stated) for key, one in experiment.settings.items()
        }
        read = {key: Component(Quantity, value=np.zeros(0), unit=one.unit) for key, one in experiment.readings.items()}
        made: type[VirtualExperiment] = create_device_from_components(cls.__name__, base_class=cls, **settings, **read)
        made.experiment, made.defaults = experiment, experiment.defaults
        made.settings = tuple(experiment.settings)
        made.texts = frozenset(key for key, one in experiment.settings.items() if one.choices)
        return made

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float:
        """Return how long a job takes [s]."""
        return self.experiment.duration(recipe)

    def outcome(self, entry: LedgerEntry) -> JobOutcome:
        """Return the readings, or why there are none."""
        structure = self.bench.setup.structures.get(entry.material or "")
        duration, rng = self.job_duration(entry.recipe), self.bench.rng(entry)
        try:
            true = self.experiment.respond(entry.recipe, structure)
        except SampleError as error:
            return JobOutcome(duration, {}, str(error))
        taken = {key: reading.take(true[key], rng) for key, reading in self.experiment.readings.items()}
        return JobOutcome(duration, {key: self.corrupted(entry, values) for key, values in taken.items()})


def _idle(setting: Setting) -> Scalar:
    """Return what a setting shows before the first job."""
    return setting.choices[0] if setting.choices else 0.0


def virtual_instrument(kind: StationKind | SimulatedExperiment, name: str, bench: LabState) -> JobInstrument:
    """Return the simulated instrument of a station, with places where it takes several samples."""
    made, facts = _simulating(kind)
    if (places := bench.setup.places.get(name)) is not None:
        made = with_places(made, places.capacity, facts.own(places.shared))
    return made(name=name, bench=bench)


def _simulating(kind: StationKind | SimulatedExperiment) -> tuple[type[VirtualInstrument], InstrumentFacts]:
    match kind:
        case SimulatedExperiment():
            return VirtualExperiment.doing(kind), kind.facts
        case "furnace":
            return VirtualFurnace, FURNACE
        case "diffractometer":
            return VirtualDiffractometer, DIFFRACTOMETER
        case "cycler":
            return VirtualCycler, CYCLER
    assert_never(kind)


class SimulatedLab:
    """Instruments that share a bench: what every simulated laboratory has in common."""

    def __init__(self, bench: LabState, instruments: Mapping[str, JobInstrument]) -> None:
        self._bench, self._instruments = bench, instruments

    @property
    def clock(self) -> Clock:
        """The lab's clock, at which the maker of the lab is at work."""
        return self._bench.clock

    @property
    def ledger(self) -> JobLedger:
        """The jobs that were really begun."""
        return self._bench.ledger

    def instrument(self, name: str) -> JobInstrument:
        """Return the instrument of a station.

        Raises:
            LabError: there is no such station.
        """
        if name not in self._instruments:
            raise LabError(f"the lab has no station {name!r}; allowed: {', '.join(sorted(self._instruments))}")
        return self._instruments[name]

    def close(self) -> None:
        """Let go of blocked drivers, stop the clock and close the ledger."""
        self._bench.released.set()
        self._bench.clock.close()
        self._bench.ledger.close()


class VirtualLab(SimulatedLab):
    """Simulated instruments on a virtual clock.

    Raises:
        LabError: what the instruments remember cannot be read.
    """

    def __init__(self, setup: LabSetup, physics: Physics) -> None:
        ledger = JobLedger(setup.state / "instruments.jsonl")
        bench = LabState(setup, VirtualClock(max(setup.start, ledger.latest)), physics, ledger)
        super().__init__(bench, {name: virtual_instrument(kind, name, bench) for name, kind in setup.stations.items()})
