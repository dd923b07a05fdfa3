"""The campaign manager: which trial goes on next, and what becomes of each."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import replace

from campaigns.amendments import AddTrial
from campaigns.campaign import Campaign
from campaigns.errors import AnalysisError, LabError
from campaigns.fidelity import FULL
from campaigns.laboratory import StepConfig
from campaigns.values import TrialState
from instruments.job import StepResult
from loop.core.events import Amended, Finished, Proposed, StepEnded, StepStarted, Warned
from loop.core.formatting import change_text, trials_text
from loop.core.pareto import front_of
from loop.core.records import AGAIN, OPERATOR, Amendment, StepRecord, TrialRecord, TrialResult
from loop.core.trial_scoring import condemned
from loop.diagnostics.model_changes import model_changes
from loop.execution.campaign_state import TrialCache
from loop.execution.completion import TrialCompletion, changes
from loop.execution.dispatcher import COMPUTER, Dispatcher
from loop.execution.options import SessionResult
from loop.execution.pending_amendments import AmendmentLog
from loop.execution.retraining import Retraining
from loop.execution.session import CampaignResources, Session
from loop.execution.settling import TrialSettlement
from loop.execution.stop_monitor import INTERRUPTED, StopMonitor
from loop.execution.trial_import import TrialImport
from loop.planning.failures import in_a_row, never_had
from loop.planning.planner import Suggestion
from loop.planning.shortlist import SpaceExhaustedError

_AHEAD = 1
"""Trials that wait in the queue, so that a station that falls free never waits for the planner."""
_POLL = 0.1
"""Wall time in seconds between two looks at Ctrl-C while the lab works."""


class Manager:
    """Takes every trial from its proposal to its verdict.

    Args:
        parts: what to do, and who plans it.
        dispatcher: the stations.
        session: where it is kept, whose time counts, and who is told.
        retraining: tunes a model meanwhile, or None.
    """

    def __init__(
        self, parts: CampaignResources, dispatcher: Dispatcher, session: Session, retraining: Retraining | None
    ) -> None:
        self._planner, self._dispatcher, self._session = parts.planner, dispatcher, session
        self._amending = AmendmentLog(parts.campaign, session.store, dispatcher.instruments)
        self._book = TrialCache(parts.campaign, session.store)
        self._importing = TrialImport(parts, self._amending, session.store)
        self._settling = TrialSettlement(self._amending, self._book, session.store, dispatcher, parts.planner)
        self._halting = StopMonitor(session, self._amending, self._book)
        self._ending = TrialCompletion(parts, session, self._amending, self._book, retraining)
        self._inbox: queue.SimpleQueue[StepResult | None] = queue.SimpleQueue()
        self._under_way: dict[str, str] = {}  # token to station
        self._proposals_left = session.options.max_trials

    @property
    def _campaign(self) -> Campaign:
        """The campaign in force."""
        return self._amending.edition.campaign

    def run(self) -> SessionResult:
        """Go on until a stopping rule holds or the user interrupts, and everything under way has ended.

        Raises:
            LabError: a step has no usable station left, or the same analysis fails trial after trial.
        """
        self._ending.tune()
        self._ending.appraise()
        self._withdraw()
        self._ending.look_ahead()
        self._take_up()
        self._amended()
        self._heed_faults()
        while True:
            self._advance()
            if not self._under_way and not self._waits:
                break
            result = self._next_result()
            if result is not None:
                self._handle(result)
        if self._halting.fault:
            raise AnalysisError(self._halting.fault)
        return self._finish()

    def _heed_faults(self) -> None:
        """Stop at once where an analysis that had failed trial after trial in an earlier session still does."""
        same = in_a_row(self._book.trials)
        if not same or not same[-1].acquired:
            return
        if self._dispatcher.analyst.anew(same[-1])[2]:
            self._halting.heed_faults()
        else:
            numbers = trials_text([t.number for t in same])
            told = f"what failed in the analysis of {numbers} works now: 'athanor trial reanalyse' takes them up again"
            self._session.on_event(Warned(told))

    @property
    def _waits(self) -> bool:
        """Whether a trial waits for a station that was not ready and will be tried again."""
        steps = {step.name for t in self._book.open if self._may_go_on(t) and (step := self._next_step(t)) is not None}
        return any(self._dispatcher.waiting(self._campaign.step(name)) for name in steps)

    def _take_up(self) -> None:
        """Go on with what an earlier session has left: adopt, repeat what never began, finish what was acquired."""
        for trial in self._book.open:
            if trial.fidelity in self._dispatcher.computers:
                continue  # it is computed once more
            for record in trial.steps:
                if record.state in (TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED):
                    self._begin(trial, self._campaign.step(record.name), record.station)
            self._judge(trial.number)

    def _judge(self, number: int) -> None:
        """Finish what was acquired, and complete a trial after its last step."""
        for record in self._book[number].acquired:
            if not self._book[number].state.ended and not self._book.measured(self._book[number], record):
                self._acquired(number, record)
        self._ending.complete(number)

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
        self._session.on_event(StepStarted(number, fidelity, COMPUTER, 1))
        analysed = self._dispatcher.compute(waiting[0])
        reason = "; ".join(analysed.flags)
        cost = self._book.refresh(number).steps[-1].cost
        self._session.on_event(StepEnded(number, fidelity, COMPUTER, not analysed.flags, reason, cost))
        state = TrialState.FAILED if analysed.flags else TrialState.COMPLETED
        ending = TrialResult(
            state, reason, analysed.metrics, analysed.flags, cause=analysed.cause, fault=analysed.fault
        )
        self._ending.end(number, ending)
        self._halting.heed_faults()
        return True

    def _propose(self) -> bool:
        """Queue one more trial, if the queue is short and nothing speaks against it."""
        if self._halting.fault or self._halting.reason() is not None or self._proposals_left == 0:
            return False
        asked = self._amending.asked()
        if asked is None and sum(not t.begun for t in self._book.open) >= _AHEAD:
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
                self._halting.stop(str(error))
            return False
        self._queue(suggestion, asked)
        return True

    def _queue(self, suggestion: Suggestion, asked: Amendment | None) -> None:
        """Store a suggestion as a trial that waits, and tell of it."""
        number, candidate, proposal = suggestion
        proposal = replace(proposal, version=self._amending.edition.version)
        self._session.store.propose(
            number, candidate, proposal, self._session.clock.now(), asked.number if asked else None
        )
        self._book.refresh(number)
        if self._proposals_left is not None:
            self._proposals_left -= 1
        self._session.on_event(Proposed(number, candidate, proposal))
        self._session.tell(changes(number, model_changes([trial.proposal for trial in self._book.trials])))

    def _suggested(self, asked: Amendment | None) -> Suggestion:
        """Return what the planner suggests, or what somebody asks for."""
        if asked is None or not isinstance(asked.change, AddTrial):
            return self._planner.suggest()
        return self._planner.take(asked.change.candidate, f"{asked.author}: {asked.reason}")

    def _amended(self) -> bool:
        """Take over what operators have written since; return whether there is anything new."""
        return self._heed(self._amending.take_over(self._book.trials)) or self._import() or self._settle()

    def _import(self) -> bool:
        """Make trials of what operators have imported since; return whether there is anything new."""
        told = [self._importing.take_over(one, self._session.clock.now()) for one in self._amending.imports()]
        if any(not one.refused for one in told):
            self._book.reread()
            self._ending.appraise()
            self._ending.look_ahead()
        self._say(told)
        self._repeating()
        return bool(told)

    def _repeating(self) -> None:
        """Withdraw what waits in the queue and has been imported meanwhile; what was asked for is run."""
        imported = {t.candidate.key(): t.number for t in self._book.trials if t.imported}
        for trial in self._book.open:
            deliberate = trial.proposal.generator in (OPERATOR, AGAIN) or trial.fidelity != FULL
            if not trial.steps and not deliberate and trial.candidate.key() in imported:
                number = imported[trial.candidate.key()]
                self._ending.end(trial.number, TrialResult(TrialState.WITHDRAWN, f"it is measured: trial {number}"))

    def _settle(self) -> bool:
        """Settle the trials that operators have decided about; return whether there were any."""
        told = self._settling.settle(self._campaign, self._session.clock.now())
        for event in told:
            self._session.on_event(event)
            if event.amendment.first is not None:
                self._judge(event.amendment.first)
        if told:
            self._ending.appraise()
            self._ending.look_ahead()
        return bool(told)

    def _heed(self, amendments: Sequence[Amendment]) -> bool:
        """Go by an amended campaign from now on; return whether there is anything new."""
        if not amendments:
            return False
        self._book.reread()
        self._planner.amend(self._amending.edition)
        self._halting.reconsider()
        self._say(amendments)
        self._ending.appraise()
        self._withdraw()
        return True

    def _say(self, amendments: Sequence[Amendment]) -> None:
        for one in amendments:
            text = change_text(self._campaign, one.change)
            self._session.on_event(Amended(one, text, tuple(self._book.trials), self._campaign))

    def _withdraw(self) -> None:
        """Withdraw what waits in the queue and is no longer allowed; what was begun goes on."""
        for trial in self._book.open:
            if not trial.begun and not self._campaign.space.contains(trial.candidate):
                self._ending.end(
                    trial.number, TrialResult(TrialState.WITHDRAWN, "it lies outside of the space in force")
                )

    def _begin(self, trial: TrialRecord, step: StepConfig, station: str) -> None:
        token = self._dispatcher.begin(trial, step, station, self._inbox.put)
        self._under_way[token] = station
        self._book.refresh(trial.number)
        attempt = self._book.step(trial.number, token).attempt
        self._session.on_event(StepStarted(trial.number, step.name, station, attempt))

    def _next_result(self) -> StepResult | None:
        """Wait for a station; return None when the user interrupts, or one may be tried again."""
        if self._interruption():
            return None
        self._session.clock.leave()
        while True:
            try:
                return self._inbox.get(timeout=_POLL)  # its sender has entered the clock on our behalf
            except queue.Empty:
                if self._interruption():
                    self._session.clock.enter()
                    return None

    def _interruption(self) -> bool:
        """Notice Ctrl-C, and bring the stations to a safe state where it is urgent; return whether it is news."""
        if not self._halting.noticed():
            return False
        if self._halting.aborted:
            self._dispatcher.abort(INTERRUPTED)
        return True

    def _handle(self, result: StepResult) -> None:
        """Take the result of a step from its station."""
        job, station = result.job, self._under_way.pop(result.job.token)
        record = self._book.step(job.trial, job.token)
        if not result.ok and self._halting.aborted:
            return  # the store says how far it came; the next session asks the instrument
        self._session.on_event(StepEnded(job.trial, job.step, station, result.ok, result.error or "", record.cost))
        if self._dispatcher.count(station, result):
            self._session.on_event(
                Warned(f"station {station} has failed time after time and is no longer used: {result.error}")
            )
        if result.ok or record.state is TrialState.ACQUIRED:
            self._acquired(job.trial, record)
        else:
            self._failed(result, station)

    def _failed(self, result: StepResult, station: str) -> None:
        state, reason = self._dispatcher.settle(result, station), f"{station}: {result.error}"
        job, now = result.job, self._session.clock.now()
        if state is None:
            self._session.store.claim(job.trial, self._book.step(job.trial, job.token), now)
            self._begin(self._book.refresh(job.trial), self._campaign.step(job.step), station)
            return
        if state is TrialState.QUEUED:  # nothing was moved, so that nothing is repeated
            self._session.store.requeue(job.token, now, reason)
            self._book.refresh(job.trial)
            self._rest(job.trial, station)
            return
        self._session.store.mark(job.token, state, now, reason)
        self._ending.end(job.trial, TrialResult(state, reason, cause=result.cause))

    def _rest(self, trial: int, station: str) -> None:
        """Leave a station alone for a while that was not ready for a trial."""
        if self._dispatcher.usable(station):
            pause = self._dispatcher.rest(station, lambda: self._inbox.put(None))
            told = f"trial {trial} waits, as nothing was moved: {station} is tried again in {pause:g} s"
            self._session.on_event(Warned(told))

    def _acquired(self, number: int, record: StepRecord) -> None:
        """Analyse what a step has acquired, and complete the trial after the last one."""
        step = self._campaign.step(record.name)
        trial = self._book[number]
        analysed = self._dispatcher.analyst.analyse(trial, step, record)
        if analysed.metrics:
            self._session.store.measure(record.token, analysed.metrics)
            self._book.refresh(number)
        ending = condemned(self._campaign, trial, record.name, analysed)
        if ending is None:
            self._ending.complete(number)
            return
        self._ending.end(number, ending)
        self._halting.heed_faults()
        for metric in never_had(self._book.trials, ending.missing):
            told = f"{metric} could not be had of any sample so far; look at the analysis, and at where trials are made"
            self._session.on_event(Warned(told))

    def _give_up(self, step: StepConfig) -> bool:
        """End the session when a step has no station left, once everything else has ended."""
        if self._under_way:
            return False
        why = "; ".join(f"{name}: {self._dispatcher.complaint(name)}" for name in step.stations)
        raise LabError(
            f"step {step.name} has no usable station left of {', '.join(step.stations)} ({why}); what waits for it is "
            "kept: mend the instrument and go on with 'athanor run', or withdraw a trial with 'athanor trial withdraw'"
        )

    def _may_go_on(self, trial: TrialRecord) -> bool:
        """Return whether a waiting trial may take its next step now.

        A new one is begun only while fewer are under way than there are stations (constant work in process: Spearman,
        Woodruff & Hopp 1990, Int. J. Prod. Res. 28, 879): a slow last step would else make the planner propose blindly.
        """
        if self._halting.aborted or self._halting.fault:
            return False
        if trial.begun:
            return True
        if sum(t.begun for t in self._book.open) >= len(self._campaign.stations):
            return False
        return not self._halting.interrupted and (self._halting.reason() is None or self._halting.last_of_budget)

    def _finish(self) -> SessionResult:
        trials, halting = self._book.trials, self._halting
        reason = halting.reason() or f"{self._session.options.max_trials} trials were asked for"
        self._session.on_event(Finished(reason, self._ending.best, front_of(self._campaign, trials)))
        ended = (halting.finished, halting.interrupted, halting.aborted)
        return SessionResult(reason, *ended, tuple(trials), halting.wall_time, tuple(self._ending.found))

    def _next_step(self, trial: TrialRecord) -> StepConfig | None:
        """Return the step that a trial waits for; None while one is under way or when all are done."""
        if any(record.token in self._under_way for record in trial.steps):
            return None
        return self._book.next_step(trial)
