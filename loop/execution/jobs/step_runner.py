"""The steps under way: begun on stations or computed, waited for, tried again where nothing was moved."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace

from campaigns.decisions import AbortTrial, AnswerStep, Settlement
from campaigns.lab.laboratory import StepConfig
from campaigns.values import TrialState
from instruments.clock_watch import ClockWatch
from instruments.devices.manual import ManualAnswer
from instruments.job import Fate, StepResult
from loop.core.events import StepEnded, StepStarted, Warned
from loop.core.journal import Amendment
from loop.core.records import COMPUTER, StepRecord, TrialRecord, TrialResult
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher, at_station
from loop.execution.jobs.holds import PossibleJob
from loop.execution.jobs.late_jobs import LateJob
from loop.execution.jobs.queue_rules import cause_of
from loop.execution.session import Session
from loop.storage.artefacts import GIVEN_UP

_POLL = 0.1
"""Wall time in seconds between two looks at Ctrl-C while the lab works; it decides about no result."""


class StepRunner:
    """Knows which step is under way on which station.

    Args:
        state: the trials.
        session: where it is recorded, whose time counts, and who receives the events.
        dispatcher: the stations.
    """

    def __init__(self, state: CampaignState, session: Session, dispatcher: Dispatcher) -> None:
        self._state, self._session, self._dispatcher = state, session, dispatcher
        self._inbox: queue.SimpleQueue[StepResult | None] = queue.SimpleQueue()
        dispatcher.woken = dispatcher.reserved.woken = lambda: self._inbox.put(None)
        self._clock_watch = ClockWatch(session.clock)
        self._under_way: dict[str, str] = {}  # token to station
        self._given_up: set[str] = set()  # tokens of those that somebody has aborted
        self._left: set[str] = set()  # tokens of those that people may still answer, and that this session leaves

    @property
    def busy(self) -> bool:
        """Whether any step is under way."""
        return bool(self._under_way)

    def awaited_step(self, trial: TrialRecord) -> StepConfig | None:
        """Return the step that a trial waits for; None while one is under way or when all are done."""
        if any(record.token in self._under_way for record in trial.steps):
            return None
        return self._state.next_step(trial)

    def possible_jobs(self, trials: Iterable[TrialRecord]) -> Iterator[PossibleJob]:
        """Yield the steps that trials wait for, each at all stations that may do it; not what is only computed."""
        for trial in trials:
            step = self.awaited_step(trial)
            if step is not None and trial.fidelity not in self._dispatcher.computers:
                yield from (PossibleJob(trial, step, station) for station in self._dispatcher.choices(step, trial))

    def begin(self, trials: Sequence[TrialRecord], step: StepConfig, station: str) -> None:
        """Have a station take a step of a trial, or of the trials of a load."""
        job = self._dispatcher.begin(trials, step, station, self._inbox.put)
        for one in job.attempts:
            self._given_up.discard(one.token)  # somebody has asked for it after all
            self._under_way[one.token] = station
            self._state.read_trial(one.trial)
            self._session.on_event(StepStarted(one.trial, step.name, station, one.attempt, taken_up=job.adopt))

    def adopt(self, trial: TrialRecord) -> None:
        """Adopt the step of a trial, with its load, that an earlier session has begun, if its station is free."""
        for record in trial.steps:
            step = self._state.campaign.step(record.name)
            if not record.open or record.token in self._under_way:
                continue
            if self._dispatcher.free(step, trial) == record.station:
                self.begin(self._state.sharing(record.job), step, record.station)
            elif record.state is not TrialState.DISPATCHED and (why := self._dispatcher.unused(record.station)):
                reason = f"nothing was moved, and {record.station} is {why}"
                self._session.store.requeue(record.token, self._session.clock.now(), reason)
                self._state.read_trial(trial.number)

    def abort(self, number: int, reason: str) -> bool:
        """Give up the job of a trial that is under way, once; return whether there is one.

        A load goes on until all of its samples are given up: what is done to one is done to all.
        """
        record = next((record for record in self._state[number].steps if record.token in self._under_way), None)
        if record is not None and record.token not in self._given_up:
            self._given_up.add(record.token)
            tokens = {s.token for t in self._state.sharing(record.job) for s in t.steps if s.job == record.job}
            if tokens <= self._given_up:
                self._dispatcher.abort_job(self._under_way[record.token], reason)
        return record is not None

    @property
    def asked(self) -> list[tuple[int, StepRecord]]:
        """The steps under way that wait for a person's answer, each with the number of its trial."""
        found = ((trial.number, step) for trial in self._state.open for step in trial.steps)
        mine = ((number, step) for number, step in found if step.token in self._under_way)
        return [(n, step) for n, step in mine if self._dispatcher.asks_person(step.station, step.name)]

    @property
    def only_asks(self) -> bool:
        """Whether all that is under way waits for people's answers."""
        return self.busy and {step.token for _, step in self.asked} == self._under_way.keys()

    def leave_open(self, reason: str) -> None:
        """Wait no more for people's answers: what they were asked stays open, and counts when it is answered."""
        for number, step in self.asked:
            if step.token not in self._left | self._given_up:
                self._left.add(step.token)
                text = f"{step.name} of trial {number} at {step.station} is left open, and counts once it is answered"
                self._session.on_event(Warned(f"{text}: 'athanor requests' lists it"))
                self._dispatcher.leave_to_person(step.station, reason)

    def _is_left(self, result: StepResult, station: str) -> bool:
        """Return whether a job stays open, as a person may still answer it after this session."""
        if result.ok or result.job.token in self._given_up:
            return False
        stopped = bool(self._dispatcher.safety.emergency)
        return result.job.token in self._left or (stopped and self._dispatcher.asks_person(station, result.job.step))

    def answer(self, given: AnswerStep, answer: ManualAnswer) -> bool | None:
        """Take a person's answer about a step; see ``Dispatcher.answer``. One that comes late is collected."""
        trial = self._state[given.trial]
        record = trial.steps[-1]
        counts = self._dispatcher.answer(record, answer)
        if counts and trial.state is TrialState.UNCERTAIN:
            limit, now = self._state.campaign.step(record.name).timeout, self._session.clock.now()
            self._dispatcher.late.end(LateJob((trial.number,), record.job, record.station, limit, now))
        return counts

    def took(self, given: AnswerStep, answer: ManualAnswer) -> bool:
        """Return whether a person's answer is that with which a step has ended, as before a kill."""
        known = (step for trial in self._state.trials for step in trial.steps)
        return any(self._dispatcher.took(step, answer.number) for step in known if step.token == given.token)

    def unreadable(self, number: int) -> str:
        """Return why the data of a trial's last job cannot be read again; empty if its instrument knows the job."""
        return self._dispatcher.unknown(self._state[number].steps[-1])

    def compute(self, trial: TrialRecord) -> TrialResult:
        """Compute what a trial waits for that no station is needed for; return how it ends."""
        number, fidelity = trial.number, trial.fidelity
        self._session.on_event(StepStarted(number, fidelity, COMPUTER, 1))
        analysed = self._dispatcher.compute(trial)
        reason = "; ".join(analysed.flags)
        cost = self._state.read_trial(number).steps[-1].cost
        self._session.on_event(StepEnded(number, fidelity, COMPUTER, not analysed.flags, reason, cost))
        state = TrialState.FAILED if analysed.flags else TrialState.COMPLETED
        return TrialResult(state, reason, analysed.metrics, analysed.flags, cause=analysed.cause, fault=analysed.fault)

    def next_result(self, interrupted: Callable[[], bool]) -> StepResult | None:
        """Wait for a station; return None when the user interrupts, or a station may be tried again.

        Raises:
            LabError: the lab's clock stands still.
        """
        if interrupted():
            return None
        self._session.clock.leave()
        while True:
            try:
                return self._inbox.get(timeout=_POLL)  # its sender has entered the clock on our behalf
            except queue.Empty:
                self._clock_watch.look()
                if interrupted():
                    self._session.clock.enter()
                    return None

    def conclude(self, result: StepResult, *, aborted: bool) -> list[tuple[int, StepRecord | TrialResult]]:
        """Take the result of a job.

        Args:
            result: what the station says.
            aborted: whether the session ends by force: the store then says how far the step came, and the next session
                asks the instrument.

        Returns:
            The number of each trial whose sample it was, with the step where its raw data are stored, or how it ends
            where it failed; without those that are left open or tried again.
        """
        job = result.job
        stations = [self._under_way.pop(one.token) for one in job.attempts]
        station = stations[0]
        for text in self._dispatcher.warnings():
            self._session.on_event(Warned(text))
        if (not result.ok and aborted) or self._is_left(result, station):
            return []
        records = [(one.trial, self._state.read_step(one.trial, one.token)) for one in job.attempts]
        for number, record in records:
            ok, error = result.ok and record.state is not TrialState.FAILED, result.error or record.reason
            self._session.on_event(StepEnded(number, job.step, station, ok, error, record.cost))
        self._record(station, result)
        kept = [(number, self._kept(record)) for number, record in records if result.ok or _is_kept(record)]
        return [*kept, *self._failed(result, station, [one for one in records if not (result.ok or _is_kept(one[1]))])]

    def _kept(self, record: StepRecord) -> StepRecord | TrialResult:
        """Return a step whose raw data are stored; or how its trial ends, where its place in a load has failed."""
        if record.state is not TrialState.FAILED:
            return record
        reason = at_station(record.station, record.reason)
        return TrialResult(TrialState.FAILED, reason, cause=cause_of(reason), job=record.token)

    def _record(self, station: str, result: StepResult) -> None:
        """Take note of a job's success, and tell when a station has failed for the last time."""
        if self._dispatcher.record_result(station, result):
            text = f"station {station} has failed time after time and is no longer used: {result.error}"
            self._session.on_event(Warned(text))
            self._session.store.keep(GIVEN_UP, station, {"reason": result.error or "", "since": time.time()})

    def begin_standard(self, station: str, step: StepConfig, names: tuple[str, str]) -> None:
        """Have a station measure its standard, given the token of the job and the name of the sample."""
        self._dispatcher.measure_standard(station, step, names, self._inbox.put)
        self._under_way[names[0]] = station

    def end_standard(self, result: StepResult, *, aborted: bool) -> str | None:
        """Take the result of a standard; return the station that has measured it, None where it has not.

        Its station is left alone for a while then; the standard is measured again after that.
        """
        station = self._under_way.pop(result.job.token)
        if not result.ok and aborted:
            return None
        self._record(station, result)
        if not result.ok and not result.mistaken:
            self._rest(f"the standard of {station}", station, busy=result.busy, why=result.error or "")
        return station if result.ok else None

    def _failed(
        self, result: StepResult, station: str, records: Sequence[tuple[int, StepRecord]]
    ) -> list[tuple[int, StepRecord | TrialResult]]:
        """Return how trials end whose step has failed, without those that try the step again."""
        reason, state = at_station(station, result.error or ""), self._dispatcher.state_after_failure(result)
        endings: list[tuple[int, StepRecord | TrialResult]] = []
        left: list[tuple[int, StepRecord]] = []
        for number, record in records:
            if state is not None and state is not TrialState.QUEUED:
                endings.append((number, TrialResult(state, reason, cause=result.cause, job=record.token)))
            elif record.token in self._given_up:
                ended = TrialState.UNCERTAIN if _is_left(result) else TrialState.WITHDRAWN
                endings.append((number, TrialResult(ended, reason, job=record.token)))
            else:
                left.append((number, record))
        if state is TrialState.UNCERTAIN:
            self._follow(result, station, [number for number, _ in endings])
        elif state is None and left:
            self._session.store.claim_load(left, self._session.clock.now())
            trials = [self._state.read_trial(number) for number, _ in left]
            self.begin(trials, self._state.campaign.step(result.job.step), station)
        elif left:
            self._requeue(result, station, left)
        return endings

    def _requeue(self, result: StepResult, station: str, records: Sequence[tuple[int, StepRecord]]) -> None:
        """Have trials wait for another attempt, as nothing was moved."""
        store, job, reason = self._session.store, result.job, at_station(station, result.error or "")
        for number, record in records:
            new = result.refused and not _is_left(result)  # it was kept from the instrument
            if new or not (result.busy and result.dispatched):  # else it may know the job, and the same attempt waits
                store.requeue(record.token, self._session.clock.now(), reason)  # so that nothing is repeated
            self._state.read_trial(number)
        if not (result.refused or result.mistaken):
            self._rest(job.whose, station, busy=result.busy, why="nothing was moved")

    def _follow(self, result: StepResult, station: str, trials: Sequence[int]) -> None:
        """Wait for a job that is over its time for as long once more, while its trials are uncertain."""
        job = result.job
        given_up = all(one.token in self._given_up for one in job.attempts)
        if result.fate is not Fate.UNDER_WAY or given_up or not self._dispatcher.usable(station):
            return
        late = LateJob(tuple(trials), job.token, station, job.timeout, self._session.clock.now() + job.timeout)
        self._dispatcher.late.follow(late, lambda: self._inbox.put(None))
        late_text = "is late" if len(trials) == 1 else "are late"
        text = f"{job.whose} {late_text}: {station} may still be at it, and is waited for as long again"
        self._session.on_event(Warned(text))

    def recall_late(self, stations: Container[str] | None = None) -> None:
        """Ask for the jobs with which uncertain trials of earlier sessions ended, each the last of its station.

        What somebody has given up is not asked for, unless somebody attaches to it later.

        Args:
            stations: those that are asked; None for all that are there.
        """
        given_up = _given_up(self._state.journal)
        last = {record.station: record.job for trial in self._state.trials for record in trial.steps}
        now, busy = self._session.clock.now(), set(self._under_way.values())
        found: dict[str, list[tuple[int, StepRecord]]] = {}
        for trial in self._state.trials:
            record = trial.steps[-1] if trial.state is TrialState.UNCERTAIN and trial.steps else None
            if record is None or record.state is not TrialState.UNCERTAIN or last[record.station] != record.job:
                continue
            if trial.number not in given_up:
                found.setdefault(record.job, []).append((trial.number, record))
        for job, parts in found.items():
            record = parts[0][1]
            asked = stations is None or record.station in stations
            if asked and record.station not in busy and self._dispatcher.is_there(record.station):
                limit = self._state.campaign.step(record.name).timeout
                late = LateJob(tuple(number for number, _ in parts), job, record.station, limit, now + limit)
                self._dispatcher.late.follow(late, lambda: self._inbox.put(None), known=False)

    def collect(self) -> list[int]:
        """Take up the jobs that have ended late, and return their trials, which are under way again."""
        found = []
        for late in self._dispatcher.late.take():
            for trial in map(self._state.__getitem__, late.trials):
                if trial.state is not TrialState.UNCERTAIN or trial.steps[-1].job != late.token:
                    continue  # somebody has decided about it meanwhile
                text = f"late: {late.station} has ended its job after all"
                last = replace(trial.steps[-1], state=TrialState.DISPATCHED, reason=text)
                self._session.store.reopen(last, trial.metrics, self._session.clock.now())
                self._session.on_event(Warned(f"trial {trial.number} is collected {text}"))
                found.append(trial.number)
        return found

    def _rest(self, who: str, station: str, *, busy: bool, why: str) -> None:
        """Leave a station alone for a while that was not ready for a trial, or did not measure its standard."""
        if not self._dispatcher.usable(station):
            return
        if held := self._dispatcher.safety.held(station):
            text = f"{who} waits, as {why}: {at_station(station, held)}"
        elif busy:
            self._dispatcher.watch(station, lambda: self._inbox.put(None))
            text = f"{who} waits, as {why}: {self._dispatcher.describe[station]()}"
        else:
            pause = self._dispatcher.rest(station, lambda: self._inbox.put(None))
            text = f"{who} waits, as {why}: {station} is tried again in {pause:g} s"
        self._session.on_event(Warned(text))


def _given_up(journal: Iterable[Amendment]) -> set[int]:
    """Return the trials of which the last thing that somebody has ordered is that their job is given up."""
    last = {one.change.trial: one for one in journal if isinstance(one.change, AbortTrial | Settlement)}
    return {trial for trial, one in last.items() if isinstance(one.change, AbortTrial) and not one.refused}


def _is_left(result: StepResult) -> bool:
    """Return whether a job was begun, and its station has been another campaign's since."""
    return result.refused and result.fate is not Fate.NEVER_BEGAN


def _is_kept(record: StepRecord) -> bool:
    """Return whether the raw data of a step are stored."""
    return record.state is TrialState.ACQUIRED
