"""Decide what nobody has decided in time, as the campaign file says: by the journal, as people do."""

from __future__ import annotations

import time
from collections.abc import Iterator

from campaigns.decisions import DiscardTrial, SetStation, Settlement, StationMode, StopRun
from campaigns.lab.request_limits import StationRequestConfig, TrialRequestConfig
from campaigns.values import TrialState
from loop.core.formatting import duration
from loop.core.station_modes import StationOrder
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher

AUTHOR = "time limit"
"""Who has written into the journal what nobody has decided."""

Decision = DiscardTrial | SetStation | StopRun


class Unanswered:
    """Writes into the journal what is done about requests whose time is up.

    Args:
        state: of the session.
        dispatcher: the stations; it has the session look again when a time is up.
    """

    def __init__(self, state: CampaignState, dispatcher: Dispatcher) -> None:
        self._state, self._dispatcher = state, dispatcher
        self._stopped: set[str] = set()

    def decide(self, now: float) -> bool:
        """Write what is due at a lab time in seconds; return whether there was anything."""
        due = [*self._trials(now), *self._stations(now)]
        for change, limit, asked in due:
            reason = f"nobody has answered within {duration(limit)}: {asked}"
            first = len(self._state.trials) if isinstance(change, SetStation) else None
            if isinstance(change, SetStation):
                self._state.share(StationOrder(change.station, change.mode, AUTHOR, time.time(), reason))
            self._state.store.amend([change], (AUTHOR, reason), {}, first)
        return bool(due)

    def _trials(self, now: float) -> Iterator[tuple[Decision, float, str]]:
        if (config := self._state.campaign.requests.trial) is None:
            return
        waiting = (one.change for one in self._state.journal if one.waiting)
        decided = {change.trial for change in waiting if isinstance(change, Settlement)}
        for trial in self._state.trials:
            ended = trial.steps[-1].ended if trial.steps else None
            if trial.state is not TrialState.UNCERTAIN or trial.number in decided or ended is None:
                continue
            change = DiscardTrial(trial=trial.number) if config.then == "discard" else StopRun(after="trial")
            asked = f"trial {trial.number} is uncertain"
            if self._is_due(config, ended, now) and self._first_time(change, asked):
                yield change, config.time_limit, asked

    def _stations(self, now: float) -> Iterator[tuple[Decision, float, str]]:
        if (config := self._state.campaign.requests.station) is None:
            return
        for name, since in self._dispatcher.given_up.items():
            if name in self._state.held:
                continue
            change = SetStation(station=name, mode=StationMode.OUT) if config.then == "out" else StopRun(after="trial")
            asked = f"{name} has failed time after time"
            if self._is_due(config, since, now) and self._first_time(change, asked):
                yield change, config.time_limit, asked

    def _is_due(self, config: TrialRequestConfig | StationRequestConfig, since: float, now: float) -> bool:
        """Return whether a time is up; have the session look again when it is."""
        until = since + config.time_limit
        if now < until:
            self._dispatcher.wake_at(until)
        return now >= until

    def _first_time(self, change: Decision, asked: str) -> bool:
        """Return whether a run is not stopped already for what is asked: it is once in a session."""
        if isinstance(change, StopRun) and asked in self._stopped:
            return False
        self._stopped.add(asked)
        return True
