"""Propose a batch of trials without a run: for people who do them by hand, or before instruments are there."""

from __future__ import annotations

from collections.abc import Callable

from campaigns.amendments import AddTrial
from campaigns.campaign import Campaign
from loop.core.events import Event, SourceRead, Warned
from loop.core.fingerprint import campaign_record
from loop.execution.campaign_state import CampaignState
from loop.execution.completion import TrialCompletion
from loop.execution.decisions.offline_settlements import settle_waiting
from loop.execution.decisions.pending_amendments import apply_pending, expand, requested_trial
from loop.execution.options import RunOptions, SessionResult
from loop.execution.planner_thread import PlannerThread
from loop.execution.proposing import queue_suggestion
from loop.execution.session import CampaignResources, Session
from loop.execution.stop_monitor import StopMonitor
from loop.execution.trial_import import computed_of, import_pending
from loop.planning.shortlist import SpaceExhaustedError
from loop.run import prepare, request_history_import, versions
from loop.storage.prior_campaigns import keep_sources
from loop.storage.store import Store
from loop.validation.limit_checks import kept_limits
from simulators.virtual_clock import VirtualClock

_ROLE = "history"


def suggest_batch(campaign: Campaign, options: RunOptions, on_event: Callable[[Event], None]) -> SessionResult:
    """Propose trials, which then wait: for a run, or for who does them by hand. No instrument is asked.

    Args:
        campaign: what to do.
        options: where to keep it; ``max_trials`` is how many to propose.
        on_event: called with everything that happens.

    Raises:
        AthanorError: the campaign cannot be planned: file, pool, model or store; or another process runs it.
    """
    parts, store = prepare(campaign, on_event), Store(options.store_url)
    outcome = "failed"
    try:
        store.begin(campaign_record(campaign, options.source_text), versions())
        keep_sources(parts.sources, store)
        for text in request_history_import(parts, store):
            on_event(SourceRead(text, _ROLE))
        for text in settle_waiting(campaign, store):
            on_event(Warned(text))
        result = _Batch(parts, store, options, on_event).propose()
        outcome = result.reason
    finally:
        store.close(outcome)
    return result


class _Batch:
    """Proposes trials one after the other, each with those before it under way."""

    def __init__(
        self, parts: CampaignResources, store: Store, options: RunOptions, on_event: Callable[[Event], None]
    ) -> None:
        self._parts, self._options = parts, options
        now = max((change.lab for change in store.transitions()), default=0.0)
        self._session = Session(store, VirtualClock(now), options, on_event)
        self._state = CampaignState(parts.campaign, store)
        self._stop = StopMonitor(self._session, self._state)

    def propose(self) -> SessionResult:
        """Take over what was asked for, learn from all trials, and propose."""
        thread = PlannerThread(self._session.clock, lambda: None)
        try:
            self._learn(TrialCompletion(self._parts, self._session, self._state, None, thread))
            why = self._proposals()
        finally:
            thread.close()
            self._session.clock.close()
        return SessionResult(why, finished=self._stop.finished, trials=tuple(self._state.trials))

    def _learn(self, completion: TrialCompletion) -> None:
        apply_pending(self._state, kept_limits(self._session.store))
        planner = self._parts.planner
        planner.amend(self._state.version)
        planner.recall(self._state.trials)
        import_pending(self._state, planner, computed_of(self._parts.materials), self._session.clock.now())
        completion.review()

    def _proposals(self) -> str:
        """Queue the proposals; return why there are no more."""
        planner, wanted = self._parts.planner, self._options.max_trials or 1
        for _ in range(wanted):
            if (why := self._stop.reason()) is not None:
                return why
            asked = requested_trial(self._state)
            if asked is not None and not asked.refused and isinstance(asked.change, AddTrial):
                reason = f"{asked.author}: {asked.reason}"
                queue_suggestion(self._session, self._state, planner.take(asked.change.candidate, reason), asked.number)
                continue
            if expand(self._state):
                planner.amend(self._state.version)
            try:
                queue_suggestion(self._session, self._state, planner.suggest())
            except SpaceExhaustedError as error:
                return str(error)
        return f"{wanted} proposed, as asked"
