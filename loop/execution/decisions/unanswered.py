"""Decide what nobody has decided in time, as the campaign file says: by the journal, as people do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from campaigns.decisions import DiscardTrial, SetStation, Settlement, StationMode, StopRun, WithdrawTrial
from campaigns.lab.request_limits import RequestLimitConfig, SupplyRequestConfig
from campaigns.values import TrialState
from loop.core.formatting import duration
from loop.core.journal import Amendment
from loop.core.records import TrialRecord
from loop.core.standard_runs import StandardRun
from loop.core.station_modes import StationOrder
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.holds import Held, PossibleJob
from loop.execution.jobs.step_runner import StepRunner
from loop.storage.artefacts import ASKED_SINCE

AUTHOR = "time limit"
"""Who has written into the journal what nobody has decided."""

Decision = DiscardTrial | WithdrawTrial | SetStation | StopRun


@dataclass(frozen=True, slots=True)
class LimitedRequest:
    """Something that people are asked, and have not answered yet.

    Attributes:
        text: what is asked; the same for as long as it is.
        since: lab time in s; None where the store says when it was noticed first.
        decision: what is done once the time is up; None where it waits on.
        limit: the time.
    """

    text: str
    since: float | None
    decision: Decision | None
    limit: RequestLimitConfig


class Unanswered:
    """Writes into the journal what is done about requests whose time is up.

    Args:
        state: of the session.
        dispatcher: the stations; it has the session look again when a time is up.
        steps: those for which trials wait.
        standards_off: returns what stations gave whose standards are off, and of which nobody has said anything.
    """

    def __init__(
        self,
        state: CampaignState,
        dispatcher: Dispatcher,
        steps: StepRunner,
        standards_off: Callable[[], Sequence[StandardRun]],
    ) -> None:
        self._state, self._dispatcher, self._steps, self._standards_off = state, dispatcher, steps, standards_off
        self._stopped: set[str] = set()
        kept = state.store.artefacts(ASKED_SINCE)
        self._since: dict[str, float] = {text: one["lab"] for text, one in kept.items()}

    def decide(self, now: float) -> bool:
        """Write what is due at a lab time in seconds; return whether there was anything."""
        asked = [*self._trials(), *self._stations(), *self._supplies(), *self._standards(), *self._unsafe()]
        self._note({one.text for one in asked if one.since is None}, now)
        due = [one for one in asked if self._is_due(one, now)]
        for one in due:
            self._write(one)
        return bool(due)

    def _write(self, one: LimitedRequest) -> None:
        change, reason = one.decision, f"nobody has answered within {duration(one.limit.time_limit)}: {one.text}"
        assert change is not None  # noqa: S101 - nothing else is due
        first = len(self._state.trials) if isinstance(change, SetStation) else None
        if isinstance(change, SetStation):
            self._state.share(StationOrder(change.station, change.mode, AUTHOR, time.time(), reason))
        self._state.store.amend([change], (AUTHOR, reason), {}, first)

    def _note(self, asked: set[str], now: float) -> None:
        """Remember, through every kill, since when something is asked that nothing else tells the age of."""
        for text in self._since.keys() - asked:
            self._state.store.drop(ASKED_SINCE, text)
            del self._since[text]
        for text in asked - self._since.keys():
            self._state.store.keep(ASKED_SINCE, text, {"lab": now})
            self._since[text] = now

    def _trials(self) -> Iterator[LimitedRequest]:
        if (config := self._state.campaign.requests.trial) is None:
            return
        decided = self._decided()
        for trial in self._state.trials:
            ended = trial.steps[-1].ended if trial.steps else None
            if trial.state is TrialState.UNCERTAIN and trial.number not in decided and ended is not None:
                change = DiscardTrial(trial=trial.number) if config.then == "discard" else StopRun(after="trial")
                yield LimitedRequest(f"trial {trial.number} is uncertain", ended, change, config)

    def _decided(self) -> set[int]:
        """Return the trials about which somebody has decided something that is not carried out yet."""
        waiting = (one.change for one in self._state.journal if one.waiting)
        return {change.trial for change in waiting if isinstance(change, Settlement)}

    def _stations(self) -> Iterator[LimitedRequest]:
        if (config := self._state.campaign.requests.station) is None:
            return
        for name, since in self._dispatcher.given_up.items():
            if name not in self._state.held:
                yield LimitedRequest(
                    f"{name} has failed time after time", since, _of_station(config.then, name), config
                )

    def _supplies(self) -> Iterator[LimitedRequest]:
        """Yield what trials wait for that people have to bring, or to take away."""
        limits = self._state.campaign.requests
        if limits.refill is None and limits.position is None:
            return
        decided = self._decided()
        for trial in self._state.open:
            job = next(iter(self._steps.possible_jobs([trial])), None)
            held = None if job is None or trial.number in decided else self._supply(job)
            config = {"refill": limits.refill, "position": limits.position}.get(held.about) if held else None
            if job is None or held is None or config is None:
                continue
            change = self._without_supply(trial, config)
            missing = "a refill" if held.about == "refill" else "room for its sample"
            yield LimitedRequest(f"trial {trial.number} waits for {missing} at {job.step.name}", None, change, config)

    def _without_supply(self, trial: TrialRecord, config: SupplyRequestConfig) -> Decision | None:
        """Return what is done about a trial that waits in vain; the planner proposes others only while that helps."""
        last = max((n for one in self._state.journal if (n := _withdrawn(one)) is not None), default=-1)
        helps = last < 0 or any(one.begun and one.number > last for one in self._state.trials)
        if config.then == "stop" or not (helps or trial.begun):
            return StopRun(after="trial")
        return None if trial.begun else WithdrawTrial(trial=trial.number)

    def _supply(self, job: PossibleJob) -> Held | None:
        """Return what a job lacks, whatever else its station waits for."""
        lacks = (hold(job) for hold in self._dispatcher.supplies)
        return next((held for held in lacks if held is not None and held.asks), None)

    def _standards(self) -> Iterator[LimitedRequest]:
        if (config := self._state.campaign.requests.standard) is None:
            return
        for run in self._standards_off():
            change = _of_station(config.then, run.station)
            yield LimitedRequest(f"the standard of {run.station} is off: {run.text}", run.lab, change, config)

    def _unsafe(self) -> Iterator[LimitedRequest]:
        if (config := self._state.campaign.requests.unsafe) is None:
            return
        for name in self._dispatcher.safety.unsafe_stations:
            yield LimitedRequest(f"{name} may not be in its safe state", None, StopRun(after="trial"), config)

    def _is_due(self, one: LimitedRequest, now: float) -> bool:
        """Return whether a time is up and something is done then; have the session look again when it is up."""
        until = (self._since[one.text] if one.since is None else one.since) + one.limit.time_limit
        if one.decision is not None and now < until:
            self._dispatcher.wake_at(until)
        return one.decision is not None and now >= until and self._first_time(one.decision, one.text)

    def _first_time(self, change: Decision, asked: str) -> bool:
        """Return whether a run is not stopped already for what is asked: it is once in a session."""
        if isinstance(change, StopRun) and asked in self._stopped:
            return False
        self._stopped.add(asked)
        return True


def _withdrawn(one: Amendment) -> int | None:
    """Return the trial that was withdrawn as nobody answered in time; None of anything else."""
    return one.change.trial if isinstance(one.change, WithdrawTrial) and one.author == AUTHOR else None


def _of_station(then: str, name: str) -> Decision:
    return SetStation(station=name, mode=StationMode.OUT) if then == "out" else StopRun(after="trial")
