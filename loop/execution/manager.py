"""The campaign manager: propose, queue, dispatch, acquire, analyse, complete, learn, until a stopping rule holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from campaigns.amendments import AddTrial
from campaigns.errors import AnalysisError, EmergencyStopError, PlanError, PlannerError
from campaigns.lab.laboratory import StepConfig
from instruments.job import NO_TRIAL, StepResult
from loop.core.events import Amended, Finished, Warned
from loop.core.formatting import change_text, counted, trials_text
from loop.core.journal import Amendment
from loop.core.pareto import front_of
from loop.core.records import StepRecord, TrialRecord, TrialResult
from loop.core.trial_scoring import ending_of_step
from loop.core.trial_selection import completed
from loop.execution.campaign_state import CampaignState
from loop.execution.completion import TrialCompletion
from loop.execution.decisions.floor_orders import FloorOrders
from loop.execution.decisions.pending_amendments import apply_pending, expand, requested_trial
from loop.execution.decisions.settlements import settle_pending
from loop.execution.decisions.unanswered import Unanswered
from loop.execution.jobs.analysis_process import AbandonedError
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.holds import PossibleJob
from loop.execution.jobs.loads import Loads
from loop.execution.jobs.queue_rules import (
    already_measured,
    cut_short,
    has_capacity,
    outside_space,
    queue_is_full,
    requested_first,
)
from loop.execution.jobs.sample_tracker import SampleTracker
from loop.execution.jobs.standards import Standards
from loop.execution.jobs.step_runner import StepRunner
from loop.execution.jobs.stock_keeper import StockKeeper
from loop.execution.options import SessionResult
from loop.execution.planner_thread import PlannerThread
from loop.execution.proposing import queue_suggestion
from loop.execution.retraining import Retraining
from loop.execution.session import CampaignResources, Session
from loop.execution.stop_monitor import INTERRUPTED, StopMonitor
from loop.execution.trial_import import computed_of, import_pending
from loop.planning.failures import never_had
from loop.planning.planner import Suggestion
from loop.planning.shortlist import SpaceExhaustedError


class Manager:
    """Takes every trial from its proposal to its end.

    Args:
        parts: what to do, and who plans it.
        dispatcher: the stations.
        session: where it is kept, whose time counts, and who receives the events.
        retraining: tunes a model meanwhile, or None.
    """

    def __init__(
        self, parts: CampaignResources, dispatcher: Dispatcher, session: Session, retraining: Retraining | None
    ) -> None:
        self._planner, self._dispatcher, self._session = parts.planner, dispatcher, session
        self._computed = computed_of(parts.materials)
        self._state = CampaignState(parts.campaign, session.store)
        self._stop = StopMonitor(session, self._state)
        self._samples = samples = SampleTracker(self._state)
        self._stock = StockKeeper(parts.campaign)
        self._told_full = False
        self._state.on_read = self._take_note
        dispatcher.sample_of = samples.of_job
        dispatcher.with_room = lambda step, trials: self._stock.with_enough(step, samples.with_room(step, trials))
        dispatcher.supplies += [samples.hold, self._stock.hold]
        dispatcher.holds += dispatcher.supplies
        self._steps = StepRunner(self._state, session, dispatcher)
        self._standards = Standards(parts.campaign, self._state, session, dispatcher, self._steps)
        self._orders = FloorOrders(self._state, session, dispatcher, self._steps, self._stop)
        self._unanswered = Unanswered(self._state, dispatcher, self._steps, self._standards.unsettled)
        self._planning = PlannerThread(session.clock, dispatcher.woken)
        self._completion = TrialCompletion(parts, session, self._state, retraining, self._planning)
        self._loads = Loads(self._state, dispatcher, self._steps, session.clock)
        self._proposals_left = session.options.max_trials
        self._each = 0.0  # how long the last suggestion took, in s of lab time
        self._may_suggest = True  # there is news since the planner had nothing to suggest
        dispatcher.analyst.abandoned = session.options.abort.is_set

    def run(self) -> SessionResult:
        """Go on until a stopping rule holds or the user interrupts, and everything under way has ended.

        Raises:
            LabError: a step has no usable station left, the same analysis fails trial after trial, a plan has a
                mistake, or somebody has made an emergency stop.
            PlannerError: the generation strategy that the campaign names fails, or is too slow.
        """
        try:
            self._go_on()
        finally:
            self._planning.close()
        if self._stop.emergency:
            raise EmergencyStopError(self._stop.emergency)
        if self._stop.fault:
            raise AnalysisError(self._stop.fault)
        if self._stop.mistake:
            raise PlanError(self._stop.mistake)
        if not self._stop.interrupted:
            self._check_kept()
        return self._finish()

    def _go_on(self) -> None:
        """Do what can be done, wait for a station, and so on, until nothing is left to wait for."""
        self._resume()
        while True:
            while (
                self._take_planned()
                or self._apply_amendments()
                or self._collect()
                or self._assign()
                or self._propose()
                or (not self._planning.busy and self._assign(closing=True))
                or self._reserve()
            ):
                pass
            for text in self._stock.runs_low():
                self._session.on_event(Warned(text))
            if not (self._steps.busy or self._planning.busy or self._resting or self._awaits_late):
                break
            self._samples.publish()
            if self._stop.by_user and self._steps.only_asks:
                self._stop.after_step = True  # else what is left open would be taken up again
                self._steps.leave_open(INTERRUPTED)
            self._orders.tell_waits()
            self._tell_full()
            result = self._steps.next_result(self._interrupted)
            if result is not None:
                self._may_suggest = True
                self._handle(result)

    def _take_planned(self, *, wait: bool = False) -> bool:
        """Take what the planner has found since, and let it learn what has ended; return whether there was any."""
        taken = self._planning.take(wait=wait)
        self._completion.advance()
        return taken

    def _await_planner(self) -> None:
        """Wait until the planner is free, and knows all that has ended."""
        while self._planning.busy:
            self._take_planned(wait=True)

    def _take_note(self, trial: TrialRecord) -> None:
        """Let all campaigns on the lab file know what the jobs of a trial have used, and that stations had them."""
        self._stock.settle(trial)
        self._standards.settle(trial)

    def _check_kept(self) -> None:
        """End the session with an error where a trial waits for a station that is not usable any more."""
        for trial in self._state.open:
            if (step := self._stranded(trial)) is not None and not self._stop.halted:
                raise self._dispatcher.unusable_error(step, trial)

    def _stranded(self, trial: TrialRecord) -> StepConfig | None:
        """Return the step of a trial that was begun, where no station is usable that could do it; else None."""
        step = self._steps.awaited_step(trial) if trial.begun else None
        if step is None or trial.fidelity in self._dispatcher.computers:
            return None
        return None if any(map(self._dispatcher.usable, self._dispatcher.choices(step, trial))) else step

    def _resume(self) -> None:
        """Go on with what an earlier session has left: adopt, repeat what never began, finish what was acquired."""
        self._orders.begin()
        for trial in self._state.trials:
            self._take_note(trial)
        self._completion.retrain()
        self._completion.review()
        self._withdraw(outside_space(self._state.open, self._state.campaign.space))
        for trial in self._state.open:
            if trial.fidelity in self._dispatcher.computers:
                continue  # it is computed once more
            if (ending := cut_short(trial)) is not None:
                self._completion.end(trial.number, ending)
            else:
                self._steps.adopt(trial)
                self._finish_acquired(trial.number)
        self._steps.recall_late()
        self._apply_amendments()
        self._stop.check_earlier_faults(self._dispatcher.analyst)

    def _propose(self) -> bool:
        """Have one more trial suggested, if the queue is short and nothing speaks against it.

        Return whether there was news.
        """
        if self._planning.busy or self._stop.halted or self._stop.reason() is not None or self._proposals_left == 0:
            return False
        asked = requested_trial(self._state)
        ahead = self._loads.ahead(may_begin=self._has_capacity, each=self._each)
        if asked is None and queue_is_full(self._state.open, ahead):
            return False
        if asked is not None and asked.refused:
            self._announce([asked])
            return True
        if self._amend(expand(self._state)):
            return True
        if asked is not None and isinstance(asked.change, AddTrial):
            reason = f"{asked.author}: {asked.reason}"
            self._queue(self._planner.take(asked.change.candidate, reason), asked.number)
            return True
        if not self._may_suggest:
            return False
        fixed, queued, began = self._loads.fixed(), len(self._state.trials), self._session.clock.now()
        self._planning.begin(lambda: self._planner.suggest(fixed), lambda done: self._take_suggestion(done, began))
        return len(self._state.trials) > queued

    def _take_suggestion(self, done: Future[Suggestion], began: float) -> None:
        """Queue what the planner suggests; where it has nothing to suggest, it is asked again once there is news.

        Args:
            done: what it suggests.
            began: when it was asked, in s of lab time.

        Raises:
            PlannerError: it cannot suggest anything, and nothing is under way.
        """
        self._each = self._session.clock.now() - began
        try:
            suggestion = done.result()
        except SpaceExhaustedError as error:
            self._may_suggest = False
            if not self._state.open:  # what is under way may tell that a repetition is worthwhile
                self._stop.stop(str(error))
        except PlannerError:
            self._may_suggest = False
            if not self._state.open:  # what was begun is finished first
                raise
        else:
            self._queue(suggestion)

    def _queue(self, suggestion: Suggestion, asked: int | None = None) -> None:
        """Store a suggestion as a trial that waits, and tell of it; ``asked`` is the amendment that asks for it."""
        if self._proposals_left is not None:
            self._proposals_left -= 1
        queue_suggestion(self._session, self._state, suggestion, asked)

    @property
    def _awaits_late(self) -> bool:
        """Whether a job that is over its time is still waited for, and nobody wants an end."""
        if self._stop.interrupted or self._stop.halted:
            return False
        return any(map(self._dispatcher.late.holds, self._state.campaign.stations))

    def _collect(self) -> bool:
        """Take up the jobs that have ended late; return whether there were any."""
        if not self._dispatcher.late.over:
            return False
        self._await_planner()
        trials = self._steps.collect()
        if not trials:
            return False
        self._may_suggest = True
        self._state.read_trials()  # without what was concluded from them before
        self._planner.relearn(self._state.trials)
        for number in trials:
            self._steps.adopt(self._state[number])
        return True

    def _assign(self, *, closing: bool = False) -> bool:
        """Give one free station a waiting trial, or load: the latest step first, so that what was begun is finished.

        Args:
            closing: whether loads begin with places left, where nothing that fits can come.
        """
        going_on = filter(self._may_go_on, requested_first(self._state.open))
        if self._compute() or self._standards.begin_due(self._steps.possible_jobs(going_on)):
            return True
        for step in reversed(self._state.campaign.steps):
            awaiting = (t for t in self._state.open if self._steps.awaited_step(t) is step and self._may_go_on(t))
            waiting = requested_first(awaiting)
            for trial in waiting:
                if (station := self._dispatcher.free(step, trial)) is None:
                    continue
                load = self._loads.gather(trial, step, station, self._awaiting(step))
                begins = bool(load) and self._loads.may_begin(load, step, station, closing=closing)
                if begins and self._samples.claim(step, load):
                    self._steps.begin(load, step, station)
                    self._may_suggest = True
                    return True
            if waiting and not any(self._dispatcher.usable(s) for s in step.stations):
                return self._give_up(step)
        return False

    def _reserve(self) -> bool:
        """Ask for the stations that trials wait for, where campaigns share the laboratory; return whether one came."""
        if not self._dispatcher.reserved.shared:
            return False
        jobs: dict[bool, list[PossibleJob]] = {True: [], False: []}
        for trial in self._state.open if not self._stop.halted else ():
            possible = self._steps.possible_jobs([trial])
            jobs[self._may_go_on(trial)] += (one for one in possible if self._wants(one))
        tokens = {s.job for t in self._state.open for s in t.steps if s.open}
        return self._dispatcher.request(jobs[True], jobs[False], tokens)

    def _wants(self, job: PossibleJob) -> bool:
        """Return whether a station that others share is asked for now: a load that waits for samples asks for none."""
        if not self._dispatcher.orders.takes_loads(job.station):
            return True
        return self._loads.wants(job, self._awaiting(job.step), closing=not self._planning.busy)

    def _compute(self) -> bool:
        """Compute what a trial waits for that no station is needed for."""
        computed = (t for t in self._state.open if t.fidelity in self._dispatcher.computers and self._may_go_on(t))
        trial = next(computed, None)
        if trial is None:
            return False
        self._completion.end(trial.number, self._steps.compute(trial))
        self._stop.check_repeated_faults()
        return True

    def _may_go_on(self, trial: TrialRecord) -> bool:
        """Return whether a waiting trial may take its next step now."""
        if self._stop.halted:
            return False
        return trial.begun or (self._has_capacity and self._stop.may_begin and not self._completion.may_stop)

    @property
    def _has_capacity(self) -> bool:
        """Whether the stations have places for one more trial."""
        going_on = [t for t in self._state.open if self._stranded(t) is None]
        return has_capacity(going_on, max(self._dispatcher.usable_places, 1))

    def _tell_full(self) -> None:
        """Say once, while no station works, that trials wait as enough of them are under way."""
        if self._has_capacity:
            self._told_full = False
            return
        waiting = [trial.number for trial in self._state.open if not trial.begun]
        if self._told_full or self._steps.busy or not waiting:
            return
        self._told_full, verb = True, "waits" if len(waiting) == 1 else "wait"
        full = "no more are under way than the stations in use have places"
        text = f"{trials_text(waiting)} {verb} until one that is under way has ended: {full}"
        self._session.on_event(Warned(text))

    def _awaiting(self, step: StepConfig) -> list[TrialRecord]:
        """Return the trials that could be part of a load at a step: a load begins as a whole."""
        begin = self._stop.may_begin
        waiting = (t for t in self._state.open if self._steps.awaited_step(t) is step and (t.begun or begin))
        return requested_first(waiting)

    @property
    def _resting(self) -> bool:
        """Whether a trial waits for a station that is tried again, or that people hold, and nobody wants an end."""
        if self._stop.interrupted:
            return False
        awaited = ((self._steps.awaited_step(t), t) for t in self._state.open if self._may_go_on(t))
        return any(step is not None and self._dispatcher.waiting(step, trial) for step, trial in awaited)

    def _give_up(self, step: StepConfig) -> bool:
        """End the session when a step has no station left, once everything else has ended."""
        if self._steps.busy:
            return False
        self._interrupted()
        if self._stop.emergency:  # which may be why
            return False
        raise self._dispatcher.unusable_error(step)

    def _interrupted(self) -> bool:
        """Notice Ctrl-C, what interlocks have done, and what people have written into the journal.

        Return whether there is news; it is, too, that the time is over while nothing is under way.
        """
        news = self._dispatcher.safety.news()
        for text in news:
            self._session.on_event(Warned(text))
        if self._dispatcher.safety.emergency and not self._stop.emergency:
            self._stop.stop_at_once(self._dispatcher.safety.emergency)
            self._steps.leave_open(self._dispatcher.safety.emergency)
        if not self._stop.noticed():
            changed = bool(news) or self._state.is_behind or self._stock.is_behind or self._samples.is_behind
            changed = changed or self._standards.is_behind
            return changed or (not self._steps.busy and self._stop.overdue)
        if self._stop.aborted:
            self._dispatcher.abort(INTERRUPTED)
        return True

    def _handle(self, result: StepResult) -> None:
        """Take the result of a job from its station, trial by trial."""
        self._stop.check_plan(result)
        if result.job.trial == NO_TRIAL:
            self._standards.conclude(result, aborted=self._stop.aborted)
            return
        for number, found in self._steps.conclude(result, aborted=self._stop.aborted):
            if isinstance(found, TrialResult):
                self._completion.end(number, found)
            else:
                self._analyse_step(number, found)

    def _finish_acquired(self, number: int) -> None:
        """Finish what was acquired, and complete a trial after its last step."""
        for record in self._state[number].acquired:
            if not self._state[number].state.ended and not self._state.is_analysed(self._state[number], record):
                self._analyse_step(number, record)
        self._completion.complete(number)

    def _analyse_step(self, number: int, record: StepRecord) -> None:
        """Analyse what a step has acquired, and complete the trial after the last one."""
        step, trial = self._state.campaign.step(record.name), self._state[number]
        try:
            analysed = self._dispatcher.analyst.analyse(trial, step, record)
        except AbandonedError:
            self._interrupted()  # its raw data are stored, and are analysed by the next session
            return
        if analysed.metrics:
            self._session.store.measure(record.token, analysed.metrics)
            self._state.read_trial(number)
        ending = ending_of_step(self._state.campaign, trial, record.name, analysed)
        if ending is None:
            self._completion.complete(number)
            return
        self._completion.end(number, ending)
        self._stop.check_repeated_faults()
        for metric in never_had(self._state.trials, ending.missing):
            text = (
                f"{metric} has had no value for any sample so far; look at the analysis, and at where trials are made"
            )
            self._session.on_event(Warned(text))

    def _apply_amendments(self) -> bool:
        """Do what operators have written into the journal since; return whether there is anything new."""
        self._state.read_journal()
        if self._obey() or self._unanswered.decide(self._session.clock.now()) or self._standards.withdraw_doubtful():
            return True
        if any(one.waiting for one in self._state.journal):
            self._await_planner()
        changed = self._amend(apply_pending(self._state, self._dispatcher.instruments))
        self._may_suggest |= (changed := changed or self._import() or self._settle())
        return changed

    def _obey(self) -> bool:
        """Go by what people order of stations, jobs and the run; return whether there is anything new."""
        done = self._orders.carry_out()
        self._announce(done)
        return bool(done)

    def _amend(self, amendments: Sequence[Amendment]) -> bool:
        """Go by an amended campaign from now on; return whether there is anything new."""
        if not amendments:
            return False
        self._state.read_trials()
        self._planner.amend(self._state.version)
        self._stop.reconsider()
        self._announce(amendments)
        self._completion.review()
        self._withdraw(outside_space(self._state.open, self._state.campaign.space))
        return True

    def _import(self) -> bool:
        """Make trials of what operators have imported since; return whether there is anything new."""
        done = import_pending(self._state, self._planner, self._computed, self._session.clock.now())
        if any(not one.refused for one in done):
            self._completion.review()
        self._announce(done)
        self._withdraw(already_measured(self._state.trials))
        return bool(done)

    def _settle(self) -> bool:
        """Settle the trials that operators have decided about; return whether there were any."""
        now = self._session.clock.now()
        try:
            done = settle_pending(self._state, self._steps, self._dispatcher.analyst, self._planner, now)
        except AbandonedError:
            return False  # what is asked for stays in the journal
        for event in done:
            self._session.on_event(event)
            if event.amendment.first is not None:
                self._finish_acquired(event.amendment.first)
        if done:
            self._completion.review()
        return bool(done)

    def _withdraw(self, trials: Iterable[tuple[int, TrialResult]]) -> None:
        """Withdraw trials that wait in the queue."""
        for number, ending in trials:
            self._completion.end(number, ending)

    def _announce(self, amendments: Sequence[Amendment]) -> None:
        for one in amendments:
            text = change_text(self._state.campaign, one.change)
            self._session.on_event(Amended(one, text, tuple(self._state.trials), self._state.campaign))

    def _finish(self) -> SessionResult:
        self._samples.publish()
        for text in self._dispatcher.finish():
            self._session.on_event(Warned(text))
        trials, stop = self._state.trials, self._stop
        proposed = counted(self._session.options.max_trials or 0, "trial")
        reason = stop.reason() or f"{proposed} proposed in this session, as --max-trials says"
        front, measured = front_of(self._state.campaign, trials), bool(completed(trials))
        self._session.on_event(Finished(reason, self._completion.best, front, measured))
        ended = (stop.finished, stop.interrupted, stop.aborted)
        return SessionResult(reason, *ended, tuple(trials), tuple(self._completion.found))
