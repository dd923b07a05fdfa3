"""Dispatch: a trial's step goes to a station, or to a computation, and what comes of it goes into the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from campaigns.campaign import Campaign
from campaigns.errors import BusyError, LabError, NoAnswerError, NotReservedError, SampleError, raised_by
from campaigns.fidelity import ComputedFidelityConfig
from campaigns.lab.laboratory import StepConfig
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from campaigns.values import Cause, Measurement, MetricValue, TrialState
from instruments.devices.manual import ManualAnswer, ManualInstrument
from instruments.job import NO_TRIAL, Fate, Job, StepResult
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from instruments.quality_gate import check_quality
from instruments.station import Station
from instruments.step_errors import SILENT
from loop.core.formatting import parameters_text
from loop.core.records import COMPUTER, Analysed, StepRecord, TrialRecord
from loop.core.station_modes import HeldStation
from loop.execution.jobs.calendar_hold import CalendarHold, calendars_of
from loop.execution.jobs.holds import Held, Hold, PossibleJob, first_hold
from loop.execution.jobs.job_orders import JobOrders
from loop.execution.jobs.late_jobs import LateJobs
from loop.execution.jobs.step_analysis import Analyst, failed, in_unit
from loop.execution.laboratory.lab_floor import lab_floor
from loop.execution.laboratory.manual_stations import asked_of_person
from loop.execution.laboratory.missing_stations import MissingStations
from loop.execution.run_documents import RunDocuments
from loop.execution.subscribers import Subscribers, load_subscribers
from loop.storage.artefacts import ASKED
from loop.storage.integrity.begun_jobs import BegunJobs
from loop.storage.store import Store
from surrogates.pools.pool import Pool

_MOST_FAILURES = 3
"""Failures in a row after which a station is no longer used. Not tuned: two may be chance, and each costs a sample."""

_ATTEMPTS = 2
"""Attempts at a step whose driver fails as it is to begin, although the instrument was ready. Not tuned: one more, as
with a link that was down once; a driver with a bug fails again."""

_PAUSES = (60.0, 1800.0)
"""Lab time in s for which a station that was not ready is left alone, after its first failure in a row and later.

Not tuned: a minute lets a door be closed, and half an hour is short beside a furnace's step. Both end before
``_MOST_FAILURES``."""

_FIRST_LOOK = 1.0
"""Lab time in s after which a station that is at another job is asked whether it still is; then after twice as long
each time, up to the last of ``_PAUSES``. Not tuned: short beside jobs, and a dozen questions in an hour."""

_LONGEST_WAIT = 30 * 86400.0
"""Lab time in s for which one and the same job of somebody else's is waited for. Not tuned: longer than jobs take."""


class Dispatcher:
    """The stations of a lab, and the way of a step through them.

    Args:
        campaign: workflow and stations.
        lab: instruments and clock; a station that it has no more, since the campaign began, is left out.
        store: where intents and documents are committed.
        pool: the materials, for analyses that need a structure.

    Attributes:
        holds: reasons for which a job may not begin now, in the order in which they are asked.
        supplies: those of them that tell of what people have to bring, or to take away.
        absent: station to why it has no instrument, and is not waited for.
        missing: the stations that do not answer, and are waited for.
        admit: raises an error where an instrument that was missing is not as the campaign needs it.
        given_up: station that has failed time after time to the lab time in s at which it did so last.
        sample_of: returns the id of the sample that the next job of a trial has.
        begun: which jobs were begun on the laboratory, where it has a lab file.
        with_room: returns those of several trials whose samples find room together.
        woken: called on the clock when a hold has ended by itself, on which the receiver is at work then.
    """

    def __init__(self, campaign: Campaign, lab: Lab, store: Store, pool: Pool | None) -> None:
        self._campaign, self._lab, self._store = campaign, lab, store
        self._documents = RunDocuments(store, lab.clock.now, Subscribers(load_subscribers(campaign.subscribers)))
        floor = lab_floor(campaign, lab, store, self._documents.context)
        self.instruments, self._floor = floor.instruments, floor
        self.missing = MissingStations(self._find, self._wake)
        self.admit: Callable[[str, JobInstrument], None] = lambda *_: None
        silent = {n for n, error in floor.absent.items() if floor.waits and isinstance(error, NoAnswerError)}
        self.absent = {name: str(error) for name, error in floor.absent.items() if name not in silent}
        if campaign.stations and campaign.stations.keys() == self.absent.keys():
            raise LabError(f"no station can be used: {'; '.join(self.absent.values())}; what was begun is kept")
        self.safety, self.reserved = floor.safety, floor.reserved
        self._documents.recover(self.instruments)
        self.analyst = Analyst(campaign, store, pool)
        self.computers = {
            name: load_object(config.function, f"fidelities.{name}.function", Use.COMPUTATION)
            for name, config in campaign.fidelities.items()
            if isinstance(config, ComputedFidelityConfig)
        }
        self._stations = {n: self._station(n, one) for n, one in self.instruments.items()}
        self.safety.watch(self._stations)
        self._failures = dict.fromkeys(campaign.stations, 0)
        self.given_up: dict[str, float] = {}
        self._latest = {**dict.fromkeys(campaign.stations, ""), **self.absent}
        self._resting: set[str] = set()
        self.late = LateJobs(self._stations, lab.clock)
        self._occupied: dict[str, Occupied] = {}
        self.orders = JobOrders(campaign, store, self.instruments, self._documents, lab.clock)
        self.held: Mapping[str, HeldStation] = {}
        self.holds: list[Hold] = [
            self._missing_hold,
            self._people_hold,
            self._unsafe_hold,
            self._rest_hold,
            self._late_hold,
            self._interlock_hold,
            CalendarHold(calendars_of(campaign.rules), lab.clock),
        ]
        self._last_hold: Hold = self._reservation_hold
        self.supplies: list[Hold] = []
        self.woken: Callable[[], None] = lambda: None
        self.sample_of: Callable[[TrialRecord, StepConfig], str] = lambda trial, _: str(trial.number)
        self.with_room: Callable[[StepConfig, list[TrialRecord]], list[TrialRecord]] = lambda _, trials: trials
        self._wakes: set[float] = set()
        self.begun: BegunJobs | None = None
        for name in silent:
            self.missing.look_for(name, str(floor.absent[name]))

    def _station(self, name: str, instrument: JobInstrument) -> Station:
        return Station(name, instrument, self._lab.clock, partial(self._documents.keep, instrument))

    @property
    def waits_for_answers(self) -> bool:
        """Whether stations that do not answer are waited for."""
        return self._floor.waits

    def leave_out(self, name: str, why: str) -> None:
        """Leave a station out until it answers: it cannot be asked what a campaign has to know of it."""
        self.missing.look_for(name, why)

    def arrived(self) -> list[str]:
        """Use the stations that were missing, and answer now; return their names."""
        found = []
        for name, instrument in self.missing.take():
            try:
                if name not in self.instruments:
                    self._use(name, instrument)
            except LabError as error:
                self.missing.look_for(name, str(error))
            else:
                found.append(name)
        return found

    def _wake(self) -> None:
        self.woken()

    def _find(self, name: str) -> JobInstrument:
        """Return the instrument of a station that was missing.

        Raises:
            AthanorError: it is not there yet, or not as the campaign needs it.
        """
        instrument = self.instruments.get(name) or self._floor.find(name)
        self.admit(name, instrument)
        return instrument

    def _use(self, name: str, instrument: JobInstrument) -> None:
        station = self._station(name, instrument)
        try:
            self._stations[name] = station
            self.safety.admit(name, instrument)
        except BaseException:
            self._stations.pop(name).close()
            raise
        self.instruments[name] = instrument

    @property
    def describe(self) -> dict[str, Callable[[], str]]:
        """Station to a function that says what it does now."""
        return {name: partial(self._describe, name) for name in self._campaign.stations}

    def _describe(self, name: str) -> str:
        if name in self.absent:
            return f"left out: {self.absent[name]}"
        if name in self.missing.why:
            return f"waited for: {self.missing.why[name]}"
        if (others := self.reserved.others(name)) and not self._stations[name].busy:
            return others
        return f"waits: {self._occupied[name].by}" if name in self._occupied else self._stations[name].describe()

    def usable(self, name: str) -> bool:
        """Return whether a station still answers and does not fail time after time."""
        lost = name in self._stations and self._stations[name].lost
        return name not in self.absent and not lost and self._failures[name] < _MOST_FAILURES

    def is_there(self, name: str) -> bool:
        """Return whether a station can be asked."""
        return self.usable(name) and name in self._stations and name not in self.missing.why

    def _busy(self, name: str) -> bool:
        return name in self._stations and self._stations[name].busy

    @property
    def usable_stations(self) -> int:
        """How many stations may begin jobs."""
        return sum(not self.unused(name) for name in self._campaign.stations)

    @property
    def usable_places(self) -> int:
        """How many samples the stations that may begin jobs take together."""
        return sum(one.capacity for name, one in self._campaign.stations.items() if not self.unused(name))

    def unused(self, name: str) -> str:
        """Return why a station begins no jobs, after it was named; empty if it may."""
        if name in self.held:
            return self.held[name].text
        if not self.usable(name):
            return "not usable any more"
        return "not there, as it does not answer" if name in self.missing.why else ""

    def unusable_error(self, step: StepConfig, trial: TrialRecord | None = None) -> LabError:
        """Return the error of a step that has no usable station left, with what each failed with the last time."""
        stations = step.stations if trial is None else self.choices(step, trial)
        why = "; ".join(at_station(name, self._latest[name] or "it is at another job") for name in stations)
        return LabError(
            f"step {step.name} has no usable station left of {', '.join(stations)} ({why}); what waits for it is "
            "kept: mend the instrument and go on with 'athanor run', or withdraw a trial with 'athanor trial withdraw'"
        )

    def free(self, step: StepConfig, trial: TrialRecord) -> str | None:
        """Return the first free station of a trial's step, or None; of one that has begun it already, only that."""
        for station in self.choices(step, trial):
            if not self.usable(station) or self._busy(station) or self.reserved.in_use(station):
                continue
            if (held := self.hold(PossibleJob(trial, step, station))) is None:
                return station
            if held.ends is not None:
                self.wake_at(held.ends)
        return None

    def idle(self, name: str) -> bool:
        """Return whether a station is at no job, and people let it begin one."""
        return not self.unused(name) and not self._busy(name)

    def hold(self, job: PossibleJob) -> Held | None:
        """Return why a job may not begin now at a station that could do it; None if it may."""
        return self.own_hold(job) or self._last_hold(job)

    def is_given(self, station: str) -> bool:
        """Return whether a job that is none of a trial may begin at a station, as far as others share it."""
        return not self.reserved.in_use(station) and not self.reserved.why_not(station, ())

    def own_hold(self, job: PossibleJob) -> Held | None:
        """Return why a job may not begin now even if its station were given to this campaign; None if it may."""
        return first_hold(self.holds, job)

    def _missing_hold(self, job: PossibleJob) -> Held | None:
        why = self.missing.why.get(job.station, "")
        return Held(f"it is looked for: {why}") if why else None

    def _people_hold(self, job: PossibleJob) -> Held | None:
        held = self.held.get(job.station)
        return None if held is None or (job.attaches and held.attaches) else Held(held.text)

    def _unsafe_hold(self, job: PossibleJob) -> Held | None:
        why = self.safety.unsafe(job.station)
        return (
            Held(f"it may not be in its safe state: {why}", asks=True, about="unsafe")
            if why and not job.attaches
            else None
        )

    def _rest_hold(self, job: PossibleJob) -> Held | None:
        return Held("it was not ready, and is tried again") if job.station in self._resting else None

    def _late_hold(self, job: PossibleJob) -> Held | None:
        return Held("its late job is waited for") if self.late.holds(job.station) else None

    def _interlock_hold(self, job: PossibleJob) -> Held | None:
        reason = self.safety.held(job.station)
        return Held(reason, asks=True) if reason else None

    def _reservation_hold(self, job: PossibleJob) -> Held | None:
        tokens = [s.job for s in job.trial.steps if s.name == job.step.name and s.open]
        reason = self.reserved.why_not(job.station, tokens)
        return Held(reason) if reason else None

    def request(self, jobs: Iterable[PossibleJob], later: Iterable[PossibleJob], tokens: Collection[str]) -> bool:
        """Ask for stations of a laboratory that others share; return whether one was given just now.

        Args:
            jobs: could begin as soon as their stations are given.
            later: could begin once something else has ended.
            tokens: of what was begun, and is not known to have ended.
        """
        jobs = [job for job in jobs if self.usable(job.station)]
        following = {job.station for job in (*jobs, *later) if self._busy(job.station)}
        held = ((job, self.own_hold(job)) for job in jobs if job.station not in following)
        free = (job for job, why in held if why is None or why.measures)
        return self.reserved.request({job.station for job in free}, following, {*tokens, *self.late.tokens})

    def wake_at(self, when: float) -> None:
        """Have the session look again at a lab time in s, once."""
        if when in self._wakes:
            return
        self._wakes.add(when)

        def wake() -> None:
            self._lab.clock.enter()  # on behalf of the receiver
            self._wakes.discard(when)
            self.woken()

        self._lab.clock.call_at(when, wake)

    def choices(self, step: StepConfig, trial: TrialRecord) -> tuple[str, ...]:
        """Return the stations that may do a trial's step: of one that has begun it already, only that."""
        known = [s for s in trial.steps if s.name == step.name]
        lost = None if known else self._store.lost_station(trial.number, step.name)
        begun = next((s.station for s in known if s.open), lost)
        return step.stations if begun not in step.stations else (begun,)

    def admits(self, job: PossibleJob) -> bool:
        """Return whether people let a station do a job, or take it up again."""
        return self._people_hold(job) is None

    def readmit(self, station: str) -> None:
        """Use a station again that had failed time after time, or was not in its safe state."""
        self._failures[station] = 0
        self.given_up.pop(station, None)
        self.safety.settle(station)

    def waits(self, jobs: Iterable[PossibleJob]) -> dict[str, Held]:
        """Return station to why it lets nothing move, or to why jobs wait that it could do; not of those people hold.

        Args:
            jobs: that wait.
        """
        found = {name: Held(why, asks=True) for name, why in self.safety.closed.items()}
        for job in jobs:
            if self.usable(job.station) and job.station not in found and (held := self.hold(job)) is not None:
                found[job.station] = held
        return {name: held for name, held in found.items() if name not in self.held}

    def waiting(self, step: StepConfig, trial: TrialRecord) -> bool:
        """Return whether a trial waits for a station that is held now, and may do its step later."""
        usable = list(filter(self.usable, self.choices(step, trial)))
        if self.reserved.shared and usable:
            return True  # it may have been given, or have become free, since it was asked for
        return any(self.hold(PossibleJob(trial, step, station)) is not None for station in usable)

    def rest(self, station: str, woken: Callable[[], None]) -> float:
        """Leave a station alone that was not ready; return for how many seconds, after which ``woken`` is called."""
        pause, clock = _PAUSES[min(self._failures[station], len(_PAUSES)) - 1], self._lab.clock

        def wake() -> None:
            clock.enter()  # on behalf of the receiver
            self._resting.discard(station)
            woken()

        self._resting.add(station)
        clock.call_later(pause, wake, station)
        return pause

    def watch(self, station: str, woken: Callable[[], None]) -> None:
        """Leave a station alone that is at another job; ``woken`` is called when it is not any more, or for too long.

        It is asked in its own thread, as its link may be slow, and nothing is written down meanwhile.
        """
        clock, pauses = self._lab.clock, _doubling()

        def answered(busy: bool | None) -> None:
            if busy and clock.now() < self._occupied[station].until:
                clock.call_later(next(pauses, _PAUSES[-1]), ask, station)
                clock.leave()  # on behalf of the receiver
                return
            self._resting.discard(station)
            woken()

        def ask() -> None:
            self._stations[station].ask(_is_at_another_job, answered)

        self._resting.add(station)
        clock.call_later(next(pauses, _PAUSES[-1]), ask, station)

    def begin(
        self, trials: Sequence[TrialRecord], step: StepConfig, station: str, done: Callable[[StepResult], None]
    ) -> Job:
        """Claim a step of a trial, or of those of a load, for a station, or take up what is open; return the job.

        Args:
            trials: one, or those whose samples are one load.
            step: which they wait for.
            station: takes it.
            done: called on the clock with what came of it.
        """
        records = self.orders.attempts(trials, step, station)
        if records[0].state is not TrialState.DISPATCHED:
            numbers = [trial.number for trial in trials]
            samples = {one.token: self.sample_of(trial, step) for one, trial in zip(records, trials, strict=True)}
            self._store.claim_load(list(zip(numbers, records, strict=True)), self._lab.clock.now(), samples)
            records = self._noted(numbers, records)
        job = self.orders.job(trials, step, records)
        self.safety.begins(station)
        self.reserved.begins(station, job.token)
        told = parameters_text(self._campaign.space, trials[0].candidate)
        if (asked := asked_of_person(step, job, self.instruments[station], told)) is not None:
            before = self._store.artefacts(ASKED, job.token).get(job.token, asked)
            self._store.keep(ASKED, job.token, {**asked, "since": before["since"]})
        self._stations[station].submit(job, done)
        return job

    def _noted(self, trials: Sequence[int], records: list[StepRecord]) -> list[StepRecord]:
        """Let the laboratory remember attempts; return them, as dispatched what another copy of the store has begun."""
        if self.begun is None:
            return records
        tokens = [one.token for one in records]
        self.begun.note(self._store.campaign().created, tokens, trials, time.time())
        if self.begun.elsewhere.isdisjoint(tokens):
            return records
        self._store.mark(records[0].job, TrialState.DISPATCHED, self._lab.clock.now())
        return [replace(one, state=TrialState.DISPATCHED) for one in records]

    def measure_standard(
        self, station: str, step: StepConfig, names: tuple[str, str], done: Callable[[StepResult], None]
    ) -> None:
        """Have a station measure its standard, given the token of the job and the name of the sample."""
        self.safety.begins(station)
        self.reserved.begins(station, names[0])
        self._stations[station].submit(self.orders.standard(station, step, names), done)

    def standard_data(self, token: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return data and units of what was read of a calibration standard, by signal, once."""
        return self._documents.of_standard(token)

    @staticmethod
    def state_after_failure(result: StepResult) -> TrialState | None:
        """Return how a failed step leaves its trial: failed, uncertain, or queued where nothing was moved.

        None is returned of what was to be adopted and never began: the same attempt is simply begun again. A load fares
        as those of its samples that have the fewest attempts behind them.
        """
        if result.cause is Cause.SAMPLE:
            return TrialState.FAILED
        if not result.dispatched or result.busy or result.mistaken:
            return TrialState.QUEUED
        match result.fate:
            case Fate.NEVER_BEGAN if result.job.adopt:
                return None
            case Fate.NEVER_BEGAN:
                attempt = min(one.attempt for one in result.job.attempts)
                return TrialState.QUEUED if attempt < _ATTEMPTS else TrialState.FAILED
            case Fate.OVER:
                return TrialState.FAILED
            case Fate.UNDER_WAY | Fate.UNKNOWN:
                return TrialState.UNCERTAIN

    def record_result(self, station: str, result: StepResult) -> bool:
        """Take note of a step's success; return whether the station has just failed for the last time.

        A sample that cannot be made does not speak against the station that says so; nor does another job that it is
        at, unless that is the same for longer than jobs take, or one of this session's that never ended.
        """
        if result.job.trial != NO_TRIAL:
            with suppress(*SILENT):  # of who is away now, they are taken when it is asked again
                self._documents.take(self.instruments[station], result.job.token)
        if result.fate is Fate.UNDER_WAY:
            self.reserved.keeps(station)
        elif result.job.trial != NO_TRIAL and (result.fate is not Fate.NEVER_BEGAN or not result.job.adopt):
            self.reserved.ends(station)  # else the same attempt begins at once, or the standard is noted first
        if result.refused:
            return False
        if result.busy and not self._stays_occupied(station, result):
            return False
        if not result.busy:
            self._occupied.pop(station, None)
        if not result.ok and self.safety.interrupted(station):
            return False  # it says nothing of the station
        well = result.ok or result.cause is Cause.SAMPLE
        self._failures[station] = 0 if well else self._failures[station] + 1
        self._latest[station] = "" if well else result.error or ""
        if self._failures[station] == _MOST_FAILURES:
            self.given_up[station] = result.ended
        return self._failures[station] == _MOST_FAILURES

    def _stays_occupied(self, station: str, result: StepResult) -> bool:
        """Return whether a station has been at one and the same other job for too long."""
        now, by = result.ended, result.error or ""
        if (own := self.late.gave_up(station)) and own in by:
            self._occupied[station] = Occupied(by, now)
            return True
        if (before := self._occupied.get(station)) is None or before.by != by:
            self._occupied[station] = Occupied(by, now + _LONGEST_WAIT)
            return False
        return now >= before.until

    def compute(self, trial: TrialRecord) -> Analysed:
        """Return what a trial's computation comes to; it may be repeated, as nothing moves."""
        config, now = self._campaign.fidelities[trial.fidelity], self._lab.clock.now()
        open_ = next((s for s in trial.steps if not s.state.ended), None)
        record = open_ or self.orders.attempt(trial, (trial.fidelity, COMPUTER, config.cost))
        self._store.claim(trial.number, record, now)
        self._store.mark(record.token, TrialState.DISPATCHED, now)
        name = config.gives[0]
        flags: tuple[str, ...]
        cause: Cause | None
        fault = ""
        try:
            value: MetricValue = self.computers[trial.fidelity](trial.candidate, self.analyst.structure(trial))
            gate = check_quality(Measurement({name: value}), {name: self._campaign.metrics[name].unit})
            flags = (*gate.wrong, *gate.held.values(), *(f"{name}: got {x}" for x in gate.missing.values()))
            cause = Cause.DATA if flags else None
        except SampleError as error:
            flags, cause = (f"{name} has no value for this sample: {error}",), Cause.SAMPLE
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a computation may raise anything, exit() too
            found = failed(f"computation of {trial.fidelity}", error)
            flags, cause, fault = found.flags, found.cause, found.fault
        self._store.mark(record.token, TrialState.FAILED if flags else TrialState.ACQUIRED, now, "; ".join(flags))
        if flags:
            return Analysed(flags=flags, cause=cause, fault=fault)
        return Analysed({trial.metric_key(name): in_unit(value, self._campaign.metrics[name].unit)})

    def abort(self, reason: str) -> None:
        """Give up all jobs, at once: stations that declare a safe state go into it.

        Other instruments finish what they have begun, and can be asked about it later.
        """
        self.safety.secure(self.safety.declared, reason)
        for station in self._stations.values():
            station.abort(reason)

    def warnings(self) -> list[str]:
        """Return what went wrong with subscribers since this was asked last."""
        return self._documents.warnings()

    def finish(self) -> list[str]:
        """Hand all documents to who subscribes; return what went wrong."""
        return self._documents.finish()

    def abort_job(self, station: str, reason: str) -> None:
        """Give up the job that is under way at a station, and bring it into its safe state."""
        self.safety.secure([station], reason)
        self._stations[station].abort(reason)

    def answer(self, record: StepRecord, answer: ManualAnswer) -> bool | None:
        """Hand a person's answer to the station that asks; return whether it counts, see ``ManualInstrument.answer``.

        None is also returned where that station is not there.
        """
        person = self.instruments.get(record.station)
        return person.answer(record.token, answer) if isinstance(person, ManualInstrument) else None

    def asks_person(self, station: str, step: str) -> bool:
        """Return whether a step waits for a person's answer at a station."""
        person = self.instruments.get(station)
        return isinstance(person, ManualInstrument) and not person.simulated(step)

    def leave_to_person(self, station: str, reason: str) -> None:
        """Wait no more for a person's answer: what was asked stays asked."""
        self._stations[station].abort(reason)

    def took(self, record: StepRecord, number: int) -> bool:
        """Return whether a person's step has ended with the answer of a number."""
        person = self.instruments.get(record.station)
        return isinstance(person, ManualInstrument) and person.took(record.token, number)

    def unknown(self, record: StepRecord) -> str:
        """Return why an instrument cannot be asked about a job again; empty if it knows the job."""
        name, token = record.station, record.job
        try:
            known = name in self.instruments and self.instruments[name].has_job(token)
        except Exception as error:  # noqa: BLE001 - dispatch: a link that is down may raise anything
            return f"{name} cannot be asked: {raised_by(error)}; try again once it answers"
        return "" if known else f"{name} does not know job {token}; allowed: 'athanor trial retry', result or discard"

    def close(self) -> None:
        """End all stations, and let go of the lab."""
        self.missing.close()
        for station in self._stations.values():
            station.close()
        self._documents.close()
        self.safety.close()
        self._lab.close()


@dataclass(frozen=True, slots=True)
class Occupied:
    """By what a station is occupied, in its own words, and until when that is waited for [s of lab time]."""

    by: str
    until: float


def _doubling() -> Iterator[float]:
    pause = _FIRST_LOOK
    while pause < _PAUSES[-1]:
        yield pause
        pause *= 2


def _is_at_another_job(instrument: JobInstrument) -> bool:
    try:
        instrument.check_ready()
    except NotReservedError:
        return False  # its job has ended, or is another campaign's: it is asked for, and waited for so
    except BusyError:
        return True
    return False


def at_station(station: str, error: str) -> str:
    """Return what went wrong at a station; errors of instruments begin with its name already."""
    return error if error.startswith((f"{station}: ", f"{station} ")) else f"{station}: {error}"
