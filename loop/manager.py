"""The campaign manager: which trial goes on next, and what becomes of each."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from campaigns.amendments import AddTrial
from campaigns.campaign import Campaign
from campaigns.errors import LabError
from campaigns.fidelity import FULL
from campaigns.lab import StepConfig
from campaigns.values import TrialState
from campaigns.warm_start import Source
from instruments.clock import Clock
from instruments.job import StepResult
from loop.amending import Amending
from loop.appraising import Appraising
from loop.assemble import Materials
from loop.book import Book
from loop.dispatch import COMPUTER, Dispatcher
from loop.events import (
    Amended,
    Event,
    Finished,
    FrontGrew,
    Improved,
    Proposed,
    StepEnded,
    StepStarted,
    Stopping,
    SurrogateChanged,
    TrialEnded,
    Warned,
)
from loop.front import front, front_of, wants_front
from loop.model_changes import model_changes
from loop.options import Outcome, RunOptions
from loop.planner import Planner, Suggestion
from loop.records import OPERATOR, Amendment, StepRecord, TrialRecord, Verdict, time_spent
from loop.retraining import Retraining
from loop.settling import Settling
from loop.shortlist import SpaceExhaustedError
from loop.stopping import spent, stop_reason
from loop.store import Store
from loop.verdict import verdict
from loop.words import change_text

_AHEAD = 1
"""Trials that wait in the queue, so that a station that falls free never waits for the planner."""
_POLL = 0.1
"""Wall time in seconds between two looks at Ctrl-C while the lab works."""
_INTERRUPTED = "interrupted by the user"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of, before there is a lab.

    Attributes:
        campaign: what to do.
        materials: the pool with all that is known of it, or None.
        planner: knows all trials of the store as soon as there is a lab.
        sources: what the planner learnt from earlier campaigns.
    """

    campaign: Campaign
    materials: Materials | None
    planner: Planner
    sources: Sequence[Source] = ()


class Manager:
    """Takes every trial from its proposal to its verdict.

    Args:
        parts: what to do, and who plans it.
        dispatcher: the stations.
        store: the only memory.
        retraining: tunes a model meanwhile, or None.
    """

    def __init__(self, parts: Parts, dispatcher: Dispatcher, store: Store, retraining: Retraining | None) -> None:
        self._campaign, self._materials, self._planner = parts.campaign, parts.materials, parts.planner
        self._dispatcher, self._store, self._retraining = dispatcher, store, retraining
        self._amending = Amending(parts.campaign, store, dispatcher.instruments)
        self._campaign = self._amending.edition.campaign
        self._objective = self._campaign.build_objective()
        self._book = Book(parts.campaign, store)
        self._settling = Settling(self._amending, self._book, store, dispatcher, parts.planner)
        self._appraising = Appraising(parts.planner, self._book, store)
        self._inbox: queue.SimpleQueue[StepResult] = queue.SimpleQueue()
        self._under_way: dict[str, str] = {}  # token to station
        self._stopping: str | None = None
        self._interrupted = self._aborted = False

    def run(self, clock: Clock, options: RunOptions, on_event: Callable[[Event], None]) -> Outcome:
        """Go on until a stopping rule holds or the user interrupts, and everything under way has ended.

        Raises:
            LabError: a step has no usable station left.
        """
        self._clock, self._options, self._on_event = clock, options, on_event
        self._started, self._earlier = time.time(), time_spent(self._store.sessions())
        self._proposals_left = options.max_trials
        self._tell(_changed(max((trial.number for trial in self._book.trials), default=0), self._retrained()))
        self._tell(self._appraising.doubts())
        self._withdraw()
        self._tell(self._appraising.outlook(self._campaign))
        self._take_up()
        while True:
            self._advance()
            if not self._under_way:
                break
            result = self._next_result()
            if result is not None:
                self._handle(result)
        return self._finish()

    def _take_up(self) -> None:
        """Go on with what an earlier session has left: adopt, repeat what never began, finish what was acquired."""
        for trial in self._book.open:
            for record in trial.steps:
                if trial.fidelity in self._dispatcher.computers:
                    continue  # it is computed once more
                if record.state is TrialState.ACQUIRED and not self._book.measured(trial, record):
                    self._acquired(trial.number, record)
                elif record.state in (TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED):
                    self._begin(trial, self._campaign.step(record.name), record.station)
            self._complete(trial.number)

    def _advance(self) -> None:
        """Give free stations work, and keep the queue filled."""
        while self._amended() or self._assign() or self._propose():
            pass

    def _assign(self) -> bool:
        """Give one free station a waiting trial: the latest step first, so that what was begun is finished."""
        if self._compute():
            return True
        for step in reversed(self._campaign.steps):
            waiting = [t for t in self._book.open if self._next_step(t) is step and self._may_go_on(t)]
            waiting.sort(key=lambda trial: trial.proposal.generator != OPERATOR)
            station = self._dispatcher.free(step)
            if waiting and station is not None:
                self._begin(waiting[0], step, station)
                return True
            if waiting and not any(self._dispatcher.usable(s) for s in step.stations):
                return self._give_up(step)
        return False

    def _compute(self) -> bool:
        """Compute what a trial waits for that no station is needed for."""
        waiting = [t for t in self._book.open if t.fidelity in self._dispatcher.computers and self._may_go_on(t)]
        if not waiting:
            return False
        number, fidelity = waiting[0].number, waiting[0].fidelity
        self._on_event(StepStarted(number, fidelity, COMPUTER, 1))
        analysed = self._dispatcher.compute(waiting[0])
        reason = "; ".join(analysed.flags)
        cost = self._book.refresh(number).steps[-1].cost
        self._on_event(StepEnded(number, fidelity, COMPUTER, not analysed.flags, reason, cost))
        state = TrialState.FAILED if analysed.flags else TrialState.COMPLETED
        self._end(number, Verdict(state, reason, analysed.metrics, analysed.flags))
        return True

    def _propose(self) -> bool:
        """Queue one more trial, if the queue is short and nothing speaks against it."""
        if self._stop_reason() is not None or self._proposals_left == 0:
            return False
        asked = self._amending.asked()
        if asked is None and sum(not t.steps for t in self._book.open) >= _AHEAD:
            return False
        if asked is not None and asked.refused:
            self._say([asked])
            return True
        if self._heed(self._amending.grow(self._book.trials)):
            return True
        try:
            suggestion = self._suggested(asked)
        except SpaceExhaustedError as error:
            if not self._book.open:  # what is under way may tell that a repetition is worthwhile
                self._stop(str(error))
            return False
        self._queue(suggestion, asked)
        return True

    def _queue(self, suggestion: Suggestion, asked: Amendment | None) -> None:
        """Store a suggestion as a trial that waits, and tell of it."""
        number, candidate, proposal = suggestion
        proposal = replace(proposal, version=self._amending.edition.version)
        self._store.propose(number, candidate, proposal, self._clock.now(), asked.number if asked else None)
        self._book.refresh(number)
        if self._proposals_left is not None:
            self._proposals_left -= 1
        self._on_event(Proposed(number, candidate, proposal))
        self._tell(_changed(number, model_changes([trial.proposal for trial in self._book.trials])))

    def _suggested(self, asked: Amendment | None) -> Suggestion:
        """Return what the planner suggests, or what somebody asks for."""
        if asked is None or not isinstance(asked.change, AddTrial):
            return self._planner.suggest()
        return self._planner.take(asked.change.candidate, f"{asked.author}: {asked.reason}")

    def _amended(self) -> bool:
        """Take over what operators have written since; return whether there is anything new."""
        return self._heed(self._amending.take_over(self._book.trials)) or self._settle()

    def _settle(self) -> bool:
        """Settle the trials that operators have decided about; return whether there were any."""
        told = self._settling.settle(self._campaign, self._clock.now())
        for event in told:
            self._on_event(event)
            if event.amendment.first is not None:
                self._complete(event.amendment.first)
        return bool(told)

    def _heed(self, amendments: Sequence[Amendment]) -> bool:
        """Go by an amended campaign from now on; return whether there is anything new."""
        if not amendments:
            return False
        self._campaign = self._amending.edition.campaign
        self._objective = self._campaign.build_objective()
        self._book.reread()
        self._planner.amend(self._amending.edition)
        if not self._interrupted:
            self._stopping = None
        self._say(amendments)
        self._withdraw()
        return True

    def _say(self, amendments: Sequence[Amendment]) -> None:
        for one in amendments:
            text = change_text(self._campaign, one.change)
            self._on_event(Amended(one, text, tuple(self._book.trials), self._campaign))

    def _withdraw(self) -> None:
        """Withdraw what waits in the queue and is no longer allowed; what was begun goes on."""
        for trial in self._book.open:
            if not trial.steps and not self._campaign.space.contains(trial.candidate):
                self._end(trial.number, Verdict(TrialState.WITHDRAWN, "it lies outside of the space in force"))

    def _begin(self, trial: TrialRecord, step: StepConfig, station: str) -> None:
        token = self._dispatcher.begin(trial, step, station, self._inbox.put)
        self._under_way[token] = station
        self._book.refresh(trial.number)
        attempt = self._book.step(trial.number, token).attempt
        self._on_event(StepStarted(trial.number, step.name, station, attempt))

    def _next_result(self) -> StepResult | None:
        """Wait for a station; return None when the user interrupts or the time is up."""
        if self._interruption():
            return None
        self._clock.leave()
        while True:
            try:
                return self._inbox.get(timeout=_POLL)  # its sender has entered the clock on our behalf
            except queue.Empty:
                if self._interruption():
                    self._clock.enter()
                    return None

    def _interruption(self) -> bool:
        """Notice Ctrl-C; return whether there is something new about it."""
        if self._options.abort.is_set() and not self._aborted:
            self._aborted = self._interrupted = True
            self._dispatcher.abort(_INTERRUPTED)
            return True
        if self._options.stop.is_set() and not self._interrupted:
            self._interrupted = True
            return True
        return False

    def _handle(self, result: StepResult) -> None:
        """Take the result of a step from its station."""
        job, station = result.job, self._under_way.pop(result.job.token)
        record = self._book.step(job.trial, job.token)
        if not result.ok and self._aborted:
            return  # the store says how far it came; the next session asks the instrument
        self._on_event(StepEnded(job.trial, job.step, station, result.ok, result.error or "", record.cost))
        if self._dispatcher.count(station, result):
            self._on_event(
                Warned(f"station {station} has failed time after time and is no longer used: {result.error}")
            )
        if result.ok or record.state is TrialState.ACQUIRED:
            self._acquired(job.trial, record)
        else:
            self._failed(result, station)

    def _failed(self, result: StepResult, station: str) -> None:
        state, reason = self._dispatcher.settle(result, station), f"{station}: {result.error}"
        if state is None:  # the instrument has never begun it: nothing is repeated
            self._store.claim(result.job.trial, self._book.step(result.job.trial, result.job.token), self._clock.now())
            self._begin(self._book.refresh(result.job.trial), self._campaign.step(result.job.step), station)
            return
        self._store.mark(result.job.token, state, self._clock.now(), reason)
        self._end(result.job.trial, Verdict(state, reason))

    def _acquired(self, number: int, record: StepRecord) -> None:
        """Analyse what a step has acquired, and complete the trial after the last one."""
        step = self._campaign.step(record.name)
        analysed = self._dispatcher.analyse(self._book[number], step, record)
        if analysed.flags:
            reason = f"{record.name}: {'; '.join(analysed.flags)}"
            self._end(number, Verdict(TrialState.QUARANTINED, reason, flags=analysed.flags))
            return
        self._store.measure(record.token, analysed.metrics)
        self._book.refresh(number)
        self._complete(number)

    def _complete(self, number: int) -> None:
        """End a trial that has gone through all steps."""
        trial = self._book[number]
        if trial.state.ended or not self._campaign.workflow_of(trial.fidelity):
            return
        if self._book.next_step(trial) is None:
            computed = {} if self._materials is None else self._materials.computed_of(trial.candidate.material)
            self._end(number, verdict(self._objective, trial, computed))

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self._on_event(event)

    def _retrained(self) -> list[tuple[str, str]]:
        """Begin or settle the tuning of a model, if that is due."""
        if self._retraining is None:
            return []
        return self._retraining.advance([t for t in self._book.completed if t.fidelity == FULL])

    def _end(self, number: int, ending: Verdict) -> None:
        previous = self._book.best
        self._store.end(number, ending, self._clock.now())
        trial = self._book.refresh(number)
        changed = [(metric, change.text) for metric, change in self._planner.ingest(trial)]
        self._store.beat()
        self._on_event(TrialEnded(trial))
        self._tell(self._appraising.doubts())
        self._tell(self._appraising.outlook(self._campaign))
        self._tell(_changed(number, changed + self._retrained()))
        incumbent = self._book.best
        if wants_front(self._campaign):
            grown = front(self._objective, self._book.trials)
            if number in grown.numbers:
                self._on_event(FrontGrew(number, grown))
        elif incumbent is not None and (previous is None or (incumbent.score or 0.0) > (previous.score or 0.0)):
            self._on_event(Improved(incumbent, previous))

    def _give_up(self, step: StepConfig) -> bool:
        """End the session when a step has no station left, once everything else has ended."""
        if self._under_way:
            return False
        raise LabError(
            f"step {step.name} has no usable station left of {', '.join(step.stations)}; "
            "see 'athanor trials' for the reasons, mend the instrument, and go on with 'athanor run'"
        )

    def _stop_reason(self) -> str | None:
        """Return why nothing new is begun, or None."""
        if self._stopping is None:
            trials = self._book.trials
            used = spent(trials, self._wall_time())
            reason = stop_reason(self._campaign, trials, used, self._amending.edition.first)
            if self._options.stop.is_set() or self._options.abort.is_set():
                self._interrupted, reason = True, reason or _INTERRUPTED
            if reason is not None:
                self._stop(reason)
        return self._stopping

    def _stop(self, reason: str) -> None:
        self._stopping = reason
        self._on_event(Stopping(reason))

    def _may_go_on(self, trial: TrialRecord) -> bool:
        """Return whether a waiting trial may take its next step now.

        A new one is begun only while fewer are under way than there are stations (constant work in process: Spearman,
        Woodruff & Hopp 1990, Int. J. Prod. Res. 28, 879): a slow last step would else make the planner propose blindly.
        """
        if self._aborted:
            return False
        if trial.steps:
            return True
        if sum(bool(t.steps) for t in self._book.open) >= len(self._campaign.stations):
            return False
        return not self._interrupted and (self._stop_reason() is None or self._last_of_budget())

    def _last_of_budget(self) -> bool:
        """Return whether the campaign stops only because its trials are all proposed: the queued ones still count."""
        full = sum(trial.counted for trial in self._book.trials)
        return not self._interrupted and full >= self._campaign.budget.trials

    def _finish(self) -> Outcome:
        trials = self._book.trials
        reason = self._stopping or f"{self._options.max_trials} trials were asked for"
        finished = self._stopping is not None and not self._interrupted
        self._on_event(Finished(reason, self._book.best, front_of(self._campaign, trials)))
        return Outcome(reason, finished, self._interrupted, self._aborted, tuple(trials), self._wall_time())

    def _next_step(self, trial: TrialRecord) -> StepConfig | None:
        """Return the step that a trial waits for; None while one is under way or when all are done."""
        if any(record.token in self._under_way for record in trial.steps):
            return None
        return self._book.next_step(trial)

    def _wall_time(self) -> float:
        return self._earlier + time.time() - self._started


def _changed(trial: int, changes: Sequence[tuple[str, str]]) -> list[Event]:
    """Return what has changed about the models of metrics, with a trial, as events."""
    return [SurrogateChanged(trial, metric, text) for metric, text in changes]
